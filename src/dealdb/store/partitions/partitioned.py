"""A collection of several partitions in one database: each deal is in one of them, and queries see all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from dealdb.model.schema import Schema
from dealdb.model.values import encode_id
from dealdb.store.commit.change import Mark
from dealdb.store.commit.durability import Durability
from dealdb.store.deal import DealPlace, SaveResult, Written
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.loading import loads
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.reading import PartitionedReads

if TYPE_CHECKING:
    from pathlib import Path

    from dealdb.connection.server.health import ServerHealth
    from dealdb.store.backup.reports import BackupReport, RestoreReport, Tell
    from dealdb.store.commit.batch import Batch
    from dealdb.store.history.confirm import Seen
    from dealdb.store.live.during_load import Settling
    from dealdb.store.log.entry import Position
    from dealdb.store.partitions.upkeep.mending import PartitionedRepair
    from dealdb.store.partitions.upkeep.reshaping import PartitionedReshape
    from dealdb.store.upkeep.doctor import Finding
    from dealdb.store.upkeep.repair import RepairReport


class PartitionedStore(PartitionedReads):
    """
    One collection of several partitions in one database, with the methods and parameters of ``Store``.

    Within a partition everything holds as in a ``Store``. Of several, a query sees every commit that was acknowledged
    before it began; of two that come meanwhile, in two partitions, it may see either one without the other.
    """

    def _ready(self) -> None:
        self._head.writers.promise()

    def save(
        self,
        deal: Mapping[str, object],
        *,
        expect_rev: int | None = None,
        must_exist: bool = False,
        at: int = 0,
    ) -> SaveResult:
        """Save one deal; see ``DealWriter.save``. One round trip, once the process knows its partition."""
        self._ready()
        part = self._of(encode_id(deal.get("id")))
        return part.save(deal, expect_rev=expect_rev, must_exist=must_exist, at=at)

    def delete(self, deal_id: str, *, expect_rev: int | None = None) -> bool:
        """Delete a deal; False when there was none; see ``DealWriter.delete``."""
        self._ready()
        return self._of(deal_id).delete(deal_id, expect_rev=expect_rev)

    def delete_many(
        self, ids: Sequence[str], *, max_rev: int | None = None, mark: Mark | None = None
    ) -> int:
        """Delete deals, in one commit a partition; with ``max_rev`` or ``mark`` in one alone; how many there were."""
        self._ready()
        by_partition: dict[Partition, list[str]] = {}
        for deal_id in ids:
            by_partition.setdefault(self._of(deal_id), []).append(deal_id)
        if (max_rev is not None or mark is not None) and len(by_partition) > 1:
            msg = "deals that are deleted with a mark, or by their revisions, are of one partition"
            raise ValueError(msg)
        done = (
            part.delete_many(some, max_rev=max_rev, mark=mark)
            for part, some in by_partition.items()
        )
        return sum(done)

    def split(self, batches: Iterable[Batch]) -> list[Batch]:
        """Batches as those of single partitions, those of the same one together; no round trip."""
        parts = [part for batch in batches for part in self._parts(batch)]
        return [batch for _, batch in sorted(parts, key=lambda part: part[0])]

    def _parts(self, batch: Batch) -> list[tuple[int, Batch]]:
        return batch.split(self.piece_of, self.partitions)

    def write(
        self, schema: Schema, batch: Batch, *, max_rev: int | None = None, mark: Mark | None = None
    ) -> Written:
        """
        Write a batch of deals, in one commit a partition; see ``DealWriter.write``.

        With ``max_rev`` or ``mark`` all its deals are of one partition, as ``split`` makes them: it is written whole or
        not at all.
        """
        self._ready()
        parts = self._parts(batch)
        if (max_rev is not None or mark is not None) and len(parts) > 1:
            msg = "a batch that has a mark, or depends on revisions, has deals of one partition"
            raise ValueError(msg)
        done = [
            self._partitions[n].write(schema, some, max_rev=max_rev, mark=mark) for n, some in parts
        ]
        return Written(
            seq=max((each.seq for each in done), default=0),
            inserted=sum(each.inserted for each in done),
            updated=sum(each.updated for each in done),
            unchanged=sum(each.unchanged for each in done),
        )

    def add(
        self, schema: Schema, batches: Sequence[Batch], marks: Sequence[Mark | None] | None = None
    ) -> int:
        """
        Add batches of new deals, each of one partition, in a commit each; see ``DealWriter.add``.

        Cost
        ----
        One round trip for each run of batches of the same partition.
        """
        self._ready()
        n_added = 0
        for part, run in self._runs(batches):
            noted = marks[n_added : n_added + len(run)] if marks else None
            n = part.add(schema, run, noted)
            n_added += n
            if n < len(run):
                break
        return n_added

    def _runs(self, batches: Sequence[Batch]) -> Iterator[tuple[Partition, list[Batch]]]:
        run: list[Batch] = []
        last = 0
        for batch in batches:
            parts = self._parts(batch)
            if len(parts) > 1:
                msg = "a batch of new deals has deals of one partition"
                raise ValueError(msg)
            number = parts[0][0] if parts else last
            if run and number != last:
                yield self._partitions[last], run
                run = []
            run.append(batch)
            last = number
        if run:
            yield self._partitions[last], run

    def examine(self, health: ServerHealth, trouble: str | None) -> Iterator[Finding]:
        """What there is to say of the server and of the collection; see ``upkeep.examining.examine``."""
        from dealdb.store.partitions.upkeep.examining import examine

        return examine(self.link, self._partitions, health, trouble)

    def place_of(self, deal_id: str) -> DealPlace:
        """Where a deal is kept, or would be. No round trip, but for the map of a cluster."""
        part = self._of(deal_id)
        return part.place_of(deal_id)._replace(
            partition=self.piece_of(deal_id), partitions=self.partitions
        )

    def settling(self) -> Settling:
        """What has the server keep a load only once; see ``Store.settling``."""
        from dealdb.store.live.during_load import SettledTogether, Settling

        return Settling(lambda: SettledTogether([part.to_settle() for part in self._partitions]))

    def reshape(self) -> PartitionedReshape:
        """Renames, retypes and drops columns."""
        from dealdb.store.partitions.upkeep.reshaping import PartitionedReshape

        self._read([])
        return PartitionedReshape(self._partitions, self.snapshot)

    def repair(
        self,
        *,
        adopt: bool = False,  # noqa: ARG002  # the store's signature: a partition is never one that nobody has adopted
        mapping: Mapping[str, str | None] | None = None,
    ) -> RepairReport:
        """Adopt what other programs did to the hashes; see ``PartitionedRepair.repair``."""
        return self._repair().repair(mapping)

    def put_back(self) -> RepairReport:
        """See ``PartitionedRepair.put_back``."""
        return self._repair().put_back()

    def _repair(self) -> PartitionedRepair:
        from dealdb.store.partitions.upkeep.mending import PartitionedRepair

        return PartitionedRepair(self.link, self._partitions, self._finish)

    def _finish(self) -> None:
        """Go on with what a process that died between two partitions has begun: a field that leaves, other stages."""
        self.reshape().finish()
        looks = [("HGET", part.keys.meta, "pipeline_version") for part in self._partitions]
        if len(set(self.link.calls(looks, retry=True))) > 1:
            self._follow()

    def backup(self, path: Path, *, history: bool, overwrite: bool, tell: Tell) -> BackupReport:
        """Write all partitions into one file, each as of one commit; see ``taking.take_all``."""
        from dealdb.store.backup.taking import take_all

        self._read([])
        pieces = [(part.keys, part.to_back_up()) for part in self._partitions]
        return take_all(self.link, pieces, path, history=history, overwrite=overwrite, tell=tell)

    def restore(self, path: Path, tell: Tell) -> RestoreReport:
        """Write all partitions from a file of any number of them; see ``restoring.restore_all``."""
        from dealdb.store.partitions.loading.restoring import restore_all

        collection, n = self.keys.collection, self.partitions
        return restore_all(self.link, collection, self._beginning, n, path, tell)

    # loads and durability --------------------------------------------------------------------------

    @property
    def pieces(self) -> Sequence[Partition]:
        """The partitions."""
        return self._partitions

    def piece_of(self, deal_id: str) -> int:
        """Number of the partition that a deal is in."""
        return partition_of(deal_id, self.partitions)

    def positions_of(self, position: Position) -> list[Position]:
        """The last commit of each partition."""
        from dealdb.store.partitions.vector import positions_of

        return positions_of(position, self.partitions)

    def announce_load(self, load: str, notes: Sequence[str]) -> None:
        """Have a note on a load of this thread in each partition; see ``loads.announce``."""
        loads.announce(self.link, self._partitions, load, notes)

    def forget_load(self, load: str) -> None:
        """Remove the notes of a load; see ``loads.forget``."""
        loads.forget(self.link, self._partitions, load)

    def newest(self) -> Position:
        """The last commits of all partitions, as one position. One round trip."""
        from dealdb.store.partitions.vector import vector_of

        return vector_of(self._positions())

    def look(self) -> Seen:
        """Schema, pipeline, last commits and number of deals; see ``Store.look``. Three round trips."""
        from dealdb.store.history.confirm import Seen

        schema, pipeline = self.shown()
        return Seen(schema, pipeline, self.newest(), self.count())

    def asking(self, durability: Durability | None) -> AbstractContextManager[None]:
        """Let this thread ask for another durability meanwhile; None for the one that it asks for anyway."""
        return self._in_all(lambda part: part.asking(durability))

    def acting_as(self, actor: str) -> AbstractContextManager[None]:
        """Let the commits of this thread be in the name of another meanwhile."""
        return self._in_all(lambda part: part.acting_as(actor))

    @contextmanager
    def _in_all(self, enter: Callable[[Partition], AbstractContextManager[None]]) -> Iterator[None]:
        with ExitStack() as stack:
            for part in self._partitions:
                stack.enter_context(enter(part))
            yield

    def promise(self, durability: Durability | None = None) -> None:
        """Refuse what a load can't do here; see ``Store.promise``."""
        self._head.promise(durability)

    def depend(self) -> None:
        """Let this thread's commits raise ``LoadReset`` where the server has lost an earlier one of them."""
        for part in self._partitions:
            part.depend()

    def confirm(self, since: Position, durability: Durability | None = None) -> Position:
        """
        The last commits, after each partition was found to have its part of a load; see ``Store.confirm``.

        Cost
        ----
        Three round trips a partition.
        """
        from dealdb.store.partitions.vector import positions_of, vector_of

        before = positions_of(since, self.partitions)
        after = [
            part.confirm(each, durability)
            for part, each in zip(self._partitions, before, strict=True)
        ]
        return vector_of(after)
