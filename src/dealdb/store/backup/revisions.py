"""The revision of each deal, from the history: the hashes have it under ``_rev``, and may be ahead of the columns."""

from __future__ import annotations

from array import array

import polars as pl

from dealdb.store.backup.contents import REVISIONS
from dealdb.store.log.entry import Entry


class Revisions:
    """Which commit was the last one to each row: what the hashes have under ``_rev``."""

    def __init__(self) -> None:
        self._of_row = array("q")
        # of the last bulk commit: its rows reach up to where those of the next commit begin
        self._added_by = 0

    def are_all(self, ids: pl.Series, seq: int) -> None:
        """Give all deals this one; a row without an id has none."""
        self._of_row = array("q", (ids.is_not_null().cast(pl.Int64) * seq).to_list())

    def see(self, entry: Entry) -> None:
        """Take in a commit; those before it have been."""
        self._reach(entry.height)
        if entry.kind == "add":
            self._added_by = entry.position.seq
        elif entry.packed_rows:
            self._put(entry.rows, 0 if entry.kind == "delete" else entry.position.seq)

    def _reach(self, height: int) -> None:
        missing = height - len(self._of_row)
        if missing > 0:
            self._of_row.extend(array("q", [self._added_by]) * missing)
        self._added_by = 0

    def _put(self, rows: list[int], seq: int) -> None:
        missing = max(rows, default=-1) + 1 - len(self._of_row)
        if missing > 0:
            self._of_row.extend(array("q", [0]) * missing)
        for row in rows:
            self._of_row[row] = seq

    def column(self, height: int) -> pl.Series:
        """Revision of each row, null for one without a deal."""
        self._reach(height)
        return pl.Series(REVISIONS, self._of_row, dtype=pl.Int64).replace(0, None)
