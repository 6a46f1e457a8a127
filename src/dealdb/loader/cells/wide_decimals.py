"""
Decimals of 256 bits, which BigQuery calls BIGNUMERIC and Polars can't read.

Those that need no more than 128 bits are read as such; the others become text, of which only numbers with too many
digits for a deal are rejected.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import ROWS_A_CHUNK
from dealdb.model.schema import MAX_SCALE

_DIGITS_OF_128_BITS = 38


def has_wide_decimals(schema: pl.Schema) -> bool:
    """Whether a file has columns that Polars knows the type of, and can't read."""
    return any(
        isinstance(dtype, pl.Decimal) and (dtype.precision or 0) > _DIGITS_OF_128_BITS
        for dtype in schema.values()
    )


def read_narrowed(path: Path, name: str, format: str) -> Iterator[pl.DataFrame]:
    """
    Rows of a Parquet or Arrow file, some thousand at a time, without decimals of 256 bits.

    Raises
    ------
    LoadError
        Without pyarrow.
    """
    try:
        import pyarrow.dataset
    except ImportError as problem:
        msg = f"{name} has decimals of 256 bits, which need pyarrow: pip install 'dealdb[sql]'"
        raise LoadError(msg) from problem
    kind = "ipc" if format == "arrow" else format
    for batch in pyarrow.dataset.dataset(path, format=kind).to_batches(batch_size=ROWS_A_CHUNK):
        yield pl.DataFrame(_narrowed(batch))


def frame_of(frame: Any) -> pl.DataFrame:
    """A data frame of any library as one of Polars."""
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and isinstance(frame, arrow.RecordBatchReader):
        frame = frame.read_all()
    if arrow is not None and isinstance(frame, arrow.Table | arrow.RecordBatch):
        frame = _narrowed(frame)
    return pl.DataFrame(frame)


def _narrowed(table: Any) -> Any:
    """A table or batch of pyarrow."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_decimal256(field.type):
            cells = _narrowed_cells(table.column(place), field.type.scale)
            table = table.set_column(place, field.name, cells)
    return table


def _narrowed_cells(cells: Any, scale: int) -> Any:
    import pyarrow as pa

    for digits in (scale, MAX_SCALE):
        try:
            return cells.cast(pa.decimal128(_DIGITS_OF_128_BITS, digits))
        except pa.ArrowInvalid:
            # a number has more digits before the point, or behind it, than there is room for
            continue
    return cells.cast(pa.string())
