"""How a query that can't be understood is reported: the place under a caret."""

from __future__ import annotations

from dealdb.errors import QueryError

# characters of a long line that are shown around the place at fault
WINDOW = 96
# these have a meaning of their own in a filter, unless there is such a column
MOMENTS = frozenset(("today", "now"))


def fault(message: str, text: str, position: int) -> QueryError:
    """
    Error whose message shows the place in the text.

    Parameters
    ----------
    message
        What is wrong and what to write instead.
    text
        The query as given.
    position
        Offset of the first character at fault.

    Examples
    --------
    >>> print(fault("not a date", "created > 'soon'", 10))
    not a date
      created > 'soon'
                ^
    """
    return QueryError(f"{message}\n{pointed(text, position)}", text=text, position=position)


def pointed(text: str, position: int) -> str:
    """Line of the text that has the position, and a caret below it; long lines are cut around it."""
    position = min(position, len(text))
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[begin : end if end >= 0 else len(text)]
    column = position - begin
    cut = max(0, min(column - WINDOW // 2, len(line) - WINDOW))
    head = "…" if cut else ""
    tail = "…" if cut + WINDOW < len(line) else ""
    shown = "".join(c if c.isprintable() else " " for c in line[cut : cut + WINDOW])
    return f"  {head}{shown}{tail}\n  {' ' * (len(head) + column - cut)}^"
