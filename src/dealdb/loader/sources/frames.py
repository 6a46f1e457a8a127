"""Data frames of any library, Parquet and Arrow files: columns that already have a type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from dealdb.errors import LoadError
from dealdb.formats.exact_json import as_json
from dealdb.loader.cells.wide_decimals import frame_of, has_wide_decimals, read_narrowed
from dealdb.loader.chunk import ROWS_A_CHUNK, Chunk, RowPlace
from dealdb.loader.sources.rows import Rows
from dealdb.model.columns import encode_column, field_of
from dealdb.model.schema import Field, FieldType


class FrameSource:
    """
    Rows of a data frame: Polars, pandas, pyarrow, DuckDB, or anything else with an Arrow stream.

    Parameters
    ----------
    frame
        An object with ``__arrow_c_stream__``, or a Polars LazyFrame.
    """

    bytes_total = None
    header = None

    def __init__(self, frame: Any) -> None:
        self.name = "frame"
        self.format = "frame"
        self.notes: list[str] = []
        # a reader or a query result can be consumed once only: all of it is taken at the beginning
        self._frame = frame.collect() if isinstance(frame, pl.LazyFrame) else frame_of(frame)
        self.rows_total = self._frame.height
        self.repeatable = True

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the frame, some thousand at a time."""
        for start in range(0, max(self._frame.height, 1), ROWS_A_CHUNK):
            yield _chunk(self._frame.slice(start, ROWS_A_CHUNK), start + 1)


