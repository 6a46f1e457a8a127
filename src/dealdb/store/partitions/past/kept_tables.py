"""The tables that checkpoints of several partitions have kept, fetched together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import polars as pl

from dealdb.connection import Link
from dealdb.errors import ServerRefused
from dealdb.store.archive.chunk_cache import CachedChunks
from dealdb.store.archive.digest import is_whole
from dealdb.store.archive.manifest import Generation, Manifest
from dealdb.store.archive.string_keys import is_wrong_type
from dealdb.store.facts.kept_tables import KeptTables
from dealdb.store.keys import Keys
from dealdb.store.ledger.kept import has_facts, read_tables
from dealdb.store.partitions.past.joined_ledger import counts


def strings_of(link: Link, names: Sequence[str]) -> list[bytes | None]:
    """What keys hold, None where one holds nothing or is of another type; see ``read_string``. One round trip."""
    replies = link.calls([("GET", name) for name in names], retry=True, keep_errors=True)
    for reply in replies:
        if isinstance(reply, Exception) and not _is_of_another_type(reply):
            raise reply
    return [None if isinstance(reply, Exception) else reply for reply in replies]


def _is_of_another_type(problem: Exception) -> bool:
    return isinstance(problem, ServerRefused) and is_wrong_type(problem)


def generations_of(link: Link, keys: Sequence[Keys]) -> list[list[Generation]]:
    """The checkpoints of each partition that have kept its whole history, the newest first. One round trip."""
    manifests = map(Manifest.from_bytes, strings_of(link, [each.checkpoint for each in keys]))
    return [list(filter(has_facts, found.generations)) if found else [] for found in manifests]


class KeptOfParts:
    """
    Tables of several partitions as of a checkpoint of each.

    Parameters
    ----------
    link
        Way to the database.
    parts
        Keys and the checkpoint of each, by the number of the partition.
    cache
        Where pieces are looked for first; None for the server alone.
    """

    def __init__(
        self,
        link: Link,
        parts: Mapping[int, tuple[Keys, Generation]],
        cache: CachedChunks | None = None,
    ) -> None:
        self._link = link
        self._parts = parts
        self._cache = cache
        # what is missing is had from these, each on its own
        self._alone = {n: KeptTables(link, *part) for n, part in parts.items()}

    def load(self, names: Collection[str]) -> dict[int, Mapping[str, pl.DataFrame]]:
        """
        Those of some tables that count of each partition, by its number; see ``KeptTables.load``.

        Cost
        ----
        One round trip, however many; where a piece is gone, some more for its partition.
        """
        wanted = {
            n: [name for name in names if name in facts.tables and counts(name, n)]
            for n, (_, generation) in self._parts.items()
            if (facts := generation.facts)
        }
        chunks = self._fetched(wanted)
        found: dict[int, Mapping[str, pl.DataFrame]] = {}
        for n, some in wanted.items():
            keys, generation = self._parts[n]
            tables = read_tables(self._link, keys, generation, some, chunks) if some else {}
            found[n] = self._alone[n].load(some) if tables is None else tables
        return found

    def _fetched(self, wanted: Mapping[int, Collection[str]]) -> _Fetched:
        keys_of = {
            piece.digest: self._parts[n][0].chunk(piece.digest)
            for n, names in wanted.items()
            for name in names
            if (facts := self._parts[n][1].facts)
            for piece in facts.tables[name]
        }
        found = self._cache.find(keys_of) if self._cache else {}
        missing = [digest for digest in keys_of if digest not in found]
        blobs = strings_of(self._link, [keys_of[digest] for digest in missing])
        # the others each partition asks for itself, and says what is wrong with them
        fetched = {
            digest: blob
            for digest, blob in zip(missing, blobs, strict=True)
            if blob is not None and is_whole(digest, blob)
        }
        if self._cache:
            self._cache.keep(fetched)
        return _Fetched(found | fetched, self._cache)


class _Fetched:
    """Chunks that have been fetched, with the methods of ``CachedChunks``."""

    def __init__(self, chunks: Mapping[str, bytes], cache: CachedChunks | None) -> None:
        self._chunks = chunks
        self._cache = cache

    def find(self, digests: Iterable[str]) -> dict[str, bytes]:
        return {digest: self._chunks[digest] for digest in digests if digest in self._chunks}

    def keep(self, chunks: Mapping[str, bytes]) -> None:
        if self._cache:
            self._cache.keep(chunks)
