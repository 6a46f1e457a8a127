"""How a query that can't be understood is told: the place under a caret, and the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from dealdb.errors import QueryError

# characters of a long line that are shown around the place at fault
WINDOW = 96
SHOWN_NAMES = 24


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


def unknown(kind: str, name: str, known: Iterable[str], *, plural: str | None = None) -> str:
    """
    Message for a name that doesn't exist: the nearest one, and those that do.

    Examples
    --------
    >>> unknown("column", "ammount", ["id", "amount"])
    "no column 'ammount'; did you mean 'amount'? the columns are id, amount"
    """
    names = list(known)
    folded = {each.casefold(): each for each in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    guess = f"; did you mean {folded[near[0]]!r}?" if near else ";"
    more = f", … ({len(names)} in all)" if len(names) > SHOWN_NAMES else ""
    shown = ", ".join(names[:SHOWN_NAMES])
    return f"no {kind} {name[:80]!r}{guess} the {plural or f'{kind}s'} are {shown}{more}"


# these have a meaning of their own in a filter, unless there is such a column
MOMENTS = frozenset(("today", "now"))


def find_name(name: str, known: Iterable[str]) -> str | None:
    """
    Column that a name means: the exact one, else the only one that differs in case alone.

    Examples
    --------
    >>> find_name("Amount", ["id", "amount"])
    'amount'
    """
    names = list(known)
    if name in names:
        return name
    alike = [each for each in names if each.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def column_named(name: str, known: Iterable[str]) -> str:
    """
    Column that a name means.

    Raises
    ------
    QueryError
        If there is none; names the nearest.

    Examples
    --------
    >>> column_named("owner", ["id", "owner"])
    'owner'
    """
    names = list(known)
    found = find_name(name, names)
    if found is None:
        raise QueryError(unknown("column", name, names), text=name, position=0)
    return found
