"""Calibration: whether deals with a chance of 30 % were won in 30 % of cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.estimates.bootstrap import cluster_interval
from dealdb.analytics.estimates.scores import scored
from dealdb.analytics.exact import column_scale
from dealdb.analytics.flags import UNPRICED
from dealdb.analytics.history.lookup import n_lives
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Day, choice, day_of, whole_number
from dealdb.analytics.prediction.ends import WON, ends, kinds
from dealdb.analytics.prediction.moments import (
    chance,
    chance_digits,
    chance_units,
    in_parts,
    looked_up,
    opened,
    pipeline_at,
)
from dealdb.analytics.result import MetricResult
from dealdb.errors import NotYetKnown, QueryError
from dealdb.model.schema import MAX_DECIMAL_DIGITS

_MONEY = ("amount", "currency", "closed")
_TARGETS = ("horizon", "eventually")
_FIGURES: dict[str, pl.DataType] = {
    "n": pl.UInt32(),
    "brier": pl.Float64(),
    "resolved_share": pl.Float64(),
    "reliability": pl.Float64(),
    "resolution": pl.Float64(),
    "uncertainty": pl.Float64(),
    "log_loss": pl.Float64(),
    "base_rate": pl.Float64(),
    "skill": pl.Float64(),
    "bias": pl.Float64(),
    "bias_lo": pl.Float64(),
    "bias_hi": pl.Float64(),
    "expected": pl.Decimal(MAX_DECIMAL_DIGITS, 4),
    "actual": pl.Decimal(MAX_DECIMAL_DIGITS, 2),
}
_MOST_MOMENTS = 1_000


def calibration(
    past: Past, *, since: Day, horizon_days: int = 30, every: str = "week", seed: int = 0
) -> MetricResult:
    """
    Chances that stood there at moments of the past, against what became of the deals.

    Parameters
    ----------
    past
        The past, up to ``as_of``. Groups are those of the deal at the moment, unless ``by_at`` says otherwise.
    since
        Day of the first moment, at its midnight.
    horizon_days
        Days until the outcome is looked at.
    every
        ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"`` between two moments; the last is the one whose
        horizon ends at ``as_of`` or before.
    seed
        Of the interval of the bias.

    Returns
    -------
    MetricResult
        A row for each target. ``"horizon"``: won by the end of the horizon, of all deals that were open with a chance.
        ``"eventually"``: won by ``as_of``, of those that are closed by then, which favours quick ones. ``n`` pairs of
        a deal and a moment; ``resolved_share``, the share of them that was closed by then; ``brier`` and its parts
        ``reliability``, ``resolution`` and ``uncertainty``; ``log_loss``; ``base_rate``; ``skill`` against it;
        ``bias`` (chance minus outcome) with its 95 % interval ``bias_lo`` to ``bias_hi``, which takes a deal that is
        looked at several times as one. Of ``"horizon"`` also money: ``expected`` (amount times chance) and ``actual``
        (won by the end of the horizon) of the deals that were due by then, overdue ones
        among them; a row a currency, where there are several.

    Raises
    ------
    QueryError
        If an option can't be understood, no horizon is over by ``as_of``, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#calibration
    """
    whole_number("horizon_days", horizon_days, least=1, most=3_660)
    whole_number("seed", seed, least=0, most=2**63)
    keys = past.keys(("target", *_FIGURES))
    moments = _grid(past, since, horizon_days, every)
    pairs = _pairs(past, moments, horizon_days, keys)
    final = ends(past).select("life", _final="cause")
    pairs = pairs.join(final, on="life", how="left", maintain_order="left").with_columns(
        pl.col("_final").fill_null(0)
    )
    # a deal is looked at on several days, and is one all the same
    missing = n_lives(pairs.filter(pl.col("chance").is_null())["life"])
    told = pairs.filter(pl.col("chance").is_not_null())
    currency, keys = past.currency(told, keys)
    digits = chance_digits(past, told["probability"])
    rows = [row for group, own in _groups(told, keys) for row in _rows(group, own, seed, digits)]
    scale = column_scale(pairs["value"])
    money = {
        "expected": pl.Decimal(MAX_DECIMAL_DIGITS, scale + digits),
        "actual": pl.Decimal(MAX_DECIMAL_DIGITS, scale),
    }
    types = {**{key: told.schema[key] for key in keys}, "target": pl.String(), **_FIGURES, **money}
    lines = pl.concat(
        told.with_columns(
            target=pl.lit(target),
            value=pl.col("chance") - (pl.col(cause) == WON).cast(pl.Float64),
            # only the money of what was due is summed
            _unpriced=UNPRICED & pl.col("_due") & (target == "horizon"),
        ).filter(pl.lit(target == "horizon") | (pl.col(cause) > 0))
        for target, cause in (("horizon", "_then"), ("eventually", "_final"))
    ).with_columns(
        pl.col("at").cast(pl.Datetime("ms", "UTC")).dt.to_string("iso").alias("from"),
        to=pl.lit(None, pl.String),
    )
    past.notes.append(f"{len(moments)} moments, horizon {horizon_days} days")
    return past.result(
        "calibration",
        pl.DataFrame(rows, schema=types),
        lines,
        keys=keys,
        rows=("target",),
        figures=list(_FIGURES),
        n=told["life"].n_unique(),
        currency=currency,
        counts={"deals that were open without a chance, left out on those days": missing},
    )


def _grid(past: Past, since: Day, horizon_days: int, every: str) -> list[date]:
    choice("every", every, ("day", "week", "month", "quarter", "year"))
    first = day_of("since", since)
    if first is None:
        msg = "calibration needs since: the day of the first moment"
        raise QueryError(msg)
    past.bounds(first, None)
    # the horizon ends at a midnight: that of the day after as_of is the last
    ended = past.zone.day_of_moment(past.moment) - timedelta(days=horizon_days)
    if ended < first:
        msg = f"no horizon of {horizon_days} days from {first} on is over by {past.day}: since has to be earlier"
        raise NotYetKnown(msg)
    step = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}[every]
    if Periods.of(every, past.pipeline).most(first, ended) > _MOST_MOMENTS:
        msg = f"more than {_MOST_MOMENTS:,} moments: choose a longer every, or a later since"
        raise QueryError(msg)
    return pl.date_range(first, ended, step, eager=True).to_list()


def _pairs(past: Past, days: list[date], horizon_days: int, keys: list[str]) -> pl.DataFrame:
    """Deals that were open at each midnight, with what had become of them when the horizon was over."""
    horizon = timedelta(days=horizon_days)
    parts = [opened(past, past.zone.midnight_ms(day)) for day in days]
    later = past.by_at in ("end", "now")
    names = ("id", "probability", "expected_close", *_MONEY)
    deals = looked_up(past, pl.concat(parts), names if later else (*names, *keys))
    overs = {past.zone.midnight_ms(day): past.zone.midnight_ms(day + horizon) for day in days}
    moments = deals["at"].replace_strict(overs, return_dtype=pl.Int64)
    after = looked_up(past, deals.select("life").with_columns(moments), ("stage", *_MONEY))
    deals = past.grouped(deals, keys) if later else deals
    return pl.concat(
        _pair(past, own, then, day, day + horizon)
        for day, own, then in zip(days, in_parts(deals, parts), in_parts(after, parts), strict=True)
    )


def _pair(
    past: Past, deals: pl.DataFrame, after: pl.DataFrame, day: date, over: date
) -> pl.DataFrame:
    """Open deals of one midnight, with their chances then and what they were at another."""
    pipelines = [pipeline_at(past, past.zone.midnight_ms(each)) for each in (day, over)]
    # an overdue deal is expected, too, as a forecast has it
    due = (pl.col("expected_close") < over).fill_null(value=False)
    told = deals.with_columns(cause=pl.lit(0, pl.UInt8), chance=chance(pipelines[0]), _due=due)
    ended = after.join(
        kinds(pipelines[1]).select("stage", "cause"),
        on="stage",
        how="left",
        maintain_order="left",
    )
    # a deal that is deleted by then was not won
    ends_at = past.facts.lives["end"].gather(after["life"])
    is_gone = (ends_at < after["at"]).fill_null(value=False)
    cause = pl.when(~is_gone).then("cause").fill_null(0).cast(pl.UInt8)
    worth = _worth(past, ended.with_columns(cause=cause), over)
    return _worth(past, told, day).with_columns(
        worth["cause"].alias("_then"), worth["value"].alias("_won")
    )


def _worth(past: Past, deals: pl.DataFrame, until: date) -> pl.DataFrame:
    """Deals with their value at the midnight at which a day begins."""
    return past.priced(
        deals.with_columns(value="amount"),
        is_closed=pl.col("cause") != 0,
        as_of=until - timedelta(days=1),
    )


def _groups(told: pl.DataFrame, keys: list[str]) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    if not keys:
        yield {}, told
        return
    ordered = told.sort(keys, nulls_last=True, maintain_order=True)
    for group, own in ordered.partition_by(keys, as_dict=True, maintain_order=True).items():
        yield dict(zip(keys, group, strict=True)), own


def _rows(
    group: dict[str, Any], own: pl.DataFrame, seed: int, digits: int
) -> Iterator[dict[str, Any]]:
    for target, cause in zip(_TARGETS, ("_then", "_final"), strict=True):
        closed = pl.col(cause) > 0
        pairs = own if target == "horizon" else own.filter(closed)
        outcome = (pl.col(cause) == WON).cast(pl.Float64)
        pairs = pairs.select("life", "chance", outcome=outcome)
        scores = scored(pairs)
        row: dict[str, Any] = {**group, "target": target, "n": pairs.height}
        if scores is not None:
            row |= asdict(scores)
            misses = pairs.select(cluster="life", value=pl.col("chance") - pl.col("outcome"))
            row["bias_lo"], row["bias_hi"] = cluster_interval(misses, seed=seed)
        if own.height:
            row["resolved_share"] = own.filter(closed).height / own.height
        if target == "horizon":
            row |= _sums(own.filter("_due"), digits)
        yield row


def _sums(due: pl.DataFrame, digits: int) -> dict[str, Any]:
    scale = column_scale(due["value"])
    parts = due.select(
        units=pl.col("value").fill_null(0).to_physical(),
        chance=chance_units(digits),
        won=pl.when(pl.col("_then") == WON).then(pl.col("_won").to_physical()).otherwise(0),
    )
    expected = parts.select((pl.col("units") * pl.col("chance")).sum()).item() or 0
    return {
        "expected": Decimal(int(expected)).scaleb(-scale - digits),
        "actual": Decimal(int(parts["won"].fill_null(0).sum() or 0)).scaleb(-scale),
    }
