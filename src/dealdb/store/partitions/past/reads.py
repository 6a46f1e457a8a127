"""The past of a collection of several partitions: what happened to all deals, and what was so at a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from dealdb.model.pipeline import Pipeline
from dealdb.store.bounds.wall import Reading

if TYPE_CHECKING:
    import polars as pl

    from dealdb.model.schema import Field
    from dealdb.store.archive.chunk_cache import ChunkCache
    from dealdb.store.facts.assumed import Assume
    from dealdb.store.facts.facts import Facts
    from dealdb.store.facts.following.fixed import FixedFacts
    from dealdb.store.log.entry import Position
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

    def _of(self, deal_id: str) -> Partition:
        """The partition of a deal."""
        raise NotImplementedError

    def _read(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Replies to reads, of which that to the last one is the youngest. One round trip, two in a cluster."""
        raise NotImplementedError

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

    def stage_entries(self, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """
        Since when some deals stand in their stages; see ``FactsLog.stage_entries``.

        Cost
        ----
        One round trip, and that of each partition concerned; another where one has yet to get stages of the head, and
        that of ``facts`` if these are not merely new.
        """
        by_partition: dict[Partition, list[str]] = {}
        for deal_id in ids:
            by_partition.setdefault(self._of(deal_id), []).append(deal_id)
        behind = self._behind(list(by_partition))
        found: dict[str, tuple[str, int]] = {}
        left: list[str] = []
        for part, some in by_partition.items():
            if part in behind:
                left += some
            else:
                found |= part.stage_entries(some)
        return found | (self._facts.entries_of(left) if left else {})

    def _behind(self, parts: Sequence[Partition]) -> Sequence[Partition]:
        """Those of some partitions for which stages mean something else than for the head."""
        for field in ("pipeline_version", "pipeline"):
            looks = [("HGET", part.keys.meta, field) for part in (*parts, self._partitions[0])]
            *own, head = self._read(looks)
            parts = [
                part for part, each in zip(parts, own, strict=True) if _differs(field, each, head)
            ]
            if not parts:
                break
        return parts

    def changes(self, until: Position) -> pl.DataFrame:
        """Every change of every deal up to a position of the collection; see ``joined_changes``."""
        from dealdb.store.partitions.past.joined_changes import joined_changes
        from dealdb.store.partitions.vector import positions_of

        return joined_changes(self._partitions, positions_of(until, len(self._partitions)))

    def after(self, position: Position) -> Snapshot:
        """
        All deals as they were at a position of the collection; see ``StoreHistory.after``.

        Cost
        ----
        That of each partition's history, one after the other.
        """
        from dealdb.store.partitions.past.joined_states import deals_after
        from dealdb.store.partitions.vector import positions_of

        return deals_after(self._partitions, positions_of(position, len(self._partitions)))

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


def _differs(field: str, own: bytes | None, head: bytes | None) -> bool:
    if own == head or field != "pipeline":
        return own != head
    with Reading("the pipeline of a partition"):
        mine, theirs = (Pipeline.from_json(text) if text else Pipeline() for text in (own, head))
    # a stage that occurs nowhere in a partition need not be known there
    return mine.covering([stage.name for stage in theirs]) != theirs
