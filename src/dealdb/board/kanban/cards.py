"""Cards: what the board shows of a deal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from dealdb.analytics.calendar.zone import Zone
from dealdb.analytics.flags import days_between, few_with_open, standardised
from dealdb.analytics.metrics.pipeline import open_days
from dealdb.board.html import counted, environment
from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_address

if TYPE_CHECKING:
    from markupsafe import Markup

    from dealdb.board.kanban.options import BoardOptions
    from dealdb.board.page_request import PageRequest
    from dealdb.formats.locale import Locale
    from dealdb.model.pipeline import Pipeline

# what every card has, or what is told from it
_ALWAYS = ("id", "name", "stage", "amount", "currency", "expected_close", "created", "updated")
# the values of a deal, and when it came into its stage
_MadeOf: TypeAlias = tuple[tuple[Any, ...], int | None]
# kinds of cards that are kept, and cards of each: those of a board, whose lanes have the most, and some more
_MOST_MAKERS, _MOST_CARDS = 16, 1_024


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
    """

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
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
    lines: tuple[CardLine, ...]
    warnings: tuple[str, ...]

    @cached_property
    def html(self) -> Markup:
        """The card as pages and events have it, made once."""
        module: Any = environment().get_template("columns.html").module
        found: Markup = module.card(self)
        return found


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
    since: Mapping[str, int],
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
        When deals came into their stages, milliseconds since 1970, by id, as far as it is known.
    """
    types = tuple(rows.schema.items())
    embed = asked.option("embed")
    maker = _maker(asked.base, embed, asked.locale, options.fields, today, pipeline, types)
    return maker.cards(rows, since)


def _judged(rows: pl.DataFrame, pipeline: Pipeline, today: date) -> pl.DataFrame:
    """The rows with what the metric of the same figures says of each."""
    deals = few_with_open(standardised(rows), pipeline)
    untouched = days_between(
        pl.coalesce(Zone.of(pipeline).days(pl.col("updated")), pl.col("created")), pl.lit(today)
    )
    late = days_between(pl.col("expected_close"), pl.lit(today))
    return deals.select(
        *rows.columns, *open_days(pipeline, today), _untouched=untouched, _late=late
    )


class _Maker:
    """
    Makes cards of one kind; keeps those that it has made, as nearly all are those of the commit before.

    Parameters
    ----------
    base, embed, locale, fields, today, pipeline
        As ``cards_of`` has them.
    types
        Columns of the rows: what is equal in two types may be written in two ways.
    """

    def __init__(
        self,
        base: str,
        embed: str | None,
        locale: Locale,
        fields: tuple[str, ...],
        today: date,
        pipeline: Pipeline,
        types: tuple[tuple[str, pl.DataType], ...],
    ) -> None:
        self._base = base
        self._embed = embed
        self._locale = locale
        self._fields = fields
        self._today = today
        self._pipeline = pipeline
        self._zone = Zone.of(pipeline)
        self._has_lists = any(isinstance(dtype, pl.List) for _, dtype in types)
        self._kept: dict[_MadeOf, Card] = {}

    def cards(self, rows: pl.DataFrame, since: Mapping[str, int]) -> list[Card]:
        """Cards of some deals, in their order."""
        values = rows.rows()
        if self._has_lists:
            values = [tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in values]
        made_of = list(zip(values, map(since.get, rows["id"].to_list()), strict=True))
        # it is exchanged whole: another thread may make cards at the same time
        kept = self._kept
        new = [place for place, each in enumerate(made_of) if each not in kept]
        if new:
            judged = _judged(rows[new], self._pipeline, self._today)
            found = {
                made_of[place]: self._card(row, made_of[place][1])
                for place, row in zip(new, judged.iter_rows(named=True), strict=True)
            }
            is_full = len(kept) + len(found) > _MOST_CARDS
            kept = {each: kept[each] for each in made_of if each in kept} if is_full else kept
            self._kept = kept = kept | found
        return [kept[each] for each in made_of]

    def _card(self, row: Mapping[str, Any], since: int | None) -> Card:
        entered = None if since is None else self._zone.day_of_moment(since)
        lines = (self._line(name, row, entered) for name in self._fields)
        return Card(
            id=row["id"],
            title=in_table(row.get("name"), self._locale) or row["id"],
            address=deal_address(row["id"], self._base, self._embed),
            lines=tuple(each for each in lines if each is not None),
            warnings=self._warnings(row),
        )

    def _line(self, name: str, row: Mapping[str, Any], entered: date | None) -> CardLine | None:
        locale = self._locale
        if name == "days":
            if entered is None:
                return None
            days = counted(locale, (self._today - entered).days, "day")
            return CardLine(name=name, text=f"{days} here")
        value = row.get(name)
        if value is None:
            return None
        if name == "amount":
            return CardLine(name=name, text=locale.money(value, row.get("currency")))
        if name == "expected_close":
            return CardLine(name=name, text=f"closes {locale.day(value)}")
        return CardLine(name=name, text=in_table(value, locale))

    def _warnings(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        found = []
        if row["_overdue"]:
            found.append(f"{counted(self._locale, row['_late'], 'day')} overdue")
        if row["_rotting"]:
            past = counted(self._locale, row["_untouched"], "day")
            # without a day of its last change, that of its creation is all that is known here
            known = row.get("updated") is not None
            found.append(
                f"unchanged for {past}" if known else f"created {past} ago, no change known"
            )
        return tuple(found)


_maker = lru_cache(_MOST_MAKERS)(_Maker)
