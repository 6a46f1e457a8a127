"""Since when the rows of an export are so: the column of ``at``."""

from __future__ import annotations

import time
from collections.abc import Mapping

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk
from dealdb.loader.columns.bad_cells import MORE, BadCells
from dealdb.loader.columns.headers import find_header, unknown_header
from dealdb.loader.history.rows.moments import EARLIEST_MS, moments
from dealdb.store.commit.batch import AT

# so much may a moment be ahead, by which clocks differ
_AHEAD_MS = 300_000
_MOMENT = "a date and time such as 2026-01-31T09:30:00Z"


class RowMoments:
    """
    Reads since when each row is so.

    Parameters
    ----------
    name
        Of the column, as headers are compared.
    zone
        In which days begin. A time without a zone is UTC.
    """

    def __init__(self, name: str, zone: str) -> None:
        self._name = name
        self._zone = zone
        self._header: str | None = None

    def check(self, chunk: Chunk) -> None:
        """
        Look for the column in the first rows.

        Raises
        ------
        LoadError
            If it is not there.
        """
        if self._header is None:
            self._header = find_header(self._name, chunk.frame.columns)
        if self._header is None and chunk.frame.height:
            raise LoadError(f"at: {unknown_header(self._name, chunk.frame.columns)}")

    def of(self, chunk: Chunk) -> tuple[pl.Series, Mapping[str, BadCells]]:
        """
        Milliseconds since 1970 of each row, named ``AT``, and the cells that are no moment, by header.

        Raises
        ------
        LoadError
            If the column is not there, or can be read both as day/month and as month/day.
        """
        self.check(chunk)
        header = self._header or self._name
        nothing = pl.Series(header, [None] * chunk.frame.height, dtype=pl.String)
        cells = chunk.frame[header] if header in chunk.frame.columns else nothing
        try:
            at = moments(cells, "UTC", days=self._zone)["at"]
        except LoadError as problem:
            msg = f"column {header!r}: {problem}"
            raise LoadError(msg) from None
        ahead = at > time.time_ns() // 1_000_000 + _AHEAD_MS
        kinds = (
            (cells.is_null(), "missing-moment", _MOMENT),
            (cells.is_not_null() & at.is_null(), "not-a-moment", _MOMENT),
            (at < EARLIEST_MS, "too-early", "a moment of 1990 or later"),
            (ahead, "in-the-future", "a moment that has been"),
        )
        bad: dict[str, BadCells] = {}
        for rows, code, expected in kinds:
            is_bad = rows.fill_null(value=False)
            if is_bad.any():
                # each thing that is wrong with the column needs a key of its own
                bad[header + MORE * (2 + len(bad))] = BadCells(is_bad, code, expected)
        return at.alias(AT), bad
