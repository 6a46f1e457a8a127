"""
Sources with blanks around names: ``Won`` and ``Won `` are one stage, and ``Pat`` is one owner.

Spreadsheets and copied texts have them, and also no-break and zero-width spaces, which nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from dealdb.loader.chunk import Chunk
from dealdb.loader.columns.headers import map_headers
from dealdb.loader.derive.derived_source import DerivedSource

_NAMES = ("company", "owner", "stage", "currency", "source", "loss_reason")
_BLANK = r"[\s\u00a0\u200b-\u200d\u2060\ufeff]"
_AROUND = rf"^{_BLANK}+|{_BLANK}+$"


class WithPlainNames(DerivedSource):
    """A source in whose names of stages, owners, companies and the like nothing stands around the text."""

    def _begin(self) -> Callable[[Chunk], Chunk]:
        return self._plain

    def _plain(self, chunk: Chunk) -> Chunk:
        frame = chunk.frame
        fields = map_headers(frame.columns, self._chosen(frame.columns), self._schema)
        names = [
            header
            for header, field in fields.items()
            # what has a type or its final form comes from a program, and is loaded exactly as it is
            if field in _NAMES and header not in chunk.types and header not in chunk.encoded
        ]
        blank = [header for header in names if frame[header].str.contains(_AROUND).any()]
        if not blank:
            return chunk
        cells = (pl.col(header).str.replace_all(_AROUND, "") for header in blank)
        # a cell of nothing but blanks is empty
        plain = [
            pl.when(cell != "").then(cell).alias(header)
            for header, cell in zip(blank, cells, strict=True)
        ]
        return replace(chunk, frame=frame.with_columns(plain))
