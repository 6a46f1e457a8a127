"""Parameters of a filter, ``amount > :least``: which there are, and the filter with values in their places."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

# the value of a parameter in an address: p.least=5
PREFIX = "p."
_TOKEN = re.compile(
    r"'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|--[^\n]*|/\*.*?(?:\*/|$)|::|:(?P<name>[A-Za-z_]\w*)|\w+|\s+|.",
    re.DOTALL,
)
# the words of a filter that mean a moment which goes on; the day, which today() means, is the same for long
_CLOCK = frozenset(("now", "current_timestamp"))
_DAY = frozenset(("today", "current_date"))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")


def parameters_of(where: str | None) -> list[str]:
    """
    Names of the parameters of a filter, in order.

    Examples
    --------
    >>> parameters_of("amount > :least AND stage IN :stages AND name <> ':no' -- :nor")
    ['least', 'stages']
    """
    found = (token["name"] for token in _TOKEN.finditer(where or ""))
    return list(dict.fromkeys(name for name in found if name))


def asks_the_clock(where: str | None) -> bool:
    """
    Whether a filter may keep other deals a moment later, though none is changed.

    It is also true of a column that is called ``now``: looking once too often does no harm.

    Examples
    --------
    >>> asks_the_clock("updated > NOW() - 1h"), asks_the_clock("created > today() OR name = 'now'")
    (True, False)
    """
    return _has_one_of(_CLOCK, where)


def asks_the_day(where: str | None) -> bool:
    """
    Whether a filter may keep other deals on another day, though none is changed; as ``asks_the_clock``.

    Examples
    --------
    >>> asks_the_day("created > today()"), asks_the_day("name = 'today'")
    (True, False)
    """
    return _has_one_of(_DAY, where)


def _has_one_of(words: Collection[str], where: str | None) -> bool:
    return any(token[0].lower() in words for token in _TOKEN.finditer(where or ""))


def with_values(where: str, values: dict[str, str]) -> str:
    """
    The filter with values in place of parameters; those without one stay.

    A value is a number, a truth value or a text, as it looks; behind IN it is a list, by its commas.

    Examples
    --------
    >>> with_values("amount > :least AND stage IN :s", {"least": "5", "s": "Won, O'Hara"})
    "amount > 5 AND stage IN ('Won', 'O''Hara')"
    >>> with_values("owner = :who OR source = :who", {"who": "'5'"})
    "owner = '5' OR source = '5'"
    >>> with_values("amount -:less > 5", {"less": "-7"})
    'amount - -7 > 5'
    """
    parts, before = [], ""
    for token in _TOKEN.finditer(where):
        name, text = token["name"], token[0]
        if name in values:
            is_list = before.upper() == "IN"
            text = _list(values[name]) if is_list else _literal(values[name])
            # two signs begin a comment
            text = f" {text}" if before == text[:1] == "-" else text
        parts.append(text)
        before = before if text.isspace() else text
    return "".join(parts)


def bound(options: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """
    Options of an address whose filter has the values that it gives for its parameters.

    Examples
    --------
    >>> bound([("where", "amount > :least"), ("p.least", "5"), ("sort", "id")])
    [('where', 'amount > 5'), ('sort', 'id')]
    """
    values = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in options
        if name.startswith(PREFIX) and value.strip()
    }
    return [
        (name, with_values(value, values) if name == "where" else value)
        for name, value in options
        if not name.startswith(PREFIX)
    ]


def _literal(value: str) -> str:
    if _NUMBER.fullmatch(value) or value.lower() in ("true", "false"):
        return value
    if len(value) > 1 and value[0] == value[-1] == "'":
        value = value[1:-1]
    return "'" + value.replace("'", "''") + "'"


def _list(value: str) -> str:
    parts: Iterable[str] = (part.strip() for part in value.split(","))
    return f"({', '.join(_literal(part) for part in parts if part)})"
