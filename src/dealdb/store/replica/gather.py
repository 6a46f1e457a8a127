"""Commits gathered, so that what they set can be applied to the columns together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import TypeAlias

from dealdb.store.encoding import with_none

# ids, fields, and a column of texts for each field; a moment for each deal behind them says nothing here
_Change: TypeAlias = tuple[list[str], list[str], list[list[str | None]]]


class Gathered:
    """Commits gathered to be applied together: for each field the rows and texts, in the order of the commits."""

    def __init__(self, height: int) -> None:
        self.next_row = height
        self.cells: dict[str, tuple[list[int], list[str | None]]] = {}
        # seconds since 1970
        self.stamps: dict[int, int] = {}
        self.deleted: list[int] = []
        self._fields: list[str] | None = None
        self._only_appends = True

    @property
    def only_appends(self) -> bool:
        """Whether all that happened is that deals with the same fields were added."""
        return self._only_appends and not self.deleted

    @property
    def n_rows(self) -> int:
        """Rows that are changed, each as often as it is."""
        return len(self.deleted) + (len(self.cells["id"][0]) if "id" in self.cells else 0)

    def add(
        self,
        kind: str,
        changes: Sequence[_Change],
        rows: Sequence[list[int]],
        heights: Sequence[int],
        times_ms: Sequence[int],
    ) -> None:
        """Gather commits of one kind that set fields."""
        start = 0
        for fields, some in groupby(changes, key=itemgetter(1)):
            alike = list(some)
            part = slice(start, start + len(alike))
            start = part.stop
            places = list(chain.from_iterable(rows[part]))
            self._put_cells(fields, alike, places)
            self._see_rows(fields, heights[part], rows[part])
            if "updated" in fields:
                for row in places:
                    self.stamps.pop(row, None)
            elif kind == "set":
                # the commit script stamps what it changes in deals that were there before
                for own, height, ms in zip(rows[part], heights[part], times_ms[part], strict=True):
                    are_old = max(own, default=0) < height
                    before = own if are_old else [row for row in own if row < height]
                    self.stamps.update(dict.fromkeys(before, ms // 1000))

    def _put_cells(self, fields: list[str], changes: list[_Change], rows: list[int]) -> None:
        given = [
            [change[0] for change in changes],
            *zip(*[change[2] for change in changes], strict=True),
        ]
        for name, pieces in zip(("id", *fields), given, strict=True):
            places, cells = self.cells.setdefault(name, ([], []))
            places += rows
            cells += with_none(list(chain.from_iterable(pieces)))

    def _see_rows(
        self,
        fields: list[str],
        heights: Sequence[int],
        rows: Sequence[list[int]],
    ) -> None:
        """Take in the rows of commits; ValueError for one that can't have been given by then."""
        next_row = self.next_row
        for height, some in zip(heights, rows, strict=True):
            most = height + len(some)
            first, last = min(some, default=0), max(some, default=-1)
            if height > next_row or first < 0 or last >= most:
                msg = "rows that nobody has given"
                raise ValueError(msg)
            # after a scan of the hashes, commits can repeat rows that are there already
            known_or_gap = height != next_row or some != [*range(height, most)]
            if self._only_appends:
                self._only_appends = not known_or_gap and self._fields in (None, fields)
                self._fields = fields
            next_row = max(next_row, last + 1)
        self.next_row = next_row