class ColumnarSource:
    """
    Rows of a Parquet or Arrow (Feather) file, read a part at a time.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it.
    format
        ``parquet`` or ``arrow``.

    Raises
    ------
    LoadError
        If the file is not one.
    """

    bytes_total = None
    header = None
    repeatable = True

    def __init__(self, path: Path, name: str, format: str) -> None:
        self.name = name
        self.format = format
        self.notes: list[str] = []
        self._path = path
        self.rows_total = int(self._collected(self._scan().select(pl.len())).item())

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the file, some thousand at a time."""
        scan = self._scan()
        if self.rows_total and has_wide_decimals(scan.collect_schema()):
            yield from self._narrowed_chunks()
            return
        for start in range(0, max(self.rows_total, 1), ROWS_A_CHUNK):
            yield _chunk(self._collected(scan.slice(start, ROWS_A_CHUNK)), start + 1)

    def _narrowed_chunks(self) -> Iterator[Chunk]:
        start = 1
        for frame in read_narrowed(self._path, self.name, self.format):
            yield _chunk(frame, start)
            start += frame.height

    def _scan(self) -> pl.LazyFrame:
        if self.format == "arrow":
            return pl.scan_ipc(self._path, glob=False)
        return pl.scan_parquet(self._path, glob=False)

    def _collected(self, scan: pl.LazyFrame) -> pl.DataFrame:
        try:
            return scan.collect()
        except (pl.exceptions.PolarsError, OSError) as problem:
            msg = f"{self.name} can't be read as {self.format.capitalize()}: {_first_line(problem)}"
            raise LoadError(msg) from problem


def _chunk(frame: pl.DataFrame, first: int) -> Chunk:
    def locate(rows: Sequence[int]) -> list[RowPlace]:
        return [RowPlace(first + row, _row_as_json(frame, row)) for row in rows]

    types: dict[str, FieldType] = {}
    columns: dict[str, pl.Series] = {}
    for column in frame:
        columns[column.name], kind = _as_texts(column)
        if kind:
            types[column.name] = kind
    encoded = {name for name, kind in types.items() if _is_encoded(frame[name], kind)}
    if any(_has_objects(column.dtype) for column in frame):
        columns, types, encoded = _opened(frame, columns, types, encoded)
    return Chunk(
        frame=pl.DataFrame(list(columns.values())), locate=locate, types=types, encoded=encoded
    )


def _has_objects(dtype: object) -> bool:
    return isinstance(dtype, pl.Struct) or (
        isinstance(dtype, pl.List) and _has_objects(dtype.inner)
    )


def _opened(
    frame: pl.DataFrame,
    columns: dict[str, pl.Series],
    types: dict[str, FieldType],
    encoded: set[str],
) -> tuple[dict[str, pl.Series], dict[str, FieldType], set[str]]:
    """Columns with those of structs as rows of JSON have them: names in place of objects, and ids beside them."""
    nested = [column.name for column in frame if _has_objects(column.dtype)]
    others = dict.fromkeys(name for name in frame.columns if name not in nested)
    gathered = Rows()
    for row in frame.select(nested).iter_rows(named=True):
        gathered.add({**others, **row}, RowPlace(0, "row"))
    found = gathered.chunk(None)
    if found.frame.height != frame.height:
        # there is something in an object that JSON has no word for: it stays a text as a whole
        return columns, types, encoded
    said = {
        column.name: column
        for column in found.frame
        if column.name not in others or column.null_count() < column.len()
    }
    kept = {name: texts for name, texts in columns.items() if name in found.frame.columns}
    kinds = {name: kind for name, kind in types.items() if name in kept and name not in said}
    kinds |= {name: kind for name, kind in found.types.items() if name in said}
    return {**kept, **said}, kinds, encoded & kept.keys() - said.keys()


def _row_as_json(frame: pl.DataFrame, row: int) -> str:
    try:
        return as_json(frame.row(row, named=True))
    except (ValueError, OverflowError):
        # Python's calendar has the years from 1 to 9999 only
        times = selectors.temporal().cast(pl.String)
        return as_json(frame.slice(row, 1).with_columns(times).row(0, named=True))


def _is_encoded(column: pl.Series, kind: FieldType) -> bool:
    match kind:
        case FieldType.INT | FieldType.DECIMAL | FieldType.BOOL:
            return True
        case FieldType.FLOAT:
            return not column.is_infinite().any()
        case FieldType.DATE:
            return column.is_between(date.min, date.max).all()
    return False


def _as_texts(column: pl.Series) -> tuple[pl.Series, FieldType | None]:
    """Texts of a column, and its type where it has any values or a type of its own."""
    dtype = column.dtype
    if dtype == pl.Null:
        return column.cast(pl.String), None
    # of no field in particular: what a probability counts to is decided by all of its cells
    field = field_of("x", dtype)
    if dtype == pl.Time:
        # a cast would cut off fractions of a second
        return column.dt.strftime("%H:%M:%S%.f"), FieldType.TEXT
    if field is None:
        return _nested(column), FieldType.TEXT
    if field.type is FieldType.FLOAT:
        # by way of text: 19.99 in 32 bits is no longer that in 64
        column = column.cast(pl.String) if dtype == pl.Float32 else column
        return _floats_as_texts(column.cast(pl.Float64).fill_nan(None), field), FieldType.FLOAT
    if isinstance(dtype, pl.Datetime):
        # in its own zone, so that a date taken from it is the one that people there read
        pattern = "%Y-%m-%dT%H:%M:%S%.6f" + ("%:z" if dtype.time_zone else "")
        return column.dt.cast_time_unit("us").dt.strftime(pattern), FieldType.DATETIME
    return encode_column(column, field), field.type


def _floats_as_texts(column: pl.Series, field: Field) -> pl.Series:
    finite = column.is_finite()
    if finite.all():
        return encode_column(column, field)
    # no field has infinity: it stays what it is, to be rejected at its place
    texts = encode_column(column.zip_with(finite, column.clear(len(column))), field)
    return texts.zip_with(finite, column.cast(pl.String))


def _nested(column: pl.Series) -> pl.Series:
    cells = [None if value is None else as_json(value) for value in column.to_list()]
    return pl.Series(column.name, cells, dtype=pl.String)


def _first_line(problem: Exception) -> str:
    return str(problem).split("\n", 1)[0]
