"""Data frames of any library, Parquet and Arrow files: columns that already have a type."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, cast

import polars as pl
from polars import selectors

from dealdb.errors import LoadError
from dealdb.formats.exact_json import MOST_DEEP, as_json
from dealdb.loader.cells.wide_decimals import frame_of, has_wide_decimals, read_narrowed
from dealdb.loader.chunk import MAX_COLUMNS, ROWS_A_CHUNK, Chunk, RowPlace, marked
from dealdb.loader.load_options import MAX_EXPANSION
from dealdb.loader.sources.bounds.arrow_buffers import unpacked_bytes
from dealdb.loader.sources.bounds.cells import check_cells, depth_of, parts_of, text_bytes
from dealdb.loader.sources.bounds.parquet_pages import pages_of
from dealdb.loader.sources.rows import Rows
from dealdb.loader.sources.text_file import check_expansion, check_rows
from dealdb.model.columns import decimal_texts, encode_column, field_of
from dealdb.model.schema import Field, FieldType, is_pattern

# bytes of text in a chunk: a dictionary has a text once, of which each row makes one here
_MOST_TEXT = 16 * 1024 * 1024
# some 260,000 years: the calendar that texts are made by ends there
_LAST_SECOND = 8_200_000_000_000
_A_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
# rows that are read first where nobody knows how long they are
_FIRST_ROWS = 50


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
    max_expansion
        Times its size that it may have unpacked.

    Raises
    ------
    LoadError
        If the file is not one, or unpacks to far more than its size.
    """

    bytes_total = None
    header = None
    repeatable = True

    def __init__(
        self, path: Path, name: str, format: str, max_expansion: int = MAX_EXPANSION
    ) -> None:
        self.name = name
        self.format = format
        self.notes: list[str] = []
        self._path = path
        self._packed, self._max_expansion = path.stat().st_size, max_expansion
        self._may_grow = self._check_size()
        self._schema = self._checked_schema()
        self.rows_total = int(self._collected(self._scan().select(pl.len())).item())
        check_rows(name, self.rows_total, self._packed, max_expansion)

    def chunks(self) -> Iterator[Chunk]:
        """
        Rows of the file, some thousand at a time.

        Raises
        ------
        LoadError
            If a cell is longer than those of a table, or all together are far larger than the file.
        """
        start, n_bytes = 1, 0
        for frame in self._frames():
            check_cells(frame, self.name, start)
            n_bytes += text_bytes(frame)
            check_expansion(self.name, n_bytes, self._packed, self._max_expansion)
            for part in parts_of(frame, _MOST_TEXT):
                yield self._readable(part, start)
                start += part.height

    def _readable(self, frame: pl.DataFrame, start: int) -> Chunk:
        try:
            return _chunk(frame, start)
        except (OverflowError, ValueError, pl.exceptions.PanicException) as problem:
            # of a moment in a list, for example, that no calendar has
            raise self._unreadable(problem) from problem

    def _frames(self) -> Iterator[pl.DataFrame]:
        if self.rows_total and has_wide_decimals(self._schema):
            yield from read_narrowed(self._path, self.name, self.format)
            return
        scan, start = self._scan(), 0
        step = _FIRST_ROWS if self._may_grow else ROWS_A_CHUNK
        while start < max(self.rows_total, 1):
            frame = self._collected(scan.slice(start, step))
            yield frame
            start += step
            fitting = _MOST_TEXT * frame.height // max(1, text_bytes(frame))
            step = max(1, min(ROWS_A_CHUNK, fitting, 2 * step)) if self._may_grow else step

    def _check_size(self) -> bool:
        """Whether the texts of the file may be larger than what it unpacks to."""
        if self.format == "arrow":
            unpacked, may_grow = unpacked_bytes(self._path, self.name), False
        else:
            unpacked, may_grow = pages_of(self._path, self.name)
        check_expansion(self.name, unpacked, self._packed, self._max_expansion)
        return may_grow

    def _checked_schema(self) -> pl.Schema:
        try:
            schema = self._scan().collect_schema()
        except (pl.exceptions.PolarsError, OSError) as problem:
            raise self._unreadable(problem) from problem
        if len(schema) > MAX_COLUMNS:
            msg = (
                f"{self.name} has {len(schema):,} columns; a table has at most {MAX_COLUMNS:,}: "
                "is it what its name says?"
            )
            raise LoadError(msg)
        for name, dtype in schema.items():
            if depth_of(dtype) > MOST_DEEP:
                msg = f"{self.name}: column {name[:80]!r} has lists and objects more than {MOST_DEEP} deep"
                raise LoadError(msg)
        return schema

    def _scan(self) -> pl.LazyFrame:
        if self.format == "arrow":
            return pl.scan_ipc(self._path, glob=False)
        return pl.scan_parquet(self._path, glob=False)

    def _collected(self, scan: pl.LazyFrame) -> pl.DataFrame:
        try:
            return scan.collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as problem:
            raise self._unreadable(problem) from problem

    def _unreadable(self, problem: BaseException) -> LoadError:
        return LoadError(
            f"{self.name} can't be read as {self.format.capitalize()}: {_first_line(problem)}"
        )


