"""``BoardView``: the columns, lanes and cards of the board as of one commit; ``MadeBoard``, made from all deals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from dealdb.analytics.options import as_of_day
from dealdb.board.kanban.making import BoardColumn, Ends, Making, equals
from dealdb.board.kanban.options import BoardOptions
from dealdb.board.kanban.stage_figures import stage_figures
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.parameters import asks_the_clock

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest

# lanes that a page has room for; the others are told as a number
MOST_LANES = 20


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
    seq, token
        Number of the commit, and what names it in this history; None for deals that are not from one.
    today
        Day on which it is judged what is overdue.
    deals
        Number of all deals.
    kept
        Number of those that the filter keeps.
    link
        Address of the table of these.
    options
        What was asked for.
    columns
        Those with cards.
    closed
        Those without, of won and lost stages.
    lanes
        The swimlanes, if any; then columns have no cards of their own.
    left_out
        How many further lanes there are, and the deals in them.
    warnings, warned_at
        What the metric says of the figures, and the number of the commit as of which it does: not of each one.
    ends
        Of columns that have as many cards as one can have, by their stages: what the last card has in the column that
        the cards are sorted by first. None where texts are, which have an order of their own.
    """

    seq: int
    token: str | None
    today: date
    deals: int
    kept: int
    link: str
    options: BoardOptions
    columns: list[BoardColumn]
    closed: list[BoardColumn]
    lanes: list[BoardLane]
    left_out: tuple[int, int]
    warnings: Sequence[str]
    warned_at: int
    ends: Ends | None


@dataclass(slots=True, kw_only=True)
class MadeBoard(BoardView):
    """
    A board made from all deals.

    Attributes
    ----------
    frame
        Table of the metric.
    """

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


def board_view(asked: PageRequest, deals: AtOnce | None = None) -> MadeBoard:
    """
    The board that was asked for, all figures and cards from the deals as of one commit.

    Parameters
    ----------
    asked
        The request.
    deals
        The deals; as of now by default.

    Raises
    ------
    QueryError
        If the filter or an option can't be understood.
    """
    found = deals or AtOnce(asked.db)
    today = as_of_day(None, found.pipeline.zone)

    def make() -> MadeBoard:
        return _made(Making(asked, found, today))

    # a moment later it may keep other deals, though none has changed
    if asks_the_clock(asked.where):
        return make()
    key = asked.base, asked.locale, tuple(asked.options), today
    return asked.kept.made(found.snapshot, key, make)


def _made(making: Making) -> MadeBoard:
    result = making.analytics.pipeline()
    columns = [making.column(each) for each in stage_figures(result, making.base)]
    opened = [each for each in columns if each.is_open]
    by = making.options.by
    lanes = [] if by is None else _lanes(making, by)
    parts = [part for lane in lanes[:MOST_LANES] for part in lane.columns]
    ends = making.fill(parts if by else opened, opened, making.base.rows)
    rest = lanes[MOST_LANES:]
    return MadeBoard(
        seq=making.deals.seq,
        token=making.deals.token,
        today=making.today,
        deals=making.deals.query.count(),
        kept=making.kept.height,
        link=making.link([]),
        options=making.options,
        columns=opened,
        closed=[each for each in columns if not each.is_open],
        lanes=lanes[:MOST_LANES],
        left_out=(len(rest), sum(each.n for each in rest)),
        ends=ends,
        warnings=result.basis.warnings,
        warned_at=making.deals.seq,
        frame=result.frame,
    )


def _lanes(making: Making, by: str) -> list[BoardLane]:
    """The swimlanes, those with the most deals first."""
    figures = stage_figures(making.analytics.pipeline(by=by), making.base, by)
    found: dict[str | None, BoardLane] = {}
    for each in filter(making.is_open, figures):
        lane = each.lane
        if lane not in found:
            label = f"No {by.replace('_', ' ')}" if lane is None else lane or "empty"
            link = making.link([equals(by, lane)])
            found[lane] = BoardLane(value=lane, label=label, n=0, link=link, columns=[])
        found[lane].columns.append(making.column(each, in_lane=True))
        found[lane].n += each.n
    filled = [each for each in found.values() if each.n]
    return sorted(filled, key=lambda each: (each.value is None, -each.n, each.label))
