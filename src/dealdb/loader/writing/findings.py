"""What a load comes across as it encodes its rows, for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dealdb.loader.columns.bad_cells import CellCounts
from dealdb.loader.columns.encode import Encoded


class Findings:
    """
    Adds up what the chunks of a load have in them besides deals.

    Attributes
    ----------
    bad_cells
        Cells that were left out, by header.
    """

    def __init__(self) -> None:
        self.bad_cells = CellCounts()
        self._times_dropped: Counter[str] = Counter()

    def add(self, encoded: Encoded) -> None:
        """Take in one more chunk."""
        self._times_dropped.update(encoded.times_dropped)
        self.bad_cells.add(encoded.bad_rows, encoded.n_bad)

    def notes(self) -> Iterator[str]:
        """What the caller should know."""
        for header, n in self._times_dropped.items():
            yield f"times of day dropped in {header!r}: {n}; its field is a date"

    def warnings(self) -> Iterator[str]:
        """What figures will lack."""
        if self.bad_cells.n:
            yield f"bad cells: {', '.join(self.bad_cells.described())}; their deals lack them"
