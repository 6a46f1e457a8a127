"""Rows in the order of the ids of their deals, where not all of them are asked for: to sort very many takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import nlargest, nsmallest

import polars as pl

# to sort so few takes no longer than to look for the first of them
_FEW = 10_000
# each part has so many times as many rows as the one before
_GROWTH = 8


def ids_of(frame: pl.DataFrame) -> pl.Series | None:
    """
    What equals are told apart by; None for the numbers of the rows.

    Examples
    --------
    >>> ids_of(pl.DataFrame({"name": ["Acme"]})) is None
    True
    """
    ids = frame.get_column("id", default=None)
    # rows that are in no database may have ids that have no order
    return None if ids is None or ids.dtype.is_nested() else ids


def in_order(rows: pl.Series, ids: pl.Series | None, *, threads: bool = True) -> pl.Series:
    """
    Some rows, which ascend, in the order of their ids, as texts; those without one are last.

    Parameters
    ----------
    rows
        The rows.
    ids
        Of all rows; None to leave them as they are.
    threads
        Whether several may sort.

    Examples
    --------
    >>> rows = pl.Series([0, 1, 3], dtype=pl.UInt32)
    >>> in_order(rows, pl.Series(["9", None, "7", "10"])).to_list()
    [3, 0, 1]
    """
    if ids is None:
        return rows
    both = pl.DataFrame({"row": rows, "id": ids[rows]})
    ordered = both.sort("id", nulls_last=True, maintain_order=True, multithreaded=threads)
    return ordered["row"]


def parts_in_order(rows: pl.Series, ids: pl.Series | None, size: int) -> Iterator[pl.Series]:
    """
    The same in parts of a size; what comes later is not sorted before it is asked for.

    Examples
    --------
    >>> rows = pl.Series([0, 1, 3], dtype=pl.UInt32)
    >>> ids = pl.Series(["9", None, "7", "10"])
    >>> [part.to_list() for part in parts_in_order(rows, ids, 2)]
    [[3, 0], [1]]
    """
    for some in _sorted_by_and_by(rows, ids, size):
        for part in some.to_frame().iter_slices(size):
            yield part.to_series()


def _sorted_by_and_by(rows: pl.Series, ids: pl.Series | None, size: int) -> Iterator[pl.Series]:
    """The same in parts of at least a size, which grow."""
    while ids is not None and len(rows) > max(_FEW, _GROWTH * size):
        own = ids[rows]
        bound = own.bottom_k(size).max()
        if bound is None or len(own) - own.null_count() < size:
            # so few of them have an id that others are of the first part
            break
        is_near = (own <= bound).fill_null(value=False)
        yield in_order(rows.filter(is_near), ids)
        rows, size = rows.filter(~is_near), _GROWTH * size
    yield in_order(rows, ids)


def first_in_order(rows: pl.Series, ids: pl.Series | None, most: int) -> pl.Series:
    """
    The first of some rows, which ascend, by their ids.

    Examples
    --------
    >>> rows = pl.Series([0, 1, 3], dtype=pl.UInt32)
    >>> first_in_order(rows, pl.Series(["9", None, "7", "10"]), 2).to_list()
    [3, 0]
    """
    return next(_sorted_by_and_by(rows, ids, most)).head(most)


def best_rows(
    ids: pl.Series | None, rows: Sequence[int], scores: Sequence[float], limit: int
) -> list[int]:
    """
    Rows with the best scores; of equal ones those come first whose ids do, as texts.

    Examples
    --------
    >>> best_rows(pl.Series(["9", "8", "10"]), [0, 1, 2], [0.5, 1.0, 0.5], 2)
    [1, 2]
    """
    least = min(nlargest(limit, scores), default=0.0)
    some = [row for row, score in zip(rows, scores, strict=True) if score >= least]
    given = some if ids is None or not some else ids[some].to_list()
    if None in given:
        # rows that are in no database may have no id
        given = [(id_ is None, "" if id_ is None else id_) for id_ in given]
    best = zip([-score for score in scores if score >= least], given, some, strict=True)
    return [row for *_, row in nsmallest(limit, best)]
