"""The headline figures: those of now and of this period so far, with their change to the period before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from dealdb.analytics.basis import MIXED
from dealdb.analytics.options import NONE
from dealdb.answers.asked import in_currency
from dealdb.board.figures.figure import Figure
from dealdb.board.figures.linked import deals_address
from dealdb.board.html import counted
from dealdb.errors import QueryError
from dealdb.model.fiscal import time_zone

if TYPE_CHECKING:
    from dealdb.analytics import MetricResult
    from dealdb.board.page_request import PageRequest
    from dealdb.database import DealDatabase
    from dealdb.formats.locale import Locale

# a tile has no room for more
MOST_CURRENCIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TileLine:
    """
    A headline figure.

    Attributes
    ----------
    value
        Its text.
    link
        Its deals.
    change
        Its change to the period before, in words; None where nothing is known of it.
    tone
        ``better``, ``worse`` or nothing.
    counts
        Of money: how many deals it is of, and how many of them it lacks, each with its link.
    figure, key, amount, before
        The same for programs: which figure it is, its column, the value and that of the period before.
    """

    value: str
    link: str | None
    change: str | None
    tone: str
    counts: Sequence[tuple[str, str | None]]
    figure: str
    key: str
    amount: Any
    before: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """
    One headline.

    Attributes
    ----------
    label
        What it is.
    lines
        A line, or one for each currency.
    left_out
        Currencies that are not shown.
    note
        What to know of it.
    """

    label: str
    lines: Sequence[TileLine]
    left_out: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headlines:
    """
    All tiles.

    Attributes
    ----------
    period, since, until
        The period, its first day, and the day before which what is closed counts.
    before, before_since, before_until
        The one that it is compared with: as many days of the period before.
    tiles
        The tiles.
    """

    period: str
    since: date
    until: date
    before: str
    before_since: date
    before_until: date
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a headline is written: its text, whether more is good, what it is compared with, and its counts in words."""

    text: Callable[[Any, str | None], str]
    good: int = 0
    versus: str = ""
    is_ratio: bool = False
    is_money: bool = True
    counts: Mapping[str, Callable[[int], str]] = field(default_factory=dict)

    def change(self, value: Any, before: Any) -> tuple[str | None, str]:
        """The change in words, and whether it is ``better`` or ``worse``."""
        if value is None or before is None:
            return None, ""
        if value == before:
            return f"the same {self.versus.replace('than', 'as', 1)}", ""
        size = self.text(abs(value - before), None)
        if self.is_ratio:
            size = size.replace("%", "points")
        is_more = value > before
        tone = "" if not self.good else "better" if is_more == (self.good > 0) else "worse"
        return f"{size} {'more' if is_more else 'less'} {self.versus}", tone


@dataclass(frozen=True, slots=True)
class _Told:
    """A figure and the same one of the period before, by currency and column."""

    asked: PageRequest
    figure: Figure
    now: MetricResult
    was: Mapping[Any, Any]

    def tile(self, label: str, column: str, shape: _Shape, note: str = "") -> Tile:
        rows = self.now.to_dicts() or [{}]
        lines = [self._line(row, column, shape) for row in rows[:MOST_CURRENCIES]]
        left_out = max(0, len(rows) - MOST_CURRENCIES)
        return Tile(label=label, lines=lines, left_out=left_out, note=note)

    def _line(self, row: Mapping[str, Any], column: str, shape: _Shape) -> TileLine:
        currency = currency_of(self.now, row)
        # what is no money is of a currency only where there are several
        shown = currency if shape.is_money or len(self.now) > 1 else None
        value = row.get(column)
        before = value_before(self.was, currency, column, value)
        change, tone = shape.change(value, before)
        return TileLine(
            value="\N{EN DASH}" if value is None else shape.text(value, shown),
            link=self._link(row, column),
            change=change,
            tone=tone,
            counts=[
                (said(row[name]), self._link(row, name))
                for name, said in shape.counts.items()
                if row.get(name)
            ],
            figure=self.figure.text(),
            key=column,
            amount=value,
            before=before,
        )

    def _link(self, row: Mapping[str, Any], column: str) -> str | None:
        return deals_address(self.asked, self.figure, self.now, row, column) if row else None


