"""What all processes of a run see: whether it goes on, and the last number that was acknowledged for each deal."""

from __future__ import annotations

import mmap
from pathlib import Path

# deals of each thread that count up
CELLS = 20


class Board:
    """
    Numbers in a file that is mapped into the memory of each process.

    Attributes
    ----------
    acknowledged
        By cell: the last number that was. Cell ``slot * CELLS + n`` is deal ``c{slot}.{n}``.
    """

    def __init__(self, path: Path, slots: int) -> None:
        n_bytes = 8 * (3 + slots * CELLS)
        if not path.exists():
            path.write_bytes(bytes(n_bytes))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), n_bytes)
        numbers = memoryview(self._map).cast("q")
        self._control, self.acknowledged = numbers[:3], numbers[3:]

    def end(self) -> None:
        """Let all processes finish."""
        self._control[0] = 1

    @property
    def goes_on(self) -> bool:
        return not self._control[0]

    @property
    def rows(self) -> int:
        """Loaded rows that were acknowledged."""
        return self._control[1]

    def count_rows(self, n: int) -> None:
        """Count loaded rows; one process loads."""
        self._control[1] += n

    @property
    def reads(self) -> int:
        """Reads of the columns that were compared."""
        return self._control[2]

    def count_read(self) -> None:
        """Count a read; one process reads."""
        self._control[2] += 1

    @property
    def saves(self) -> int:
        return sum(self.acknowledged)
