"""The road that every metric takes: choose the deals, group them, aggregate, say what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial, reduce
from operator import and_, or_
from typing import Any

import polars as pl

from dealdb.analytics.basis import MIXED, Basis
from dealdb.analytics.conversion import Conversion, to_cents, unpriced_notes
from dealdb.analytics.doubts import alike_groups, doubts_of
from dealdb.analytics.exact import Amounts, column_scale
from dealdb.analytics.flags import (
    HAS_MONEY,
    KEPT,
    LOST,
    OPEN,
    UNPRICED,
    WON,
    classified,
    counts_named,
    counts_of,
    standardised,
    standing,
)
from dealdb.analytics.links import Find, Links, has_values
from dealdb.analytics.options import By, Window, group_columns, label_of_none, named_groups
from dealdb.analytics.result import MetricResult
from dealdb.analytics.weights import Weights, weights_of
from dealdb.model.columns import is_text, spelled_out
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import MAX_DECIMAL_DIGITS

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
        Whether it needs ``_weighted``, the amount times the probability of open deals, and sums of it.
    left_out
        Deals outside the base to warn of, by the text that says so.
    money_of
        Deals of the base whose amounts it sums.
    n_of
        Which deals its ``n`` counts: open, won or lost ones.
    n_when
        What besides is true of them, by the columns of deals; None where no filter can say it.
    """

    name: str
    base: pl.Expr
    columns: tuple[str, ...]
    reads: tuple[pl.Expr, ...] = ()
    money: bool = True
    weighs: bool = False
    left_out: Mapping[str, pl.Expr] = field(default_factory=dict)
    money_of: pl.Expr = field(default_factory=lambda: ANY)
    n_of: tuple[str, ...] = ("won", "lost")
    n_when: pl.Expr | None = field(default_factory=lambda: pl.lit(value=True))


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
    are_wide
        Whether amounts have more digits than floats hold exactly.
    weights
        What open deals weigh, where the metric asks.
    window
        Window on the closing date.
    as_of
        Day on which open deals are judged, or None.
    currency
        For the basis.
    notes
        Counts of what the figures leave out, by the text that says so.
    doubts
        Warnings that came up while the deals were summed.
    conversion
        What the money was converted to, or None.
    pipeline
        What the stages mean.
    types
        Of the deals' columns.
    """

    metric: Metric
    deals: pl.DataFrame
    keys: list[str]
    scale: int
    are_wide: bool
    weights: Weights | None
    window: Window
    as_of: date | None
    currency: str | None
    notes: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    conversion: Conversion | None = None
    pipeline: Pipeline = field(default_factory=Pipeline)
    types: pl.Schema = field(default_factory=pl.Schema)

    def unpriced(self) -> dict[str, pl.Expr]:
        """The number of deals whose money could not be converted, where any is; an aggregate of a group."""
        return {"unpriced": (UNPRICED & self.metric.money_of).sum()} if self.conversion else {}

    def _unpriced_by_columns(self) -> pl.Expr:
        """Which deals these are, by the columns of deals."""
        if self.conversion is None:
            return pl.lit(value=False)
        stands = standing(self.pipeline, self.window)
        flags = (each.meta.root_names() for each in (self.metric.money_of, self.metric.base))
        of_money, of_base = ({name.removeprefix("_") for name in names} for names in flags)
        kinds = of_money & of_base & {*stands}
        has_money = reduce(or_, (stands[kind] for kind in sorted(kinds)), pl.lit(value=False))
        has_rate = self.conversion.has_rate(self.pipeline)
        return has_money & pl.col("amount").is_not_null() & ~has_rate

    def in_cents(self, table: pl.DataFrame) -> pl.DataFrame:
        """Table whose sums of converted money are rounded; any other as it is."""
        return to_cents(table) if self.conversion else table

    def table(self, **measures: pl.Expr) -> pl.DataFrame:
        """One row a group (one in all without groups), sorted by group; groups are still null, not "(none)"."""
        measures |= self.unpriced()
        if not self.keys:
            return self.settled(self.deals.lazy().select(**measures).collect())
        grouped = self.deals.lazy().group_by(self.keys).agg(**measures)
        table = self.looked_at(spelled_out(grouped.collect()))
        return self.settled(table.sort(self.keys, nulls_last=True))

    def looked_at(self, table: pl.DataFrame) -> pl.DataFrame:
        """A table by groups, after it was noted which of them have names that are alike."""
        self.doubts.extend(alike_groups(table, self.keys))
        return table

    def weighted_sum(self) -> pl.Expr:
        """Sum of amount times probability; a decimal once the table is ``settled``."""
        return self.weights.total() if self.weights else pl.lit(0)

    def settled(self, table: pl.DataFrame) -> pl.DataFrame:
        """Table whose weighted sums are decimals."""
        if self.weights is None:
            return table
        settled, digits = self.weights.settled(table)
        if digits is not None:
            self.doubts.append(
                f"weighted sums have more than {MAX_DECIMAL_DIGITS} digits: rounded to {digits} after the point"
            )
        return settled

    def _of_conversion(self) -> list[pl.Expr]:
        if self.conversion is None:
            return []
        to, until = self.conversion.to, self.conversion.until
        found = [
            # groups by the deals' own currencies keep these
            pl.lit(to).alias("currency"),
            pl.col("unpriced").fill_null(0).cast(pl.UInt32),
            pl.lit(until, dtype=pl.Date).alias("rates_until"),
        ]
        return [expr for expr in found if expr.meta.output_name() not in self.keys]

    def counts(self, **conditions: pl.Expr) -> dict[str, int]:
        """Number of deals of the base set for which each condition is true."""
        sums = {name: condition.sum() for name, condition in conditions.items()}
        return self.deals.select(**sums).row(0, named=True)

    def links(
        self,
        table: pl.DataFrame,
        also: Mapping[str, Callable[[Any], pl.Expr]],
        counts: Mapping[str, pl.Expr | Find],
    ) -> Links | None:
        """How the deals of a row of a table are found, by its groups and by what the rows have besides."""
        when = self.metric.n_when
        # groups by amounts that were converted are none that a filter knows
        if when is None or (self.conversion and "amount" in self.keys):
            return None
        known = {*counts_named(self.as_of), "unpriced", *counts}
        none = {key: label_of_none(table[key]) for key in self.keys if is_text(table.schema[key])}

        def kept(names: Sequence[str], row: Mapping[str, Any]) -> pl.Expr:
            each: dict[str, pl.Expr | Find] = {
                **counts_of(self.pipeline, self.window, when, self.as_of),
                "unpriced": self._unpriced_by_columns(),
                **counts,
            }
            group = has_values(row, self.keys, none, self.types)
            own = each[names[0]]
            if not isinstance(own, pl.Expr):
                return group & own(row)
            any_of = reduce(or_, (one for name in names if isinstance(one := each[name], pl.Expr)))
            return reduce(and_, (make(row[name]) for name, make in also.items()), group & any_of)

        names = (*self.metric.columns, *(("unpriced",) if self.conversion else ()))
        others = {name: partial(kept, [name]) for name in names if name in known}
        find = partial(kept, self.metric.n_of)
        return Links(columns=(*self.keys, *also), find=find, others=others)

    def result(
        self,
        table: pl.DataFrame,
        notes: Mapping[str, int],
        *warnings: str,
        also: Mapping[str, Callable[[Any], pl.Expr]] | None = None,
        counts: Mapping[str, pl.Expr | Find] | None = None,
    ) -> MetricResult:
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
        also
            What the rows have besides groups, each with the condition of its deals.
        counts
            Which deals further counts are of, by their own columns; a function of the row where ``also`` says nothing
            of them.
        """
        counted = {**self.notes, **notes}
        basis = Basis(
            n=self.deals.height,
            since=self.window.since,
            until=self.window.until,
            as_of=self.as_of,
            currency=self.currency,
            warnings=(
                *(f"{text}: {n:,}" for text, n in counted.items() if n),
                *self.doubts,
                *warnings,
            ),
        )
        named = named_groups(table, self.keys)
        chosen = table.select(*named, *self.metric.columns, *self._of_conversion())
        return MetricResult(
            name=self.metric.name,
            frame=self.in_cents(chosen),
            basis=basis,
            links=self.links(table, also or {}, counts or {}),
            exact=chosen if self.conversion else None,
        )


