"""``Making``: what the parts of a board are made of, and how: columns, links and cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from dealdb.analytics import Analytics
from dealdb.analytics.calendar.zone import Zone
from dealdb.analytics.flags import READ
from dealdb.board.kanban.cards import Card, cards_of, columns_of_cards
from dealdb.board.kanban.first_rows import first_of_each
from dealdb.board.kanban.options import CARDS, LANE_CARDS, options_of
from dealdb.board.kanban.stage_figures import StageFigures
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.conditions import joined
from dealdb.database import LiveDeals
from dealdb.model.columns import spelled_out
from dealdb.model.names import column_named
from dealdb.model.pipeline import Kind
from dealdb.query import FixedDeals, QueryEngine
from dealdb.query.filters.rendering import spelled_name, spelled_value
from dealdb.query.results.sorting import SortKey, parse_sort
from dealdb.store.replica.snapshot import Snapshot

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
    from dealdb.model.pipeline import Pipeline

# by stage; values of one column
Ends: TypeAlias = Mapping[str | None, Any]
# where a deal is among all; no field of a collection can have such a name
_ROW = "_row"


@dataclass(slots=True, kw_only=True)
class BoardColumn:
    """
    A stage, or of a swimlane the part of a stage.

    Attributes
    ----------
    figures
        Its figures.
    label
        Name of the stage, in words where it has none.
    link
        Address of the table with exactly its deals.
    rotting_link, overdue_link
        Of those unchanged for too long, and of those that are overdue.
    is_open
        Whether its cards are shown.
    is_target
        Whether cards can be moved to it: the pipeline has the stage.
    toggle
        Of a won or lost stage, address of the board with the cards shown or hidden.
    cards
        The first ones.
    places
        Where the deals of these are among all.
    """

    figures: StageFigures
    label: str
    link: str
    rotting_link: str | None
    overdue_link: str | None
    is_open: bool
    is_target: bool
    toggle: str | None = None
    cards: list[Card] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


class Making:
    """
    All that the parts of a view are made of; what takes long, when it is first asked for.

    Parameters
    ----------
    asked
        The request.
    deals
        The deals.
    today
        Day on which they are judged.
    """

    def __init__(self, asked: PageRequest, deals: AtOnce, today: date) -> None:
        self.asked = asked
        self.deals = deals
        self.pipeline: Pipeline = deals.pipeline
        self.schema = deals.schema
        self.today = today
        self.options = options_of(asked, deals.schema, deals.pipeline, today)
        self._rows = deals.snapshot.rows

    @cached_property
    def kept(self) -> Snapshot:
        """The deals that the filter keeps."""
        return self.deals.query.select(self.asked.where)

    @property
    def counts(self) -> pl.Expr | None:
        """Whether the board counts a deal that the filter keeps; None where it counts all."""
        return self.options.counted(self.pipeline, self.schema)

    @cached_property
    def base(self) -> Snapshot:
        """The deals that the board counts, and where they are among all."""
        return Snapshot(
            frame=self._counted(), schema=self.schema, pipeline=self.pipeline, seq=self.deals.seq
        )

    def _counted(self, *more: pl.Expr) -> pl.DataFrame:
        """What is read of the deals that the board counts, and where they are among all."""
        # of most deals, which were closed long ago, nothing more is looked at
        chosen = self._rows.select(self._read()).with_row_index(_ROW)
        conditions = [each for each in (self.kept.kept, self.counts) if each is not None]
        return chosen.filter(*conditions, *more) if conditions or more else chosen

    @property
    def analytics(self) -> Analytics:
        """Metrics of these."""
        return Analytics(QueryEngine(FixedDeals(self.base)).select, today=self.today)

    def _read(self) -> list[str]:
        """Columns that figures, the order and the groups of cards are made of."""
        sort = (each.removeprefix("-") for each in self.options.sort)
        keys = [column_named(each, self._rows.columns) for each in sort]
        wanted = dict.fromkeys(["id", *READ, *filter(None, [self.options.by]), *keys])
        return [name for name in wanted if name in self._rows.columns]

    def is_open(self, figures: StageFigures) -> bool:
        """Whether a column shows cards."""
        return figures.kind is Kind.OPEN or figures.stage in self.options.opened

    def conditions(self, figures: StageFigures, *, in_lane: bool = False) -> list[str]:
        """What is true of exactly the deals of a column, besides the filter."""
        found = [] if "stage" not in self.schema else [equals("stage", figures.stage)]
        if figures.kind is not Kind.OPEN and self.options.since and "closed" in self.schema:
            found.append(self.options.recent())
        if in_lane and self.options.by is not None:
            found.append(equals(self.options.by, figures.lane))
        return found

    def link(self, conditions: Sequence[str]) -> str:
        """Address of the table of deals for which all are true."""
        where = joined([*filter(None, [self.asked.where]), *conditions])
        sort = ",".join(self.options.sort) or None
        return self.asked.link("/deals", where=where, sort=sort)

    def column(self, figures: StageFigures, *, in_lane: bool = False) -> BoardColumn:
        """The column of these figures, still without cards."""
        has = self.conditions(figures, in_lane=in_lane)
        rots = self._rotting(figures)
        toggle = None
        if figures.kind is not Kind.OPEN and not in_lane:
            toggle = self._toggle(figures.stage or "")
        overdue = f"expected_close < {spelled_value(self.today)}"
        return BoardColumn(
            figures=figures,
            label="No stage" if figures.stage is None else figures.stage or "empty",
            link=self.link(has),
            rotting_link=self.link([*has, rots]) if rots and figures.rotting else None,
            overdue_link=self.link([*has, overdue]) if figures.overdue else None,
            is_open=self.is_open(figures),
            is_target=figures.stage in self.pipeline,
            toggle=toggle,
        )

    def _rotting(self, figures: StageFigures) -> str | None:
        """What is true of the deals of a stage that nobody changed for too long, as the metric has it."""
        stages = [each for each in self.pipeline if each.name == figures.stage]
        if not stages or not stages[0].rot_days:
            return None
        first = self.today - timedelta(days=stages[0].rot_days)
        begins_ms = Zone.of(self.pipeline).end_of_day_ms(first - timedelta(days=1))
        begins = datetime.fromtimestamp(begins_ms / 1000, UTC).replace(tzinfo=None)
        parts = []
        if "updated" in self.schema:
            parts.append(f"updated < {spelled_value(begins)}")
        if "created" in self.schema:
            unknown = "updated IS NULL AND " if parts else ""
            parts.append(f"({unknown}created < {spelled_value(first)})")
        return f"({' OR '.join(parts)})" if parts else None

    def _toggle(self, stage: str) -> str:
        shown = set(self.options.opened) ^ {stage}
        kept = [(name, value) for name, value in self.asked.options if name != "show"]
        chosen = [("show", each.name) for each in self.pipeline if each.name in shown]
        return self.asked.with_options([*kept, *chosen])

    def rows_of(self, columns: Sequence[BoardColumn]) -> pl.DataFrame:
        """Of the deals that the board counts, those of some columns: as ``base`` has them."""
        if "stage" not in self._rows.columns:
            return self.base.rows
        stages = (pl.col("stage").eq_missing(pl.lit(each.figures.stage)) for each in columns)
        return self._counted(reduce(or_, stages))

    def rows_at(self, places: Sequence[int]) -> pl.DataFrame:
        """Deals that the board counts, by where they are among all, ascending: as ``base`` has them."""
        found = self._rows[self._read()][places]
        return found.insert_column(0, pl.Series(_ROW, places, dtype=pl.get_index_type()))

    def fill(
        self, columns: Sequence[BoardColumn], opened: Sequence[BoardColumn], among: pl.DataFrame
    ) -> Ends | None:
        """
        Put the cards of opened columns into these: the same columns, or their parts in lanes.

        What it returns is ``ends`` of a view. ``among`` has at least the deals of the opened columns.
        """
        if not opened:
            return {}
        first, by = self._first_rows(opened, among), self.options.by
        chosen = self._rows[columns_of_cards(self.options, self.schema)]
        rows = spelled_out(chosen[first[_ROW]])
        by_group = {(each.figures.lane, each.figures.stage): each for each in columns}
        cards = self._cards(rows) if rows.height else []
        stages = rows["stage"].to_list() if "stage" in rows.columns else [None] * len(cards)
        lanes = rows[by].to_list() if by in rows.columns and by else [None] * len(cards)
        for card, place, stage, lane in zip(
            cards, first[_ROW].to_list(), stages, lanes, strict=True
        ):
            if (column := by_group.get((lane, stage))) is not None:
                column.cards.append(card)
                column.places.append(place)
        return self._ends(first)

    def _first_rows(self, columns: Sequence[BoardColumn], among: pl.DataFrame) -> pl.DataFrame:
        """The deals that have cards, and where they are among all."""
        options = self.options
        by = [name for name in ("stage", options.by) if name and name in among.columns]
        count = CARDS if options.by is None else LANE_CARDS
        first = among[first_of_each(among, options.sort, by, count)]
        if "stage" in by:
            stages = {each.figures.stage for each in columns}
            shown = [stage in stages for stage in first["stage"]]
            first = first if all(shown) else first.filter(pl.Series(shown, dtype=pl.Boolean))
        return first

    def _ends(self, first: pl.DataFrame) -> Ends | None:
        """As a view has them, of the rows that have cards."""
        key = self.first_key
        if key is None or self.options.by is not None:
            return None
        has_stages = "stage" in first.columns
        stages = first["stage"].to_list() if has_stages else [None] * first.height
        n_cards = Counter(stages)
        last = dict(zip(stages, first[key.name].to_list(), strict=True))
        return {stage: value for stage, value in last.items() if n_cards[stage] >= CARDS}

    @property
    def first_key(self) -> SortKey | None:
        """What cards are sorted by first; None for nothing, and for texts."""
        keys = parse_sort(self.options.sort[:1], self._rows.columns)
        dtype = self._rows.schema[keys[0].name] if keys else pl.String()
        is_simple = dtype.is_decimal() or dtype.is_integer() or dtype.is_temporal()
        return keys[0] if is_simple else None

    def _cards(self, rows: pl.DataFrame) -> list[Card]:
        since = self._entered(rows)
        return cards_of(self.asked, self.options, self.pipeline, rows, self.today, since)

    def _entered(self, rows: pl.DataFrame) -> Mapping[str, int]:
        """When open deals came into the stages that they are shown in, as far as it is known."""
        if "days" not in self.options.fields or "stage" not in rows.columns:
            return {}
        closed = {stage.name for stage in self.pipeline if stage.kind is not Kind.OPEN}
        shown = dict(zip(rows["id"].to_list(), rows["stage"].to_list(), strict=True))
        wanted = [deal for deal, stage in shown.items() if stage not in closed]
        entries = LiveDeals(self.asked.db).stage_entries(wanted) if wanted else {}
        # who has moved since these deals were read stands in another stage there
        return {deal: at for deal, (stage, at) in entries.items() if stage == shown[deal]}


def equals(column: str, value: str | None) -> str:
    """
    The filter of deals with a value in a column.

    Examples
    --------
    >>> equals("stage", "Won"), equals("stage", None)
    ("stage = 'Won'", 'stage IS NULL')
    """
    name = spelled_name(column)
    return f"{name} IS NULL" if value is None else f"{name} = {spelled_value(value)}"
