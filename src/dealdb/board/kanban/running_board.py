"""``RunningBoard``: a board that follows the commits, made anew only where a few deals can't say what has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from dealdb.board.kanban.board_view import BoardView, board_view
from dealdb.board.kanban.changed_deals import ChangedDeal, ChangedDeals, Step
from dealdb.board.kanban.making import BoardColumn, Making
from dealdb.board.kanban.moved_figures import moved_figures
from dealdb.board.kanban.options import CARDS
from dealdb.board.parts.parameters import asks_the_clock
from dealdb.query import FixedDeals, QueryEngine
from dealdb.store.replica.snapshot import Snapshot

if TYPE_CHECKING:
    from dealdb.board.kanban.stage_figures import StageFigures
    from dealdb.board.page_request import PageRequest
    from dealdb.query.results.sorting import SortKey


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
    deals = [each.deal for each in counted]
    columns = {each.figures.stage: each for each in [*before.columns, *before.closed]}
    known = {stage: each.figures for stage, each in columns.items()}
    figures = moved_figures(known, deals, making.pipeline)
    if figures is None:
        return None
    news = {
        each.deal.stage
        for each in counted
        if _may_have_card(making, before, columns[each.deal.stage], each)
    }
    opened = [
        _column(making, each, figures, keeps_cards=each.figures.stage not in news)
        for each in before.columns
    ]
    filled = [each for each in opened if each.figures.stage in news]
    among = _among(making, before, filled, changed, counted) if filled else pl.DataFrame()
    ends = making.fill(filled, filled, among)
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


class _Counted(NamedTuple):
    """A deal that the board counts, or did, with its value in the column that cards are sorted by first."""

    deal: ChangedDeal
    place: int
    value: Any


def _kept(making: Making, changed: ChangedDeals) -> list[tuple[ChangedDeal, int]]:
    """The deals that the filter keeps, and their rows among the changed ones."""
    kept = None
    if making.asked.where is not None:
        few = Snapshot(
            frame=changed.rows, schema=making.schema, pipeline=making.pipeline, seq=making.deals.seq
        )
        kept = QueryEngine(FixedDeals(few)).select(making.asked.where).kept
    return [
        (deal, row)
        for row, deal in enumerate(changed.deals)
        if deal is not None and (kept is None or kept[row])
    ]


def _counted(
    making: Making, changed: ChangedDeals, kept: list[tuple[ChangedDeal, int]]
) -> list[_Counted]:
    """Those of them that the board counts."""
    counts, key = making.counts, making.first_key
    counted = None if counts is None else changed.rows.select(counts).to_series()
    values = None if key is None else changed.rows[key.name]
    return [
        _Counted(deal, changed.places[row], None if values is None else values[row])
        for deal, row in kept
        if counted is None or counted[row]
    ]


def _may_have_card(
    making: Making, before: BoardView, column: BoardColumn, changed: _Counted
) -> bool:
    """Whether a deal has a card in a column, or may come before the last one there."""
    if not column.is_open:
        return False
    if changed.place in column.places:
        return True
    if changed.deal.sign < 0:
        return False
    key, ends = making.first_key, before.ends
    if key is None or ends is None or column.figures.stage not in ends:
        return True
    last = ends[column.figures.stage]
    return changed.value == last or _is_ahead(key, changed.value, last)


def _is_ahead(key: SortKey, value: Any, last: Any) -> bool:
    """Whether a deal with this value comes before one with the other, whatever they have in further columns."""
    # what has no value comes last
    if value is None or last is None:
        return value is not None
    return bool(value > last if key.descending else value < last)


def _among(
    making: Making,
    before: BoardView,
    columns: Sequence[BoardColumn],
    changed: ChangedDeals,
    counted: Sequence[_Counted],
) -> pl.DataFrame:
    """Deals among which the cards of some columns are, as ``fill`` takes them; all of a column only if need be."""
    had = {each.figures.stage: each for each in before.columns}
    places: list[int] = []
    unsure = []
    for column in columns:
        stage = column.figures.stage
        came = [each for each in counted if each.deal.sign > 0 and each.deal.stage == stage]
        stay = [each for each in had[stage].places if each not in changed.places]
        if _are_enough(making, before, had[stage], stay, came):
            places += stay + [each.place for each in came]
        else:
            unsure.append(column)
    found = making.rows_at(sorted(places))
    return pl.concat([found, making.rows_of(unsure)]) if unsure else found


def _are_enough(
    making: Making,
    before: BoardView,
    column: BoardColumn,
    stay: Sequence[int],
    came: Sequence[_Counted],
) -> bool:
    """Whether no others than those that stay in a column and those that came into it can have its cards."""
    # all deals of the column have cards
    if len(column.places) < CARDS:
        return True
    key, ends = making.first_key, before.ends
    if key is None or ends is None:
        return len(stay) == CARDS
    last = ends[column.figures.stage]
    # those without a card come after the last one that was there
    return len(stay) + sum(_is_ahead(key, each.value, last) for each in came) >= CARDS


def _column(
    making: Making,
    before: BoardColumn,
    figures: Mapping[str | None, StageFigures],
    *,
    keeps_cards: bool,
) -> BoardColumn:
    found = figures.get(before.figures.stage)
    column = before if found is None else making.column(found)
    cards, places = (before.cards, before.places) if keeps_cards else ([], [])
    return replace(column, cards=cards, places=places)
