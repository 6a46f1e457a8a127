"""JSON in which every number keeps its digits."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

# lists and objects in one another: nobody writes more, and Python follows some hundred
MOST_DEEP = 64


def exact_number(text: str) -> Decimal:
    """
    Number of JSON with all its digits, for ``parse_float``; ValueError for one beyond any decimal.

    Examples
    --------
    >>> exact_number("1.50")
    Decimal('1.50')
    """
    try:
        return Decimal(text)
    except InvalidOperation:
        msg = "a number that nobody can have meant"
        raise ValueError(msg) from None


def is_too_deep(value: object) -> bool:
    """
    Whether lists and objects stand in one another more often than anything here follows.

    Examples
    --------
    >>> nested = 1
    >>> for _ in range(100):
    ...     nested = [nested]
    >>> is_too_deep(nested), is_too_deep({"tags": ["a"]})
    (True, False)
    """
    level = [value]
    for _ in range(MOST_DEEP + 1):
        inner: list[object] = []
        for each in level:
            match each:
                case dict():
                    inner += each.values()
                case list() | tuple():
                    inner += each
        level = [each for each in inner if isinstance(each, dict | list | tuple)]
        if not level:
            return False
    return True


def as_json(row: object) -> str:
    """
    Compact JSON of anything; what JSON has no form for is written as its text.

    Examples
    --------
    >>> as_json({"tags": ["a", "b"]})
    '{"tags":["a","b"]}'
    """
    match row:
        case Decimal() if row.is_finite():
            # json itself would have to make it a float or a string
            return str(row)
        case dict():
            pairs = (f"{_JSON.encode(str(name))}:{as_json(cell)}" for name, cell in row.items())
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(as_json, row)) + "]"
    return _JSON.encode(row)


_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
