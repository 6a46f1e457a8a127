"""The road that every metric takes: choose the deals, group them, aggregate, say what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from dealdb.analytics.exact import (
    check_sums,
    column_scale,
    from_units,
    probability_scale,
    weighted_units,
)
from dealdb.analytics.flags import HAS_MONEY, KEPT, LOST, OPEN, WON, classified, standardised
from dealdb.analytics.options import By, Window, group_columns
from dealdb.analytics.result import MIXED, Basis, MetricResult
from dealdb.model.columns import is_text, spelled_out
from dealdb.model.pipeline import Pipeline

# group of the deals that have no value in a text column
NONE = "(none)"

CLOSED = WON | LOST
ANY = OPEN | CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """
    What a metric reads and gives.

    Attributes
    ----------
    name
        Name of the metric.
    base
        Which deals count.
    columns
        Figures of the result, in order, after the groups.
    reads
        A column for each thing that it aggregates, besides the flags.
    money
        Whether it sums amounts, so that currencies must be kept apart.
    weighs
        Whether it needs ``_weighted``, the amount times the probability of open deals, in units.
    """

    name: str
    base: pl.Expr
    columns: tuple[str, ...]
    reads: tuple[pl.Expr, ...] = ()
    money: bool = True
    weighs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """
    The deals that a metric counts, and how they are grouped.

    Attributes
    ----------
    metric
        The metric.
    deals
        Deals of the base set: the groups, the flags and what the metric reads.
    keys
        Columns of the groups; ``currency`` is one of them when there are several.
    scale
        Digits after the point of the amounts.
    weighted_scale
        Digits after the point of weighted amounts.
    window
        Window on the closing date.
    as_of
        Day on which open deals are judged, or None.
    currency
        For the basis.
    notes
        Counts of what the figures leave out, by the text that says so.
    """

    metric: Metric
    deals: pl.DataFrame
    keys: list[str]
    scale: int
    weighted_scale: int
    window: Window
    as_of: date | None
    currency: str | None
    notes: dict[str, int] = field(default_factory=dict)

    def table(self, **measures: pl.Expr) -> pl.DataFrame:
        """One row a group (one in all without groups), sorted by group; groups are still null, not "(none)"."""
        if not self.keys:
            return self.deals.lazy().select(**measures).collect()
        grouped = self.deals.lazy().group_by(self.keys).agg(**measures)
        return spelled_out(grouped.collect()).sort(self.keys, nulls_last=True)

    def weighted_sum(self) -> pl.Expr:
        """Sum of ``_weighted`` as the decimal that it stands for."""
        return from_units(pl.col("_weighted").sum(), scale=self.weighted_scale)

    def counts(self, **conditions: pl.Expr) -> dict[str, int]:
        """Number of deals of the base set for which each condition is true."""
        sums = {name: condition.sum() for name, condition in conditions.items()}
        return self.deals.select(**sums).row(0, named=True)

    def result(self, table: pl.DataFrame, notes: Mapping[str, int], *warnings: str) -> MetricResult:
        """
        Result with the columns of the metric, its nulls in text groups called "(none)".

        Parameters
        ----------
        table
            Groups and figures.
        notes
            Counts to warn of, by text; those of 0 are left out.
        warnings
            Further warnings.
        """
        counted = {**self.notes, **notes}
        basis = Basis(
            n=self.deals.height,
            since=self.window.since,
            until=self.window.until,
            as_of=self.as_of,
            currency=self.currency,
            warnings=(*(f"{text}: {n:,}" for text, n in counted.items() if n), *warnings),
        )
        chosen = table.select(*map(self._labelled, self.keys), *self.metric.columns)
        return MetricResult(name=self.metric.name, frame=chosen, basis=basis)

    def _labelled(self, key: str) -> pl.Expr:
        return pl.col(key).fill_null(NONE) if is_text(self.deals.schema[key]) else pl.col(key)


def scope(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    metric: Metric,
    *,
    by: By = None,
    window: Window | None = None,
    as_of: date | None = None,
) -> Scope:
    """
    Deals that a metric counts.

    Parameters
    ----------
    frame
        One row a deal; standard columns that it lacks count as null.
    pipeline
        What the stages mean.
    metric
        What to read and which deals to keep.
    by
        Columns to group by.
    window
        Window on the closing date; None for no bounds.
    as_of
        Day on which open deals are judged, where the metric has one.

    Raises
    ------
    QueryError
        If ``by`` can't be grouped by, or the amounts are too large to be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.
    """
    window = window or Window()
    frame = standardised(frame)
    names = [name for name in frame.columns if name != KEPT]
    keys = group_columns(by, names, taken=metric.columns)
    deals = classified(frame, pipeline, window)
    reads = list(metric.reads)
    digits = probability_scale(frame, pipeline) if metric.weighs else 0
    if metric.money:
        check_sums(frame, scale=column_scale(frame["amount"]) + digits)
        reads += [pl.col("amount"), pl.col("currency")]
    if metric.weighs:
        reads.append(weighted_units(frame, pipeline).alias("_weighted"))
    wanted = dict.fromkeys(
        [*keys, "_open", "_won", "_lost", *(r.meta.output_name() for r in reads)]
    )
    chosen = deals.filter(metric.base).with_columns(reads).select(*wanted).collect()
    currency = _currency(chosen) if metric.money else None
    if currency == MIXED and "currency" not in keys:
        keys.append("currency")
    return Scope(
        metric=metric,
        deals=chosen,
        keys=keys,
        scale=column_scale(frame["amount"]),
        weighted_scale=column_scale(frame["amount"]) + digits,
        window=window,
        as_of=as_of,
        currency=currency,
        notes=_outside(deals) if window else {},
    )


def total(table: pl.DataFrame, column: str) -> int:
    """Sum of a column of counts."""
    return int(table[column].sum())


def _currency(deals: pl.DataFrame) -> str | None:
    """The one currency of the deals that have money in them; null counts as one of its own."""
    found = deals.lazy().filter(HAS_MONEY).select("currency").collect()["currency"]
    if found.is_empty() or found.null_count() == len(found):
        return None
    return MIXED if found.ne_missing(found[:1]).any() else str(found[0])


def _outside(deals: pl.LazyFrame) -> dict[str, int]:
    n = deals.select(pl.col("_undated").sum()).collect().item()
    return {"closed deals without a closing date, outside any window": n}
