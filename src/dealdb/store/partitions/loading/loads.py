"""What a load asks of a collection of partitions, besides writing to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dealdb.store.commit.load_notes import first_note
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.reading import PartitionedReads
from dealdb.store.partitions.vector import positions_of

if TYPE_CHECKING:
    from dealdb.store.log.entry import Position


class PartitionedLoads(PartitionedReads):
    """
    Notes on loads in the partitions of a collection: each has one of its own, which goes with its commits alone.

    That of the head says that there is a load to go on with. It is there only when all others are, and the first to go:
    so whatever dies in the middle leaves a load whose writers are all known, or none.
    """

    @property
    def pieces(self) -> Sequence[Partition]:
        """The partitions."""
        return self._partitions

    def piece_of(self, deal_id: str) -> int:
        """Number of the partition that a deal is in."""
        return partition_of(deal_id, self.partitions)

    def positions_of(self, position: Position) -> list[Position]:
        """The last commit of each partition."""
        return positions_of(position, self.partitions)

    def announce_load(self, load: str, notes: Sequence[str]) -> None:
        """
        Have a note on a load of this thread in each partition before its first commit to any.

        Whoever takes the load over finds the writer of each there, and lets it commit no more.

        Cost
        ----
        Two round trips.
        """
        head, *others = [
            (
                "HSET",
                part.keys.writers,
                part.keys.load(load),
                first_note(part.writers.name, note),
            )
            for part, note in zip(self._partitions, notes, strict=True)
        ]
        self.link.calls(others, retry=True)
        self.link.call(*head, retry=True)

    def forget_load(self, load: str) -> None:
        """Remove the notes of a load. Two round trips."""
        head, *others = [
            ("HDEL", part.keys.writers, part.keys.load(load)) for part in self._partitions
        ]
        self.link.call(*head, retry=True)
        self.link.calls(others, retry=True)
