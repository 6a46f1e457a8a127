"""Errors of earlier forecasts: what was forecast some days before the end of a period, against what was won."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

import polars as pl

from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.estimates.scores import mape, wape
from dealdb.analytics.exact import column_scale, from_units
from dealdb.analytics.flags import UNPRICED
from dealdb.analytics.history.lookup import are_among
from dealdb.analytics.history.money import said_of
from dealdb.analytics.history.opens import category, own_category
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Day, whole_number
from dealdb.analytics.prediction.ends import WON, kinds
from dealdb.analytics.prediction.moments import (
    chance,
    chance_digits,
    chance_units,
    in_parts,
    looked_up,
    pipeline_at,
    stood,
)
from dealdb.analytics.result import MetricResult
from dealdb.errors import NotYetKnown, QueryError
from dealdb.model.schema import MAX_DECIMAL_DIGITS

_MONEY = ("actual", "base", "commit", "high", "base_error", "commit_error", "high_error")
_FIGURES = (*_MONEY, "base_share")
_ROWS = ("period", "label", "days_before")
_READS = ("amount", "currency", "expected_close", "closed", "probability")
_MOST_PERIODS = 200
# sums have more digits than the default context keeps
_EXACT = Context(prec=2 * MAX_DECIMAL_DIGITS)
# periods from which a mean of errors says something
_FEW = 8


class _Asked(NamedTuple):
    """One forecast: the period, how many days before the end of it, and the moment until which facts count."""

    start: date
    last: date
    label: str
    days: int
    moment: int


def forecast_error(
    past: Past,
    *,
    period: str = "quarter",
    days_before: Sequence[int] = (90, 60, 30, 7),
    since: Day = None,
    until: Day = None,
) -> MetricResult:
    """
    Forecasts of each period as they stood so many days before its end, against what was won in it.

    Parameters
    ----------
    past
        The past, up to ``as_of``. Groups are those of a deal at the moment of the forecast, and for what was won at
        the end of the period, unless ``by_at`` says otherwise.
    period
        ``"month"``, ``"quarter"`` or ``"year"``; those that are over by ``as_of``.
    days_before
        Days from the forecast to the last day of the period; the forecast is of the end of that day.
    since, until
        Only periods that begin in this window, ``until`` itself outside; by default from the first fact on.

    Returns
    -------
    MetricResult
        A row for each period and number of days: ``period`` (its first day), ``label``, ``days_before``; ``actual``
        (won in the period, as known at its end), and of that day ``base`` (won to date, and open deals due in the
        period times their chances), ``commit`` (won, and open deals of the category commit) and ``high`` (won, and all
        open deals due); the three errors (forecast minus actual: above 0, too high), and ``base_share``, the first
        error over the actual. The notes have MAPE and WAPE by number of days.

    Raises
    ------
    QueryError
        If an option can't be understood, no period is over by ``as_of``, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#forecast-error
    """
    if isinstance(days_before, str) or not isinstance(days_before, Sequence):  # type: ignore[redundant-expr]  # callers may be untyped
        msg = "days_before is a list of days, such as 90, 60, 30, 7"
        raise QueryError(msg)
    # the same number of days twice is one row
    ahead = dict.fromkeys(
        whole_number("days_before", each, least=0, most=3_660) for each in days_before
    )
    keys = past.keys((*_ROWS, *_FIGURES))
    periods = _periods(past, period, since, until)
    asked = _asked(past, periods, ahead)
    parts = list(_told(past, asked, keys))
    if past.facts.first is None:
        # nothing was ever known: a table without rows
        none = stood(past, past.moment, _reads(past), keys)
        look = _Asked(past.day, past.day, "", 0, past.moment)
        parts = [_part(past, none, look, is_actual=False)]
    if not parts:
        msg = "no forecast lies after the first fact: choose fewer days_before, or a later since"
        raise NotYetKnown(msg)
    lines = pl.concat(parts)
    currency, keys = past.currency(lines, keys)
    digits = chance_digits(past, lines["probability"])
    scale = column_scale(lines["value"])
    table = _table(lines, asked, keys, scale, digits)
    # errors in several currencies are never added
    is_apart = past.convert is None and "currency" in keys
    for name, own in _by_currency(table) if is_apart else [("", table)]:
        past.notes.extend(_errors(own, name))
    if len(periods) < _FEW:
        past.notes.append(f"only {len(periods)} period{'' if len(periods) == 1 else 's'}")
    without = (
        lines.filter(UNPRICED)
        .group_by(*keys, *_ROWS)
        .agg(unpriced=pl.col("id").n_unique().cast(pl.UInt32))
    )
    table = table.join(
        without, on=[*keys, *_ROWS], how="left", nulls_equal=True, maintain_order="left"
    ).with_columns(pl.col("unpriced").fill_null(0))
    return past.result(
        "forecast_error",
        table,
        _shown(lines, scale, digits),
        keys=keys,
        rows=_ROWS,
        line_rows=(*_ROWS, "figure"),
        figures=_FIGURES,
        n=lines["life"].n_unique(),
        window=past.bounds(since, until)[2],
        currency=currency,
        counts={
            "open deals due in a period without a usable chance, in no base": lines.filter(
                ~pl.col("_is_actual") & pl.col("_is_open") & pl.col("_units").is_null()
            ).height,
            **(said_of(lines, past.convert) if past.convert else {}),
        },
    )


def _periods(past: Past, period: str, since: Day, until: Day) -> list[tuple[date, date, str]]:
    """First day, last day and label of the periods that are over."""
    if period not in ("month", "quarter", "year"):
        msg = f"period={str(period)[:40]!r} is not a choice: use month or quarter or year"
        raise QueryError(msg)
    first, end, _ = past.bounds(since, until)
    begin = past.facts.first
    if begin is None:
        return []
    day = past.zone.day_of_moment(begin if first is None else max(first, begin))
    after = past.zone.day_of_moment(past.moment)
    last = past.zone.day_of_moment(max(end - 1, 0))
    found = Periods.of(period, past.pipeline).between(day, after)
    if found.height > _MOST_PERIODS:
        msg = f"more than {_MOST_PERIODS} periods: choose a later since"
        raise QueryError(msg)
    starts, labels = found["period"].to_list(), found["label"].to_list()
    over = [
        (start, following - timedelta(days=1), label)
        for start, following, label in zip(starts, starts[1:], labels, strict=False)
        if following <= after and start <= last
    ]
    if not over:
        msg = f"no {period} is over by {past.day}: its result isn't known yet"
        raise NotYetKnown(msg)
    return over


def _reads(past: Past) -> list[str]:
    return [*_READS, *own_category(past.facts.schema)]


def _asked(
    past: Past, periods: Sequence[tuple[date, date, str]], ahead: Iterable[int]
) -> list[_Asked]:
    """Forecasts of which something can be known: those that lie after the first fact."""
    known = past.facts.first
    days_before = list(ahead)
    found = (
        _Asked(start, last, label, days, past.zone.end_of_day_ms(last - timedelta(days=days)))
        for start, last, label in periods
        for days in days_before
    )
    return [each for each in found if known is not None and each.moment > known]


def _told(past: Past, asked: Sequence[_Asked], keys: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Deals of what was won in the period of each forecast, and of the forecast."""
    # a period has several forecasts, and one end
    ends = {each.last: each._replace(moment=past.zone.end_of_day_ms(each.last)) for each in asked}
    looks = [*ends.values(), *asked]
    deals = _looked_at(past, looks, len(ends), keys)
    parts = [
        _part(past, own, look, is_actual=place < len(ends))
        for place, (look, own) in enumerate(zip(looks, deals, strict=True))
    ]
    finals = dict(zip(ends, parts, strict=False))
    for each, forecast in zip(asked, parts[len(ends) :], strict=True):
        yield finals[each.last].with_columns(days_before=pl.lit(each.days, pl.UInt32))
        yield forecast


