"""Keeping what commits say as tables on the server: each checkpoint adds those since the last one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.archive.kept_facts import MANY, KeptFacts, Piece, packed_pieces, to_join
from dealdb.store.keys import Keys
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.ledger.tables import schema_of
from dealdb.store.log.entry import Entry

logger = logging.getLogger(__name__)
# taken in together
_AT_ONCE = 500
# changes after which what was taken in is written: bounds the memory of a long log
_MOST_CHANGES = 1_000_000
# pieces sent together
_SENT = 16


class FactsKeeper:
    """
    Takes in commits as they are sealed, and writes what they say behind what is kept already.

    Parameters
    ----------
    link, keys
        The collection.
    base
        What is kept of the commits before; None for none, which is right only where there are none.
    write
        Writes blobs to their keys.
    hasty
        Whether somebody waits for it: then pieces are joined only where they are many.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        base: KeptFacts | None,
        write: Callable[[dict[str, bytes]], object],
        *,
        hasty: bool = False,
    ) -> None:
        self._link = link
        self._keys = keys
        self._write = write
        self._hasty = hasty
        self._tables = dict(base.tables) if base else {}
        self._ledger = Ledger()
        self._is_lost = False

    def noted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same commits, which are taken in as they go by."""
        given = iter(entries)
        # what is unpacked here need not be unpacked again where they are sealed
        while ready := [entry.with_deals() for entry in islice(given, _AT_ONCE)]:
            self._take(ready)
            yield from ready

    def _take(self, entries: list[Entry]) -> None:
        if self._is_lost:
            return
        try:
            self._ledger.take(entries)
        except StoreDamaged as problem:
            # whoever reads the log will say so
            logger.warning("no facts are kept of %r: %s", self._keys.collection, problem)
            self._is_lost = True
            return
        # a commit may have some thousands
        tables = (self._ledger.touches, self._ledger.gone, self._ledger.imported)
        if sum(table.n_appended for table in tables) > _MOST_CHANGES:
            self._append()

    def kept(self, n_commits: int) -> KeptFacts | None:
        """All that is kept now, written; None unless it is of so many commits, from the first on."""
        if self._is_lost:
            return None
        self._append()
        found = KeptFacts(self._tables)
        return found if found.rows_of("commits") == n_commits else None

    def _append(self) -> None:
        """Write what was taken in."""
        new, self._ledger = self._ledger.tables, Ledger()
        joined = self._to_join({name: table.height for name, table in new.items()})
        old = self._read(joined)
        made: list[tuple[str, Piece, bytes]] = []
        for name, table in new.items():
            before = self._tables.get(name, ())
            if name in old:
                before = before[: -len(joined[name])]
            whole = pl.concat([*([old[name]] if name in old else []), table])
            whole = stated(whole) if name == "ids" else whole
            pieces = list(packed_pieces(whole))
            self._tables[name] = (*before, *(piece for piece, _ in pieces))
            made += [(self._keys.chunk(piece.digest), piece, blob) for piece, blob in pieces]
        for start in range(0, len(made), _SENT):
            self._write({key: blob for key, _, blob in made[start : start + _SENT]})

    def _to_join(self, new: dict[str, int]) -> dict[str, tuple[Piece, ...]]:
        """Pieces of each table that are written again with its new rows."""
        found = {}
        for name, n_rows in new.items():
            pieces = self._tables.get(name, ())
            n = to_join([*(piece.n_rows for piece in pieces), n_rows]) - 1
            if n and not (self._hasty and len(pieces) < MANY):
                found[name] = pieces[-n:]
        return found

    def _read(self, joined: dict[str, tuple[Piece, ...]]) -> dict[str, pl.DataFrame]:
        """Rows of pieces that are to be written again; none of any where one can't be read, which stays as it is."""
        if not joined:
            return {}
        schemas = {name: schema_of(name) for name in joined}
        return KeptFacts(joined).read(self._link, self._keys, schemas) or {}


def stated(ids: pl.DataFrame) -> pl.DataFrame:
    """
    Those rows of ``Ledger.ids`` that say more than the ones before: without repeats of a row's deal.

    Examples
    --------
    >>> ids = pl.DataFrame({"row": [0, 1, 0, 0], "seq": [1, 1, 2, 3], "id": ["a", "b", "a", "c"]})
    >>> stated(ids).rows()
    [(0, 1, 'a'), (0, 3, 'c'), (1, 1, 'b')]
    """
    rows = ids.sort("row", "seq", maintain_order=True)
    same_row = pl.col("row") == pl.col("row").shift()
    repeats = same_row & (pl.col("id") == pl.col("id").shift())
    # one commit may have two deals of a row: then each change of it is told
    again = same_row & (pl.col("seq") == pl.col("seq").shift())
    doubled = again | again.shift(-1, fill_value=False)
    return rows.filter(~repeats.fill_null(value=False) | doubled.fill_null(value=False))
