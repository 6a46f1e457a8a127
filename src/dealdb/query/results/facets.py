"""Counts of deals by what a column holds: by value, by date bucket, by amount bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl

from dealdb.charts import Chart
from dealdb.charts.picture import Picture
from dealdb.errors import QueryError
from dealdb.model.columns import is_text
from dealdb.model.decimals import scale_of
from dealdb.model.schema import MAX_DECIMAL_DIGITS
from dealdb.query.filters.comparisons import compare
from dealdb.query.filters.operands import OperandKind, Unfit, column, computed, constant, kind_of
from dealdb.query.filters.rendering import spelled_name, spelled_value
from dealdb.query.results.buckets import date_unit, even_bounds, growing_bounds
from dealdb.query.results.facet_chart import facet_chart

UNITS = {"year": "1y", "quarter": "1q", "month": "1mo", "day": "1d"}
# a value longer than this is not spelled out in a filter
MAX_SPELLED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """
    Deals counted by one column.

    Attributes
    ----------
    column
        Name of the column.
    by
        ``value``; ``member`` (of a list); ``year``, ``quarter``, ``month`` or ``day``; or ``amount``.
    total
        Deals counted: all that the filter keeps.
    others
        Those of them in no bucket of the table: left out by ``limit``, or with an empty list. The counts of the table
        and these add up to the total, except by member, as a deal counts for each of its members.
    table
        A row a bucket: ``value``, or ``from`` and ``to`` (days, both included), or ``from`` and ``below`` (amounts);
        ``deals``, how many; ``where``, the filter that keeps exactly these. Deals without a value have a last row.
    """

    column: str
    by: str
    total: int
    others: int
    table: pl.DataFrame

    def chart(self) -> Chart:
        """
        The counts as bars: a chart to draw, with its marks as a table.

        Examples
        --------
        >>> facet = facet_of(pl.DataFrame({"stage": ["won", "lost", "won"]}), "stage", None, 20)
        >>> facet.chart().marks["value"].to_list()
        [2, 1]
        """
        return facet_chart(self.column, self.by, self.total, self.others, self.table)

    def plot(self, path: str | Path | None = None, *, locale: str = "") -> Picture:
        """
        The counts as a picture, which a notebook shows.

        Parameters
        ----------
        path
            A file to write it to as well: ``.png``, ``.svg``, ``.html`` or ``.json``.
        locale
            How the reader writes numbers and days, such as ``"de-DE"``.

        Raises
        ------
        ConfigError
            If the name of the file ends otherwise.
        MissingExtra
            If a file is asked for and the extra ``plot`` is not installed.
        LoadError
            If the file can't be written.
        """
        picture = Picture(self.chart(), locale=locale)
        if path is not None:
            picture.save(path)
        return picture

    def _repr_html_(self) -> str:
        table: str = self.table._repr_html_()
        return self.plot()._repr_html_() + table

    def __repr__(self) -> str:
        shown = f"{self.table.height} buckets of {self.total:,} deals, {self.others:,} in others"
        return f"Facet({self.column} by {self.by}: {shown})\n{self.table}"


def facet_of(frame: pl.DataFrame, name: str, by: object, limit: int) -> Facet:
    """
    Deals of a frame counted by one column.

    Parameters
    ----------
    frame
        Deals to count; needs that column only.
    name
        Its name.
    by
        ``value``, a unit of dates, a step of amounts, or None for what suits the column.
    limit
        Most buckets, besides the one of nulls.

    Raises
    ------
    QueryError
        If the column can't be counted that way.

    Source
    ------
    docs/querying.md#facets

    Examples
    --------
    >>> frame = pl.DataFrame({"stage": ["won", "lost", "won", None]})
    >>> facet_of(frame, "stage", None, 20).table.rows()
    [('won', 2, "stage = 'won'"), ('lost', 1, "stage = 'lost'"), (None, 1, 'stage IS NULL')]
    """
    values, kind = frame[name], kind_of(frame.schema[name])
    if kind is OperandKind.LIST and by in (None, "value"):
        return _by_member(values, limit)
    if kind in (OperandKind.DATE, OperandKind.DATETIME) and by != "value":
        return _by_date(values, _unit(values, by, limit), limit)
    if (
        kind is OperandKind.NUMBER
        and by != "value"
        and not (by is None and _few_integers(values, limit))
    ):
        return _by_amount(values, _step(name, by), limit)
    if by not in (None, "value"):
        msg = f"{name!r} can't be counted by {by!r}: units are for dates, steps for numbers"
        raise QueryError(msg)
    return _by_value(values, limit)


def _few_integers(values: pl.Series, limit: int) -> bool:
    return values.dtype.is_integer() and values.drop_nulls().n_unique() <= limit


def _unit(values: pl.Series, by: object, limit: int) -> str:
    if by is None:
        return date_unit(_days(values).min(), _days(values).max(), limit)  # type: ignore[arg-type]  # dates
    if by in UNITS:
        return str(by)
    msg = f"{values.name!r} can't be counted by {by!r}; dates are by {', '.join(UNITS)} or value"
    raise QueryError(msg)


def _step(name: str, by: object) -> Decimal | None:
    if by is None:
        return None
    exact = isinstance(by, int | float | Decimal) and not isinstance(by, bool)
    step = Decimal(str(by)) if exact else Decimal(0)
    if not step.is_finite() or step <= 0:
        msg = f"{name!r} can't be counted by {by!r}; numbers are by a step above 0, or by value"
        raise QueryError(msg)
    return step


def _by_value(values: pl.Series, limit: int) -> Facet:
    if kind_of(values.dtype) is None:
        msg = f"a column of type {values.dtype} can't be counted by value"
        raise QueryError(msg)
    counts = values.alias("value").drop_nulls().value_counts(name="deals")
    top = _largest(counts, limit).sort(["deals", "value"], descending=[True, False])
    shown = [(value, deals, _equal(values.name, value)) for value, deals in top.rows()]
    dtype = pl.String() if is_text(values.dtype) else values.dtype
    return _facet(values, "value", {"value": dtype}, shown)


def _by_member(values: pl.Series, limit: int) -> Facet:
    members = values.drop_nulls().list.unique().explode().alias("value").drop_nulls()
    top = _largest(members.value_counts(name="deals"), limit)
    top = top.sort(["deals", "value"], descending=[True, False])
    name = spelled_name(values.name)
    shown = [(value, deals, _spelled(value, " IN " + name)) for value, deals in top.rows()]
    held = values.list.set_intersection(top["value"].implode()).list.len() > 0
    # a deal counts for each of its members, so the rest is counted by itself
    others = len(values) - values.null_count() - int(held.sum() or 0)
    return replace(_facet(values, "member", {"value": pl.String()}, shown), others=others)


def _spelled(value: str, rest: str) -> str | None:
    return None if len(value) > MAX_SPELLED else spelled_value(value) + rest


def _largest(counts: pl.DataFrame, limit: int) -> pl.DataFrame:
    """Buckets with the most deals; of equal ones the first. Doesn't sort them all: there may be one a deal."""
    if counts.height <= limit:
        return counts
    bucket, deals = counts.get_columns()
    bound = deals.top_k(limit).min()
    surely = counts.filter(deals > bound)
    rest = bucket.filter(deals == bound).bottom_k(limit - surely.height)
    return pl.concat(
        [surely, rest.to_frame().with_columns(pl.lit(bound, deals.dtype).alias("deals"))]
    )


