"""``ChangedDeals``: the deals that commits have changed, as they were and as they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from typing import TYPE_CHECKING

import polars as pl

from dealdb.analytics.metrics.pipeline import deals_of_stages
from dealdb.model.columns import spelled_out

if TYPE_CHECKING:
    from dealdb.store.replica.snapshot import Snapshot

# with more of them, all figures are as soon made anew
MOST_CHANGED = 1_000
# of what a deal weighs: the digits of its amount, and those of a probability
_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True)
class ChangedDeal:
    """
    What a deal adds to the figures of its stage, or took from them when it was another one.

    Attributes
    ----------
    sign
        1 for a deal as it is, -1 for one as it was.
    id, stage, amount, currency
        Its values.
    weighted
        Its amount times its probability; None where it is closed, or lacks one of them.
    is_rotting, is_overdue
        As the metric has them.
    """

    sign: int
    id: str
    stage: str | None
    amount: Decimal | None
    currency: str | None
    weighted: Decimal | None
    is_rotting: bool
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class ChangedDeals:
    """
    Deals of some commits.

    Attributes
    ----------
    rows
        All their columns: first as they were, then as they are.
    deals
        What is counted of each row; None for a deal that there was not yet, or is no more.
    """

    rows: pl.DataFrame
    deals: list[ChangedDeal | None]


def changed_deals(
    before: Snapshot, after: Snapshot, places: Collection[int], today: date
) -> ChangedDeals | None:
    """
    The deals that differ between two snapshots.

    Parameters
    ----------
    before, after
        The snapshots.
    places
        Rows in which they may differ.
    today
        Day on which the deals are judged.

    Returns
    -------
    ChangedDeals or None
        None where all deals may have changed, or their sums are too large to be put together one by one.
    """
    if len(places) > MOST_CHANGED or max(places, default=0) >= after.rows.height:
        return None
    # what stages and values mean is of all deals
    if before.schema != after.schema or before.pipeline != after.pipeline:
        return None
    ordered = sorted(places)
    were = [place for place in ordered if place < before.rows.height]
    rows = pl.concat([before.rows[were], after.rows[ordered]])
    signs = [-1] * len(were) + [1] * len(ordered)
    found = deals_of_stages(rows, after.pipeline, today)
    weights = found.weights
    if weights is None or len(weights.powers) > 1 or found.are_wide:
        return None
    names = ("stage", "amount", "currency", "_weighted", "_rotting", "_overdue")
    values = spelled_out(found.deals.select(names)).rows()
    each = zip(signs, rows["id"].to_list(), values, strict=True)
    return ChangedDeals(rows, [_deal(sign, id_, row, weights.scale) for sign, id_, row in each])


def _deal(
    sign: int,
    id_: str | None,
    row: tuple[str | None, Decimal | None, str | None, int | None, bool, bool],
    scale: int,
) -> ChangedDeal | None:
    if id_ is None:
        return None
    stage, amount, currency, units, is_rotting, is_overdue = row
    weighted = None if units is None else Decimal(units).scaleb(-scale, _EXACT)
    return ChangedDeal(sign, id_, stage, amount, currency, weighted, is_rotting, is_overdue)
