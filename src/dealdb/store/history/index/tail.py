"""The end of the history that no segment has yet: which commits in the log have something of a deal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from dealdb.connection import Link
from dealdb.store.archive.deal_index import hash_of, hashes_of, ids_in
from dealdb.store.history.reading import follows
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Entry, Position, RawEntry
from dealdb.store.log.reader import HistoryReset, entries_in, read_since

# entries asked for at first
_FIRST_ENTRIES = 100
# postings in a dictionary, before they go into columns, which take a tenth of the memory
_LOOSE = 4_096


class LogTail:
    """
    The commits of the log after a position, as they come; of each deal only a hash and the number of the commit.

    Parameters
    ----------
    begins
        The last commit before it.

    Attributes
    ----------
    position
        The last commit in it.
    """

    def __init__(self, begins: Position) -> None:
        self.begins = begins
        self.position = begins
        self._loose: dict[int, list[int]] = {}
        self._n_loose = 0
        self._columns = pl.DataFrame(schema={"hash": pl.UInt32, "seq": pl.Int64})

    def command(self, keys: Keys) -> tuple[str | int, ...]:
        """What reads its last commit and the first ones after it."""
        start = f"{self.position.seq}-0" if self.position.seq else "-"
        return ("XRANGE", keys.log, start, "+", "COUNT", _FIRST_ENTRIES)

    def follow(self, link: Link, keys: Keys, raw: list[RawEntry]) -> bool:
        """
        Add what came since; whether the log still has the history that it follows.

        Parameters
        ----------
        raw
            The answer to ``command``.

        Raises
        ------
        StoreDamaged
            If dealdb did not write one of the commits.

        Cost
        ----
        None, or one round trip for every MiB of commits where these were more than 100.
        """
        page: Sequence[Entry] = entries_in(link, keys.log, raw)
        if self.position.seq:
            if not page or page[0].position != self.position:
                return False
            page = page[1:]
        if not self._add(page):
            return False
        if len(raw) < _FIRST_ENTRIES:
            return True
        try:
            pages = read_since(link, keys.log, self.position)
            return pages is not None and all(self._add(more) for more in pages)
        except HistoryReset:
            return False

    def _add(self, page: Iterable[Entry]) -> bool:
        for entry in page:
            if not follows(self.position, entry):
                return False
            with entry.reading():
                found = hashes_of(ids_in(entry.kind, entry.data))
            self.position = entry.position
            for hash_ in found:
                self._loose.setdefault(hash_, []).append(entry.position.seq)
            self._n_loose += len(found)
            if self._n_loose > _LOOSE:
                self._gather()
        return True

    def _gather(self) -> None:
        pairs = {
            "hash": list(self._loose),
            "seq": list(self._loose.values()),
        }
        loose = pl.DataFrame(pairs, schema={"hash": pl.UInt32, "seq": pl.List(pl.Int64)})
        self._columns.extend(loose.explode("seq"))
        self._loose, self._n_loose = {}, 0

    def commits_of(self, deal_id: str) -> list[int]:
        """Numbers of the commits that have something of a deal, in order, and maybe of some others."""
        hash_ = hash_of(deal_id)
        # by a comparison of the column: a query takes longer
        places = (self._columns["hash"] == hash_).arg_true() if self._columns.height else ()
        gathered = (self._columns["seq"][place] for place in places)
        return sorted({*gathered, *self._loose.get(hash_, ())})
