"""The file of rows that were not loaded."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from dealdb.errors import LoadError
from dealdb.loader.chunks import Reject

COLUMNS = ("source", "line", "column", "value", "code", "message", "raw")


class RejectsFile(AbstractContextManager["RejectsFile"]):
    """
    Writes rejected rows, and counts them; the file comes into being with the first one.

    Parameters
    ----------
    source
        What the first column says.
    places
        Where to write: the first path that can be written is taken. Empty for a count without a file.

    Attributes
    ----------
    path
        The file, or None while there is none.
    reasons
        Rejected rows by ``column: code``.
    """

    def __init__(self, source: str, places: Iterable[Path]) -> None:
        self.path: Path | None = None
        self.reasons: Counter[str] = Counter()
        self._source = source
        self._places = list(places)
        self._file: IO[str] | None = None
        self._writer: Any = None

    def add(self, rejects: Iterable[Reject]) -> None:
        """
        Write some more rows.

        Raises
        ------
        LoadError
            If the file can't be written.
        """
        for reject in rejects:
            reason = f"{reject.column}: {reject.code}" if reject.column else reject.code
            self.reasons[reason] += 1
            if not self._places:
                continue
            if self._writer is None:
                self._open()
            self._writer.writerow(
                (self._source, reject.line, reject.column, reject.value, reject.code, reject.message, reject.raw)
            )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def _open(self) -> None:
        problem: OSError | None = None
        for place in self._places:
            try:
                self._file = place.open("w", encoding="utf-8", newline="")
            except OSError as reason:
                problem = reason
                continue
            self.path = place
            self._writer = csv.writer(self._file)
            self._writer.writerow(COLUMNS)
            return
        msg = f"rejected rows can't be written to {self._places[0]}: {problem}; choose another with rejects"
        raise LoadError(msg) from problem