def _equal(name: str, value: object) -> str | None:
    if isinstance(value, float) or (isinstance(value, str) and len(value) > MAX_SPELLED):
        return None
    return f"{spelled_name(name)} = {spelled_value(value)}"  # type: ignore[arg-type]  # of a column


def _days(values: pl.Series) -> pl.Series:
    return values if values.dtype == pl.Date else values.dt.date()


def _by_date(values: pl.Series, unit: str, limit: int) -> Facet:
    days = _days(values).alias("from").drop_nulls().value_counts(name="deals")
    begins = days.with_columns(pl.col("from").dt.truncate(UNITS[unit]))
    counts = begins.group_by("from").agg(pl.col("deals").sum())
    shown = []
    for begin, deals in _largest(counts, limit).sort("from").rows():
        end = _end(begin, unit)
        shown.append((begin, end, deals, _within(values, begin, end)))
    return _facet(values, unit, {"from": pl.Date(), "to": pl.Date()}, shown)


def _end(begin: date, unit: str) -> date:
    """Last day of the bucket that begins on a day."""
    if unit == "day":
        return begin
    months = {"year": 12, "quarter": 3, "month": 1}[unit]
    year, month = divmod(begin.year * 12 + begin.month - 1 + months, 12)
    # the year 10000 is not a date
    return date.max if year > date.max.year else date(year, month + 1, 1) - timedelta(days=1)


