"""``RunningBoard``: a board that follows the commits, made anew only where a few deals can't say what has changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dealdb.analytics.options import as_of_day
from dealdb.board.kanban.board_view import BoardView, board_view
from dealdb.board.kanban.changed_deals import ChangedDeal, ChangedDeals, changed_deals
from dealdb.board.kanban.making import BoardColumn, Making
from dealdb.board.kanban.moved_figures import moved_figures
from dealdb.board.parts.at_once import AtOnce
from dealdb.query import FixedDeals, QueryEngine
from dealdb.store.replica.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection

    from dealdb.board.kanban.stage_figures import StageFigures
    from dealdb.board.page_request import PageRequest

# rows of the deals changed between two snapshots; None where all may have changed
Places = Callable[[Snapshot, Snapshot], "Collection[int] | None"]
# a filter that goes by the clock keeps other deals without any commit
_BY_CLOCK = re.compile(r"now|today|current|timestamp", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Shown:
    """The board as of a commit."""

    snapshot: Snapshot
    view: BoardView


class RunningBoard:
    """
    What a request shows, commit after commit.

    It keeps the deals of the last one until the next.

    Parameters
    ----------
    asked
        The request.
    """

    def __init__(self, asked: PageRequest) -> None:
        self._asked = asked
        self._last: _Shown | None = None

    def view(self, places: Places) -> BoardView:
        """
        The board as of now; the same as ``board_view`` gives.

        Parameters
        ----------
        places
            Gives the rows that differ between two snapshots.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood.
        """
        deals = AtOnce(self._asked.db)
        view = self._followed(deals, places) or board_view(self._asked, deals)
        self._last = _Shown(deals.snapshot, view)
        return view

    def _followed(self, deals: AtOnce, places: Places) -> BoardView | None:
        """The last view with what has changed since; None where that is not known, or not told by deals alone."""
        last, asked = self._last, self._asked
        if last is None or _BY_CLOCK.search(asked.where or ""):
            return None
        today = as_of_day(None, deals.pipeline.zone)
        if last.view.options.by is not None or last.view.today != today:
            return None
        if deals.snapshot is last.snapshot:
            return last.view
        differing = places(last.snapshot, deals.snapshot)
        if differing is None:
            return None
        # the same for all boards that have shown the same deals
        changed = asked.kept.made(
            deals.snapshot,
            ("changed", last.snapshot.position, today),
            lambda: changed_deals(last.snapshot, deals.snapshot, differing, today),
        )
        return None if changed is None else _moved(Making(asked, deals, today), last.view, changed)


def _moved(making: Making, before: BoardView, changed: ChangedDeals) -> BoardView | None:
    kept = _kept(making, changed)
    counted = _counted(making, changed, kept)
    deals = [deal for deal, _ in counted]
    columns = {each.figures.stage: each for each in [*before.columns, *before.closed]}
    known = {stage: each.figures for stage, each in columns.items()}
    figures = moved_figures(known, deals, making.pipeline)
    if figures is None:
        return None
    has_news = any(
        _may_have_card(making, before, columns[deal.stage], deal, value) for deal, value in counted
    )
    opened = [_column(making, each, figures, keeps_cards=not has_news) for each in before.columns]
    return BoardView(
        seq=making.deals.seq,
        today=making.today,
        deals=before.deals + sum(deal.sign for deal in changed.deals if deal is not None),
        kept=before.kept + sum(deal.sign for deal, _ in kept),
        options=making.options,
        columns=opened,
        closed=[_column(making, each, figures, keeps_cards=True) for each in before.closed],
        lanes=[],
        left_out=before.left_out,
        ends=making.fill(opened, opened) if has_news else before.ends,
    )


def _kept(making: Making, changed: ChangedDeals) -> list[tuple[ChangedDeal, int]]:
    """The deals that the filter keeps, and their places among the changed ones."""
    kept = None
    if making.asked.where is not None:
        few = Snapshot(
            frame=changed.rows, schema=making.schema, pipeline=making.pipeline, seq=making.deals.seq
        )
        kept = QueryEngine(FixedDeals(few)).select(making.asked.where).kept
    return [
        (deal, place)
        for place, deal in enumerate(changed.deals)
        if deal is not None and (kept is None or kept[place])
    ]


def _counted(
    making: Making, changed: ChangedDeals, kept: list[tuple[ChangedDeal, int]]
) -> list[tuple[ChangedDeal, Any]]:
    """Those of them that the board counts, each with its value in the column that cards are sorted by first."""
    counts, key = making.counts, making.first_key
    counted = None if counts is None else changed.rows.select(counts).to_series()
    values = None if key is None else changed.rows[key.name]
    return [
        (deal, None if values is None else values[place])
        for deal, place in kept
        if counted is None or counted[place]
    ]


def _may_have_card(
    making: Making, before: BoardView, column: BoardColumn, deal: ChangedDeal, value: Any
) -> bool:
    """Whether a deal has a card in a column, or comes before the last one there."""
    if not column.is_open:
        return False
    if any(card.id == deal.id for card in column.cards):
        return True
    if deal.sign < 0:
        return False
    key, ends = making.first_key, before.ends
    if key is None or ends is None or column.figures.stage not in ends:
        return True
    last = ends[column.figures.stage]
    # what has no value comes last
    if value is None or last is None:
        return last is None
    return bool(value >= last if key.descending else value <= last)


def _column(
    making: Making,
    before: BoardColumn,
    figures: Mapping[str | None, StageFigures],
    *,
    keeps_cards: bool,
) -> BoardColumn:
    found = figures.get(before.figures.stage)
    column = before if found is None else making.column(found)
    return replace(column, cards=before.cards if keeps_cards else [])
