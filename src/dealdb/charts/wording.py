"""Values and marks as texts: exact ones for those who ask, short ones to stand beside a mark."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from dealdb.charts.chart import Axis, Chart, ChartForm, Unit
from dealdb.formats.cells import is_number, to_text
from dealdb.formats.controls import visible
from dealdb.formats.locale import PLAIN, Locale

Number = int | float | Decimal

# what stands where there is no value, and no group
NO_VALUE = "\N{EN DASH}"
NO_GROUP = "(none)"
MINUS = "\N{MINUS SIGN}"
# from here on no digit but the first few says anything to a reader
_HUGE = 1e16
_TINY = 1e-4


def place_of(value: object) -> float | None:
    """
    A value as a place along an axis; None for what has none: null, NaN, infinity, a text.

    Examples
    --------
    >>> (
    ...     place_of(Decimal("12.50")),
    ...     place_of(float("nan")),
    ...     place_of(date(1970, 1, 2)),
    ...     place_of("x"),
    ... )
    (12.5, None, 719164.0, None)
    """
    if isinstance(value, datetime):
        return value.toordinal() + (value.hour * 3600 + value.minute * 60 + value.second) / 86_400
    if isinstance(value, date):
        return float(value.toordinal())
    if not is_number(value):
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def exact_text(value: object, axis: Axis, locale: Locale = PLAIN) -> str:
    """
    A value with all that is known of it, and its unit.

    Examples
    --------
    >>> money = Axis(title="value", unit=Unit.MONEY, currency="EUR")
    >>> exact_text(Decimal("1234.50"), money), exact_text(None, money) == NO_VALUE
    ('1,234.50 EUR', True)
    >>> exact_text(1, Axis(title="deals", unit=Unit.DEALS))
    '1 deal'
    """
    number = _number(value, axis)
    if number is None:
        return _no_number(value, axis, locale)
    digits = _digits(number, locale)
    match axis.unit:
        case Unit.SHARE:
            return _share(number, locale)
        case Unit.MONEY if axis.currency:
            return f"{digits} {axis.currency}"
        case Unit.DEALS | Unit.DAYS:
            word = "deal" if axis.unit is Unit.DEALS else "day"
            return f"{digits} {word}{'' if number == 1 else 's'}"
    return digits


def short_text(value: object, axis: Axis, locale: Locale = PLAIN) -> str:
    """
    A value in a few digits, to stand beside a mark; counts and shares as they are.

    Examples
    --------
    >>> money = Axis(title="value", unit=Unit.MONEY, currency="EUR")
    >>> short_text(Decimal("12500000.00"), money), short_text(0.001, money)
    ('12.5 m', '0.001')
    >>> short_text(0.4567, Axis(title="won", unit=Unit.SHARE))
    '45.7 %'
    """
    number = _number(value, axis)
    if number is None:
        return _no_number(value, axis, locale)
    place = float(number)
    size = abs(place)
    if axis.unit is Unit.SHARE:
        text = _share(number, locale)
    elif size and not _TINY <= size < _HUGE:
        text = _scientific(place)
    elif axis.unit is Unit.DEALS and place.is_integer():
        text = locale.number(int(place))
    elif size < 100 and not place.is_integer():
        text = locale.number(Decimal(f"{place:.3g}"))
    else:
        text = locale.short(number)
    return text.replace("-", MINUS)


def signed(value: object, axis: Axis, locale: Locale = PLAIN) -> str:
    """
    A change in a few digits, with its sign.

    Examples
    --------
    >>> signed(86, Axis(title="deals", unit=Unit.DEALS))
    '+86'
    """
    text = short_text(value, axis, locale)
    return f"+{text}" if (place_of(value) or 0) > 0 else text


def label_text(value: object, locale: Locale = PLAIN) -> str:
    r"""
    What a mark is of, on one line; characters that steer are written as what they are called.

    Examples
    --------
    >>> label_text("Ann\u202e\nLee"), label_text(None), label_text(date(2026, 1, 31))
    ('Ann\\u202e Lee', '(none)', '2026-01-31')
    """
    if value is None:
        return NO_GROUP
    if is_number(value) and place_of(value) is None:
        return NO_VALUE
    if isinstance(value, date) and not isinstance(value, datetime):
        return locale.day(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return to_text(value)
    return visible(" ".join(to_text(value).split())) or '""'


def axis_title(axis: Axis, unit: str = "") -> str:
    """
    The title of an axis with what its numbers are counted in.

    Examples
    --------
    >>> axis_title(Axis(title="value", unit=Unit.MONEY, currency="EUR"), "m")
    'value, EUR m'
    """
    words = [
        axis.currency or "",
        unit,
        "days" if axis.unit is Unit.DAYS and "days" not in axis.title.lower() else "",
    ]
    counted = " ".join(word for word in words if word)
    return f"{axis.title}, {counted}" if counted and axis.title else axis.title or counted


def ways_to_tell(axis: Axis, locale: Locale = PLAIN) -> list[Callable[[object], str]]:
    """
    Ways to write a value in a cell, the longest one first.

    Examples
    --------
    >>> [way(0.4567) for way in ways_to_tell(Axis(title="won", unit=Unit.SHARE))]
    ['45.7 %', '46 %', '46']
    """

    def usual(value: object) -> str:
        return short_text(value, axis, locale)

    def whole(value: object) -> str:
        number = _number(value, axis)
        if number is None or abs(float(number)) >= _TINY**-1:
            return usual(value)
        return locale.share(number, 0).replace("-", MINUS)

    if axis.unit is not Unit.SHARE:
        return [usual]
    return [usual, whole, lambda value: whole(value).replace("%", "").strip()]


def mark_text(chart: Chart, row: Mapping[str, Any], locale: Locale = PLAIN) -> str:
    """
    Everything that a mark says, exact: its panel, series and label, its value, and what else its form has.

    Examples
    --------
    >>> import polars as pl
    >>> chart = Chart(
    ...     form=ChartForm.BARS,
    ...     title="Open deals",
    ...     subtitle="n 10",
    ...     marks=pl.DataFrame({"label": ["Ann"], "value": [7], "target": [9]}),
    ...     x=Axis(title="owner", unit=Unit.LABEL),
    ...     y=Axis(title="deals", unit=Unit.DEALS),
    ... )
    >>> mark_text(chart, chart.marks.row(0, named=True))
    'Ann: 7 deals, target 9 deals'
    """
    of_what = [label_text(row[name], locale) for name in ("panel", "series") if name in row]
    of_what += _position(chart, row, locale)
    return f"{', '.join(of_what)}: {', '.join(_said(chart, row, locale))}"


def _position(chart: Chart, row: Mapping[str, Any], locale: Locale) -> list[str]:
    match chart.form:
        case ChartForm.HEAT:
            names = ["label", "column"]
        case ChartForm.FAN | ChartForm.STEPS | ChartForm.LINES:
            names = ["x"]
        case ChartForm.DOTS:
            return [f"{chart.x.title} {exact_text(row['x'], chart.x, locale)}"]
        case ChartForm.SCATTER:
            return [label_text(row["label"], locale), exact_text(row["x"], chart.x, locale)]
        case _:
            names = ["label", *(["part"] if "part" in row else [])]
    return [
        exact_text(row[name], chart.x, locale) if name == "x" else label_text(row[name], locale)
        for name in names
    ]


def _said(chart: Chart, row: Mapping[str, Any], locale: Locale) -> list[str]:
    def text(name: str) -> str:
        return exact_text(row[name], chart.y, locale)

    said = [text("middle" if chart.form is ChartForm.FAN else "value")]
    if (
        chart.form is ChartForm.WATERFALL
        and not row["is_total"]
        and (place_of(row["value"]) or 0) > 0
    ):
        said = [f"+{said[0]}"]
    if row.get("target") is not None:
        said.append(f"target {text('target')}")
    if row.get("low") is not None and row.get("high") is not None:
        said.append(f"{text('low')} to {text('high')}")
    if chart.form is ChartForm.FUNNEL:
        share = Axis(title="", unit=Unit.SHARE)
        if row["share"] is not None:
            said.append(f"{exact_text(row['share'], share, locale)} of the first")
        if row["next"] is not None:
            said.append(f"{exact_text(row['next'], share, locale)} came on")
    if chart.form is ChartForm.DOTS and row["n"] is not None:
        said.append(f"n {exact_text(row['n'], Axis(title='', unit=Unit.NUMBER), locale)}")
    return said


def _number(value: object, axis: Axis) -> Number | None:
    """A value that can be written as a number of its axis; a negative zero is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if axis.unit is Unit.LABEL or place_of(value) is None:
        return None
    # a negative zero is none
    if isinstance(value, Decimal):
        return value or value.copy_abs()
    return value or 0


def _no_number(value: object, axis: Axis, locale: Locale) -> str:
    # a missing number is no group
    return NO_VALUE if value is None and axis.unit is not Unit.LABEL else label_text(value, locale)


def _digits(value: Number, locale: Locale) -> str:
    """All digits of what is exact; of a float those that the command line shows."""
    if not isinstance(value, float):
        return locale.number(value)
    size = abs(value)
    if size and not _TINY <= size < _HUGE:
        return _scientific(value)
    if value.is_integer():
        return locale.number(int(value))
    return locale.number(value, 4 if size < 100 else 2)


def _share(value: Number, locale: Locale) -> str:
    if abs(float(value)) * 100 >= _HUGE:
        return f"{_scientific(float(value) * 100)} %"
    return locale.share(value)


def _scientific(value: float) -> str:
    return f"{value:.3g}"
