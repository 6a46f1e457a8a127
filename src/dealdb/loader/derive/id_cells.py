"""Ids that are lists or objects in the source: a deal has one text as its id."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import polars as pl

from dealdb.loader.chunk import Chunk, Reject
from dealdb.loader.columns.deal_ids import are_plain
from dealdb.loader.columns.headers import map_headers
from dealdb.loader.derive.derived_source import DerivedSource, kept

_LISTS = r'^(?:\[.*\]|\{\s*(?:".*)?\})$'
_CODE, _EXPECTED = "not-an-id", "expected an id that is one text or whole number"


class WithPlainIds(DerivedSource):
    """A source in which no id is a list or object: rows with such ids become rejects."""

    def _begin(self) -> Callable[[Chunk], Chunk]:
        return self._with_plain_ids

    def _with_plain_ids(self, chunk: Chunk) -> Chunk:
        # delimited text has no lists
        if not chunk.types and chunk.shape is None:
            return chunk
        header = self._id_header(chunk.frame.columns)
        if header is None:
            return chunk
        ids = chunk.frame[header]
        if are_plain(ids):
            return chunk
        bad = ids.str.contains(_LISTS).fill_null(value=False)
        return _without(chunk, header, bad) if bad.any() else chunk

    def _id_header(self, headers: Collection[str]) -> str | None:
        fields = map_headers(headers, self._chosen(headers), self._schema)
        return next((header for header, field in fields.items() if field == "id"), None)


def _without(chunk: Chunk, header: str, bad: pl.Series) -> Chunk:
    rows = bad.arg_true().to_list()
    rejects = [
        Reject(
            line=place.line, column=header, value=chunk.frame[header][row], code=_CODE, message=_EXPECTED,
            raw=place.raw, offset=place.offset,
        )
        for row, place in zip(rows, chunk.locate(rows), strict=True)
    ]  # fmt: skip
    return replace(kept(chunk, ~bad), rejects=[*chunk.rejects, *rejects])
