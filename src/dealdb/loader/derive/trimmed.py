"""Ids and names of deals, stages, owners and companies without the blanks and links that stand around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from dealdb.loader.chunk import Chunk
from dealdb.loader.columns.deal_ids import BLANKS, are_plain
from dealdb.loader.columns.headers import map_headers
from dealdb.loader.derive.derived_source import DerivedSource
from dealdb.model.schema import FieldType

# fields by which deals are found and put together
_NAMES = ("id", "name", "stage", "owner", "company")
# what people type and copy; programs that write the others, dealdb among them, mean the blanks
_LOOSE = ("csv", "tsv", "xlsx")
# what Notion puts behind the name of another page
_BEFORE_LINK = " (https://"
_LINK = r" \(https://(?:www\.)?notion\.so/[^)\s]*\)"


class TrimmedNames(DerivedSource):
    """A source whose names are the same in all rows, whatever blanks and links stand around them."""

    def _begin(self) -> Callable[[Chunk], Chunk]:
        wanted = _NAMES if self.format in _LOOSE else ("id",)
        if self.format not in (*_LOOSE, "frame", "mappings"):
            return lambda chunk: chunk
        found: dict[tuple[str, ...], list[str]] = {}

        def trimmed(chunk: Chunk) -> Chunk:
            if chunk.types.get("id") is FieldType.TEXT and "id" in chunk.encoded:
                # dealdb wrote it
                return chunk
            columns = tuple(chunk.frame.columns)
            if columns not in found:
                fields = map_headers(columns, self._chosen(columns), self._schema)
                found[columns] = [header for header, field in fields.items() if field in wanted]
            names = [each for each in found[columns] if each not in chunk.encoded]
            # the usual column of ids alone
            if not names or (len(names) == 1 and are_plain(chunk.frame[names[0]])):
                return chunk
            name = pl.col(names)
            # a look takes a tenth of the time of the change, which few names need
            changes = name.str.contains(_BEFORE_LINK, literal=True) | (
                name.str.strip_chars(BLANKS) != name
            )
            if not any(chunk.frame.select(changes.any()).row(0)):
                return chunk
            bare = name.str.replace_all(_LINK, "").str.strip_chars(BLANKS)
            # a name of blanks is none
            return replace(
                chunk,
                frame=chunk.frame.with_columns(pl.when((bare != "") | (name == "")).then(bare)),
            )

        return trimmed
