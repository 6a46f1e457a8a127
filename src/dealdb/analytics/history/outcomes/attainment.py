"""Attainment: what was won of a quota, and what it takes to reach it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.exact import column_scale, quotients, ratio
from dealdb.analytics.flags import UNPRICED
from dealdb.analytics.history.outcomes.closings import (
    IS_WON,
    UNDATED,
    check_sums,
    closed_deals,
    closed_within,
    in_groups,
    money,
)
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Window, label_of_none
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.model.columns import spelled_out
from dealdb.model.schema import MAX_DECIMAL_DIGITS

_FIGURES = ("quota", "won", "remaining", "attainment", "pace", "days_left", "needed_per_day")
_QUOTAS = ("period_start", "period", "key", "amount", "currency")
_TEAM = "team"


def attainment(past: Past, quotas: pl.DataFrame, period: str) -> MetricResult:
    """
    What each owner won in a period, of the quota for it.

    Parameters
    ----------
    past
        The past; ``by`` is the one column whose values the quotas name as ``key``, as it was at the closing.
    quotas
        Columns ``period_start`` (date), ``period`` (``"month"``, ``"quarter"``, ``"year"``, or a text like that of
        the argument), ``key``, ``amount`` (decimal or whole) and ``currency`` (may be null).
    period
        Like ``"2026-Q1"``, ``"2026-03"``, or ``"FY2027-Q1"`` by the pipeline's fiscal year.

    Returns
    -------
    MetricResult
        A row for each ``key`` that has a quota or a deal that closed in the period, and ``team``, all together:
        ``quota`` (in one currency by the rate of ``as_of``), ``won``, ``remaining``, ``attainment`` (won of the quota),
        ``pace`` (won of that share of the quota whose days are over), ``days_left``, and ``needed_per_day`` to reach
        the quota. Without a quota, or with one of 0, the shares are null.

    Raises
    ------
    QueryError
        If an option or the table of quotas can't be understood, ``as_of`` is before the first fact, or the amounts
        can't be summed exactly.

    Source
    ------
    docs/metrics.md#attainment
    """
    keys = past.keys(_FIGURES)
    if len(keys) != 1:
        msg = "quotas are those of the values of one column: give by= a column, like 'owner'"
        raise QueryError(msg)
    kind, start, end = Periods.called(period, past.facts.pipeline, calendar=True)
    window = Window(start, end)
    closed = closed_deals(past, window)
    inside = closed_within(closed, window)
    # the values of others than texts are compared by their texts
    lines = past.grouped(inside, keys, by_at="event").with_columns(
        key=pl.col(keys[0]).cast(pl.String),
        value=pl.when(IS_WON).then("value"),
        _unpriced=IS_WON & UNPRICED,
    )
    check_sums(lines)
    names = [kind, period.strip()]
    told = _quotas(quotas, start, names, 0 if past.convert else column_scale(lines["value"]))
    wanted, without = _in_currency(past, told)
    check_sums(wanted)
    currency, by = _currency(past, lines, wanted)
    table = _table(lines, wanted, by)
    lacking = table.filter(pl.col("quota").is_null() & (pl.col("_wins") > 0) & ~pl.col("_team"))
    lines = pl.concat([lines, lines.with_columns(key=pl.lit(_TEAM))])
    label = label_of_none(table["key"].rename(keys[0]))
    past.notes.append(f"period {period}")
    return past.result(
        "attainment",
        _told(table, (end - start).days, past.day - start).with_columns(
            pl.col("key").fill_null(label)
        ),
        lines.with_columns(pl.col("key").fill_null(label)),
        keys=["currency"] if currency == MIXED else [],
        rows=("key",),
        figures=_FIGURES,
        n=inside.filter(IS_WON).height,
        window=window,
        currency=currency,
        counts={
            UNDATED: closed["_closed"].null_count(),
            "groups with wins and no quota": lacking.height,
            "quotas that have no rate, in no sum": without,
        },
        counted={"won": IS_WON},
    )


def _quotas(quotas: pl.DataFrame, start: date, names: list[str], scale: int) -> pl.DataFrame:
    """Quotas of a period that has one of these names: ``key``, ``value``, ``currency``."""
    missing = [name for name in _QUOTAS if name not in quotas.columns]
    if missing:
        msg = f"quotas lack the column {missing[0]!r}: they have {', '.join(_QUOTAS)}"
        raise QueryError(msg)
    dtype = quotas.schema["amount"]
    if not (dtype.is_decimal() or dtype.is_integer() or dtype == pl.Null):
        msg = f"the amount of a quota is a decimal or a whole number, not {dtype}"
        raise QueryError(msg)
    if quotas.schema["period_start"] not in (pl.Date, pl.Null):
        msg = f"the period_start of a quota is a date, not {quotas.schema['period_start']}"
        raise QueryError(msg)
    scale = max(scale, column_scale(quotas["amount"]))
    own = spelled_out(quotas).filter(
        (pl.col("period_start") == start) & pl.col("period").cast(pl.String).is_in(names)
    )
    return own.select(
        pl.col("key").cast(pl.String),
        pl.col("currency").cast(pl.String),
        value=pl.col("amount").cast(pl.Decimal(MAX_DECIMAL_DIGITS, scale)),
    )


def _in_currency(past: Past, quotas: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Quotas by the rates of ``as_of``, and how many have none; without a currency they are in the one asked for."""
    if past.convert is None:
        return quotas, 0
    named = quotas.with_columns(pl.col("currency").fill_null(past.convert.to))
    found = past.priced(named, is_closed=False)
    return found.filter(~UNPRICED).drop("_unpriced"), found.filter(UNPRICED).height


