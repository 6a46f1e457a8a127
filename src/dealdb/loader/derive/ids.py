"""
Ids for sources that have none, the same ones whenever the source is loaded again.

An id is a fingerprint (80 bits of BLAKE2b, 20 hex digits): of some columns that together tell deals
apart, or of the whole row and its number among equal rows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk, Source
from dealdb.loader.columns.headers import find_header, map_headers, unknown_header
from dealdb.loader.derive.derived_source import DerivedSource
from dealdb.loader.load_options import ID_HEADER, WHOLE_ROW
from dealdb.model.schema import Schema


class WithIds(DerivedSource):
    """
    A source whose rows get a column of ids.

    Parameters
    ----------
    source
        The rows.
    id_from
        Headers or fields that make the id, or ``"row"`` alone.
    mapping
        Field by header, as the caller chose.
    schema
        Fields that exist.

    Raises
    ------
    LoadError
        From ``chunks``, if ``id_from`` names a column that isn't there.
    """

    def __init__(
        self,
        source: Source,
        id_from: Sequence[str],
        mapping: Mapping[str, str | None] | None,
        schema: Schema,
    ) -> None:
        super().__init__(source, mapping, schema)
        self._wanted = list(id_from)

    @property
    def notes(self) -> list[str]:
        """What was detected, and what ids are made of."""
        made_of = "whole rows" if self._whole else ", ".join(map(repr, self._wanted))
        return [*super().notes, f"ids made from {made_of}"]

    def _begin(self) -> Callable[[Chunk], Chunk]:
        # equal rows are numbered, and the columns found, again in each pass
        seen: Counter[bytes] = Counter()
        headers: list[str] = []

        def with_ids(chunk: Chunk) -> Chunk:
            frame = chunk.frame
            if frame.width and not headers and not self._whole:
                headers.extend(self._headers(frame.columns))
            ids = _of_rows(frame, seen) if self._whole else _of_columns(frame, headers)
            return replace(
                chunk,
                frame=frame.with_columns(ids) if frame.width else frame,
                shapes=[shape | {ID_HEADER} for shape in chunk.shapes],
            )

        return with_ids

    @property
    def _whole(self) -> bool:
        return self._wanted == [WHOLE_ROW]

    def _headers(self, headers: Sequence[str]) -> list[str]:
        by_field = {
            field: header
            for header, field in map_headers(headers, self._mapping, self._schema).items()
        }
        found = [find_header(name, headers) or by_field.get(name) for name in self._wanted]
        for name, header in zip(self._wanted, found, strict=True):
            if header is None:
                msg = f"id_from: {unknown_header(name, headers)}"
                raise LoadError(msg)
        return [header for header in found if header]


def _of_columns(frame: pl.DataFrame, headers: Sequence[str]) -> pl.Series:
    cells = [
        frame[header].str.strip_chars().to_list()
        if header in frame.columns
        else [None] * frame.height
        for header in headers
    ]
    # a row in which all of them are empty has no id
    ids = [_fingerprint(row).hex() if any(row) else None for row in zip(*cells, strict=True)]
    return pl.Series(ID_HEADER, ids, dtype=pl.String)


def _of_rows(frame: pl.DataFrame, seen: Counter[bytes]) -> pl.Series:
    ids = []
    # neither the order of the columns nor an empty one more makes another row
    names = sorted(frame.columns)
    for row in frame.select(names).iter_rows():
        content = _fingerprint([pair for pair in zip(names, row, strict=True) if pair[1]])
        seen[content] += 1
        nth = seen[content]
        ids.append((content if nth == 1 else _fingerprint([content.hex(), nth])).hex())
    return pl.Series(ID_HEADER, ids, dtype=pl.String)


def _fingerprint(parts: Sequence[object]) -> bytes:
    text = json.dumps([part or None for part in parts])
    return blake2b(text.encode(), digest_size=10).digest()
