"""Order of results: any number of keys, nulls last, ties in the order of first saving."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import polars as pl

from dealdb.errors import QueryError
from dealdb.query.operands import column
from dealdb.query.trouble import column_named

Sort: TypeAlias = str | Sequence[str] | None


class SortKey(NamedTuple):
    """One column to sort by."""

    name: str
    descending: bool


def parse_sort(sort: Sort, columns: Iterable[str]) -> list[SortKey]:
    """
    Keys of a sort specification.

    Parameters
    ----------
    sort
        Column name, with a leading ``-`` for descending; or several of them, the first counting most.
    columns
        Names that exist.

    Raises
    ------
    QueryError
        If a column doesn't exist, or is named twice.

    Examples
    --------
    >>> parse_sort(["-amount", "name"], ["name", "amount"])
    [SortKey(name='amount', descending=True), SortKey(name='name', descending=False)]
    """
    given = [sort] if isinstance(sort, str) else list(sort or ())
    known = list(columns)
    keys: list[SortKey] = []
    for spec in given:
        if not isinstance(spec, str):
            msg = f"a sort key is a column name such as '-amount', not a value of type {type(spec).__name__}"
            raise QueryError(msg)
        descending = spec.startswith("-")
        name = column_named(spec[descending:], known)
        if any(name == key.name for key in keys):
            msg = f"{name!r} is sorted by twice"
            raise QueryError(msg, text=spec)
        keys.append(SortKey(name, descending))
    return keys


def sorted_rows(
    frame: pl.DataFrame, kept: pl.Series | None, keys: Sequence[SortKey], count: int | None
) -> pl.Series:
    """
    Row numbers of a frame in order: nulls last in either direction, ties in the order of the frame.

    Parameters
    ----------
    frame
        Deals in the order of first saving.
    kept
        Boolean a row, true for those that count; None for all.
    keys
        What to sort by; none keeps the order.
    count
        Rows wanted, or None for all.

    Returns
    -------
    polars.Series
        UInt32 numbers, at most ``count``.

    Cost
    ----
    With a count: one pass to find the value that the last wanted row has in the first key, then a sort of the
    rows up to it. Without: a full sort.

    Examples
    --------
    >>> frame = pl.DataFrame({"amount": [5, None, 9, 5]})
    >>> sorted_rows(frame, None, [SortKey("amount", True)], 3).to_list()
    [2, 0, 3]
    """
    if keys and count is not None:
        kept = _narrowed(frame, kept, keys[0], count)
    rows = pl.int_range(frame.height, dtype=pl.UInt32, eager=True)
    if kept is not None:
        rows = rows.filter(kept)
    if keys:
        names = [column(key.name) for key in keys]
        order = frame.select(names)[rows].select(
            pl.arg_sort_by(
                names,
                descending=[key.descending for key in keys],
                nulls_last=True,
                maintain_order=True,
            )
        )
        rows = rows.gather(order.to_series())
    return rows if count is None else rows.head(count)


def _narrowed(
    frame: pl.DataFrame, kept: pl.Series | None, first: SortKey, count: int
) -> pl.Series | None:
    """Rows that can be among the first ``count``: as good in the first key as the worst of them, ties included."""
    values = frame[first.name]
    candidates = values if kept is None else values.filter(kept)
    if not 0 < count < candidates.len() - candidates.null_count():
        # nulls are among the wanted rows, or all rows are
        return kept
    best = candidates.top_k(count) if first.descending else candidates.bottom_k(count)
    bound = best.sort(descending=not first.descending).head(1)
    near = values >= bound if first.descending else values <= bound
    return near if kept is None else near & kept
