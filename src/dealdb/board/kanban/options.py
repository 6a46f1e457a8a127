"""``BoardOptions``: what the address says of the board's columns and cards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from dealdb.analytics.flags import is_one_of
from dealdb.board.page_request import whole_number
from dealdb.errors import QueryError
from dealdb.model.names import column_named, unknown
from dealdb.model.pipeline import Kind
from dealdb.model.schema import FieldType
from dealdb.query.filters.rendering import spelled_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dealdb.board.page_request import PageRequest
    from dealdb.formats.locale import Locale
    from dealdb.model.pipeline import Pipeline
    from dealdb.model.schema import Schema

FIELDS = ("company", "owner", "amount", "days", "expected_close")
# ``days`` is no field of a deal: since when it stands in its stage
COMPUTED = ("days",)
# a card in another lane is the same deal with another value; these are no property that one changes so: a name is
# its own, and an amount in another currency is another amount
NOT_BY_LANE = ("name", "currency")
SORT = "-amount"
# by the words that the menu has
SORTS = {
    "-amount": "Largest amount",
    "amount": "Smallest amount",
    "expected_close": "Closes first",
    "created": "Oldest",
    "-updated": "Changed last",
    "updated": "Longest unchanged",
    "name": "Name",
}
DAYS = 30
PERIODS = {"30": "30 days", "90": "90 days", "365": "365 days", "all": "all time"}
CARDS = 30
LANE_CARDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardOptions:
    """
    What the address says of columns and cards.

    Attributes
    ----------
    sort
        Order of the cards, as ``find`` takes it.
    fields
        What a card shows below its name, in order.
    by
        Column whose values are the swimlanes, or None.
    opened
        Won and lost stages whose cards are shown.
    since
        Deals of won and lost stages count if they were closed on this day or later; None counts all.
    """

    sort: tuple[str, ...]
    fields: tuple[str, ...]
    by: str | None
    opened: frozenset[str]
    since: date | None

    def counted(self, pipeline: Pipeline, schema: Schema) -> pl.Expr | None:
        """Whether a deal is open, or one of the others that count; None where all do."""
        names = [stage.name for stage in pipeline if stage.kind is not Kind.OPEN]
        closed = schema.get("closed")
        if self.since is None or not names or "stage" not in schema or closed is None:
            return None
        return ~is_one_of("stage", names) | (pl.col("closed") >= self.since)

    @property
    def by_is_saved(self) -> bool:
        """Whether a card that is moved to another lane becomes a deal of that lane."""
        return self.by is not None and self.by not in NOT_BY_LANE

    def closed_said(self, locale: Locale) -> str:
        """Since when deals of won and lost stages count, in words."""
        if self.since is None:
            return "Closed at any time"
        return f"Closed since {locale.day(self.since)}"

    def recent(self) -> str:
        """The filter that keeps deals closed lately."""
        return f"closed >= {spelled_value(self.since)}"


def options_of(asked: PageRequest, schema: Schema, pipeline: Pipeline, today: date) -> BoardOptions:
    """
    The options of a request.

    Parameters
    ----------
    asked
        The request.
    schema, pipeline
        Fields and stages of the deals.
    today
        The day that they are judged on.

    Raises
    ------
    QueryError
        If one names what is not there, or can't be understood.
    """
    by = asked.option("by")
    return BoardOptions(
        sort=_sort(asked, schema),
        fields=_fields(asked.several("fields"), schema),
        by=None if by is None else lanes_column(by, schema),
        opened=_opened(asked, pipeline),
        since=_since(asked.option("closed"), today),
    )


def _sort(asked: PageRequest, schema: Schema) -> tuple[str, ...]:
    wanted = asked.several("sort")
    for each in wanted:
        column_named(each.removeprefix("-"), list(schema))
    return tuple(wanted) or ((SORT,) if "amount" in schema else ())


def _fields(wanted: Sequence[str], schema: Schema) -> tuple[str, ...]:
    known = [*(name for name in schema if name != "name"), *COMPUTED]
    for each in wanted:
        if each not in known:
            raise QueryError(unknown("field", each, known))
    return tuple(wanted) or tuple(name for name in FIELDS if name in known)


def lanes_column(by: str, schema: Schema) -> str:
    """
    The column that lanes are by.

    Raises
    ------
    QueryError
        If there is no such column, or it is not one of texts.
    """
    name = column_named(by, list(schema))
    field = schema[name]
    if field.type is not FieldType.TEXT or name in ("id", "stage"):
        msg = f"lanes are by a column of texts such as owner, not by {name!r}"
        raise QueryError(msg)
    return name


def _opened(asked: PageRequest, pipeline: Pipeline) -> frozenset[str]:
    # names of stages may have commas, so each is an option of its own
    given = {value for name, value in asked.options if name == "show"}
    return frozenset(stage.name for stage in pipeline if stage.name in given)


def _since(period: str | None, today: date) -> date | None:
    if period == "all":
        return None
    days = DAYS if period is None else whole_number(period)
    # no further back than the first day that there is
    if days is None or not 1 <= days <= today.toordinal():
        msg = f"closed is a number of days from 1 up, or all, not {str(period)[:80]!r}"
        raise QueryError(msg)
    # today is one of them
    return today - timedelta(days=days - 1)