def scope(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    metric: Metric,
    *,
    by: By = None,
    window: Window | None = None,
    as_of: date | None = None,
    conversion: Conversion | None = None,
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
    conversion
        What the money is converted to; None keeps currencies apart.

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
    taken = [*metric.columns, *(("unpriced", "rates_until") if conversion else ())]
    keys = group_columns(by, names, taken=taken)
    unconverted = pl.lit(value=False).alias("_unpriced")
    frame = conversion.of(frame, pipeline) if conversion else frame.with_columns(unconverted)
    deals = classified(frame, pipeline, window)
    reads = list(metric.reads)
    amounts = Amounts(frame) if metric.money else None
    weights = None
    if amounts:
        amounts.check()
        reads += [pl.col("amount"), pl.col("currency"), UNPRICED]
    if amounts and metric.weighs:
        weights = weights_of(frame, pipeline, amounts)
        reads += weights.reads
    wanted = dict.fromkeys(
        [*keys, "_open", "_won", "_lost", *(r.meta.output_name() for r in reads)]
    )
    chosen = deals.filter(metric.base).with_columns(reads).select(*wanted).collect()
    currency, n_without = _currency(chosen) if metric.money and not conversion else (None, 0)
    notes: dict[str, int] = {}
    if conversion:
        currency, notes = conversion.to, unpriced_notes(chosen, metric.money_of, conversion.to)
    if currency == MIXED and "currency" not in keys:
        keys.append("currency")
    return Scope(
        metric=metric,
        deals=chosen,
        keys=keys,
        scale=column_scale(frame["amount"]),
        are_wide=amounts is not None and amounts.are_wide,
        weights=weights,
        window=window,
        as_of=as_of,
        currency=currency,
        notes={
            **(_outside(deals) if window else {}),
            **_left_out(deals, metric),
            "deals with an amount but no currency, in rows of their own": n_without,
            **notes,
        },
        doubts=list(doubts_of(frame, chosen, pipeline, metric.columns)),
        conversion=conversion,
        pipeline=pipeline,
        types=frame.schema,
    )


def total(table: pl.DataFrame, column: str) -> int:
    """Sum of a column of counts."""
    return int(table[column].sum())


def _currency(deals: pl.DataFrame) -> tuple[str | None, int]:
    """
    The one currency of the deals that have money in them, where null counts as one of its own.

    Also how many deals have an amount and no currency while others have one, where there are rows by currency.
    """
    found = deals.select(pl.col("currency").filter(HAS_MONEY)).to_series()
    if found.is_empty() or found.null_count() == len(found):
        return None, 0
    mixed = found.null_count() > 0 or bool((found != found[0]).any())
    if not mixed:
        return str(found[0]), 0
    # an amount of 0 is one, too
    return MIXED, deals.filter(pl.col("amount").is_not_null(), pl.col("currency").is_null()).height


def _outside(deals: pl.LazyFrame) -> dict[str, int]:
    n = deals.select(pl.col("_undated").sum()).collect().item()
    return {"closed deals without a closing date, outside any window": n}


def _left_out(deals: pl.LazyFrame, metric: Metric) -> dict[str, int]:
    if not metric.left_out:
        return {}
    sums = [condition.sum().alias(text) for text, condition in metric.left_out.items()]
    return deals.select(sums).collect().row(0, named=True)
