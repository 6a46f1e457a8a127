"""What all sources have in common that give the rows of another one with something more in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl

from dealdb.loader.chunk import Chunk, RowPlace, Source
from dealdb.loader.columns.headers import find_header, map_headers
from dealdb.model.schema import Schema


class DerivedSource(ABC):
    """
    A source whose rows are changed on the way; everything else is as in the source itself.

    Parameters
    ----------
    source
        The rows.
    mapping
        Field by header, as the caller chose.
    schema
        Fields that exist.
    """

    def __init__(
        self, source: Source, mapping: Mapping[str, str | None] | None, schema: Schema
    ) -> None:
        self.name, self.format, self.header = source.name, source.format, source.header
        self.bytes_total, self.rows_total = source.bytes_total, source.rows_total
        self.repeatable = source.repeatable
        self._source = source
        self._mapping = mapping or {}
        self._schema = schema

    @property
    def notes(self) -> list[str]:
        """What was detected."""
        return [*self._source.notes]

    def chunks(self) -> Iterator[Chunk]:
        """Rows from the first to the last, each chunk changed."""
        changed = self._begin()
        for chunk in self._source.chunks():
            yield changed(chunk)

    @abstractmethod
    def _begin(self) -> Callable[[Chunk], Chunk]:
        """What changes the chunks of one pass, from the first to the last."""

    def _chosen(self, headers: Collection[str]) -> dict[str, str | None]:
        """The mapping without headers that the rows don't have."""
        return {h: f for h, f in self._mapping.items() if find_header(h, headers)}

    def _stage_header(self, headers: Collection[str]) -> str | None:
        fields = map_headers(headers, self._chosen(headers), self._schema)
        return next((header for header, field in fields.items() if field == "stage"), None)


def kept(chunk: Chunk, keep: pl.Series) -> Chunk:
    """A chunk with those of its rows that are to be kept."""
    rows = keep.arg_true().to_list()

    def locate(wanted: Sequence[int]) -> list[RowPlace]:
        return chunk.locate([rows[row] for row in wanted])

    shape = None if chunk.shape is None else chunk.shape.filter(keep)
    return replace(chunk, frame=chunk.frame.filter(keep), shape=shape, locate=locate)
