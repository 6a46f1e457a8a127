"""Keys of JSON objects that are one name in two spellings: ``ID`` in some rows and ``id`` in others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import polars as pl

from dealdb.loader.chunk import Chunk
from dealdb.loader.derive.derived_source import DerivedSource


class WithOneName(DerivedSource):
    """
    A source in which keys that differ in case alone are one column, where no row has both.

    The spelling that comes first in the source stays.
    """

    def _begin(self) -> Callable[[Chunk], Chunk]:
        first: dict[str, str] = {}
        # spellings that some row has together are two columns, from then on
        apart: set[str] = set()

        def joined(chunk: Chunk) -> Chunk:
            if chunk.shape is None:
                return chunk
            for shape in chunk.shapes:
                apart.update(_twice(shape))
            names = {}
            for header in chunk.frame.columns:
                spelling = first.setdefault(header.casefold(), header)
                if header != spelling and header.casefold() not in apart:
                    names[header] = spelling
            return _renamed(chunk, names) if names else chunk

        return joined


def _twice(shape: frozenset[str]) -> Iterator[str]:
    """Names of which one row has two spellings."""
    seen: set[str] = set()
    for header in shape:
        key = header.casefold()
        if key in seen:
            yield key
        seen.add(key)


def _renamed(chunk: Chunk, names: Mapping[str, str]) -> Chunk:
    """A chunk with the columns of some names put together with those of others."""
    frame = chunk.frame
    for name, spelling in names.items():
        cells = pl.coalesce(spelling, name) if spelling in frame.columns else pl.col(name)
        frame = frame.with_columns(cells.alias(spelling)).drop(name)
    shapes = [frozenset(names.get(header, header) for header in shape) for shape in chunk.shapes]
    # what is of a type in one spelling only may be anything in the other
    mixed = {*names, *names.values()}
    types = {header: kind for header, kind in chunk.types.items() if header not in mixed}
    encoded = [header for header in chunk.encoded if header not in mixed]
    return replace(chunk, frame=frame, shapes=shapes, types=types, encoded=encoded)
