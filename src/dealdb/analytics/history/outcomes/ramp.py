"""Ramp: what people win in the months after they began."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.history.linked import ALL
from dealdb.analytics.history.lookup import n_lives
from dealdb.analytics.history.outcomes.closings import (
    IS_WON,
    WON,
    check_sums,
    closings_between,
    count,
    money,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Day, Window, choice, day_of, whole_number
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError

_FIGURES = ("won", "value", "cumulative", "active", "ramped")
# who has been there so long is what others are measured by, and so many of them it takes
_TENURED_MONTHS = 12
_LEAST_TENURED = 3
_TRAILING = 3
_MOST_MONTHS = 1_200


def ramp(
    past: Past,
    *,
    start: str | Mapping[str, Day] = "first_deal",
    months: int = 12,
    events: bool = False,
) -> MetricResult:
    """
    What each owner won in each month of tenure.

    Parameters
    ----------
    past
        The past; ``by`` is one column, like ``owner``, as it was at the closing.
    start
        When tenure began: ``"first_deal"`` (the first fact that gave the owner a deal), ``"first_win"``, or the day
        of each owner.
    months
        How many months each owner has.
    events
        Whether every win counts by its moment, with the amount of then, of deals that were reopened or deleted as
        well; else those count that are won at ``as_of``, by ``closed``.

    Returns
    -------
    MetricResult
        A row for each owner and ``month`` (whole months since the start): ``won`` deals, ``value``, ``cumulative``,
        ``active`` (the month was reached at ``as_of``; the figures are null where it wasn't), and ``ramped``: the
        first month whose last three months reach 80 % of the median of those with twelve months or more (of their
        last three whole months), null where fewer than three have.

    Raises
    ------
    QueryError
        If an option can't be understood, ``as_of`` is before the first fact, or the amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#ramp
    """
    whole_number("months", months, least=1, most=_MOST_MONTHS)
    keys = past.keys(("month", *_FIGURES))
    if len(keys) != 1:
        msg = "a ramp is that of the values of one column: give by= a column, like 'owner'"
        raise QueryError(msg)
    (owner,) = keys
    closed, counts = closings_between(past, None, past.moment, Window(), WON, events=events)
    all_wins = past.grouped(closed.filter(IS_WON), keys, by_at="event")
    undated = all_wins["_closed"].null_count()
    wins = all_wins.filter(pl.col("_closed").is_not_null() & pl.col(owner).is_not_null())
    starts = _starts(past, owner, wins, start).with_columns(
        _tenure=_months_between(pl.col("_start"), pl.lit(past.day))
    )
    placed = wins.join(starts, on=owner, maintain_order="left").with_columns(
        _month=_months_between(pl.col("_start"), pl.col("_closed"))
    )
    check_sums(placed)
    currency, by = past.currency(placed, keys)
    groups = starts
    if currency == MIXED:
        groups = starts.join(placed.select("currency").unique(), how="cross")
    table = _table(groups.sort(by, nulls_last=True), placed, by, months)
    reached = (pl.col("_month") < months) & (pl.col("_month") <= pl.col("_tenure"))
    lines = placed.filter((pl.col("_month") >= 0) & reached).with_columns(
        month=pl.col("_month").cast(pl.UInt32)
    )
    past.notes.append(f"start {start if isinstance(start, str) else 'given'}")
    counts = {
        "wins without a closing date, in no month": undated,
        "wins without a group, in no row": all_wins[owner].null_count(),
        "wins of groups without a start, in no row": wins.height - placed.height,
        "wins before the start, in no month": placed.filter(pl.col("_month") < 0).height,
    }
    return past.result(
        "ramp",
        _with_ramped(table, placed, by),
        lines,
        keys=by,
        rows=("month",),
        counted={"won": ALL},
        figures=_FIGURES,
        n=n_lives(lines["life"]),
        currency=currency,
        counts=counts,
    )


def _starts(
    past: Past, owner: str, wins: pl.DataFrame, start: str | Mapping[str, Day]
) -> pl.DataFrame:
    """First day of each owner: the column of owners, ``_start``."""
    if isinstance(start, Mapping):
        days = {name: day_of(f"start of {name!r}", day) for name, day in start.items()}
        given = {owner: list(days), "_start": list(days.values())}
        schema = {owner: wins.schema[owner], "_start": pl.Date()}
        return pl.DataFrame(given, schema=schema).drop_nulls()
    choice("start", start, ("first_deal", "first_win"))
    if start == "first_win":
        return wins.group_by(owner).agg(_start=pl.col("_closed").min())
    if owner == "id":
        msg = "a ramp from the first deal is that of a field that deals are given, like 'owner'"
        raise QueryError(msg)
    facts = past.chosen(past.facts.of(owner).filter(pl.col("at") < past.moment)).drop_nulls("value")
    first = facts.group_by(pl.col("value").alias(owner)).agg(pl.col("at").min())
    return first.select(owner, _start=past.zone.days_of_ms(pl.col("at")))


def _months_between(start: pl.Expr, day: pl.Expr) -> pl.Expr:
    """
    Whole months from one day to another, negative before it.

    One that began on the 31st is over on the last day of a shorter month.
    """
    months = 12 * (day.dt.year() - start.dt.year()) + (
        day.dt.month().cast(pl.Int32) - start.dt.month().cast(pl.Int32)
    )
    due = pl.min_horizontal(start.dt.day(), day.dt.month_end().dt.day())
    return months - (day.dt.day() < due).cast(pl.Int32)


def _table(groups: pl.DataFrame, wins: pl.DataFrame, by: list[str], months: int) -> pl.DataFrame:
    """Every month of every group, null where it was not reached."""
    numbers = pl.DataFrame({"month": pl.int_range(months, dtype=pl.UInt32, eager=True)})
    sums = wins.group_by(*by, month=pl.col("_month")).agg(won=count(), value=money())
    cells = sums.filter(pl.col("month") >= 0).cast({"month": pl.UInt32})
    table = groups.join(numbers, how="cross", maintain_order="left_right").join(
        cells, on=[*by, "month"], how="left", nulls_equal=True, maintain_order="left"
    )
    is_active = pl.col("month").cast(pl.Int32) <= pl.col("_tenure")
    figures = pl.col("won", "value").fill_null(0)
    shown = table.with_columns(pl.when(is_active).then(figures), active=is_active)
    before = [pl.col("value").shift(n).over(by).fill_null(0) for n in range(1, _TRAILING)]
    return shown.with_columns(
        cumulative=pl.col("value").cum_sum().over(by), _trailing=sum(before, pl.col("value"))
    )


def _with_ramped(table: pl.DataFrame, wins: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """The table with the month in which each group came up to those who have been there long."""
    apart = by[1:]
    ages = pl.col("_tenure") - pl.col("_month")
    recent = wins.filter(ages.is_between(1, _TRAILING)).group_by(by).agg(_recent=money())
    tenured = (
        table.select(*by, "_tenure")
        .unique()
        .filter(pl.col("_tenure") >= _TENURED_MONTHS)
        .join(recent, on=by, how="left", nulls_equal=True)
        .with_columns(_units=pl.col("_recent").fill_null(0).to_physical())
    )
    # twice the median is whole: the two in the middle, or the one of them twice
    ordered, n = pl.col("_units").sort(), pl.len().cast(pl.Int64)
    twice = ordered.get((n - 1) // 2, null_on_oob=True) + ordered.get(n // 2, null_on_oob=True)
    enough = tenured.group_by(apart or pl.lit(0).alias("_all")).agg(_n=n, _twice=twice)
    reference = enough.filter(pl.col("_n") >= _LEAST_TENURED)
    if apart:
        told = table.join(reference, on=apart, how="left", nulls_equal=True, maintain_order="left")
    else:
        found = None if reference.is_empty() else reference["_twice"].item()
        told = table.with_columns(_twice=pl.lit(found, pl.Int128))
    # trailing >= 80 % of the median
    reached = 10 * pl.col("_trailing").to_physical() >= 4 * pl.col("_twice")
    return told.with_columns(ramped=pl.col("month").filter(reached).min().over(by))
