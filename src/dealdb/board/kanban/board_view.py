"""``BoardView``: the columns, lanes and cards of the board as of one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from dealdb.analytics import Analytics
from dealdb.analytics.calendar.zone import Zone
from dealdb.analytics.flags import READ
from dealdb.analytics.options import as_of_day
from dealdb.board.kanban.cards import Card, cards_of, columns_of_cards
from dealdb.board.kanban.first_rows import first_of_each
from dealdb.board.kanban.options import CARDS, LANE_CARDS, BoardOptions, options_of
from dealdb.board.kanban.stage_figures import StageFigures, stage_figures
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.conditions import joined
from dealdb.board.parts.parameters import asks_the_clock
from dealdb.database import LiveDeals
from dealdb.model.columns import spelled_out
from dealdb.model.names import column_named
from dealdb.model.pipeline import Kind
from dealdb.query import FixedDeals, QueryEngine
from dealdb.query.filters.rendering import spelled_name, spelled_value
from dealdb.store.replica.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dealdb.board.page_request import PageRequest
    from dealdb.model.pipeline import Pipeline

# lanes that a page has room for; the others are told as a number
MOST_LANES = 20
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


@dataclass(slots=True, kw_only=True)
class BoardLane:
    """
    A swimlane.

    Attributes
    ----------
    value
        What its deals have in common; None for none.
    label
        The same in words.
    n
        Number of its deals.
    link
        Address of the table with them.
    columns
        Its part of each stage whose cards are shown.
    """

    value: str | None
    label: str
    n: int
    link: str
    columns: list[BoardColumn]

    @property
    def key(self) -> str:
        """What tells it from other lanes on the page: no value is not the empty text."""
        return lane_key(self.value)


@dataclass(slots=True, kw_only=True)
class BoardView:
    """
    The board as of one commit.

    Attributes
    ----------
    seq
        Number of the commit.
    today
        Day on which it is judged what is overdue.
    deals
        Number of all deals.
    kept
        Number of those that the filter keeps.
    options
        What was asked for.
    columns
        Those with cards.
    closed
        Those without, of won and lost stages.
    lanes
        The swimlanes, if any; then columns have no cards of their own.
    left_out
        Deals in further lanes, and how many lanes these are.
    warnings
        What the metric says of the figures.
    frame
        Its table.
    """

    seq: int
    today: date
    deals: int
    kept: int
    options: BoardOptions
    columns: list[BoardColumn]
    closed: list[BoardColumn]
    lanes: list[BoardLane]
    left_out: tuple[int, int]
    warnings: Sequence[str]
    frame: pl.DataFrame


def lane_key(value: str | None) -> str:
    """
    A value as the page has it.

    Examples
    --------
    >>> lane_key("Ann"), lane_key(""), lane_key(None)
    ('=Ann', '=', '-')
    """
    return "-" if value is None else f"={value}"


class _Making:
    """All that the parts of a view are made of."""

    def __init__(self, asked: PageRequest, deals: AtOnce, today: date) -> None:
        self.asked = asked
        self.pipeline: Pipeline = deals.pipeline
        self.schema = deals.schema
        self.today = today
        self.options = options_of(asked, deals.schema, deals.pipeline, today)
        self.kept = deals.query.select(asked.where)
        self._rows = deals.snapshot.rows
        # of most deals, which were closed long ago, nothing more is looked at
        chosen = self._rows.select(self._read()).with_row_index(_ROW)
        counts = self.options.counted(deals.pipeline, deals.schema)
        conditions = [each for each in (self.kept.kept, counts) if each is not None]
        self.base: Snapshot = Snapshot(
            frame=chosen.filter(*conditions) if conditions else chosen,
            schema=deals.schema,
            pipeline=deals.pipeline,
            seq=deals.seq,
        )
        self.analytics = Analytics(QueryEngine(FixedDeals(self.base)).select, today=today)

    def _read(self) -> list[str]:
        """Columns that figures, the order and the groups of cards are made of."""
        sort = (each.removeprefix("-") for each in self.options.sort)
        keys = [column_named(each, self._rows.columns) for each in sort]
        wanted = dict.fromkeys(["id", *READ, *filter(None, [self.options.by]), *keys])
        return [name for name in wanted if name in self._rows.columns]

    def is_open(self, figures: StageFigures) -> bool:
        return figures.kind is Kind.OPEN or figures.stage in self.options.opened

    def conditions(self, figures: StageFigures, *, in_lane: bool = False) -> list[str]:
        """What is true of exactly the deals of a column, besides the filter."""
        found = [] if "stage" not in self.schema else [_equals("stage", figures.stage)]
        if figures.kind is not Kind.OPEN and self.options.since and "closed" in self.schema:
            found.append(self.options.recent())
        if in_lane and self.options.by is not None:
            found.append(_equals(self.options.by, figures.lane))
        return found

    def link(self, conditions: Sequence[str]) -> str:
        """Address of the table of deals for which all are true."""
        where = joined([*filter(None, [self.asked.where]), *conditions])
        sort = ",".join(self.options.sort) or None
        return self.asked.link("/deals", where=where, sort=sort)

    def column(self, figures: StageFigures, *, in_lane: bool = False) -> BoardColumn:
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

    def first_rows(self, columns: Sequence[BoardColumn]) -> pl.DataFrame:
        """The deals that have cards."""
        options = self.options
        by = [name for name in ("stage", options.by) if name and name in self.base.rows.columns]
        count = CARDS if options.by is None else LANE_CARDS
        first = first_of_each(self.base.rows, options.sort, by, count)
        if "stage" in by:
            stages = {each.figures.stage for each in columns}
            shown = [stage in stages for stage in self.base.rows["stage"].gather(first)]
            first = first.filter(pl.Series(shown, dtype=pl.Boolean))
        numbers = self.base.rows[_ROW].gather(first)
        return spelled_out(self._rows.select(columns_of_cards(options, self.schema))[numbers])

    def cards(self, rows: pl.DataFrame, since: Mapping[str, int]) -> list[Card]:
        return cards_of(self.asked, self.options, self.pipeline, rows, self.today, since)


def board_view(asked: PageRequest) -> BoardView:
    """
    The board that was asked for, all figures and cards from the deals as of one commit.

    Raises
    ------
    QueryError
        If the filter or an option can't be understood.
    """
    deals = AtOnce(asked.db)
    today = as_of_day(None, deals.pipeline.zone)
    key = asked.base, asked.locale, tuple(asked.options), today

    def make() -> BoardView:
        return _made(_Making(asked, deals, today), deals)

    # what a filter keeps of the last hour is another thing a minute later
    return make() if asks_the_clock(asked.where) else asked.kept.made(deals.snapshot, key, make)


def _made(making: _Making, deals: AtOnce) -> BoardView:
    result = making.analytics.pipeline()
    columns = [making.column(each) for each in stage_figures(result, making.base)]
    opened = [each for each in columns if each.is_open]
    rows = making.first_rows(opened) if opened else pl.DataFrame()
    by = making.options.by
    lanes = [] if by is None else _lanes(making, by)
    parts = [part for lane in lanes[:MOST_LANES] for part in lane.columns]
    _fill(making, parts if by else opened, rows)
    rest = lanes[MOST_LANES:]
    return BoardView(
        seq=deals.seq,
        today=making.today,
        deals=deals.query.count(),
        kept=making.kept.height,
        options=making.options,
        columns=opened,
        closed=[each for each in columns if not each.is_open],
        lanes=lanes[:MOST_LANES],
        left_out=(len(rest), sum(each.n for each in rest)),
        warnings=result.basis.warnings,
        frame=result.frame,
    )


def _lanes(making: _Making, by: str) -> list[BoardLane]:
    """The swimlanes, those with the most deals first."""
    figures = stage_figures(making.analytics.pipeline(by=by), making.base, by)
    found: dict[str | None, BoardLane] = {}
    for each in filter(making.is_open, figures):
        lane = each.lane
        if lane not in found:
            label = f"No {by.replace('_', ' ')}" if lane is None else lane or "empty"
            link = making.link([_equals(by, lane)])
            found[lane] = BoardLane(value=lane, label=label, n=0, link=link, columns=[])
        found[lane].columns.append(making.column(each, in_lane=True))
        found[lane].n += each.n
    filled = [each for each in found.values() if each.n]
    return sorted(filled, key=lambda each: (each.value is None, -each.n, each.label))


def _fill(making: _Making, columns: Sequence[BoardColumn], rows: pl.DataFrame) -> None:
    """Put the cards into their columns."""
    by = making.options.by
    places = {(each.figures.lane, each.figures.stage): each for each in columns}
    cards = making.cards(rows, _entered(making, rows)) if rows.height else []
    stages = rows["stage"].to_list() if "stage" in rows.columns else [None] * len(cards)
    lanes = rows[by].to_list() if by in rows.columns and by else [None] * len(cards)
    for card, stage, lane in zip(cards, stages, lanes, strict=True):
        if (column := places.get((lane, stage))) is not None:
            column.cards.append(card)


def _entered(making: _Making, rows: pl.DataFrame) -> Mapping[str, int]:
    """When open deals came into the stages that they are shown in, as far as it is known."""
    if "days" not in making.options.fields or "stage" not in rows.columns:
        return {}
    closed = {stage.name for stage in making.pipeline if stage.kind is not Kind.OPEN}
    shown = dict(rows.select("id", "stage").rows())
    wanted = [deal for deal, stage in shown.items() if stage not in closed]
    entries = LiveDeals(making.asked.db).stage_entries(wanted) if wanted else {}
    # who has moved since these deals were read stands in another stage there
    return {deal: at for deal, (stage, at) in entries.items() if stage == shown[deal]}


def _equals(column: str, value: str | None) -> str:
    name = spelled_name(column)
    return f"{name} IS NULL" if value is None else f"{name} = {spelled_value(value)}"
