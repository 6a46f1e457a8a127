"""Seasonality: what a month is worth against the year around it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.estimates.seasons import LEAST_YEARS, seasonal
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import choice, whole_number
from dealdb.analytics.prediction.ends import WON
from dealdb.analytics.prediction.moments import stood
from dealdb.analytics.result import MetricResult
from dealdb.errors import NotYetKnown, QueryError

_FIGURES: dict[str, pl.DataType] = {
    "factor": pl.Float64(),
    "n": pl.UInt32(),
    "lo": pl.Float64(),
    "hi": pl.Float64(),
}
_LENGTHS = {"month": 12, "quarter": 4}
_MEASURES = {"won_value": "closed", "won_n": "closed", "created_n": "created"}
_LEAST_YEARS = 2
_SURE_YEARS = 3


def seasonality(
    past: Past, measure: str = "won_value", *, period: str = "month", seed: int = 0
) -> MetricResult:
    """
    Factor of each month (or quarter) of the year: 1.5 is one half more than the year around it.

    Parameters
    ----------
    past
        The past, up to ``as_of``; periods that are over by then count, from that of the first day of the measure on.
    measure
        ``"won_value"`` or ``"won_n"`` by closing date, ``"created_n"`` by creation date.
    period
        ``"month"`` or ``"quarter"``.
    seed
        Of the interval.

    Returns
    -------
    MetricResult
        For each place of the year, from 1: ``factor``, all together with a mean of 1; ``n`` ratios that it is the mean
        of; and from four full years on its 95 % interval ``lo`` to ``hi``. A place of which there is no ratio, as
        nothing was won in the year around it, has nulls.

    Raises
    ------
    QueryError
        If an option can't be understood, there are fewer than two full years, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#seasonality
    """
    day = _MEASURES[choice("measure", measure, _MEASURES)]
    length = _LENGTHS[choice("period", period, _LENGTHS)]
    whole_number("seed", seed, least=0, most=2**63)
    keys = past.keys((period, *_FIGURES))
    state = stood(past, past.moment, ("amount", "currency", "closed", day), keys)
    counts = pl.col(day).is_not_null() & (pl.lit(day == "created") | (pl.col("cause") == WON))
    lines = state.filter(counts).with_columns(value="amount", at=pl.lit(past.moment, pl.Int64))
    if measure == "won_value":
        lines = past.priced(lines, is_closed=True)
    elif past.convert is not None:
        msg = f"to converts money, and measure={measure!r} has none: leave it out"
        raise QueryError(msg)
    currency = None
    if measure == "won_value":
        currency, keys = past.currency(lines, keys)
    else:
        # what is counted, each deal adds one to
        lines = lines.with_columns(value=pl.lit(1, pl.UInt32))
    groups = _groups(lines, keys)
    rows: list[dict[str, Any]] = []
    least = None
    for group, own in groups:
        values, first = _values(past, own, day, measure, period)
        if len(values) < _LEAST_YEARS * length:
            of = "" if own.is_empty() else "".join(f" of {value}" for value in group.values())
            needs = f"seasonality needs {_LEAST_YEARS * length} full {period}s; there are {len(values)}{of}"
            msg = f"{needs}; until then, trend shows each {period}"
            raise NotYetKnown(msg)
        least = min(len(values), least or len(values))
        found = seasonal(values, first, length=length, seed=seed)
        rows += [
            {**group, period: place, "factor": factor, "n": n, "lo": lo, "hi": hi}
            for place, (factor, n, (lo, hi)) in enumerate(found, 1)
        ]
    past.notes.append(
        f"{least} full {period}s" + ("" if (least or 0) >= _SURE_YEARS * length else ", indicative")
    )
    if (least or 0) < LEAST_YEARS * length:
        past.notes.append(f"no interval below {LEAST_YEARS} years")
    types = {**{key: lines.schema[key] for key in keys}, period: pl.UInt32(), **_FIGURES}
    shown = lines.with_columns(
        pl.col(day).dt.month().alias("month"),
        pl.col(day).dt.quarter().alias("quarter"),
        to=pl.lit(None, pl.String),
        **{"from": pl.lit(None, pl.String)},
    )
    return past.result(
        "seasonality",
        pl.DataFrame(rows, schema=types),
        shown,
        keys=keys,
        rows=(period,),
        figures=list(_FIGURES),
        n=lines.height,
        currency=currency,
    )


def _groups(lines: pl.DataFrame, keys: list[str]) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    if not keys or lines.is_empty():
        yield dict.fromkeys(keys), lines
        return
    ordered = lines.sort(keys, nulls_last=True, maintain_order=True)
    for group, own in ordered.partition_by(keys, as_dict=True, maintain_order=True).items():
        yield dict(zip(keys, group, strict=True)), own


def _values(
    past: Past, own: pl.DataFrame, day: str, measure: str, period: str
) -> tuple[list[float], int]:
    """The measure of each full period in a row, 0 where there was none, and the place of the first one in its year."""
    begin = own[day].min()
    if not isinstance(begin, date):
        return [], 0
    periods = Periods(period)
    after = past.zone.day_of_moment(past.moment)
    if begin >= after:
        return [], 0
    spine = periods.between(begin, after).select("period").filter(pl.col("period") < after)
    # the last one is over where the next begins by the day after as_of
    starts = spine["period"].to_list()
    ended = pl.select(periods.start(pl.lit(after))).item()
    kept = [start for start in starts if start < ended]
    figure = (
        pl.col("value").cast(pl.Float64).sum()
        if measure == "won_value"
        else pl.len().cast(pl.Float64)
    )
    sums = own.group_by(period=periods.start(pl.col(day))).agg(value=figure)
    values = pl.DataFrame({"period": pl.Series(kept, dtype=pl.Date)}).join(
        sums, on="period", how="left", maintain_order="left"
    )
    place = (begin.month - 1) // (12 // _LENGTHS[period])
    return values["value"].fill_null(0.0).to_list(), place