def _looked_at(
    past: Past, looks: Sequence[_Asked], n_ends: int, keys: Sequence[str]
) -> list[pl.DataFrame]:
    """
    Deals as ``stood`` has them that had been won in a period by a moment, and, but for the first looks, open ones due.

    Few of all deals are, so that only these are looked up.
    """
    held = {name: _held(past.facts.of(name)) for name in ("closed", "expected_close")}
    inside = {
        (start, last): {
            name: facts.filter(pl.col("value").is_between(start, last))
            for name, facts in held.items()
        }
        for start, last in {each[:2] for each in looks}
    }
    found = [_dated(past, inside[look[:2]], look) for look in looks]
    staged = in_parts(looked_up(past, pl.concat(found), ["stage"]), found) if found else []
    found = [
        _counted(past, look, own, has_open=place >= n_ends)
        for place, (look, own) in enumerate(zip(looks, staged, strict=True))
    ]
    if not found:
        return []
    names, later = ("id", "probability", *_reads(past)), past.by_at in ("end", "now")
    deals = looked_up(past, pl.concat(found), names if later else (*names, *keys)).drop("at")
    deals = past.grouped(deals, keys) if later else deals
    is_open = pl.col("cause") == 0
    return [
        own.with_columns(chance=pl.when(is_open).then(chance(pipeline_at(past, look.moment))))
        for look, own in zip(looks, in_parts(deals, found), strict=True)
    ]


