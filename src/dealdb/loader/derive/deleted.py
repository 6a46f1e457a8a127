"""
Records that a CRM has deleted or archived, and exports all the same: they are no deals any more.

A column says so: ``IsDeleted`` of Salesforce, ``archived`` of HubSpot, ``deleted`` of SuiteCRM, a time of deletion, or
a status that is called deleted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import polars as pl

from dealdb.loader.cells.truth_words import TRUE_WORDS
from dealdb.loader.chunk import Chunk, Source
from dealdb.loader.derive.derived_source import DerivedSource, kept
from dealdb.model.schema import Schema

# headers without case, spaces, punctuation and what programs put before them
_FLAGS = {
    "deleted", "isdeleted", "archived", "isarchived", "hsisdeleted", "fivetrandeleted", "deletedflag", "isremoved",
}  # fmt: skip
_TIMES = {
    "deletedat", "deletedon", "deleteddate", "deletedtime", "deletetime", "datedeleted", "sdcdeletedat",
    "deletiontime", "deletiondate",
}  # fmt: skip
_STATES = {"status", "dealstatus", "state", "recordstatus", "recordstatuss"}
_GONE = {"deleted", "trash", "trashed", "recyclebin"}
# where all of so many rows are marked, the mark says nothing: an export of what is deleted alone, or a column of ones
_TOO_MANY = 10
# MySQL's date for nothing
_NO_TIME = r"^(?:0000-00-00.*|0|false|null|none|-|)$"


class WithoutDeleted(DerivedSource):
    """
    A source without the rows that are marked as deleted.

    A column that the caller makes a field by hand marks nothing. Parameters as of ``DerivedSource``.
    """

    def __init__(
        self, source: Source, mapping: Mapping[str, str | None] | None, schema: Schema
    ) -> None:
        super().__init__(source, mapping, schema)
        self._n_deleted = 0
        self._all = False

    @property
    def notes(self) -> list[str]:
        """What was detected, and how many rows were left out."""
        n = self._n_deleted
        if self._all:
            return [*super().notes, "all records are marked as deleted, and loaded all the same"]
        return [
            *super().notes,
            *([f"{n} deleted record{'s' if n > 1 else ''} left out"] if n else []),
        ]

    def _begin(self) -> Callable[[Chunk], Chunk]:
        n_deleted = 0

        def without_deleted(chunk: Chunk) -> Chunk:
            nonlocal n_deleted
            deleted = self._deleted(chunk)
            if deleted is None or self._all:
                return chunk
            if not n_deleted and deleted.all() and chunk.frame.height >= _TOO_MANY:
                self._all = True
                return chunk
            n_deleted += int(deleted.sum())
            # a pass that stops early has not seen them all
            self._n_deleted = max(self._n_deleted, n_deleted)
            return kept(chunk, ~deleted)

        return without_deleted

    def _deleted(self, chunk: Chunk) -> pl.Series | None:
        """Which rows are deleted, or None where none is."""
        chosen = {h for h, field in self._chosen(chunk.frame.columns).items() if field}
        found = [
            deleted
            for header in chunk.frame.columns
            if header not in chosen
            and (deleted := _says_deleted(header, chunk.frame[header])) is not None
        ]
        if not found:
            return None
        deleted = (
            pl.DataFrame({str(n): each for n, each in enumerate(found)})
            .select(pl.any_horizontal(pl.all()))
            .to_series()
        )
        return deleted if deleted.any() else None


def _says_deleted(header: str, cells: pl.Series) -> pl.Series | None:
    key = re.sub(r"^property|^deal(?=delete)", "", re.sub(r"[\W_]+", "", header.casefold()))
    if key not in _FLAGS | _TIMES | _STATES:
        return None
    words = cells.str.strip_chars().str.to_lowercase()
    if key in _STATES:
        return words.is_in(list(_GONE)).fill_null(value=False)
    if key in _TIMES:
        return ~words.str.contains(_NO_TIME).fill_null(value=True)
    return words.is_in([*TRUE_WORDS, "1.0"]).fill_null(value=False)
