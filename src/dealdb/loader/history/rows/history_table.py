"""All rows of a source of history as columns of text, with where each of them is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import polars as pl

from dealdb.loader.cells.numbers import without_noise
from dealdb.loader.chunk import Chunk, Reject, RowPlace, Source, merged_type
from dealdb.loader.columns.aliases import key_of
from dealdb.loader.columns.deal_ids import BLANKS, id_texts
from dealdb.loader.columns.plan import text_cells
from dealdb.loader.history.rows.unfolding import unfolded
from dealdb.loader.sources.json_files import JsonArraySource, JsonLinesSource, MappingsSource
from dealdb.loader.sources.open import open_source
from dealdb.model.schema import FieldType

# number of a row in its source, from 0
ROW = "\0row"
# number of the set of headers that a row has
SHAPE = "\0shape"
_NO_ROWS = pl.DataFrame(schema={ROW: pl.UInt32, SHAPE: pl.Int32})
_LOOSE = ("csv", "tsv", "xlsx")


class HistoryTable:
    """
    Rows of a source of history.

    Parameters
    ----------
    source
        What loads take: a path, a binary file, a data frame, or an iterable of mappings.

    Attributes
    ----------
    frame
        Their cells as text, with the columns ``ROW`` and ``SHAPE``; null where a cell is empty.
    height
        How many rows there are.
    headers
        Names of the columns.
    shapes
        Sets of headers that rows have; empty where each row has all of them.
    name
        What messages call the source.
    header
        Delimiter and line of the names of columns, or None.
    rejects
        Rows that could not even be split into cells.
    """

    def __init__(self, source: Any) -> None:
        self._keep = ExitStack()
        self._source = _opened(source, self._keep)
        self.name, self.header = self._source.name, self._source.header
        self.rejects: list[Reject] = []
        self._types: dict[str, set[FieldType]] = {}
        self.shapes: list[frozenset[str]] = []
        parts = []
        height = 0
        for chunk in self._source.chunks():
            parts.append(self._taken(chunk, height))
            height += chunk.frame.height
        self.frame = pl.concat(parts, how="diagonal") if parts else _NO_ROWS
        self.header = self._source.header
        self.height = height
        self.headers = [name for name in self.frame.columns if name not in (ROW, SHAPE)]
        self._by_key = {key_of(name): name for name in reversed(self.headers)}

    def release(self) -> None:
        """Let the cells go, which changes were made of."""
        self.frame = pl.DataFrame()

    def close(self) -> None:
        """Tidy up what the source needed."""
        self._keep.close()

    @property
    def is_loose(self) -> bool:
        """Whether blanks around a text are no part of it."""
        return self._source.format in _LOOSE

    @property
    def keys(self) -> Collection[str]:
        """Names of the columns as they are compared: without case, blanks and punctuation."""
        return self._by_key.keys()

    def find(self, *names: str) -> str | None:
        """First of the columns with one of these names, as they are compared."""
        return next((self._by_key[name] for name in names if name in self._by_key), None)

    def cells(self, *names: str) -> pl.Expr:
        """Cells of the first of these columns, nulls where there is none; an empty text is null too."""
        header = self.find(*names)
        if header is None:
            return pl.lit(None, dtype=pl.String)
        cells = pl.col(header).str.strip_chars(BLANKS) if self.is_loose else pl.col(header)
        return pl.when(cells != "").then(cells)

    def texts(self, header: str, *, is_name: bool = False) -> pl.Series:
        """
        Cells of one column for values: floats without what arithmetic left, an empty text as null.

        Parameters
        ----------
        header
            Name of the column, as it is compared.
        is_name
            Whether its values are texts: the number 7.0 is 7 there.
        """
        found = header if header in self.headers else self.find(header) or header
        kind = self.type_of(found)
        cells = self.frame[found]
        if kind is FieldType.FLOAT:
            cells = text_cells(cells, kind) if is_name else without_noise(cells)
        cells = cells.str.strip_chars(BLANKS) if self.is_loose else cells
        return cells.set(cells == "", None).alias(header)

    def type_of(self, header: str) -> FieldType | None:
        """Type that the source itself declares for a column."""
        return merged_type(self._types.get(header, set()))

    def renamed(self, names: Mapping[str, str]) -> None:
        """Give columns the names that the caller says they have."""
        self.frame = self.frame.rename(names)
        self.headers = [names.get(name, name) for name in self.headers]
        self._types = {names.get(name, name): kinds for name, kinds in self._types.items()}
        self.shapes = [frozenset(names.get(each, each) for each in shape) for shape in self.shapes]
        self._by_key = {key_of(name): name for name in reversed(self.headers)}

    def ids(self, *names: str) -> pl.Series:
        """Ids of the deals: numbers without the decimal 0 that floats have."""
        header = self.find(*names)
        frame = self.frame.select(self.cells(*names).alias("id"))
        kind = self.type_of(header) if header else None
        chunk = Chunk(frame=frame, locate=lambda _: [], types={"id": kind} if kind else {})
        return id_texts(chunk, "id").alias("id")

    def places(self, rows: Collection[int]) -> dict[int, RowPlace]:
        """Where rows are in their source, which is read once more for it where that can be done."""
        found: dict[int, RowPlace] = {}
        wanted, before = sorted(rows), 0
        if not wanted:
            return found
        for chunk in self._source.chunks():
            after = before + chunk.frame.height
            here = [row for row in wanted if before <= row < after]
            if here:
                places = chunk.locate([row - before for row in here])
                found |= dict(zip(here, places, strict=True))
            before = after
            if before > wanted[-1]:
                break
        return found

    def _taken(self, chunk: Chunk, before: int) -> pl.DataFrame:
        self.rejects += chunk.rejects
        for header, kind in chunk.types.items():
            self._types.setdefault(header, set()).add(kind)
        frame = chunk.frame
        shape = pl.lit(0, dtype=pl.Int32)
        if chunk.shape is not None:
            shape = pl.lit(chunk.shape + len(self.shapes)).cast(pl.Int32)
            self.shapes += chunk.shapes
        elif frame.height:
            shape = pl.lit(len(self.shapes), dtype=pl.Int32)
            self.shapes.append(frozenset(frame.columns))
        row = pl.int_range(before, before + frame.height, dtype=pl.UInt32)
        return frame.with_columns(row.alias(ROW), shape.alias(SHAPE))


def _opened(source: Any, keep: ExitStack) -> Source:
    if isinstance(source, Iterator):
        # places of rejected rows are looked up afterwards
        source = list(source)
    opened = open_source(source, format=None, delimiter=None, id_names=None, keep=keep)
    if isinstance(opened, JsonArraySource | JsonLinesSource | MappingsSource):
        opened.unfold = unfolded
    return opened
