"""Ageing: how long open deals have been as they are, in a few classes."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dealdb.analytics.history.money import BLANK
from dealdb.analytics.history.opens import weighed
from dealdb.analytics.history.past import Past, spine
from dealdb.analytics.history.stages.ages import (
    BASES,
    earlier_visits,
    open_deals,
    weekdays,
    with_age,
)
from dealdb.analytics.options import choice, whole_number
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError

_FIGURES = ("from", "to", "n", "value", "weighted", "blank")
UNKNOWN = "unknown"
_MOST_DAYS = 1_000_000


def ageing(
    past: Past,
    *,
    basis: str = "stage",
    buckets: Sequence[int] = (7, 14, 30, 60),
    calendar: str = "days",
    visits: bool = False,
) -> MetricResult:
    """
    Open deals by their age in whole days.

    Parameters
    ----------
    past
        The past, up to ``as_of``, the day on which ages are told.
    basis
        ``"stage"``: since the deal entered its stage. ``"created"``: since its creation date. ``"update"``: since its
        last change. ``"activity"``: since the day in the field ``last_activity``.
    buckets
        The last day of each class but the last one, ascending.
    calendar
        ``"days"``, or ``"weekdays"``: Mondays to Fridays alone, those after the first day up to ``as_of``.
    visits
        Whether earlier visits to the same stage are added; for ``basis="stage"``.

    Returns
    -------
    MetricResult
        A row for each class, and ``unknown`` for deals whose age isn't known: ``bucket``, ``from`` and ``to`` (days,
        null where there is no bound), ``n``, ``value``, ``weighted`` (amount times chance) and ``blank`` (deals
        without an amount).

    Raises
    ------
    QueryError
        If an option can't be understood, ``as_of`` is before the first fact, or amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#ageing
    """
    choice("basis", basis, BASES)
    choice("calendar", calendar, ("days", "weekdays"))
    if visits and basis != "stage":
        msg = (
            f"visits=True adds visits to a stage, and basis={basis!r} is of none: use basis='stage'"
        )
        raise QueryError(msg)
    classes = _classes(buckets)
    keys = past.keys(("bucket", *_FIGURES, "at"))
    deals = with_age(open_deals(past), past, basis)
    is_negative = pl.col("_age") < 0
    negative = deals.filter(is_negative).height
    deals = deals.with_columns(pl.when(~is_negative).then("_age").alias("_age"))
    if calendar == "weekdays":
        counted = weekdays(pl.col("_day"), pl.lit(past.day)).cast(pl.Int64)
        deals = deals.with_columns(
            pl.when(pl.col("_age").is_not_null()).then(counted).alias("_age")
        )
    if visits:
        earlier = earlier_visits(past, deals, only_weekdays=calendar == "weekdays")
        deals = deals.join(earlier, on="life", how="left", maintain_order="left").with_columns(
            _age=pl.col("_age") + pl.col("_earlier").fill_null(0)
        )
    classed = past.priced(_classed(deals, past, classes), is_closed=False)
    lines, weights = weighed(classed, past.pipeline, amount="value")
    lines = past.grouped(lines, keys)
    currency, keys = past.currency(lines, keys)
    past.notes.append(f"basis {basis}, calendar {calendar}" + (", all visits" if visits else ""))
    cells = lines.group_by(*keys, "bucket").agg(
        n=pl.len().cast(pl.UInt32),
        value=pl.col("value").sum(),
        weighted=weights.total(),
        blank=BLANK.sum().cast(pl.UInt32),
    )
    cells = weights.settled(cells)[0]
    rows = spine(lines, keys, "bucket", classes["bucket"].to_list()).join(
        classes, on="bucket", maintain_order="left"
    )
    table = rows.join(
        cells, on=[*keys, "bucket"], how="left", nulls_equal=True, maintain_order="left"
    )
    return past.result(
        "ageing",
        table.with_columns(pl.col("n", "value", "weighted", "blank").fill_null(0)),
        lines,
        keys=keys,
        rows=("bucket",),
        figures=_FIGURES,
        n=deals.height,
        currency=currency,
        counts={"deals with a negative age, in unknown": negative},
        counted={"blank": BLANK},
    )


def _classes(buckets: Sequence[int]) -> pl.DataFrame:
    """Classes with their bounds, the unknown one last."""
    if isinstance(buckets, str) or not isinstance(buckets, Sequence) or not buckets:  # type: ignore[redundant-expr]  # callers may be untyped
        msg = "buckets is a list of days, such as 7, 14, 30, 60"
        raise QueryError(msg)
    lasts = [whole_number("buckets", each, least=0, most=_MOST_DAYS) for each in buckets]
    if lasts != sorted(set(lasts)):
        msg = f"buckets ascend, each another day: {', '.join(map(str, lasts))} do not"
        raise QueryError(msg)
    firsts = [0, *(last + 1 for last in lasts)]
    names = [f"{first}-{last}" for first, last in zip(firsts, lasts, strict=False)]
    return pl.DataFrame(
        {
            "bucket": [*names, f"{firsts[-1]}+", UNKNOWN],
            "from": [*firsts, None],
            "to": [*lasts, None, None],
        },
        schema={"bucket": pl.String, "from": pl.UInt32, "to": pl.UInt32},
    )


def _classed(deals: pl.DataFrame, past: Past, classes: pl.DataFrame) -> pl.DataFrame:
    """Lines of deals: the class, the amount, and the days from which and to which the age is."""
    names, firsts = classes["bucket"].to_list(), classes["from"].to_list()
    bucket: pl.Expr = pl.lit(UNKNOWN)
    for name, first in zip(names[:-1], firsts[:-1], strict=True):
        bucket = pl.when(pl.col("_age") >= first).then(pl.lit(name)).otherwise(bucket)
    told = deals.with_columns(
        bucket.alias("bucket"),
        pl.col("_day").cast(pl.String).alias("from"),
        pl.lit(str(past.day)).alias("to"),
        value="amount",
    )
    order = classes.select("bucket").with_row_index("_place")
    return told.join(order, on="bucket", maintain_order="left").sort("_place", "life")
