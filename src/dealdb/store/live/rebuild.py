"""Beginning the columns: from a checkpoint, from the start of the log, or from the hashes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple, TypeAlias

from dealdb.connection import Link
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.manifest import Generation, Manifest, read_manifest
from dealdb.store.keys import Keys
from dealdb.store.log.entry import LogPage, Position
from dealdb.store.log.reader import HistoryReset, has_position, position_in, read_since
from dealdb.store.replica.from_hashes import replica_from_hashes
from dealdb.store.replica.replica import Replica

logger = logging.getLogger(__name__)
# how a checkpoint is read: its columns together, or when they are needed
Read: TypeAlias = Callable[[Link, Keys, Generation, ChunkCache | None], Replica | None]


class Begun(NamedTuple):
    """
    A replica to continue from.

    Attributes
    ----------
    replica
        The state at its position.
    pages
        What the log has after that.
    origin
        What it was made from, in words.
    """

    replica: Replica
    pages: Iterator[LogPage]
    origin: str


def rebuilt(
    link: Link,
    keys: Keys,
    cache: ChunkCache | None,
    manifest: Manifest | None,
    *,
    read: Read,
    anchor: Callable[[], None],
    least: int = 0,
    by_log: bool = True,
) -> Begun:
    """
    Begin from a checkpoint, or else from the start of the log, or else from the hashes.

    Parameters
    ----------
    cache
        Where chunks are looked for first.
    manifest
        As the caller has just seen it.
    read
        How a checkpoint is read.
    anchor
        Called to append a commit that changes nothing, when the log has lost its last entry.
    least
        Number of a commit that there is: a log that ends earlier has lost it.
    by_log
        Whether the log can be followed; else the hashes are what there is.

    Raises
    ------
    HistoryReset
        If there is nothing to begin from, or the log was reset meanwhile.
    """
    if not by_log:
        if link.call("EXISTS", keys.meta, retry=True):
            return _from_hashes(link, keys, anchor)
        # emptied since
        least = 0
    return (
        _from_checkpoint(link, keys, cache, manifest, read, least)
        or _from_start(link, keys, least)
        or _from_hashes(link, keys, anchor)
    )


def _from_checkpoint(
    link: Link,
    keys: Keys,
    cache: ChunkCache | None,
    manifest: Manifest | None,
    read: Read,
    least: int,
) -> Begun | None:
    tried = None
    # one that has come meanwhile has taken chunks of the one before away
    while manifest is not None and manifest != tried:
        for generation in manifest.generations:
            pages = read_since(link, keys.log, generation.position, least=least)
            if pages is not None:
                replica = read(link, keys, generation, cache)
                if replica is not None:
                    return Begun(replica, pages, "a checkpoint")
        tried, manifest = manifest, read_manifest(link, keys)
    if manifest is not None:
        logger.warning(
            "no checkpoint of %r can be read: chunks are missing or damaged, or the log is of another history",
            keys.collection,
        )
    return None


def _from_start(link: Link, keys: Keys, least: int) -> Begun | None:
    pages = read_since(link, keys.log, Position(), least=least)
    if pages is None:
        return None
    first = next(pages, None)
    if first is not None:
        return Begun(Replica(), chain([first], pages), "the log")
    # an empty log is the beginning, or all that is left of a longer one
    exists = link.call("EXISTS", keys.meta, retry=True)
    return None if exists else Begun(Replica(), pages, "the log")


def _from_hashes(link: Link, keys: Keys, anchor: Callable[[], None]) -> Begun:
    seq, digest = link.call("HMGET", keys.meta, "seq", "hash", retry=True)
    if seq is None:
        msg = f"{link.settings.where}: the meta data of {keys.collection!r} is gone"
        raise HistoryReset(msg)
    if not has_position(link, keys.log, position_in(keys.meta, seq, digest)):
        anchor()
    replica = replica_from_hashes(link, keys)
    pages = read_since(link, keys.log, replica.position)
    if pages is None:
        msg = f"{link.settings.where}: the log of {keys.collection!r} was reset while it was read"
        raise HistoryReset(msg)
    return Begun(replica, pages, "the hashes")
