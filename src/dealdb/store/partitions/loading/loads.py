"""
Notes on loads in the partitions of a collection: each has one of its own, which goes with its commits alone.

That of the head says that there is a load to go on with. It is there only when all others are, and the first to go: so
whatever dies in the middle leaves a load whose writers are all known, or none.
"""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.connection import Link
from dealdb.store.commit.load_notes import first_note
from dealdb.store.partitions.partition import Partition


def announce(link: Link, partitions: Sequence[Partition], load: str, notes: Sequence[str]) -> None:
    """
    Have a note on a load of this thread in each partition before its first commit to any.

    Whoever takes the load over finds the writer of each there, and lets it commit no more.

    Parameters
    ----------
    partitions
        All of them, the head first; with a note for each.

    Cost
    ----
    Two round trips.
    """
    head, *others = [
        ("HSET", part.keys.writers, part.keys.load(load), first_note(part.writers.name, note))
        for part, note in zip(partitions, notes, strict=True)
    ]
    link.calls(others, retry=True)
    link.call(*head, retry=True)


def forget(link: Link, partitions: Sequence[Partition], load: str) -> None:
    """Remove the notes of a load. Two round trips."""
    head, *others = [("HDEL", part.keys.writers, part.keys.load(load)) for part in partitions]
    link.call(*head, retry=True)
    link.calls(others, retry=True)
