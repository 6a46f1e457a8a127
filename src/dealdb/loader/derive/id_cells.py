"""Ids that are numbers, lists or objects in the source: a deal has one text as its id."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from decimal import Decimal, InvalidOperation

import polars as pl

from dealdb.loader.chunk import Chunk, Reject
from dealdb.loader.columns.headers import map_headers
from dealdb.loader.derive.derived_source import DerivedSource, kept
from dealdb.model.schema import FieldType

_LISTS = r'^(?:\[.*\]|\{\s*(?:".*)?\})$'
_NOT_WHOLE = r"[.eE]"
_CODE, _EXPECTED = "not-an-id", "expected an id that is one text or whole number"


class WithPlainIds(DerivedSource):
    """
    A source in which numbers that are ids are whole (``1`` for 1.0, ``1000`` for 1e3), and no id is a list or object.

    Only what the source itself says is a number is one: text stays as it is.
    """

    def _begin(self) -> Callable[[Chunk], Chunk]:
        return self._with_plain_ids

    def _with_plain_ids(self, chunk: Chunk) -> Chunk:
        # delimited text has neither numbers nor lists
        if not chunk.types and chunk.shape is None:
            return chunk
        header = self._id_header(chunk.frame.columns)
        if header is None:
            return chunk
        if chunk.types.get(header) in (FieldType.DECIMAL, FieldType.FLOAT):
            ids = _whole(chunk.frame[header])
            return replace(chunk, frame=chunk.frame.with_columns(ids))
        bad = chunk.frame[header].str.contains(_LISTS).fill_null(value=False)
        return _without(chunk, header, bad) if bad.any() else chunk

    def _id_header(self, headers: Collection[str]) -> str | None:
        fields = map_headers(headers, self._chosen(headers), self._schema)
        return next((header for header, field in fields.items() if field == "id"), None)


def _whole(ids: pl.Series) -> pl.Series:
    if not ids.str.contains(_NOT_WHOLE).any():
        return ids
    texts = [None if text is None else _whole_text(text) for text in ids.to_list()]
    return pl.Series(ids.name, texts, dtype=pl.String)


def _whole_text(text: str) -> str:
    try:
        number = Decimal(text)
        # an id of more digits is a mistake, which stays one that can be seen
        is_whole = number.adjusted() < 40 and number == number.to_integral_value()
    except InvalidOperation:
        return text
    return str(int(number)) if is_whole else text


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
