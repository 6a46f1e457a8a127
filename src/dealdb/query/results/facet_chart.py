"""The chart of a facet: a bar for each bucket."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.charts import Axis, Chart, ChartForm, Unit
from dealdb.charts.marks import called, fitting, told_apart

# what a filter calls deals without a value
_NONE = "(none)"


def facet_chart(column: str, by: str, total: int, others: int, table: pl.DataFrame) -> Chart:
    """
    Bars of the buckets of a facet, whose attributes are given.

    Examples
    --------
    >>> table = pl.DataFrame({"value": ["Won", None], "deals": [3, 1]})
    >>> facet_chart("stage", "value", 4, 0, table).marks.rows()
    [(0, 'Won', 3), (1, '(none)', 1)]
    """
    labels = pl.Series([_named(by, row) for row in table.to_dicts()], dtype=pl.String)
    marks = table.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        told_apart(labels).alias("label"),
        pl.col("deals").alias("value"),
    )
    shown, left_out = fitting(ChartForm.BARS, marks)
    told = [f"{others:,} of the deals are in no bucket."] if others else []
    if by == "member":
        told.append("A deal counts for each of its values.")
    words = column.replace("_", " ")
    return Chart(
        form=ChartForm.BARS,
        title=f"Deals by {words}",
        subtitle=f"{total:,} {'deal' if total == 1 else 'deals'}"
        + (f", by {by}" if by not in ("value", "member") else ""),
        marks=shown,
        x=Axis(title=words, unit=Unit.LABEL),
        y=Axis(title="deals", unit=Unit.DEALS),
        notes=(*told, *left_out),
    )


def _named(by: str, row: dict[str, Any]) -> str:
    if "value" in row:
        return called(row["value"])
    begin = row["from"]
    if begin is None:
        return _NONE
    if isinstance(begin, date):
        return _period(by, begin)
    return f"{_bound(begin)} to below {_bound(row['below'])}"


def _period(unit: str, begin: date) -> str:
    if unit == "quarter":
        return f"{begin.year}-Q{(begin.month + 2) // 3}"
    return begin.isoformat()[: {"year": 4, "month": 7}.get(unit, 10)]


def _bound(number: Decimal | float) -> str:
    text = f"{number:,f}" if isinstance(number, Decimal) else f"{number:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text