def _held(facts: pl.DataFrame) -> pl.DataFrame:
    """Facts of a field, with the moment ``_until`` which each held; null for the last of a life."""
    goes_on = pl.col("life") == pl.col("life").shift(-1)
    until = pl.when(goes_on).then(pl.col("at").shift(-1))
    return facts.select("life", "at", "value", _until=until)


def _dated(past: Past, inside: Mapping[str, pl.DataFrame], look: _Asked) -> pl.DataFrame:
    """Deals at a moment that are closed or due in a period, by the facts that say so: which of both, and when."""
    lives = {
        name: facts.filter(
            pl.col("at") < look.moment,
            (pl.col("_until") >= look.moment).fill_null(value=True),
        )["life"]
        for name, facts in inside.items()
    }
    every = pl.concat(lives.values()).unique().sort()
    begin, end = (past.facts.lives[name].gather(every) for name in ("begin", "end"))
    is_there = (begin < look.moment) & (end >= look.moment).fill_null(value=True)
    return past.chosen(
        pl.DataFrame({"life": every})
        .with_columns(
            *(are_among(every, own).alias(f"_{name}") for name, own in lives.items()),
            at=pl.lit(look.moment, pl.Int64),
        )
        .filter(is_there)
    )


def _counted(past: Past, look: _Asked, deals: pl.DataFrame, *, has_open: bool) -> pl.DataFrame:
    """Those of them that were won in the period, and those that are open and due in it."""
    causes = kinds(pipeline_at(past, look.moment)).select("stage", "cause")
    told = deals.join(causes, on="stage", how="left", maintain_order="left").with_columns(
        pl.col("cause").fill_null(0)
    )
    counts = (pl.col("cause") == WON) & pl.col("_closed")
    due = (pl.col("cause") == 0) & pl.col("_expected_close")
    return told.filter(counts | due if has_open else counts).drop("_closed", "_expected_close")


def _part(past: Past, deals: pl.DataFrame, look: _Asked, *, is_actual: bool) -> pl.DataFrame:
    at = look.moment
    worth = past.priced(
        deals.with_columns(value="amount"),
        is_closed=pl.col("cause") != 0,
        as_of=past.zone.day_of_moment(at - 1),
    )
    return _weighed(past, worth, at).with_columns(
        period=pl.lit(look.start),
        label=pl.lit(look.label),
        days_before=pl.lit(look.days, pl.UInt32),
        _is_actual=pl.lit(is_actual),
        _at=pl.lit(at, pl.Int64),
    )


def _weighed(past: Past, deals: pl.DataFrame, at: int) -> pl.DataFrame:
    """Deals with ``_units``, their chance as an integer, and whether they are of the category commit."""
    is_open = pl.col("cause") == 0
    return deals.with_columns(
        pl.col("value").fill_null(0),
        _is_open=is_open,
        _units=chance_units(chance_digits(past, deals["probability"])),
        _commit=is_open & (category(deals, pipeline_at(past, at)) == "commit"),
    )


