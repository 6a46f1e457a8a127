"""What Tab offers at the prompt of ``dealdb shell``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

# an apostrophe is none of them: readline would take the quotation for a word of its own, and close it itself
DELIMITERS = " \t\n=<>(),"
_KEYWORDS = (
    "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "SELECT", "FROM", "deals", "WHERE",
    "GROUP", "BY", "ORDER", "LIMIT", "count", "sum", "avg", "today",
)  # fmt: skip
_PLAIN = re.compile(r"\w+")
# what would end the word of a command that a value is in
_ENDS_WORD = '"\\'
_QUOTATION = re.compile(r"'(?:[^']|'')*+(?P<end>'?)")
# a column, what compares it, and in a list the values before
_COMPARED = re.compile(
    r"""(?: "(?P<quoted>[^"]+)" | (?P<plain>\w+) ) \s*
    (?: [=<>!]+ | (?:\bNOT\s+)? (?: \bI?LIKE\b | \bIN\s*\( (?:\s*'(?:[^']|'')*'\s*,)* ) ) \s* $""",
    re.VERBOSE | re.IGNORECASE,
)


def candidates(
    text: str,
    before: str,
    columns: Sequence[str],
    commands: Iterable[str],
    values_of: Callable[[str], Iterable[str]],
) -> list[str]:
    """
    What may stand for the word that begins with ``text``: values inside quotes, else columns, words and commands.

    Parameters
    ----------
    text
        Beginning of the word.
    before
        The line up to it.
    columns
        Names of columns.
    commands
        Names of commands, for the beginning of a line.
    values_of
        Values of a column.

    Examples
    --------
    >>> stages = {"stage": ["Won", "Lost", "On hold"]}
    >>> candidates("'W", "stage = ", ["stage"], [], stages.__getitem__)
    ["'Won'"]
    >>> candidates("h", "stage IN ('Won', 'On ", ["stage"], [], stages.__getitem__)
    ["hold'"]
    >>> candidates("st", "stage = 'Won' AND ", ["stage"], ["stats"], stages.__getitem__)
    ['stage']
    """
    line = before + text
    quotations = [found.start() for found in _QUOTATION.finditer(line) if not found["end"]]
    if not quotations:
        first = () if before.strip() else commands
        return _beginning_with(text, [*_offered(columns, text), *_KEYWORDS, *first])
    [start] = quotations
    column = _compared(line[:start], columns)
    if column is None:
        return []
    ends = _ENDS_WORD if line.split(maxsplit=1)[0] in commands else ""
    quoted = [
        "'" + value.replace("'", "''") + "'"
        for value in values_of(column)
        if value.isprintable() and not any(each in value for each in ends)
    ]
    # the word begins inside the quotation where that has a delimiter: what comes before it stays as it is
    skipped = max(0, len(before) - start)
    fitting = [each for each in quoted if each.startswith(line[start:][:skipped])]
    lead = text[: max(0, start - len(before))]
    return [lead + each[skipped:] for each in _beginning_with(line[start:], fitting)]


def _offered(columns: Iterable[str], text: str) -> Iterable[str]:
    """
    Columns as a line takes them: one that is not a plain word stands in quotes.

    Else a column that somebody has called ``delete 7 --yes`` would be a command at the beginning of a line.
    """
    for name in columns:
        if _PLAIN.fullmatch(name):
            yield name
        elif text.startswith('"') and name.isprintable() and "\\" not in name:
            yield '"' + name.replace('"', '""') + '"'


def _compared(line: str, columns: Sequence[str]) -> str | None:
    """Column whose value comes next."""
    found = _COMPARED.search(line)
    if found is None:
        return None
    name = found["quoted"] or found["plain"]
    return next((each for each in columns if each.casefold() == name.casefold()), None)


def _beginning_with(text: str, words: Iterable[str]) -> list[str]:
    """Words that begin with a text; those that differ in case only where no other does."""
    known = list(dict.fromkeys(words))
    exact = [word for word in known if word.startswith(text)]
    return exact or [word for word in known if word.casefold().startswith(text.casefold())]
