"""``RowLog``: which rows were changed, one change after the other; ``TextState``: the texts at one moment."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import polars as pl

from dealdb.store.replica.made_of_texts import MadeOfTexts

# rows that are kept, 4 bytes each; who has not looked for so long begins again
_MOST_ROWS = 250_000
_FEW = 500


class RowLog:
    """
    Rows of a replica that were changed; new ones are not in it.

    What is made of the rows at one moment is kept up by a look at what was changed since. A log only grows, so a
    moment is its length.

    Parameters
    ----------
    made
        Where things are kept that were made of the rows as they were when the log began; None where none can be.

    Examples
    --------
    >>> log = RowLog()
    >>> before = len(log)
    >>> log.add(pl.Series([4, 2], dtype=pl.UInt32))
    True
    >>> log.since(before, len(log)).to_list()
    [2, 4]
    """

    __slots__ = ("__weakref__", "_rows", "made")

    def __init__(self, made: MadeOfTexts | None = None) -> None:
        self.made = made
        self._rows = array("I")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rows: pl.Series) -> bool:
        """Note changed rows; False once it is full, and has to be replaced."""
        if len(self._rows) + len(rows) > _MOST_ROWS:
            return False
        self._rows.extend(rows.to_list())
        return True

    def since(self, begin: int, end: int) -> pl.Series:
        """Rows changed between two lengths, each once, ascending."""
        rows = self._rows[begin:end]
        if len(rows) <= _FEW:
            # in less time than a query of Polars takes
            return pl.Series(sorted({*rows}), dtype=pl.UInt32)
        # not at the start of a program that never searches, for which it would be the only use
        import numpy as np

        ordered = np.sort(np.frombuffer(rows, np.uintc))
        # of equal rows the last
        is_kept = np.append(ordered[1:] != ordered[:-1], True)
        return pl.Series(ordered[is_kept], dtype=pl.UInt32)


@dataclass(frozen=True, slots=True)
class TextState:
    """
    The texts of a replica at one moment.

    Attributes
    ----------
    log
        Which of its rows were changed.
    length
        How many changes there were.
    height
        How many rows.
    """

    log: RowLog
    length: int
    height: int
