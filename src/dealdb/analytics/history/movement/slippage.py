"""Slippage: what became of the deals that a period began with, and how far their dates were moved."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl

from dealdb.analytics.exact import ratio
from dealdb.analytics.flags import days_between
from dealdb.analytics.history.lookup import are_among
from dealdb.analytics.history.money import BLANK
from dealdb.analytics.history.movement.ends import (
    ABSENT,
    AFTER,
    BEFORE,
    IN,
    after,
    before,
    ends_of,
    needed,
    standing,
    window_of,
)
from dealdb.analytics.history.opens import check_amounts, kind_of
from dealdb.analytics.history.past import LINE, Past
from dealdb.analytics.history.state import values_until
from dealdb.analytics.options import Day
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError

_FIGURES = (
    "n", "value", "won", "lost", "slipped", "moved", "overdue", "deleted", "slipped_value", "share_n", "share_value",
    "pushes", "pushed_deals", "mean_days_pushed", "blank",
)  # fmt: skip
_COUNTS = (
    "n", "won", "lost", "slipped", "moved", "overdue", "deleted", "pushes", "pushed_deals", "blank",
)  # fmt: skip
_READS = ("stage", "amount", "currency", "expected_close", "closed")
_OUTCOMES = ("won", "lost", "moved", "overdue", "deleted")
_SLIPPED = pl.col("_outcome").is_in(["moved", "overdue"])
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SETTLE = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_MS = timedelta(milliseconds=1)


def slippage(
    past: Past, *, since: Day, until: Day, settle: str | timedelta | int = 0
) -> MetricResult:
    """
    Deals that were open and due in a period as it began: what became of them by its end.

    Parameters
    ----------
    past
        The past; groups and the filter are those of ``until``, groups of pushes those of the push.
    since, until
        Days in which they were expected to close, ``until`` itself outside.
    settle
        A move of the date that is undone within this time is none: ``"1h"``, ``"2d"`` or a timedelta.

    Returns
    -------
    MetricResult
        ``n`` deals and their ``value``, amounts of ``since``; how many are ``won``, ``lost``, ``deleted`` or
        ``slipped``, which is still open: ``moved`` (the date is now ``until`` or later, or cleared) or ``overdue``;
        ``slipped_value`` and the shares; ``pushes`` (moves to a later date while open) of ``pushed_deals``,
        ``mean_days_pushed``; ``blank`` deals without an amount. ``totals`` has the ``pulls`` (moves to an earlier
        date) of ``pulled_deals`` and ``mean_days_pulled``, and where the period isn't over how many of those that
        slipped are ``not_due`` yet; of all groups together.

    Raises
    ------
    QueryError
        If an option can't be understood, ``until`` is before the first fact, or amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#slippage
    """
    undone = _milliseconds(settle)
    first, past, window = window_of(past, since, until)
    needed("until", window.until)
    keys = past.keys((*_FIGURES, *LINE[1:]))
    is_due = standing(BEFORE, past.pipeline, window) == IN
    now = standing(AFTER, past.pipeline, None)
    base = ends_of(past, first, _READS, when=is_due).with_columns(
        _outcome=_outcome(now, window.until),
        value=before("amount"),
        currency=before("currency"),
    )
    # as in a waterfall: a deal has one rate, that of the end
    is_closed = pl.col("_outcome").is_in(["won", "lost"])
    base = past.priced(base, is_closed=is_closed, closed=f"{AFTER}closed")
    check_amounts(base, "value")
    lines = replace(past, by_at="now" if past.by_at == "now" else "end").grouped(
        _lines(base, told=past.deals), keys
    )
    not_due = _not_due(past, base, window.until)
    moves = _moves(past, first, base, undone)
    pushes = moves.filter(pl.col("_days") > 0)
    currency, wanted = past.currency(lines, keys)
    if "currency" in wanted:
        # a push stands beside the money of its deal, whatever currency the deal had by then
        pushes = pushes.join(lines.select("id", "currency"), on="id", maintain_order="left")
    pushes = replace(past, by_at="now" if past.by_at == "now" else "event").grouped(pushes, keys)
    return past.result(
        "slippage",
        _table(lines, pushes, wanted),
        lines,
        keys=wanted,
        rows=(),
        figures=_FIGURES,
        n=base.height,
        window=window,
        currency=currency,
        counts={
            "deals that slipped only by now: they are due in what is left of the period": not_due
        },
        totals={**_pulls(moves), **({"not_due": not_due} if not_due else {})},
        counted={
            **{name: pl.col("_outcome") == name for name in _OUTCOMES},
            "slipped": _SLIPPED,
            "blank": BLANK,
            "pushes": lambda _: pushes,
            "pushed_deals": lambda _: pushes.unique(["id", *wanted], maintain_order=True),
        },
    )


def _milliseconds(settle: object) -> int:
    if settle == 0:
        return 0
    if isinstance(settle, timedelta) and settle >= timedelta(0):
        return settle // _MS
    found = _SETTLE.fullmatch(settle) if isinstance(settle, str) else None
    if found is None:
        msg = "settle is a time such as 30m, 1h or 2d"
        raise QueryError(msg)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) // _MS


def _outcome(now: pl.Expr, until: Any) -> pl.Expr:
    """What became of a deal by the end."""
    is_late = (after("expected_close") < until).fill_null(value=False)
    still_open = pl.when(is_late).then(pl.lit("overdue")).otherwise(pl.lit("moved"))
    return (
        pl.when(now == ABSENT)
        .then(pl.lit("deleted"))
        .when(now == IN)
        .then(still_open)
        .otherwise(now.cast(pl.String))
    )


def _lines(base: pl.DataFrame, *, told: bool) -> pl.DataFrame:
    """A line a deal: the amount that it began with, the date that it had, and what became of it, and when."""
    lines = base.select("id", "life", "_outcome", "value", "currency", "_unpriced")
    if not told:
        return lines
    ended = (
        pl.when(pl.col("_outcome") == "deleted")
        .then("end")
        .when(pl.col("_outcome").is_in(["won", "lost"]))
        .then(after("stage_at"))
        .otherwise(after("expected_close_at"))
    )
    facts = base.select(
        before("expected_close").cast(pl.String).alias("from"),
        pl.col("_outcome").alias("to"),
        ended.alias("at"),
    )
    return lines.hstack(facts).sort("life")


def _moves(past: Past, first: int, base: pl.DataFrame, settle: int) -> pl.DataFrame:
    """Moves of these deals' dates while they were open: ``life``, ``id``, ``at``, ``_days`` (negative to earlier)."""
    facts = past.facts
    dates = facts.of("expected_close")
    counted = are_among(facts.deals, facts.deals.gather(base["life"]))
    dates = dates.filter(counted.gather(dates["life"])).filter(pl.col("at") < past.moment)
    is_same = pl.col("life") == pl.col("life").shift(1)
    was = pl.when(is_same).then(pl.col("value").shift(1))
    dates = dates.with_columns(_days=days_between(was, pl.col("value")).cast(pl.Int64))
    kept = _settled(dates, settle).filter((pl.col("at") >= first) & pl.col("_days").is_not_null())
    # the stage just before the move: what happened in the same moment comes after it
    just_before = kept.select("life", pl.col("at") - 1)
    stood = kept.with_columns(
        values_until(facts.of("stage"), just_before).alias("stage"),
        facts.lives["id"].gather(kept["life"]).alias("id"),
    )
    return stood.filter(kind_of(past.pipeline) == "open").select("life", "id", "at", "_days")