def _currency(
    past: Past, lines: pl.DataFrame, quotas: pl.DataFrame
) -> tuple[str | None, list[str]]:
    """
    The currency of wins and quotas, and the columns of a row.

    Quotas without a currency are in that of the deals, and deals in that of the quotas where none has any.
    """
    said = quotas.filter(pl.col("currency").is_not_null())
    if lines["currency"].null_count() == lines.height:
        return past.currency(said, ["key"])
    columns = ("currency", "value")
    both = pl.concat([lines.select(columns), said.select(columns)], how="vertical_relaxed")
    return past.currency(both, ["key"])


def _table(lines: pl.DataFrame, quotas: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Wins and quotas of each group, and of all: ``quota``, ``won``, ``_wins``."""
    won = in_groups(lines, by, won=money(IS_WON), _wins=IS_WON.sum())
    quota = in_groups(quotas, by, quota=money())
    table = won.join(quota, on=list(by), how="full", nulls_equal=True, coalesce=True)
    filled = table.with_columns(pl.col("won", "_wins").fill_null(0), _team=pl.lit(value=False))
    apart = [name for name in by if name != "key"]
    team = in_groups(
        filled,
        apart,
        won=pl.col("won").sum(),
        _wins=pl.col("_wins").sum(),
        # no quota at all is none, not one of 0
        quota=pl.when(pl.col("quota").count() > 0).then(pl.col("quota").sum()),
    ).with_columns(key=pl.lit(_TEAM), _team=pl.lit(value=True))
    both = pl.concat([filled, team.select(filled.columns)], how="vertical_relaxed")
    return both.sort(*apart, "_team", "key", nulls_last=True)


def _told(table: pl.DataFrame, days: int, since: timedelta) -> pl.DataFrame:
    """The table with its shares, each rounded once, of a period of so many days that began so long ago."""
    elapsed = min(max(since.days + 1, 0), days)
    scale = max(column_scale(table["won"]), column_scale(table["quota"]))
    money_type = pl.Decimal(MAX_DECIMAL_DIGITS, scale)
    told = table.with_columns(pl.col("won", "quota").cast(money_type)).with_columns(
        remaining=pl.col("quota") - pl.col("won")
    )
    won, quota, remaining = (
        told[name].to_physical().to_list() for name in ("won", "quota", "remaining")
    )
    left = days - elapsed
    one: int = 10**scale
    return told.with_columns(
        attainment=ratio(told["won"].to_physical(), told["quota"].to_physical()),
        pace=quotients(
            [each * days for each in won],
            [None if each is None else each * elapsed for each in quota],
        ),
        days_left=pl.lit(left, pl.UInt32),
        needed_per_day=quotients(remaining, [one * left] * told.height),
    )
