"""Figures of stages after some deals have changed: what these were is taken away, what they are is added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

from dealdb.model.decimals import EXACT

if TYPE_CHECKING:
    from dealdb.board.kanban.changed_deals import ChangedDeal
    from dealdb.board.kanban.stage_figures import StageFigures, StageSum
    from dealdb.model.pipeline import Pipeline

Figures = Mapping[str | None, "StageFigures"]


def moved_figures(
    figures: Figures, deals: Iterable[ChangedDeal], pipeline: Pipeline
) -> dict[str | None, StageFigures] | None:
    """
    Figures of the stages that deals came into, or left.

    Parameters
    ----------
    figures
        Of all stages, as they were; they stay as they are.
    deals
        Those that count, as they were and as they are.
    pipeline
        The stages.

    Returns
    -------
    dict or None
        The new figures, by stage. None where there are other lines than before: a stage or a currency that no deal
        had, or that no deal has any more. Which lines there are then is for the metric to say.
    """
    found: dict[str | None, StageFigures] = {}
    currencies = set()
    for deal in deals:
        if deal.stage not in found:
            if deal.stage not in figures:
                return None
            known = figures[deal.stage]
            found[deal.stage] = replace(known, sums=list(known.sums))
        if not _add(found[deal.stage], deal):
            return None
        currencies.add(deal.currency)
    if any(_is_over(each, pipeline) for each in found.values()):
        return None
    after = [found.get(stage, each) for stage, each in figures.items()]
    return None if any(_is_nothing(after, each) for each in currencies) else found


def _add(figures: StageFigures, deal: ChangedDeal) -> bool:
    """Add or take away a deal; False where it has no line."""
    figures.n += deal.sign
    figures.rotting += deal.sign * deal.is_rotting
    figures.overdue += deal.sign * deal.is_overdue
    if deal.amount is None:
        figures.blank += deal.sign
        return True
    for place, line in enumerate(figures.sums):
        if line.currency == deal.currency:
            added = _added(line, deal)
            if added is not None:
                figures.sums[place] = added
            return added is not None
    return False


def _added(line: StageSum, deal: ChangedDeal) -> StageSum | None:
    weighted = line.weighted
    if deal.weighted is not None:
        # a sum that was rounded is none to go on from
        if weighted is None or _places(weighted) != _places(deal.weighted):
            return None
        weighted = EXACT.add(weighted, EXACT.multiply(Decimal(deal.sign), deal.weighted))
    amount = EXACT.multiply(Decimal(deal.sign), deal.amount or Decimal(0))
    value = EXACT.add(line.value, amount)
    return replace(line, n=line.n + deal.sign, value=value, weighted=weighted)


def _places(number: Decimal) -> int:
    return int(number.as_tuple().exponent)


def _is_over(figures: StageFigures, pipeline: Pipeline) -> bool:
    """Whether a line of these figures has no deal any more."""
    has_none = not figures.n and figures.stage not in pipeline
    return has_none or any(line.n < 1 for line in figures.sums)


def _is_nothing(figures: Iterable[StageFigures], currency: str | None) -> bool:
    """Whether there may be no money of a currency any more: then its amounts of 0 are no line of their own."""
    lines = [line for each in figures for line in each.sums if line.currency == currency]
    return bool(lines) and not reduce(EXACT.add, (line.value for line in lines))
