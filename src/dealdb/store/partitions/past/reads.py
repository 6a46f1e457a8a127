"""The past of a collection of several partitions: what happened to all deals, and what was so at a moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING

from dealdb.store.log.entry import Position
from dealdb.store.partitions.vector import positions_of

if TYPE_CHECKING:
    import polars as pl

    from dealdb.model.schema import Field
    from dealdb.store.archive.chunk_cache import ChunkCache
    from dealdb.store.facts.assumed import Assume
    from dealdb.store.facts.facts import Facts
    from dealdb.store.facts.following.fixed import FixedFacts
    from dealdb.store.partitions.partition import Partition
    from dealdb.store.partitions.past.joined_facts import JoinedFacts
    from dealdb.store.replica.snapshot import Snapshot
    from dealdb.store.upkeep.repair import RepairReport


class PartitionedPast:
    """
    What a store of partitions knows of the past, with the methods of ``StoreHistory``.

    A commit of a partition is told from those of the others by its position; a position of the collection is that of
    all of them. What holds across partitions is what a query promises: see ``PartitionedStore``.
    """

    _partitions: list[Partition]
    _cache: ChunkCache | None
    _lazy_facts: JoinedFacts | None = None

    def _positions(self) -> list[Position]:
        """The last commit of each partition. One round trip."""
        raise NotImplementedError

    @property
    def _facts(self) -> JoinedFacts:
        # not at the top: Polars takes longer to import than a single deal takes to read or save
        from dealdb.store.partitions.past.joined_facts import JoinedFacts

        if self._lazy_facts is None:
            self._lazy_facts = JoinedFacts(self._partitions, self._positions, self._cache)
        return self._lazy_facts

    def facts(self) -> Facts:
        """The history of all deals as it was recorded; see ``JoinedFacts``."""
        return self._facts.recorded()

    def event_facts(self, known: datetime | date | None = None, assume: Assume = "birth") -> Facts:
        """The history of all deals as it happened; see ``FactsLog.event`` and ``JoinedFacts``."""
        return self._facts.event(known, assume)

    def fixed_facts(self) -> FixedFacts:
        """The history of all deals up to now, to which no later commit is added; see ``FactsLog.fixed``."""
        return self._facts.fixed()

    def event_as_of(self, when: datetime | date, known: datetime | date | None) -> Snapshot:
        """All deals as they were at a moment, by what is known now or was at another; see ``state.snapshot_at``."""
        from dealdb.store.facts.state import snapshot_at

        return snapshot_at(self.event_facts(known), when)

    def known_facts(self) -> tuple[pl.DataFrame, pl.Series]:
        """Facts that were imported, and the ids of all deals that there ever were; see ``FactsLog.imported``."""
        return self._facts.imported()

    def spans(self) -> pl.DataFrame:
        """First and last fact of each field, as they happened; see ``FactsLog.spans``."""
        return self._facts.spans()

    def changes(self, until: Position) -> pl.DataFrame:
        """Every change of every deal up to a position of the collection; see ``joined_changes``."""
        from dealdb.store.partitions.past.joined_changes import joined_changes

        return joined_changes(self._partitions, positions_of(until, len(self._partitions)))

    def after(self, position: Position) -> Snapshot:
        """
        All deals as they were at a position of the collection; see ``StoreHistory.after``.

        Cost
        ----
        That of each partition's history, one after the other.
        """
        from dealdb.store.partitions.joined import joined

        positions = positions_of(position, len(self._partitions))
        pieces = [part.after(each) for part, each in zip(self._partitions, positions, strict=True)]
        return joined(pieces, pieces[0].pipeline)

    def record(self, facts: pl.DataFrame, fields: Iterable[Field], stages: Iterable[str]) -> int:
        """Write what was so before; see ``recording.record``."""
        from dealdb.store.partitions.past.recording import record

        return record(self._partitions, facts, fields, stages)

    def repair_facts(self) -> RepairReport:
        """
        Keep the facts of the newest checkpoint of each partition once more; see ``rebuild_facts``.

        Cost
        ----
        A read of the whole history, one partition after the other. Where it is cut off, those before it are done.
        """
        from dealdb.store.upkeep.repair import RepairReport

        reports = [
            part.repair_facts()
            for part, newest in zip(self._partitions, self._positions(), strict=True)
            # of a partition without a commit nothing can be kept
            if newest.seq
        ]
        return RepairReport(
            adopted=0, removed=0, remaining=(), facts=sum(each.facts or 0 for each in reports)
        )
