"""``RowLog``: which rows were changed, one change after the other."""

from __future__ import annotations

import polars as pl

# rows that are kept; who has not looked for so long begins again
_MOST_ROWS = 250_000
_MOST_CHANGES = 100_000


class RowLog:
    """
    Rows of a replica that were changed; new ones are not in it.

    What is made of the rows at one moment is kept up by a look at what was changed since. A log only grows, so a
    moment is its length.

    Examples
    --------
    >>> log = RowLog()
    >>> before = len(log)
    >>> log.add(pl.Series([4, 2], dtype=pl.UInt32))
    True
    >>> log.since(before, len(log)).to_list()
    [2, 4]
    """

    __slots__ = ("__weakref__", "_changes", "_n_rows")

    def __init__(self) -> None:
        self._changes: list[pl.Series] = []
        self._n_rows = 0

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, rows: pl.Series) -> bool:
        """Note changed rows; False once it is full, and has to be replaced."""
        self._n_rows += len(rows)
        if self._n_rows > _MOST_ROWS or len(self._changes) >= _MOST_CHANGES:
            return False
        self._changes.append(rows)
        return True

    def since(self, begin: int, end: int) -> pl.Series:
        """Rows changed between two lengths, each once, ascending."""
        changes = self._changes[begin:end]
        return pl.concat(changes).unique().sort() if changes else pl.Series([], dtype=pl.UInt32)
