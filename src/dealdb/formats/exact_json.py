"""JSON in which every number keeps its digits."""

from __future__ import annotations

import json
from decimal import Decimal


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
