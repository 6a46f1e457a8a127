"""``Steps``: follows the deals from commit to commit, and says of which the figures of the board have changed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING
from weakref import ref

import polars as pl

from dealdb.analytics.metrics.pipeline import each_of_stages
from dealdb.analytics.options import as_of_day
from dealdb.board.parts.at_once import AtOnce
from dealdb.model.decimals import EXACT

if TYPE_CHECKING:
    from dealdb.database import DealDatabase
    from dealdb.model.pipeline import Pipeline
    from dealdb.model.schema import Schema
    from dealdb.store.replica.snapshot import Snapshot

# rows of the deals changed after one commit up to another, by their tokens; None where it is not known
RowsBetween = Callable[[str, str], Collection[int] | None]
# with more of them, all figures are as soon made anew
MOST_CHANGED = 1_000


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
    places
        Where each row is among those of all deals.
    deals
        What is counted of each row; None for a deal that there was not yet, or is no more.
    """

    rows: pl.DataFrame
    places: list[int]
    deals: list[ChangedDeal | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    The deals as of now, and what has changed since the step before.

    Attributes
    ----------
    before, after
        Tokens of the last commits of both; None where it is not known.
    deals
        As of now.
    today
        Day on which they are judged.
    changed
        Those that differ; None where all may.
    """

    before: str | None
    after: str | None
    deals: AtOnce
    today: date
    changed: ChangedDeals | None


class Steps:
    """
    Goes through the commits of a collection, several in a step.

    Between two steps it does not keep the deals: whoever keeps them has them copied at the next commit. As long as
    nobody else has asked for newer ones, they are still there at the next step.

    Parameters
    ----------
    db
        The collection.
    """

    def __init__(self, db: DealDatabase) -> None:
        self._db = db
        self._last: ref[Snapshot] | None = None
        self._token: str | None = None

    def step(self, token: str, rows_between: RowsBetween) -> Step:
        """
        What has changed since the last step.

        Parameters
        ----------
        token
            Of the last commit that ``rows_between`` knows.
        rows_between
            Says where changed deals are.

        Raises
        ------
        StoreError
            If the server can't be reached.
        """
        before = self._token
        were = self._were(token, rows_between)
        deals = AtOnce(self._db)
        after = deals.token
        self._last, self._token = ref(deals.snapshot), after
        today = as_of_day(None, deals.pipeline.zone)
        changed = None
        # a commit that came meanwhile is not among the rows
        if were is not None and after == token:
            changed = _changed(were, deals.snapshot, today)
        return Step(before=before, after=after, deals=deals, today=today, changed=changed)

    def _were(self, token: str, rows_between: RowsBetween) -> _Were | None:
        """Deals that will have changed by a commit; gone with the next look at the deals."""
        last = self._last() if self._last is not None else None
        if last is None or self._token is None:
            return None
        places = rows_between(self._token, token)
        if places is None or len(places) > MOST_CHANGED:
            return None
        there = [place for place in sorted(places) if place < last.rows.height]
        return _Were(sorted(places), there, last.rows[there], last.schema, last.pipeline)


@dataclass(frozen=True, slots=True)
class _Were:
    """Deals as they were at some places, as far as there were any there."""

    places: list[int]
    there: list[int]
    rows: pl.DataFrame
    schema: Schema
    pipeline: Pipeline


def _changed(were: _Were, now: Snapshot, today: date) -> ChangedDeals | None:
    # what stages and values mean is of all deals
    if were.schema != now.schema or were.pipeline != now.pipeline:
        return None
    rows = pl.concat([were.rows, now.rows[were.places]])
    signs = [-1] * were.rows.height + [1] * len(were.places)
    found = each_of_stages(rows, now.pipeline, today)
    if found is None:
        return None
    values, scale = found
    each = zip(signs, rows["id"].to_list(), values.rows(), strict=True)
    deals = [_deal(sign, id_, row, scale) for sign, id_, row in each]
    return ChangedDeals(rows, [*were.there, *were.places], deals)


def _deal(
    sign: int,
    id_: str | None,
    row: tuple[str | None, Decimal | None, str | None, int | None, bool, bool],
    scale: int,
) -> ChangedDeal | None:
    if id_ is None:
        return None
    stage, amount, currency, units, is_rotting, is_overdue = row
    weighted = None if units is None else Decimal(units).scaleb(-scale, EXACT)
    return ChangedDeal(sign, id_, stage, amount, currency, weighted, is_rotting, is_overdue)
