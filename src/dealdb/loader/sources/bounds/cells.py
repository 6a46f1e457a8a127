"""How much text the cells of a frame have: long ones are refused, and long rows are read in small parts."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import MAX_CELL_BYTES


def check_cells(frame: pl.DataFrame, name: str, first: int = 1) -> None:
    """
    Refuse a text that no cell of a table has.

    Parameters
    ----------
    frame, name
        Some rows, and what messages call their source.
    first
        Number of the first of them.

    Raises
    ------
    LoadError
        If a text or some bytes have more than ``MAX_CELL_BYTES``.

    Examples
    --------
    >>> check_cells(pl.DataFrame({"note": ["x"]}), "deals.parquet")
    """
    for column in frame:
        lengths = _lengths(column)
        if lengths is None or lengths.is_empty():
            continue
        longest = int(lengths.cast(pl.UInt64).max() or 0)  # type: ignore[arg-type]  # of integers
        if longest > MAX_CELL_BYTES:
            row = first + (lengths.arg_max() or 0)
            msg = (
                f"{name}, row {row}: column {column.name[:80]!r} has a cell of {longest:,} bytes; a cell has at most "
                f"{MAX_CELL_BYTES >> 20} MB: shorten it, or leave the column out of the file"
            )
            raise LoadError(msg)


def text_bytes(frame: pl.DataFrame) -> int:
    """
    Bytes of the texts of a frame, each as often as it is in a cell, and of its lists and objects.

    Examples
    --------
    >>> text_bytes(pl.DataFrame({"note": ["abc", "de"], "n": [1, 2]}))
    5
    """
    return sum(
        int(column.estimated_size()) if column.dtype.is_nested() else int(lengths.sum())
        for column in frame
        if (lengths := _lengths(column)) is not None
    )


def parts_of(frame: pl.DataFrame, most: int) -> Iterator[pl.DataFrame]:
    """
    A frame in parts of so many bytes of text, or not much more.

    Examples
    --------
    >>> [each.height for each in parts_of(pl.DataFrame({"note": ["x" * 10] * 5}), 20)]
    [2, 2, 1]
    """
    n_bytes = text_bytes(frame)
    if n_bytes <= most:
        yield frame
    else:
        yield from frame.iter_slices(max(1, frame.height * most // n_bytes))


def depth_of(dtype: object) -> int:
    """
    How many lists and objects of a type stand in one another.

    Examples
    --------
    >>> depth_of(pl.List(pl.Struct({"a": pl.Int64})))
    2
    """
    deepest, level = 0, [dtype]
    while level := [inner for each in level for inner in _inside(each)]:
        deepest += 1
    return deepest


def _inside(dtype: object) -> list[object]:
    if isinstance(dtype, pl.List | pl.Array):
        return [dtype.inner]
    return [each.dtype for each in dtype.fields] if isinstance(dtype, pl.Struct) else []


def _lengths(column: pl.Series) -> pl.Series | None:
    """Bytes of each cell, where its type does not say it."""
    # without its name, which may be a pattern
    dtype, column = column.dtype, column.alias("")
    if dtype == pl.String:
        return column.str.len_bytes()
    if dtype == pl.Binary:
        return column.bin.size()
    if dtype == pl.Categorical or dtype == pl.Enum:
        return column.cat.len_bytes()
    if isinstance(dtype, pl.List) and column.len():
        # each of its items takes about the same, or is too long itself
        items = column.list.len().cast(pl.UInt64)
        n_items = max(1, int(items.sum()))
        return items * int(column.estimated_size()) // n_items
    return (
        pl.Series([int(column.estimated_size()) // max(1, column.len())])
        if dtype.is_nested()
        else None
    )