def _settled(dates: pl.DataFrame, settle: int) -> pl.DataFrame:
    """Dates without the moves that were undone in time; each undoes one move at most."""
    if not settle:
        return dates
    own = pl.col("life") == pl.col("life").shift(-1)
    back = (pl.col("_days") + pl.col("_days").shift(-1)) == 0
    soon = pl.col("at").shift(-1) - pl.col("at") <= settle
    undone = dates.with_columns(_undone=(own & back & soon).fill_null(value=False))
    # to and fro and to: the first two cancel, and the third stands
    nth = pl.int_range(pl.len()).over(pl.col("_undone").rle_id())
    first = undone.with_columns(_first=pl.col("_undone") & (nth % 2 == 0))
    second = pl.col("_first").shift(1, fill_value=False)
    return first.filter(~(pl.col("_first") | second)).drop("_undone", "_first")


def _not_due(past: Past, base: pl.DataFrame, until: Any) -> int:
    """Deals that count as overdue at ``until`` though that, and their day, are still to come."""
    if past.moment >= past.zone.midnight_ms(until):
        return 0
    waits = (pl.col("_outcome") == "overdue") & (after("expected_close") >= past.day)
    return base.filter(waits).height


def _pulls(moves: pl.DataFrame) -> dict[str, Any]:
    pulls = moves.filter(pl.col("_days") < 0)
    days = -int(pulls["_days"].sum())
    return {
        "pulls": pulls.height,
        "pulled_deals": pulls["id"].n_unique(),
        "mean_days_pulled": days / pulls.height if pulls.height else None,
    }


def _table(lines: pl.DataFrame, pushes: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    of_deals = {
        "n": pl.len(),
        "value": pl.col("value").sum(),
        **{name: (pl.col("_outcome") == name).sum() for name in _OUTCOMES},
        "slipped": _SLIPPED.sum(),
        "slipped_value": pl.col("value").filter(_SLIPPED).sum(),
        "blank": BLANK.sum(),
    }
    of_pushes = {
        "pushes": pl.len(),
        "pushed_deals": pl.col("id").n_unique(),
        "_days": pl.col("_days").sum(),
    }
    if not keys:
        table = pl.concat([lines.select(**of_deals), pushes.select(**of_pushes)], how="horizontal")
    else:
        table = (
            lines.group_by(keys)
            .agg(**of_deals)
            .join(
                pushes.group_by(keys).agg(**of_pushes),
                on=keys,
                how="full",
                coalesce=True,
                nulls_equal=True,
            )
            .sort(keys, nulls_last=True)
        )
    filled = table.with_columns(pl.col(*_COUNTS, "value", "slipped_value", "_days").fill_null(0))
    return filled.with_columns(
        pl.col(_COUNTS).cast(pl.UInt32),
        share_n=ratio(filled["slipped"], filled["n"]),
        share_value=ratio(filled["slipped_value"].to_physical(), filled["value"].to_physical()),
        mean_days_pushed=ratio(filled["_days"], filled["pushes"]),
    )