def _shown(lines: pl.DataFrame, scale: int, digits: int) -> pl.DataFrame:
    """Lines with what each adds to what was won, or to the forecast: an open deal its amount times its chance."""
    is_open = pl.col("_is_open") & ~pl.col("_is_actual")
    chance = pl.when(is_open).then(pl.col("_units").fill_null(0)).otherwise(10**digits)
    return lines.with_columns(
        value=from_units(pl.col("value").to_physical() * chance, scale=scale + digits),
        figure=pl.when("_is_actual").then(pl.lit("actual")).otherwise(pl.lit("base")),
        to=pl.lit(None, pl.String),
        **{"from": pl.col("stage"), "at": pl.col("_at")},
    )


def _table(
    lines: pl.DataFrame, asked: Sequence[_Asked], keys: list[str], scale: int, digits: int
) -> pl.DataFrame:
    units, one = pl.col("value").to_physical(), pl.lit(10**digits, pl.Int128)
    forecast = ~pl.col("_is_actual")
    is_won, is_open = forecast & ~pl.col("_is_open"), forecast & pl.col("_is_open")
    to_date = pl.when(is_won).then(units).otherwise(0)
    weighted = pl.when(is_open).then(units * pl.col("_units").fill_null(0)).otherwise(0)
    sums = {
        "actual": pl.when("_is_actual").then(units).otherwise(0),
        "base": to_date * one + weighted,
        "commit": to_date + pl.when(is_open & pl.col("_commit")).then(units).otherwise(0),
        "high": to_date + pl.when(is_open).then(units).otherwise(0),
    }
    by = [*keys, "period", "days_before"]
    grouped = (
        lines.group_by(*keys, *_ROWS)
        .agg(expr.sum().alias(name) for name, expr in sums.items())
        .pipe(lambda found: found if keys else _with_all(found, asked))
        .with_columns(pl.col(*sums).fill_null(0))
        .sort(by, descending=[name == "days_before" for name in by], nulls_last=True)
    )
    # the base has the digits of chances besides those of money
    finer = {name: scale + digits * name.startswith("base") for name in _MONEY}
    rows = []
    for row in grouped.iter_rows(named=True):
        found = {name: Decimal(int(row[name])).scaleb(-finer[name], _EXACT) for name in sums}
        for name in ("base", "commit", "high"):
            found[f"{name}_error"] = _EXACT.subtract(found[name], found["actual"])
        share = (
            Fraction(found["base_error"]) / Fraction(found["actual"]) if found["actual"] else None
        )
        rows.append([*(found[name] for name in _MONEY), None if share is None else float(share)])
    types: dict[str, pl.DataType] = {
        name: pl.Decimal(MAX_DECIMAL_DIGITS, digit) for name, digit in finer.items()
    }
    types["base_share"] = pl.Float64()
    figures = pl.DataFrame(rows, schema=types, orient="row")
    return grouped.select(*keys, *_ROWS).hstack(figures)


def _with_all(grouped: pl.DataFrame, asked: Sequence[_Asked]) -> pl.DataFrame:
    """A row for each forecast, those among them in whose period nothing was due and nothing won."""
    rows = [(each.start, each.label, each.days) for each in asked]
    every = pl.DataFrame(rows, schema=grouped.select(_ROWS).schema, orient="row")
    return every.join(grouped, on=_ROWS, how="left", maintain_order="left")


def _by_currency(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for (currency,), own in table.partition_by("currency", as_dict=True).items():
        yield (f", {currency}" if currency else ", no currency"), own


def _errors(table: pl.DataFrame, currency: str) -> Iterator[str]:
    """MAPE and WAPE of each number of days, of the periods of all groups."""
    for days in table["days_before"].unique().sort(descending=True):
        own = table.filter(pl.col("days_before") == days)
        errors, actuals = (list(map(Fraction, own[name])) for name in ("base_error", "actual"))
        mean, weighted = mape(errors, actuals), wape(errors, actuals)
        shown = [
            f"{name} {value:.3g}"
            for name, value in (("MAPE", mean), ("WAPE", weighted))
            if value is not None
        ]
        if shown:
            yield f"{days} days before{currency}: {' '.join(shown)}"
