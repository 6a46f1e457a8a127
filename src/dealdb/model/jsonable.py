"""Deals, rows and reports as the plain values that JSON has, for web services and queues."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from dealdb.errors import SchemaError
from dealdb.model.schema import Field, FieldType
from dealdb.model.values import encode

_MOMENT = Field("moment", FieldType.DATETIME)


def to_jsonable(value: Any) -> Any:
    """
    A deal, a list of them, a data frame, a metric or a report as plain JSON values: what ``json.dumps`` takes.

    Decimals are texts with all their digits, because most readers of JSON make floats of its numbers; dates and times
    are texts too, as the program writes them. Loading such rows gives the same deals.

    Parameters
    ----------
    value
        A deal, or anything else that dealdb returns; a data frame becomes a list of its rows.

    Returns
    -------
    Any
        Text, numbers, truth values, None, and lists and dictionaries of these. NaN and infinity are None.

    Raises
    ------
    SchemaError
        If there is something in it that JSON has no form for.

    Examples
    --------
    >>> to_jsonable({"id": "7", "amount": Decimal("125000.00"), "closed": date(2026, 1, 31)})
    {'id': '7', 'amount': '125000.00', 'closed': '2026-01-31'}
    """
    match value:
        case Enum():
            return to_jsonable(value.value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return f"{value:f}" if value.is_finite() else None
        case datetime():
            return encode(value, _MOMENT)
        case date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case PurePath():
            return str(value)
        case Mapping():
            return {str(name): to_jsonable(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_jsonable(inner) for inner in value]
    return _of_object(value)


def _of_object(value: Any) -> Any:
    # frames and metrics have rows, a column has values
    for name in ("to_dicts", "to_list"):
        method = getattr(value, name, None)
        if callable(method):
            return to_jsonable(method())
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_jsonable(getattr(value, each.name)) for each in fields(value)}
    msg = f"a value of type {type(value).__name__} has no form in JSON"
    raise SchemaError(msg, expected="a deal, a data frame, a report, or a list of these")
