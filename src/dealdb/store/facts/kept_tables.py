"""Tables that a checkpoint has kept, and where the same is had from if they are gone or damaged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.manifest import Generation, read_manifest
from dealdb.store.history.reading import is_known, read_history
from dealdb.store.keys import Keys
from dealdb.store.ledger.kept import has_facts, read_tables
from dealdb.store.ledger.ledger import Ledger, upto
from dealdb.store.log.reader import HistoryReset

logger = logging.getLogger(__name__)


def whole_ledger(link: Link, keys: Keys, until: int | None = None) -> Ledger:
    """
    All that the commits say, up to one of them.

    Parameters
    ----------
    until
        Number of the last one; None for all.

    Cost
    ----
    A read of the whole history.
    """
    ledger = Ledger()
    ledger.take(read_history(link, keys, until=until, as_frames=True))
    return ledger


class KeptTables:
    """
    The tables as of one checkpoint, which another one may have replaced by the time that they are read.

    Parameters
    ----------
    link, keys
        The collection.
    generation
        The checkpoint.
    cache
        Where pieces are looked for first; None for the server alone.
    """

    def __init__(
        self, link: Link, keys: Keys, generation: Generation, cache: ChunkCache | None = None
    ) -> None:
        self._link = link
        self._keys = keys
        self._generation = generation
        self._cache = cache
        self._lock = threading.Lock()
        self._whole: Ledger | None = None

    def load(self, names: Collection[str]) -> Mapping[str, pl.DataFrame]:
        """
        Some tables: of this checkpoint, of one after it, or else from the commits themselves.

        Raises
        ------
        HistoryReset
            If the history is another one by now.
        StoreDamaged
            If neither the tables nor the history are whole.

        Cost
        ----
        One round trip; where a piece is gone, some more, or a read of the whole history.
        """
        if self._whole is None:
            parts = (self._link, self._keys, self._generation, names, self._cache)
            found = read_tables(*parts) or self._of_later(names)
            if found is not None:
                return found
        tables = self._from_commits()
        return {name: tables.table(name) for name in names}

    def _of_later(self, names: Collection[str]) -> dict[str, pl.DataFrame] | None:
        """The same from a checkpoint that was written since, whose pieces have taken the place of these."""
        position = self._generation.position
        manifest = read_manifest(self._link, self._keys)
        for each in manifest.generations if manifest else ():
            later = has_facts(each) and each.facts != self._generation.facts
            if later and each.position.seq >= position.seq:
                if not is_known(self._link, self._keys, position):
                    return None
                found = read_tables(self._link, self._keys, each, names, self._cache)
                if found is not None:
                    return {name: upto(table, position.seq) for name, table in found.items()}
        return None

    def _from_commits(self) -> Ledger:
        with self._lock:
            if self._whole is None:
                logger.warning(
                    "facts of %r are read from the log: tables of them are missing or damaged; "
                    "dealdb repair --facts makes them again",
                    self._keys.collection,
                )
                self._whole = self._read_commits()
            return self._whole

    def _read_commits(self) -> Ledger:
        position, where = self._generation.position, self._link.settings.where
        try:
            found = whole_ledger(self._link, self._keys, position.seq)
        except HistoryReset:
            raise
        except StoreDamaged as problem:
            msg = (
                f"{where}: tables of the facts of {self._keys.collection!r} are missing or damaged "
                f"(dealdb doctor names them), and so is the history that they were made of: {problem}"
            )
            raise StoreDamaged(msg) from problem
        if found.position != position:
            msg = f"{where}: the history of {self._keys.collection!r} was reset while it was read"
            raise HistoryReset(msg)
        return found
