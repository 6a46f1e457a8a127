"""What every reader hands over: a bounded piece of a source, as columns of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import polars as pl

from dealdb.errors import LoadError
from dealdb.model.schema import NUMBER_TYPES, FieldType, is_pattern

# of sources that come row by row, or as a whole
ROWS_A_CHUNK = 20_000
# each costs memory and time, even where it is left out in the end
MAX_COLUMNS = 4096
# bytes of a cell of a workbook, Parquet or Arrow file: these make gigabytes of a text that they have once
MAX_CELL_BYTES = 1024 * 1024
# code of rejects that are no mistakes: totals, titles of groups and lines of text
SUMMARY_ROW = "summary-row"
# stands behind a header that Polars would take for a pattern of names: the combining grapheme joiner, of no width,
# which nobody types
_MARK = "\u034f"
_BEHIND_A_PATTERN = re.compile(rf"(?<=[$*]){_MARK}")


class RowPlace(NamedTuple):
    """
    Where a row is in its source.

    Attributes
    ----------
    line
        Where it begins, from 1: a line of a file, an element of an iterable or frame.
    raw
        The row as the source has it.
    offset
        Byte of the file where it begins, from 0; None where the file holds other bytes than its text in UTF-8.
    """

    line: int
    raw: str
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """
    One row that was not loaded, and why.

    Attributes
    ----------
    line
        Where the row begins in its source, from 1: a line of a file, an element of an iterable or frame.
    column
        Header of the cell at fault; empty where the row as a whole is.
    value
        Text of the cell at fault.
    code
        Stable text for programs, e.g. ``"not-a-date"``.
    message
        What was expected.
    raw
        The whole row as the source has it.
    offset
        Byte of the file where the row begins, from 0, or None where nobody knows.
    others
        Headers of further cells at fault.
    """

    line: int
    column: str = ""
    value: str = ""
    code: str
    message: str
    raw: str
    offset: int | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """
    Some rows of a source.

    Attributes
    ----------
    frame
        One String column a header, headers unique and ``marked``; null where the cell is empty or absent.
    locate
        Places of the rows with these numbers; slow, and only asked for rejected rows.
    rejects
        Rows that could not even be split into cells.
    bytes_done
        Bytes of the source read up to the end of this chunk, or None where nobody knows.
    types
        Types that the source itself declares, by header; a header that is absent holds text that may be anything.
    encoded
        Headers whose every cell is already the text that a deal gets for a value of that type.
    shape
        For each row the number of its set of keys in ``shapes``, or None where each row has every header.
    shapes
        Sets of headers that rows have; a header that a row lacks leaves the stored field as it is.
    incomplete
        Why the source can't be all that there is, by its own words, as far as it was read; empty where it may be.
    doubtful
        Lines of rows that may be deals with only a name, or titles of groups.
    """

    frame: pl.DataFrame
    locate: Callable[[Sequence[int]], list[RowPlace]]
    rejects: Sequence[Reject] = ()
    bytes_done: int | None = None
    types: Mapping[str, FieldType] = field(default_factory=dict)
    encoded: Collection[str] = ()
    shape: pl.Series | None = None
    shapes: Sequence[frozenset[str]] = ()
    incomplete: str = ""
    doubtful: Sequence[int] = ()


class Source(Protocol):
    """Something that deals are read from; ``repeatable`` ones a first time to decide the columns."""

    @property
    def name(self) -> str:
        """What messages, the report and the rejects file call it."""
        ...

    @property
    def format(self) -> str:
        """Its format, for the report."""
        ...

    @property
    def notes(self) -> list[str]:
        """What was detected."""
        ...

    @property
    def bytes_total(self) -> int | None:
        """Its size, or None."""
        ...

    @property
    def rows_total(self) -> int | None:
        """Its rows, or None."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether it can be read twice."""
        ...

    @property
    def header(self) -> tuple[str, str] | None:
        """Delimiter and line of the column names, or None where each row names its own."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """Rows from the first to the last."""
        ...


def merged_type(types: AbstractSet[FieldType]) -> FieldType | None:
    """
    Narrowest type for values of several types, or None for no types at all.

    Examples
    --------
    >>> str(merged_type({FieldType.INT, FieldType.FLOAT}))
    'float'
    """
    if len(types) <= 1:
        return next(iter(types), None)
    if types <= {FieldType.INT, FieldType.FLOAT}:
        return FieldType.FLOAT
    if types <= NUMBER_TYPES:
        return FieldType.DECIMAL
    if types <= {FieldType.DATE, FieldType.DATETIME}:
        return FieldType.DATETIME
    return FieldType.TEXT


def marked(header: str) -> str:
    """
    Name of the column of a chunk that has a header.

    Even what is done to a single column goes by its name in Polars, so that ``^amount$`` would be any other one.

    Examples
    --------
    >>> marked("^amount$") == "^amount$", marked("Amount")
    (False, 'Amount')
    """
    # one more where it has some of its own, which stay
    return _BEHIND_A_PATTERN.sub(2 * _MARK, header) + _MARK if is_pattern(header) else header


def unmarked(text: str) -> str:
    """
    A header, or a text with headers in it, without the marks.

    Examples
    --------
    >>> unmarked(f"no column {marked('^amount$')!r}")
    "no column '^amount$'"
    """
    return _BEHIND_A_PATTERN.sub("", text)


def filled_with(value: object, height: int, dtype: pl.DataType) -> pl.Series:
    """
    A column that has one value in all rows.

    Examples
    --------
    >>> filled_with(0, 2, pl.Int32()).to_list()
    [0, 0]
    """
    # a tenth of the time of pl.repeat, which is a query
    return pl.Series([value], dtype=dtype).new_from_index(0, height)


def without_nulls(cells: pl.Series) -> pl.Series:
    """
    The cells that are not null.

    Examples
    --------
    >>> without_nulls(pl.Series(["a", None])).to_list()
    ['a']
    """
    # most columns have none, and it is a query to take them away
    return cells.drop_nulls() if cells.null_count() else cells


@contextmanager
def telling() -> Iterator[None]:
    """Whatever is wrong with a source is said with the headers that it has."""
    try:
        yield
    except LoadError as problem:
        problem.args = tuple(
            unmarked(each) if isinstance(each, str) else each for each in problem.args
        )
        raise
