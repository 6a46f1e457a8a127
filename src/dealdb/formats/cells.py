"""Texts of values: for programs (``to_json``, ``to_text``) and for people (``to_cell``)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from dealdb.formats.controls import in_json, visible
from dealdb.model.schema import Field, FieldType
from dealdb.model.values import encode

_MOMENT = Field("moment", FieldType.DATETIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """
    How a table writes the numbers of a column.

    Attributes
    ----------
    digits
        Digits after the point; None writes all digits of a decimal and four of a float.
    percent
        The numbers are ratios, to be written as percentages.
    grouped
        Group the thousands of integers of four digits, which may be years, too.
    """

    digits: int | None = None
    percent: bool = False
    grouped: bool = False


AS_IS = Form()


def to_json(value: Any) -> str:
    """
    JSON text of a value; decimals become numbers with all their digits.

    Examples
    --------
    >>> from datetime import date
    >>> to_json({"amount": Decimal("125000.00"), "closed": date(2026, 1, 31)})
    '{"amount": 125000.00, "closed": "2026-01-31"}'
    """
    match value:
        case Mapping():
            return (
                "{"
                + ", ".join(
                    f"{in_json(json.dumps(str(k)))}: {to_json(v)}" for k, v in value.items()
                )
                + "}"
            )
        case list() | tuple():
            return "[" + ", ".join(map(to_json, value)) + "]"
        case Decimal() if value.is_finite():
            return f"{value:f}"
        case float() if not math.isfinite(value):
            # JSON has no such number
            return "null"
        case None | bool() | int() | float():
            return json.dumps(value)
    return _quoted(to_text(value))


def _quoted(text: str) -> str:
    return in_json(json.dumps(text, ensure_ascii=False))


def to_text(value: Any) -> str:
    """
    Text of a value as ``load`` reads it back.

    Examples
    --------
    >>> to_text(True), to_text(Decimal("1E+3")), to_text(None)
    ('true', '1000', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return encode(value, _MOMENT)
        case list() | tuple() | Mapping():
            return to_json(value)
        case bytes():
            return value.hex()
    return str(value)


def to_cell(value: Any, form: Form = AS_IS) -> str:
    r"""
    Text of a value as a table shows it: thousands grouped, nothing that could steer the terminal.

    Examples
    --------
    >>> to_cell(Decimal("125000.00")), to_cell(2026), to_cell(0.6315005), to_cell("a\x1b[2J")
    ('125,000.00', '2026', '0.6315', 'a\\x1b[2J')
    >>> to_cell(0.6315005, Form(percent=True, digits=1))
    '63.2 %'
    """
    match value:
        case bool():
            pass
        case int() if form.grouped or abs(value) >= 10_000:
            return f"{value:,}"
        case float() | Decimal() if math.isfinite(value):
            return _number_cell(value, form)
    return visible(to_text(value)).replace("\t", r"\t").replace("\n", r"\n")


def _number_cell(value: float | Decimal, form: Form) -> str:
    if form.percent:
        return f"{value * 100:z,.{form.digits or 0}f} %"
    digits = 4 if form.digits is None and isinstance(value, float) else form.digits
    return f"{value:,f}" if digits is None else f"{value:z,.{digits}f}"


def is_number(value: object) -> bool:
    """Whether a value is a number, which a truth value is not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def all_numbers(values: Sequence[Any]) -> bool:
    """Whether a column holds numbers, and apart from them at most nulls."""
    return any(map(is_number, values)) and all(is_number(v) or v in ("", "-", None) for v in values)
