"""Cards: what the board shows of a deal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.analytics.calendar.zone import Zone
from dealdb.analytics.flags import classified, days_between, standardised
from dealdb.analytics.metrics.pipeline import open_days
from dealdb.analytics.options import Window
from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_path

if TYPE_CHECKING:
    from dealdb.board.kanban.options import BoardOptions
    from dealdb.board.page_request import PageRequest
    from dealdb.model.pipeline import Pipeline
    from dealdb.query import QueryEngine

# what every card has, or what is told from it
_ALWAYS = ("id", "name", "stage", "amount", "currency", "expected_close", "created", "updated")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLine:
    """
    A field on a card.

    Attributes
    ----------
    name
        Of the field.
    text
        Its value.
    style
        Class of it.
    """

    name: str
    text: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """
    What the board shows of a deal.

    Attributes
    ----------
    id
        Of the deal.
    title
        Its name; its id where it has none.
    address
        Of its page.
    lines
        Its fields.
    warnings
        What is wrong with it, in words.
    """

    id: str
    title: str
    address: str
    lines: list[CardLine]
    warnings: list[str]


def columns_of_cards(options: BoardOptions, known: Iterable[str]) -> list[str]:
    """Names of the columns that cards are made of."""
    wanted = dict.fromkeys([*_ALWAYS, *options.fields, *filter(None, [options.by])])
    has = set(known)
    return [name for name in wanted if name in has]


def cards_of(
    asked: PageRequest,
    options: BoardOptions,
    pipeline: Pipeline,
    rows: pl.DataFrame,
    today: date,
    since: Mapping[str, date],
) -> list[Card]:
    """
    Cards of some deals, in their order.

    Parameters
    ----------
    asked
        The request.
    options
        What they show.
    pipeline
        What the stages mean.
    rows
        The deals, with the columns of ``columns_of_cards``.
    today
        Day on which they are judged.
    since
        Days on which deals came into their stages, by id, as far as they are known.
    """
    judged = _judged(rows, pipeline, today)
    return [_card(asked, options, row, today, since) for row in judged.iter_rows(named=True)]


def _judged(rows: pl.DataFrame, pipeline: Pipeline, today: date) -> pl.DataFrame:
    """The rows with what the metric of the same figures says of each."""
    names = [name for name in rows.columns if name != "_place"]
    deals = classified(standardised(rows), pipeline, Window())
    untouched = days_between(
        pl.coalesce(Zone.of(pipeline).days(pl.col("updated")), pl.col("created")), pl.lit(today)
    )
    late = days_between(pl.col("expected_close"), pl.lit(today))
    return deals.select(
        *names, *open_days(pipeline, today), _untouched=untouched, _late=late
    ).collect()


def _card(
    asked: PageRequest,
    options: BoardOptions,
    row: Mapping[str, Any],
    today: date,
    since: Mapping[str, date],
) -> Card:
    lines = [_line(asked, name, row, today, since) for name in options.fields]
    return Card(
        id=row["id"],
        title=in_table(row.get("name"), asked.locale) or row["id"],
        address=asked.base + deal_path(row["id"]),
        lines=[each for each in lines if each is not None],
        warnings=_warnings(row),
    )


def _line(
    asked: PageRequest, name: str, row: Mapping[str, Any], today: date, since: Mapping[str, date]
) -> CardLine | None:
    locale = asked.locale
    if name == "days":
        entered = since.get(row["id"])
        if entered is None:
            return None
        n = (today - entered).days
        return CardLine(name="days", text=f"{locale.number(n)} {'day' if n == 1 else 'days'} here")
    value = row.get(name)
    if value is None:
        return None
    if name == "amount":
        text = locale.money(value, row.get("currency"))
        return CardLine(name=name, text=text, style="amount")
    if name == "expected_close":
        return CardLine(name=name, text=f"closes {locale.day(value)}", style="closes")
    return CardLine(name=name, text=in_table(value, locale))


def _warnings(row: Mapping[str, Any]) -> list[str]:
    found = []
    if row["_overdue"]:
        found.append(f"{_days(row['_late'])} overdue")
    if row["_rotting"]:
        past = _days(row["_untouched"])
        # without a day of its last change, that of its creation is all that is known here
        known = row.get("updated") is not None
        found.append(f"unchanged for {past}" if known else f"created {past} ago, no change known")
    return found


def _days(n: int) -> str:
    return f"{n:,} {'day' if n == 1 else 'days'}"


def first_of_each(
    query: QueryEngine,
    where: str | None,
    sort: Sequence[str],
    columns: Sequence[str],
    by: Sequence[str],
    count: int,
) -> pl.DataFrame:
    """The first deals of each group in an order; ``find`` gives the same for each by itself."""
    found = query.find(where, sort=list(sort) or None, columns=list(columns))
    return found.group_by(list(by), maintain_order=True).head(count) if by else found.head(count)