def headlines(asked: PageRequest, shared: Mapping[str, str]) -> Headlines:
    """
    The headline figures.

    Parameters
    ----------
    asked
        The page.
    shared
        Options of all figures: ``where`` and ``to``.

    Cost
    ----
    Six metrics, of which one reads the history.
    """
    span = _Span.of(asked.db)
    now, before = (
        {**shared, "since": str(first), "until": str(end)} for first, end in (span.now, span.before)
    )
    return Headlines(
        period=span.period,
        since=span.now[0],
        until=span.now[1],
        before=span.last,
        before_since=span.before[0],
        before_until=span.before[1],
        tiles=[
            *_open_tiles(asked, shared, span),
            *_closed_tiles(asked, now, before, span),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Span:
    """The quarter so far, and as many days of the last one."""

    period: str
    now: tuple[date, date]
    last: str
    before: tuple[date, date]

    @classmethod
    def of(cls, db: DealDatabase) -> _Span:
        today = datetime.now(time_zone(db.pipeline.zone)).date()
        period, since, _ = db.analytics.period("this-quarter", today=today)
        last, last_since, last_until = db.analytics.period("last-quarter", today=today)
        until = today + timedelta(days=1)
        same = min(last_since + (until - since), last_until)
        return cls(period, (since, until), last, (last_since, same))


def _open_tiles(asked: PageRequest, shared: Mapping[str, str], span: _Span) -> Iterator[Tile]:
    locale, since = asked.locale, span.now[0]
    summary = Figure("summary", dict(shared))
    start = _at_start(asked, {**shared, "since": str(since)})
    told = _Told(asked, summary, summary.result(asked.db), start)
    money = partial(short_money, locale)
    count = _Shape(
        lambda each, currency: locale.number(each) + in_currency(currency), is_money=False
    )
    # what has no amount is not worth 0
    open_counts = {"open": _deals(locale), "blank": _lacking(locale, "an amount")}
    value = _Shape(money, 1, f"than on {locale.day(since)}", counts=open_counts)
    yield told.tile("Open pipeline", "pipeline_value", value)
    weighted = _Shape(money, counts={"unweighted": _lacking(locale, "an amount or a chance")})
    yield told.tile(
        "Weighted pipeline", "weighted", weighted, "by the chance of each deal or stage"
    )
    yield told.tile("Overdue deals", "overdue", count, "open past their expected close")


def _closed_tiles(
    asked: PageRequest, now: Mapping[str, str], before: Mapping[str, str], span: _Span
) -> Iterator[Tile]:
    locale, name, than = asked.locale, span.period, f"than {span.last} by then"
    rates, was = (Figure("win_rate", {**each, "measure": "value"}) for each in (now, before))
    told = _Told(asked, rates, rates.result(asked.db), _by_currency(was.result(asked.db)))
    money = partial(short_money, locale)
    share = _Shape(
        lambda each, currency: locale.share(each) + in_currency(currency),
        1,
        than,
        is_ratio=True,
        is_money=False,
    )
    for label, outcome, good in (("Won", "won", 1), ("Lost", "lost", -1)):
        shape = _Shape(money, good, than, counts={outcome: _deals(locale)})
        yield told.tile(f"{label} in {name}", f"{outcome}_value", shape)
    yield told.tile(f"Win rate in {name}", "win_rate", share)
    days, were = (Figure("sales_cycle", _without_money(each)) for each in (now, before))
    told = _Told(asked, days, days.result(asked.db), _by_currency(were.result(asked.db)))
    shape = _Shape(lambda each, _: locale.number(each, 1), -1, than)
    yield told.tile(f"Days to win in {name}", "median_days", shape, "the median")


def value_before(was: Mapping[Any, Any], currency: str | None, column: str, value: Any) -> Any:
    """
    The figure of the period before; a period without deals of a currency has 0 in it.

    Parameters
    ----------
    was
        Figures of the period before, by currency and column.
    currency
        That of the figure now; None where no deal has one, and where there are no deals.
    column, value
        The figure now.

    Examples
    --------
    >>> value_before({(None, "won"): 0}, "EUR", "won", 5)
    0
    >>> value_before({("EUR", "won"): 5}, None, "won", 0)
    5
    """
    known = {each: found for (each, name), found in was.items() if name == column}
    if currency in known or not known:
        return known.get(currency)
    if currency is None and not value:
        return next(iter(known.values())) if len(known) == 1 else None
    nothing = type(value)(0) if isinstance(value, int | Decimal) else None
    # where all deals lack a currency there is no name for that
    return known.get(_ALIKE.get(currency, currency), nothing)


_ALIKE: Mapping[str | None, str | None] = {None: NONE, NONE: None}


def currency_of(result: MetricResult, row: Mapping[str, Any]) -> str | None:
    """The currency of the money in a row."""
    found = row.get("currency", result.basis.currency)
    return None if found == MIXED else found


def short_money(locale: Locale, value: Decimal, currency: str | None) -> str:
    """An amount in three digits or so, with its currency."""
    return with_currency(locale.short(value), currency)


def with_currency(text: str, currency: str | None) -> str:
    """A text with a currency behind it, if there is one."""
    return f"{text} {currency}" if currency else text


def _deals(locale: Locale) -> Callable[[int], str]:
    return lambda number: counted(locale, number, "deal")


def _lacking(locale: Locale, what: str) -> Callable[[int], str]:
    return lambda number: f"{locale.number(number)} without {what}"


def _without_money(options: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in options.items() if name != "to"}


def _by_currency(result: MetricResult) -> dict[Any, Any]:
    return {
        (currency_of(result, row), column): value for row in result for column, value in row.items()
    }


def _at_start(asked: PageRequest, options: Mapping[str, str]) -> dict[Any, Any]:
    """The open value at the start of the period."""
    try:
        moved = Figure("waterfall", dict(options)).result(asked.db)
    except QueryError:
        # no fact is as old as that
        return {}
    return {
        (currency_of(moved, row), "pipeline_value"): row["value"]
        for row in moved
        if row["bucket"] == "start"
    }
