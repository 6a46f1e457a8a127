"""All deals of a collection of partitions as they were at a moment, or after a commit of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, tzinfo

from dealdb.store.history.as_of import replica_as_of, replica_at
from dealdb.store.log.entry import Position
from dealdb.store.partitions.joined import joined
from dealdb.store.partitions.partition import Partition
from dealdb.store.replica.replica import Replica
from dealdb.store.replica.snapshot import Snapshot, snapshot_of


def deals_until(partitions: Sequence[Partition], when: datetime | date, zone: tzinfo) -> Snapshot:
    """
    Deals as they were at a moment; see ``as_of.replica_as_of``.

    Parameters
    ----------
    partitions
        All of them, the head first.
    when, zone
        As of ``replica_as_of``.

    Cost
    ----
    That of each partition's history, one after the other.
    """
    # the head last: of a moment that is not over, it may get fields and stages that others have got by then
    found = [replica_as_of(part.link, part.keys, when, zone) for part in reversed(partitions)]
    return _joined(found[::-1])


def deals_after(partitions: Sequence[Partition], positions: Sequence[Position]) -> Snapshot:
    """Deals as they were after a commit of each partition; else as ``deals_until``."""
    return _joined(
        [
            replica_at(part.link, part.keys, each.seq)
            for part, each in zip(partitions, positions, strict=True)
        ]
    )


def _joined(replicas: Sequence[Replica]) -> Snapshot:
    # as they were defined: a snapshot of one partition proposes a meaning of those that occur there
    return joined(list(map(snapshot_of, replicas)), replicas[0].pipeline)
