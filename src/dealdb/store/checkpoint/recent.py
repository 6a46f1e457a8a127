"""Commits that were read since the last checkpoint: the next one seals them without reading them again."""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.store.log.entry import Entry

# bounds the memory that they take: twice what a load of 1,000,000 deals goes through between two checkpoints
MAX_BYTES = 96 * 2**20


class Recent:
    """Consecutive commits of one history, their deals unpacked; where they become too many, all are given up."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._n_bytes = 0

    def add(self, entries: Sequence[Entry]) -> None:
        """Note the next ones; where some are missing before them, those that are known are given up."""
        if not entries:
            return
        if self._entries and self._entries[-1].position.seq + 1 != entries[0].position.seq:
            self.clear()
        self._entries += entries
        self._n_bytes += sum(map(_bytes_of, entries))
        if self._n_bytes > MAX_BYTES:
            self.clear()

    def clear(self) -> None:
        """Give them up: they are sealed, or the history is another one."""
        self._entries = []
        self._n_bytes = 0

    def between(self, first: int, last: int) -> list[Entry] | None:
        """Those of these numbers, or None where not all of them are known."""
        known = self._entries
        if not known or known[0].position.seq > first or known[-1].position.seq < last:
            return None
        before = known[0].position.seq
        return known[first - before : last + 1 - before]


def _bytes_of(entry: Entry) -> int:
    deals = 0 if entry.deals is None else int(entry.deals.estimated_size())
    return deals + len(entry.data) + len(entry.packed_rows)