def _within(values: pl.Series, begin: date, end: date) -> str:
    name = spelled_name(values.name)
    if values.dtype == pl.Date:
        return f"{name} BETWEEN {spelled_value(begin)} AND {spelled_value(end)}"
    if end == date.max:
        return f"{name} >= {spelled_value(begin)}"
    after = end + timedelta(days=1)
    return f"{name} >= {spelled_value(begin)} AND {name} < {spelled_value(after)}"


def _by_amount(values: pl.Series, step: Decimal | None, limit: int) -> Facet:
    buckets = _amount_buckets(values, step, limit)
    largest = sorted(buckets, key=lambda bucket: -bucket[2])[:limit]
    shown = [(*bucket, _between(values.name, *bucket[:2])) for bucket in sorted(largest)]
    if values.dtype.is_float():
        rounded = [(float(low), float(high), *rest) for low, high, *rest in shown]
        return _facet(values, "amount", {"from": pl.Float64(), "below": pl.Float64()}, rounded)
    bounds = [bound for bucket in largest for bound in bucket[:2]]
    dtype = pl.Decimal(MAX_DECIMAL_DIGITS, max(map(scale_of, bounds), default=0))
    return _facet(values, "amount", {"from": dtype, "below": dtype}, shown)


def _amount_buckets(
    values: pl.Series, step: Decimal | None, limit: int
) -> list[tuple[Decimal, Decimal, int]]:
    """Buckets that have deals: from, below and their number."""
    numbers = values.filter(values.is_finite()) if values.dtype.is_float() else values
    if numbers.null_count() == len(numbers):
        return []
    low, high = Decimal(str(numbers.min())), Decimal(str(numbers.max()))
    buckets = _counted(numbers, even_bounds(low, high, step, limit))
    largest = max((deals for *_, deals in buckets), default=0)
    if step is None and largest > len(numbers) // 2 and low < high:
        # most are in one bucket: their sizes differ too much for even ones
        buckets = _counted(numbers, growing_bounds(low, high, limit))
    return buckets


def _counted(values: pl.Series, bounds: list[Decimal]) -> list[tuple[Decimal, Decimal, int]]:
    below = _counts_below(values, bounds)
    return [
        (low, high, upper - lower)
        for (low, lower), (high, upper) in pairwise(zip(bounds, below, strict=True))
        if upper > lower
    ]


def _between(name: str, low: Decimal, high: Decimal) -> str:
    name = spelled_name(name)
    return f"{name} >= {spelled_value(low)} AND {name} < {spelled_value(high)}"


def _counts_below(values: pl.Series, bounds: Sequence[Decimal]) -> list[int]:
    """For each bound the number of values below it, compared as a filter compares them."""
    item = computed(column(values.name), values.dtype, 0, values.name)
    try:
        exprs = [compare(item, "<", constant(bound)).sum() for bound in bounds]
    except Unfit as problem:
        msg = f"{values.name!r} can't be counted by this step: {problem}"
        raise QueryError(msg) from None
    counted = values.to_frame().select([e.alias(str(n)) for n, e in enumerate(exprs)])
    return [int(number) for number in counted.row(0)]


def _facet(
    values: pl.Series,
    by: str,
    bounds: Mapping[str, pl.DataType],
    shown: Sequence[tuple[object, ...]],
) -> Facet:
    missing = values.null_count()
    others = len(values) - missing - sum(int(str(row[-2])) for row in shown)
    if missing:
        empty = f"{spelled_name(values.name)} IS NULL"
        shown = [*shown, (*[None] * len(bounds), missing, empty)]
    schema = {**bounds, "deals": pl.Int64(), "where": pl.String()}
    table = pl.DataFrame(shown, schema=schema, orient="row")
    return Facet(column=values.name, by=by, total=len(values), others=others, table=table)
