"""The first deals of each column of the board."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING

import polars as pl

from dealdb.query.results.sorting import parse_sort, sortable

if TYPE_CHECKING:
    from dealdb.query.results.sorting import SortKey

# no field of a collection can have such names
_ROW, _TIE = "_place", "_tie"
# so few rows are sorted sooner than they are separated
_FEW_ROWS = 1_000
# with more groups, a condition for each takes longer than sorting
_MOST_GROUPS = 40


def first_of_each(
    rows: pl.DataFrame, sort: Sequence[str], by: Sequence[str], count: int
) -> pl.Series:
    """
    Numbers of the first rows of each group in an order, ties by id; ``find`` gives the same for each by itself.

    Parameters
    ----------
    rows
        Those that count, with their ids.
    sort
        As ``find`` takes it.
    by
        Columns to group by; none for one group.
    count
        Rows of a group, at most.

    Examples
    --------
    >>> rows = pl.DataFrame({"stage": ["a", "a", "b"], "n": [5, 7, None]})
    >>> first_of_each(rows, ["-n"], ["stage"], 1).to_list()
    [1, 2]
    """
    keys = parse_sort(sort, rows.columns)
    wanted = dict.fromkeys([*by, *(key.name for key in keys)])
    if not wanted:
        return pl.int_range(min(count, rows.height), dtype=pl.UInt32, eager=True)
    if keys and "id" in rows.columns:
        wanted["id"] = None
    ordered = sortable(rows, keys)[[*wanted]].with_row_index(_ROW)
    if keys:
        near = _near(rows, keys[0], by, count)
        ordered = (ordered if near is None else ordered.filter(near)).sort(
            [pl.col(key.name) for key in keys],
            descending=[key.descending for key in keys],
            nulls_last=True,
            maintain_order=True,
        )
        ordered = _ties_by_id(ordered, keys, by, count)
    first = ordered.group_by(by, maintain_order=True).head(count) if by else ordered.head(count)
    return first[_ROW]


def _ties_by_id(
    ordered: pl.DataFrame, keys: Sequence[SortKey], by: Sequence[str], count: int
) -> pl.DataFrame:
    """Rows that may be among the first of their groups, those that are equal in the order of their ids."""
    if "id" not in ordered.columns:
        return ordered
    begins = reduce(or_, (pl.col(key.name).ne_missing(pl.col(key.name).shift(1)) for key in keys))
    numbered = ordered.with_columns(begins.cum_sum().alias(_TIE))
    last = pl.col(_TIE).head(count).last()
    near = numbered.filter(pl.col(_TIE) <= (last.over(by) if by else last))
    return near.sort(_TIE, "id", maintain_order=True)


def _near(rows: pl.DataFrame, key: SortKey, by: Sequence[str], count: int) -> pl.Expr | None:
    """Whether a row can be among the first of its group: false of those that are worse than these in the first key."""
    dtype = rows.schema[key.name]
    if rows.height <= _FEW_ROWS:
        return None
    # texts have an order of their own, and what is no number may stand at either end
    if not by or not (dtype.is_decimal() or dtype.is_integer() or dtype.is_temporal()):
        return None
    value = pl.col(key.name)
    best = value.top_k(count).min() if key.descending else value.bottom_k(count).max()
    # a group with fewer values has no bound: all its rows are wanted, those without a value too
    bounds = rows.group_by(by).agg(pl.when(value.count() >= count).then(best))
    if bounds.height > _MOST_GROUPS:
        return None
    near = [
        _equals(by, row[:-1]) & (value >= row[-1] if key.descending else value <= row[-1])
        for row in bounds.rows()
        if row[-1] is not None
    ]
    whole = [_equals(by, row[:-1]) for row in bounds.rows() if row[-1] is None]
    return reduce(or_, [*near, *whole], pl.lit(value=False)).fill_null(value=False)


def _equals(names: Sequence[str], values: Sequence[str | None]) -> pl.Expr:
    pairs = zip(names, values, strict=True)
    return reduce(and_, (pl.col(name).eq_missing(pl.lit(value)) for name, value in pairs))
