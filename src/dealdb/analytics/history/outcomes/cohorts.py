"""Cohorts: what became of the deals of each period, as they grew older."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.exact import ratio
from dealdb.analytics.flags import UNPRICED
from dealdb.analytics.history.linked import Row
from dealdb.analytics.history.lookup import beside
from dealdb.analytics.history.money import BLANK
from dealdb.analytics.history.outcomes.closings import (
    IS_WON,
    check_sums,
    closing_events,
    last_of_each,
    money,
    outcome_of,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.metrics.trend import MAX_ROWS
from dealdb.analytics.options import choice, whole_number
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError

_FIGURES = ("size", "won", "value", "rate", "open", "partial", "open_share", "deleted")
_ROWS = ("cohort", "label", "k")
_READS = ("stage", "amount", "currency", "created", "closed")
_MEASURES = ("won_n", "won_value", "win_rate")


def cohorts(
    past: Past,
    *,
    by_period: str = "month",
    measure: str = "won_n",
    periods: int = 12,
    fiscal_year_start: int | None = None,
) -> MetricResult:
    """
    How many of the deals that were created in a period were won by the k-th period after it.

    Parameters
    ----------
    past
        The past, up to ``as_of``.
    by_period
        ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.
    measure
        What a line of ``deals=True`` adds: 1 (``"won_n"``, ``"win_rate"``), or its amount (``"won_value"``).
    periods
        How many periods each cohort has: k is 0 to ``periods`` - 1.
    fiscal_year_start
        Month in which quarters and years begin, 1 to 12.

    Returns
    -------
    MetricResult
        A row for each cohort (its first day, and ``label``) and ``k``: ``size`` (deals that exist at ``as_of``),
        ``won``, ``value`` and ``rate`` (won of ``size``) up to ``k``, by the last closing; ``open`` and
        ``open_share`` at ``as_of``; ``partial``, where the period isn't over; ``deleted`` (deals of the cohort that
        are in no other figure). Periods that have not begun are null.

    Raises
    ------
    QueryError
        If an option can't be understood, ``as_of`` is before the first fact, there would be more than a million rows,
        or the amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#cohorts
    """
    calendar = Periods.of(by_period, past.pipeline, fiscal_year_start)
    choice("measure", measure, _MEASURES)
    whole_number("periods", periods, least=1, most=MAX_ROWS)
    keys = past.keys((*_ROWS, *_FIGURES, "outcome"))
    is_closed = outcome_of(past, "stage").is_not_null()
    known = past.values(_READS).with_columns(value="amount")
    values = past.grouped(past.priced(known, is_closed=is_closed), keys)
    created = values.filter(pl.col("created").is_not_null())
    alive = created.filter("is_alive")
    check_sums(alive)
    currency, keys = past.currency(alive, keys)
    numbered = _numbered(created, calendar, past.day)
    deals = _placed(alive, numbered, calendar).with_columns(outcome=outcome_of(past, "stage"))
    gone = _placed(created.filter(~pl.col("is_alive")), numbered, calendar)
    wins = deals.filter(IS_WON)
    lines = _lines(past, wins, numbered, calendar).filter(pl.col("k") < periods)
    table = _table(deals, gone, lines, numbered, keys, periods)
    past.notes.append(f"by {by_period}, measure {measure}")
    early = pl.col("closed") < pl.col("created")

    def upto(row: Row) -> pl.DataFrame:
        return lines.filter(pl.col("k") <= row["k"]).drop("k")

    return past.result(
        "cohorts",
        _told(table, numbered, calendar, past.day),
        lines if measure == "won_value" else lines.with_columns(value=pl.lit(1, pl.UInt32)),
        keys=keys,
        rows=_ROWS,
        figures=_FIGURES,
        n=deals.height,
        currency=currency,
        counted={
            "size": lambda _: deals,
            "open": lambda _: deals.filter(pl.col("outcome").is_null()),
            "deleted": lambda _: gone,
            "won": upto,
            "unpriced": lambda row: upto(row).filter(UNPRICED),
        },
        counts={
            "deals that were deleted, in no figure but deleted": created.height - alive.height,
            "deals without a creation date, in no cohort": values.filter(
                pl.col("created").is_null() & pl.col("is_alive")
            ).height,
            "won deals without a closing date, in no cell": wins["closed"].null_count(),
            "won deals that closed before they were created, in k = 0": wins.filter(early).height,
            "won deals without an amount": wins.filter(BLANK).height,
        },
    )


def _numbered(deals: pl.DataFrame, calendar: Periods, day: date) -> pl.DataFrame:
    """All periods of these days and of ``as_of``, numbered: ``cohort``, ``label``, ``_number``."""
    bounds = deals.select(
        first=pl.col("created").min(), last=pl.max_horizontal(pl.col("created", "closed").max())
    ).row(0)
    days = [each for each in (*bounds, day) if each is not None]
    return (
        calendar.between(min(days), max(days))
        .rename({"period": "cohort"})
        .with_columns(_number=pl.int_range(pl.len(), dtype=pl.Int64))
    )


def _placed(deals: pl.DataFrame, numbered: pl.DataFrame, calendar: Periods) -> pl.DataFrame:
    placed = deals.with_columns(cohort=calendar.start(pl.col("created")))
    return placed.join(numbered, on="cohort", maintain_order="left")


def _lines(
    past: Past, wins: pl.DataFrame, numbered: pl.DataFrame, calendar: Periods
) -> pl.DataFrame:
    """Won deals with the ``k`` in which they were won."""
    ends = numbered.select(_end="cohort", _last="_number")
    won = (
        wins.filter(pl.col("closed").is_not_null())
        .with_columns(_end=calendar.start(pl.max_horizontal("created", "closed")))
        .join(ends, on="_end", maintain_order="left")
        .with_columns(k=(pl.col("_last") - pl.col("_number")).cast(pl.UInt32))
    )
    if not past.deals:
        return won
    closing = last_of_each(closing_events(past)).select("life", "at", "from", "to")
    return beside(won, closing).sort("_number", "k", "life")


def _table(
    deals: pl.DataFrame,
    gone: pl.DataFrame,
    lines: pl.DataFrame,
    numbered: pl.DataFrame,
    keys: list[str],
    periods: int,
) -> pl.DataFrame:
    """Every cohort of every group with its periods, and what was won up to each."""
    # a cohort of which all are deleted has a row, too
    every = pl.concat([each.select("_number", *keys) for each in (deals, gone)])
    first, last = every["_number"].min(), every["_number"].max()
    rows = numbered.filter(pl.col("_number").is_between(pl.lit(first), pl.lit(last)))
    groups = every.select(keys).unique().sort(keys, nulls_last=True) if keys else None
    if rows.height * periods * max(1, 0 if groups is None else groups.height) > MAX_ROWS:
        msg = (
            f"cohorts over these dates have more than {MAX_ROWS:,} rows; narrow them with where=, or take fewer or "
            "longer periods"
        )
        raise QueryError(msg)
    if groups is not None:
        rows = groups.join(rows, how="cross", maintain_order="left_right")
    cells = rows.join(
        pl.DataFrame({"k": pl.int_range(periods, dtype=pl.UInt32, eager=True)}),
        how="cross",
        maintain_order="left_right",
    )
    by = [*keys, "_number"]
    sizes = deals.group_by(by).agg(size=pl.len(), open=pl.col("outcome").is_null().sum())
    won = lines.group_by(*by, "k").agg(won=pl.len(), value=money(), unpriced=UNPRICED.sum())
    table = cells
    for part, on in ((sizes, by), (gone.group_by(by).agg(deleted=pl.len()), by), (won, [*by, "k"])):
        table = table.join(part, on=on, how="left", nulls_equal=True, maintain_order="left")
    counts = ("size", "open", "deleted", "won", "unpriced")
    filled = table.with_columns(pl.col(*counts, "value").fill_null(0))
    return filled.with_columns(pl.col("won", "value", "unpriced").cum_sum().over(by)).cast(
        dict.fromkeys(counts, pl.UInt32())
    )


def _told(
    table: pl.DataFrame, numbered: pl.DataFrame, calendar: Periods, day: date
) -> pl.DataFrame:
    """The table with its shares, null in periods that have not begun."""
    start = pl.select(calendar.start(pl.lit(day))).item()
    now = numbered.filter(cohort=start)["_number"].item()
    number = pl.col("_number") + pl.col("k")
    shown = table.with_columns(
        pl.when(number <= now).then(pl.col("won", "value", "unpriced")),
        partial=(number == now) & (not _is_last_day(calendar, day)),
    )
    return shown.with_columns(
        rate=ratio(shown["won"], shown["size"]), open_share=ratio(shown["open"], shown["size"])
    )


def _is_last_day(calendar: Periods, day: date) -> bool:
    if day == date.max:
        return True
    following = day + timedelta(days=1)
    return bool(pl.select(calendar.start(pl.lit(following))).item() == following)