def _chunk(given: pl.DataFrame, first: int) -> Chunk:
    patterns = {name: marked(name) for name in given.columns if is_pattern(name)}
    # most frames need neither, and a query for each of them takes its time
    frame = given.rename(patterns) if patterns else given
    odd = [each for each in map(_within_calendar, frame) if each is not None]
    frame = frame.with_columns(odd) if odd else frame

    def locate(rows: Sequence[int]) -> list[RowPlace]:
        shown = frame.rename({name: header for header, name in patterns.items()})
        return [RowPlace(first + row, _row_as_json(shown, row)) for row in rows]

    types: dict[str, FieldType] = {}
    kind: FieldType | None
    columns: dict[str, pl.Series] = {}
    decimals = [each for each in frame if isinstance(each.dtype, pl.Decimal) and each.dtype.scale]
    texts_of = {texts.name: texts for texts in decimal_texts(decimals)}
    for column in frame:
        if column.name in texts_of:
            columns[column.name], kind = texts_of[column.name], FieldType.DECIMAL
        else:
            columns[column.name], kind = _as_texts(column)
        if kind:
            types[column.name] = kind
    encoded = {name for name, kind in types.items() if _is_encoded(frame[name], kind)}
    if any(_has_objects(column.dtype) for column in frame):
        columns, types, encoded = _opened(frame, columns, types, encoded)
    return Chunk(
        frame=pl.DataFrame(list(columns.values())), locate=locate, types=types, encoded=encoded
    )


def _within_calendar(column: pl.Series) -> pl.Series | None:
    """Texts of a column with a day that Polars has no text for; None for any other one."""
    if not isinstance(column.dtype, pl.Date | pl.Datetime):
        return None
    unit = getattr(column.dtype, "time_unit", None)
    most = _LAST_SECOND * _A_SECOND[unit] if unit else _LAST_SECOND // 86_400
    # a cast is no query, as to_physical is
    numbers = column.cast(pl.Int64 if unit else pl.Int32)
    lowest, highest = cast("int | None", numbers.min()), cast("int | None", numbers.max())
    if lowest is None or highest is None or -most <= lowest <= highest <= most:
        return None
    fits = numbers.is_between(-most, most)
    return (
        column.zip_with(fits, column.clear(len(column)))
        .cast(pl.String)
        .zip_with(fits, numbers.cast(pl.String) + " is beyond the calendar")
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
            return _all_finite(column) or not column.is_infinite().any()
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
        numbers = column.cast(pl.Float64)
        numbers = numbers if _all_finite(numbers) else numbers.fill_nan(None)
        return _floats_as_texts(numbers, field), FieldType.FLOAT
    if isinstance(dtype, pl.Datetime):
        # in its own zone, so that a date taken from it is the one that people there read
        pattern = "%Y-%m-%dT%H:%M:%S%.6f" + ("%:z" if dtype.time_zone else "")
        return column.dt.cast_time_unit("us").dt.strftime(pattern), FieldType.DATETIME
    return encode_column(column, field), field.type


def _floats_as_texts(column: pl.Series, field: Field) -> pl.Series:
    if _all_finite(column):
        return encode_column(column, field)
    finite = column.is_finite()
    if finite.all():
        return encode_column(column, field)
    # no field has infinity: it stays what it is, to be rejected at its place
    texts = encode_column(column.zip_with(finite, column.clear(len(column))), field)
    return texts.zip_with(finite, column.cast(pl.String))


def _all_finite(column: pl.Series) -> bool:
    """Whether all numbers are certainly finite: their sum is no query."""
    return math.isfinite(column.sum())


def _nested(column: pl.Series) -> pl.Series:
    cells = [None if value is None else as_json(value) for value in column.to_list()]
    return pl.Series(column.name, cells, dtype=pl.String)


def _first_line(problem: BaseException) -> str:
    return str(problem).split("\n", 1)[0]
