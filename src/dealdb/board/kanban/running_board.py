"""``RunningBoard``: a board that follows the commits, made anew only where a few deals can't say what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dealdb.board.kanban.board_view import BoardView, board_view
from dealdb.board.kanban.changed_deals import ChangedDeal, ChangedDeals, Step
from dealdb.board.kanban.making import BoardColumn, Making
from dealdb.board.kanban.moved_figures import moved_figures
from dealdb.board.parts.parameters import asks_the_clock
from dealdb.query import FixedDeals, QueryEngine
from dealdb.store.replica.snapshot import Snapshot

if TYPE_CHECKING:
    from dealdb.board.kanban.stage_figures import StageFigures
    from dealdb.board.page_request import PageRequest


class RunningBoard:
    """
    What a request shows, commit after commit.

    Parameters
    ----------
    asked
        The request.
    """

    def __init__(self, asked: PageRequest) -> None:
        self._asked = asked
        self._last: BoardView | None = None
        self._token: str | None = None

    def view(self, step: Step) -> BoardView:
        """
        The board as of a step; the same as ``board_view`` gives.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood.
        """
        view = self._followed(step) or board_view(self._asked, step.deals)
        self._last, self._token = view, step.after
        return view

    def _followed(self, step: Step) -> BoardView | None:
        """The last view with what has changed since; None where that is not known, or not told by deals alone."""
        last, asked = self._last, self._asked
        if last is None or self._token is None or asks_the_clock(asked.where):
            return None
        if last.options.by is not None or last.today != step.today:
            return None
        if self._token == step.after:
            return last
        if self._token != step.before or step.changed is None:
            return None
        return _moved(Making(asked, step.deals, step.today), last, step.changed)


def _moved(making: Making, before: BoardView, changed: ChangedDeals) -> BoardView | None:
    kept = _kept(making, changed)
    counted = _counted(making, changed, kept)
    deals = [deal for deal, _ in counted]
    columns = {each.figures.stage: each for each in [*before.columns, *before.closed]}
    known = {stage: each.figures for stage, each in columns.items()}
    figures = moved_figures(known, deals, making.pipeline)
    if figures is None:
        return None
    news = {
        deal.stage
        for deal, value in counted
        if _may_have_card(making, before, columns[deal.stage], deal, value)
    }
    opened = [
        _column(making, each, figures, keeps_cards=each.figures.stage not in news)
        for each in before.columns
    ]
    filled = [each for each in opened if each.figures.stage in news]
    ends = making.fill(filled, filled, making.rows_of(filled)) if filled else {}
    old_ends = {stage: end for stage, end in (before.ends or {}).items() if stage not in news}
    return BoardView(
        seq=making.deals.seq,
        token=making.deals.token,
        today=making.today,
        deals=before.deals + sum(deal.sign for deal in changed.deals if deal is not None),
        kept=before.kept + sum(deal.sign for deal, _ in kept),
        link=before.link,
        options=making.options,
        columns=opened,
        closed=[_column(making, each, figures, keeps_cards=True) for each in before.closed],
        lanes=[],
        left_out=before.left_out,
        warnings=before.warnings,
        warned_at=before.warned_at,
        ends=None if before.ends is None or ends is None else old_ends | dict(ends),
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
