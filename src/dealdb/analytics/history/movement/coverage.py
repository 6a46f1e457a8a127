"""Coverage: whether what is open is enough for what is missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import polars as pl

from dealdb.analytics.exact import column_scale, ratio
from dealdb.analytics.flags import UNPRICED
from dealdb.analytics.history.money import BLANK
from dealdb.analytics.history.movement.ends import period_of
from dealdb.analytics.history.opens import check_amounts, kind_of
from dealdb.analytics.history.past import LINE, Past
from dealdb.analytics.options import Day, Window
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.model.decimals import number_of
from dealdb.model.schema import MAX_DECIMAL_DIGITS

Number: TypeAlias = Decimal | int | float | str

_FIGURES = (
    "target", "won", "remaining", "open", "coverage", "required", "gap", "met", "surplus", "overdue", "undated_value",
    "blank",
)  # fmt: skip
_READS = ("stage", "amount", "currency", "expected_close", "closed")
_YEAR = timedelta(days=365)
_EXACT = Context(prec=2 * MAX_DECIMAL_DIGITS, rounding=ROUND_HALF_EVEN)
_NONE = "(none)"
_CENTS = 2


def coverage(
    past: Past,
    *,
    since: Day,
    until: Day,
    target: Number | Mapping[Any, Number],
    win_rate: Number | None = None,
) -> MetricResult:
    """
    Open deals of a period over what is missing of its target, and how much of them is needed.

    Parameters
    ----------
    past
        The past, up to ``as_of``.
    since, until
        Days of the period, ``until`` itself outside.
    target
        Money to win in the period, of every group; or a mapping from the value of the group, a tuple of them where
        there are several columns.
    win_rate
        Share of the open deals that is won, above 0 up to 1. By default that of the deals closed in the 365 days up to
        ``as_of``, by number.

    Returns
    -------
    MetricResult
        ``target``, ``won`` (closed from ``since`` to ``as_of``), ``remaining``, ``open`` (expected to close in the
        period), ``coverage`` (open over remaining), ``required`` (1 over the win rate), ``gap`` (required times
        remaining, rounded once, less open), ``met``, ``surplus`` (what was won above the target, null until it is
        met), ``overdue`` (open deals whose date lies before ``as_of``), ``undated_value`` (open deals without a date)
        and ``blank`` (open deals of the period without an amount). Once the target is met, coverage and gap are null.

    Raises
    ------
    QueryError
        If an option can't be understood, ``as_of`` is before the first fact, or amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#coverage
    """
    window = period_of(past, since, until)
    rate = None if win_rate is None else _rate(win_rate)
    keys = past.keys((*_FIGURES, *LINE[1:], "figure"))
    deals = past.state(_READS, when=_may_count(past, window)).with_columns(
        kind_of(past.pipeline), value="amount"
    )
    deals = past.priced(deals, is_closed=pl.col("kind") != "open")
    check_amounts(deals, "value")
    told = past.grouped(_told(deals, past, window.holds("expected_close"), window.since), keys)
    lines = told.filter(pl.col("figure").is_not_null())
    if past.deals:
        lines = lines.sort("figure", "life", descending=[True, False])
    currency, wanted = past.currency(told.filter(pl.col("_counts")), keys)
    scale = column_scale(deals["value"])
    table = _with_targets(_sums(told, wanted), wanted, keys, target, scale)
    past.notes.append("win rate as given" if rate else "win rate of the last 365 days")
    return past.result(
        "coverage",
        _figures(table, rate, scale, _CENTS if past.convert else scale),
        lines,
        keys=wanted,
        rows=(),
        line_rows=("figure",),
        figures=_FIGURES,
        n=lines.height,
        window=window,
        currency=currency,
        counted={
            "overdue": pl.col("_overdue"),
            "blank": (pl.col("figure") == "open") & BLANK,
            "won": pl.col("figure") == "won",
            "open": pl.col("figure") == "open",
            "undated_value": lambda _: told.filter("_undated"),
            "unpriced": lambda _: told.filter("_counts", UNPRICED),
        },
        counts={
            "groups without a target": table["target"].null_count(),
            "won deals without a closing date, in no figure": deals.filter(
                (pl.col("kind") == "won") & pl.col("closed").is_null()
            ).height,
        },
    )


def _may_count(past: Past, window: Window) -> pl.Expr:
    """Deals that a figure or a remark may count: closed in the period or the last year, open and due, or undated."""
    closed, day = pl.col("closed"), past.day
    is_open = kind_of(past.pipeline) == "open"
    is_due = window.holds("expected_close") | pl.col("expected_close").is_null()
    is_recent = closed.is_between(window.since, day) | (closed > day - _YEAR) & (closed <= day)
    # without a date it may be of the period, which a remark says
    return pl.when(is_open).then(is_due).otherwise(is_recent.fill_null(value=True))


def _rate(win_rate: Number) -> Fraction:
    number = number_of(win_rate)
    if number is None or not 0 < number <= 1:
        msg = "win_rate is a number above 0, up to 1"
        raise QueryError(msg)
    return Fraction(number)


def _told(deals: pl.DataFrame, past: Past, is_due: pl.Expr, since: Any) -> pl.DataFrame:
    """Lines of what was won and what is open, and the flags that the other figures are sums of."""
    closed, day = pl.col("closed"), past.day
    is_open, is_won = pl.col("kind") == "open", pl.col("kind") == "won"
    in_year = closed.is_between(day - _YEAR, day, closed="right").fill_null(value=False)
    won = is_won & closed.is_between(since, day).fill_null(value=False)
    due = is_open & is_due
    undated = is_open & pl.col("expected_close").is_null()
    date = pl.when(is_open).then("expected_close").otherwise("closed").cast(pl.String)
    return deals.with_columns(
        figure=pl.when(won).then(pl.lit("won")).when(due).then(pl.lit("open")),
        at=pl.lit(None, pl.Int64),
        _undated=undated,
        _overdue=due & (pl.col("expected_close") < day),
        _year_won=is_won & in_year,
        _year_n=(pl.col("kind") != "open") & in_year,
        _counts=won | due | undated,
        **{"from": pl.col("stage"), "to": date},
    )


def _sums(told: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    value, figure = pl.col("value"), pl.col("figure")
    is_open = (figure == "open").fill_null(value=False)
    sums = {
        "won": value.filter(figure == "won").sum(),
        "open": value.filter(is_open).sum(),
        "undated_value": value.filter("_undated").sum(),
        "overdue": pl.col("_overdue").sum().cast(pl.UInt32),
        "blank": (is_open & BLANK).sum().cast(pl.UInt32),
        "unpriced": (pl.col("_counts") & UNPRICED).sum().cast(pl.UInt32),
        "_year_won": pl.col("_year_won").sum(),
        "_year_n": pl.col("_year_n").sum(),
        "_counts": pl.col("_counts").any(),
    }
    if not keys:
        return told.select(**sums)
    return told.group_by(keys).agg(**sums).sort(keys, nulls_last=True)


def _with_targets(
    table: pl.DataFrame, keys: list[str], by: list[str], target: Any, scale: int
) -> pl.DataFrame:
    """Rows with their target; groups that have one, and no deals, get a row."""
    money = pl.Decimal(MAX_DECIMAL_DIGITS, scale)
    if not isinstance(target, Mapping):
        table = _with_deals(table, keys)
        amount = pl.Series("target", [_money(target, scale)], dtype=money)
        return table.with_columns(amount.new_from_index(0, table.height))
    if not keys:
        msg = "target by group needs by: it says whose targets they are"
        raise QueryError(msg)
    wanted = {_key(key): _money(number, scale) for key, number in target.items()}
    wide = {len(key) for key in wanted}
    if not wide <= {len(keys), len(by)}:
        msg = f"target: a key has a value for each of {', '.join(keys)}"
        raise QueryError(msg)
    table = _with_deals(table, keys, wanted)
    if wide == {len(keys)}:
        table = _with_missing(table, keys, wanted)
    rows = [_key(row) for row in table.select(keys).rows()]
    found = [wanted.get(row, wanted.get(row[: len(by)])) for row in rows]
    return table.with_columns(pl.Series("target", found, dtype=money))


def _with_deals(
    table: pl.DataFrame, keys: list[str], wanted: Collection[tuple[Any, ...]] = ()
) -> pl.DataFrame:
    """Rows that a figure counts deals of; those closed before the period make none, unless it has a target."""
    if not keys:
        return table
    has_target = pl.Series(
        [_key(row) in wanted for row in table.select(keys).rows()], dtype=pl.Boolean
    )
    return table.filter(pl.col("_counts") | has_target)


def _with_missing(
    table: pl.DataFrame, keys: list[str], wanted: dict[tuple[Any, ...], Any]
) -> pl.DataFrame:
    there = {_key(row) for row in table.select(keys).rows()}
    lacking = [key for key in wanted if key not in there]
    if not lacking:
        return table
    types = {name: table.schema[name] for name in keys}
    try:
        rows = pl.DataFrame(lacking, schema=types, orient="row", strict=True)
    except (TypeError, ValueError, pl.exceptions.PolarsError):
        msg = f"target: a key is not a value of {', '.join(keys)}"
        raise QueryError(msg) from None
    zeros = pl.all().exclude(keys).fill_null(0)
    full = pl.concat([table, rows], how="diagonal").with_columns(zeros)
    return full.sort(keys, nulls_last=True)


def _key(key: Any) -> tuple[Any, ...]:
    """Key of a group, in which "(none)" is no value."""
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(None if part == _NONE else part for part in parts)


def _money(given: Any, scale: int) -> Decimal:
    number = number_of(given)
    if number is None or abs(number) >= Decimal(10) ** (MAX_DECIMAL_DIGITS - scale - 1):
        msg = "target is an amount of money, or a mapping from groups to such"
        raise QueryError(msg)
    rounded = number.quantize(Decimal(1).scaleb(-scale), context=_EXACT)
    if rounded != number:
        msg = f"target has more than {scale} digits after the point"
        raise QueryError(msg)
    return rounded


def _figures(table: pl.DataFrame, rate: Fraction | None, scale: int, shown: int) -> pl.DataFrame:
    money = pl.Decimal(MAX_DECIMAL_DIGITS, scale)
    remaining = pl.col("target") - pl.col("won")
    told = table.with_columns(remaining=remaining.cast(money)).with_columns(
        met=pl.col("remaining") <= 0
    )
    required, gaps = [], []
    for row in told.select("_year_won", "_year_n", "remaining", "open", "met").iter_rows():
        won, n, left, is_open, met = row
        share = rate if rate is not None else Fraction(won, n) if n else None
        needs = 1 / share if share else None
        required.append(None if needs is None else float(needs))
        gaps.append(
            None if needs is None or left is None or met else _gap(needs, left, is_open, shown)
        )
    # of a met target there is nothing to cover
    missing = told.select(pl.when(~pl.col("met")).then("remaining").alias("remaining"))["remaining"]
    return told.with_columns(
        coverage=ratio(told["open"].to_physical(), missing.to_physical()),
        required=pl.Series(required, dtype=pl.Float64),
        gap=pl.Series(gaps, dtype=money),
        surplus=pl.when("met").then(-pl.col("remaining")).cast(money),
    )


def _gap(needs: Fraction, left: Decimal, is_open: Decimal, scale: int) -> Decimal:
    """What is missing, with so many digits: what was converted may have more, and is rounded with the rest."""
    wanted, there = (number * 10**scale for number in (needs * Fraction(left), Fraction(is_open)))
    whole = there.denominator == 1
    units = round(wanted) - int(there) if whole else round(wanted - there)
    return Decimal(units).scaleb(-scale, _EXACT)
