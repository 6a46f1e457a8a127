"""The collection as it was at a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, tzinfo

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.moments import end_of_day_ms
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint.read import read_checkpoint
from dealdb.store.history.last_commit import last_until
from dealdb.store.history.reading import read_history
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Entry
from dealdb.store.replica.replica import Replica

# entries folded at a time: bounds the memory of a long history
_FOLD_ENTRIES = 500
_CLOCKS_AGREE_S = 10


def replica_as_of(link: Link, keys: Keys, when: datetime | date, zone: tzinfo = UTC) -> Replica:
    """
    Replica of the collection as it was after the last commit that was made until a moment, that moment included.

    Parameters
    ----------
    when
        A datetime (without a zone: UTC), or a date, which means the end of that day.
    zone
        In which days end.

    Raises
    ------
    StoreDamaged
        If the moment can't be reached because a part of the history is missing.

    Cost
    ----
    That of ``last_until``; then a checkpoint where one is old enough, and a read of the history since then, or of all
    of it. All of that twice where the collection is begun again meanwhile.
    """
    until_ms = end_of_day_ms(when, zone)
    until = last_until(link, keys, until_ms)
    try:
        return replica_at(link, keys, until)
    except StoreDamaged:
        # emptied meanwhile, or begun again?
        again = last_until(link, keys, until_ms)
        if again == until:
            raise
        return replica_at(link, keys, again)


def replica_at(link: Link, keys: Keys, until: int) -> Replica:
    """Replica after a commit; else as ``replica_as_of``."""
    manifest = read_manifest(link, keys) if until else None
    for generation in manifest.generations if manifest else ():
        if generation.position.seq <= until:
            replica = read_checkpoint(link, keys, generation)
            if replica is not None:
                _fold(replica, read_history(link, keys, since=generation.position, until=until))
                return replica
    replica = Replica()
    if until:
        _fold(replica, read_history(link, keys, until=until))
    return replica


def is_now(when: datetime | date, zone: tzinfo = UTC) -> bool:
    """Whether a moment is the present, as far as clocks agree, or still to come; a date ends in a zone."""
    return end_of_day_ms(when, zone) >= (time.time() - _CLOCKS_AGREE_S) * 1000


def _fold(replica: Replica, entries: Iterator[Entry]) -> None:
    page: list[Entry] = []
    for entry in entries:
        page.append(entry)
        if len(page) == _FOLD_ENTRIES:
            replica.apply(page)
            page = []
    replica.apply(page)
