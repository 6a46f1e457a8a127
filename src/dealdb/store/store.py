"""One collection in one database: everything that the parts above need of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from dealdb.connection import Link
from dealdb.connection.fork import renew_in_child
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.commit.change import Mark
from dealdb.store.commit.deal_writer import DealWriter
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.durability import Durability
from dealdb.store.commit.load_notes import Marked, take_over
from dealdb.store.commit.writers import Writers
from dealdb.store.deal import Deal, SaveResult, Written, deal_from
from dealdb.store.hashes import as_dict
from dealdb.store.keys import Keys, check_format
from dealdb.store.sizes import sizes_of
from dealdb.store.store_besides import StoreBesides
from dealdb.store.store_history import StoreHistory
from dealdb.store.upkeep.other_programs import OtherPrograms

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from dealdb.store.archive.chunk_cache import ChunkCache
    from dealdb.store.backup.reports import BackupReport, RestoreReport, Tell
    from dealdb.store.checkpoint.turns import Turns
    from dealdb.store.commit.batch import Batch
    from dealdb.store.foreign.reading import ReadHashes
    from dealdb.store.foreign.view import ForeignDeals
    from dealdb.store.history.confirm import Seen
    from dealdb.store.live.columns import LiveColumns
    from dealdb.store.live.during_load import Settling
    from dealdb.store.log.entry import Position
    from dealdb.store.replica.snapshot import Snapshot
    from dealdb.store.upkeep.check import CheckReport
    from dealdb.store.upkeep.rename import Reshape
    from dealdb.store.upkeep.repair import RepairReport


class Store(StoreHistory, StoreBesides):
    """
    One collection in one database.

    Parameters
    ----------
    link
        Way to the database.
    collection
        Name of the collection; also what the keys of its deals begin with.
    actor
        Who changes deals, for the history.
    cache
        Where the chunks of checkpoints are looked for first; None for the server alone.
    durability
        Where changes have to be before they are acknowledged.
    allow_eviction
        Whether to write to a server that removes deals when its memory is full.
    adopt, read, tell
        How hashes of other programs are met; see ``OtherPrograms``.

    Raises
    ------
    ConfigError
        If the collection can't have that name.
    """

    # with which other checkpoints of this process its own are written in turn
    _turns: Turns | None = None

    def __init__(
        self,
        link: Link,
        collection: str = "deal",
        actor: str = "",
        cache: ChunkCache | None = None,
        durability: Durability = Durability.MEMORY,
        *,
        allow_eviction: bool = False,
        adopt: bool = False,
        read: Callable[[], ReadHashes] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        keys = self._keys_of(collection)
        super().__init__(link, keys, cache)
        self._writers = Writers(link, keys, actor, durability, allow_eviction=allow_eviction)
        self._definitions = self._definitions_of()
        self._deal_writer = DealWriter(link, keys, self._writers, self._definitions)
        self._lazy_lock = threading.Lock()
        self._lazy_live: LiveColumns | None = None
        parts = (link, keys, self._definitions, self._writers)
        self._others = OtherPrograms(*parts, lambda: self._live, read, adopt=adopt, tell=tell)
        renew_in_child(self)

    def _keys_of(self, collection: str) -> Keys:
        return Keys(collection)

    def _definitions_of(self) -> Definitions:
        return Definitions(self.link, self.keys, self._writers)

    def renew(self) -> None:
        """Begin with a new lock in a forked child."""
        self._lazy_lock = threading.Lock()

    def schema(self) -> Schema:
        """Schema in force. One round trip."""
        return self._definitions.refresh().schema

    def pipeline(self) -> Pipeline:
        """Pipeline in force. One round trip."""
        return self._definitions.refresh().pipeline

    def shown(self) -> tuple[Schema, Pipeline]:
        """Schema and pipeline of the deals that queries show. One round trip, once somebody has looked for hashes."""
        known = self._definitions.refresh()
        others = self._others.snapshot() if not known.exist else None
        return (others.schema, others.pipeline) if others else (known.schema, known.pipeline)

    def declare(self, fields: Iterable[Field]) -> Schema:
        """Add or widen fields; see ``Definitions.declare``."""
        return self._definitions.declare(fields)

    def redefine(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        """Make another pipeline of the one in force; see ``Definitions.redefine``."""
        return self._definitions.redefine(change)

    def set_pipeline(self, pipeline: Pipeline) -> None:
        """Replace the stages; see ``Definitions.set_pipeline``."""
        self._definitions.set_pipeline(pipeline)

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
        """All deals as of now, with these columns at least; see ``LiveColumns.snapshot``."""
        if self._others.adoption.is_done:
            return self._live.snapshot(names)
        # not at the top: Polars takes longer to import than a single deal takes to read or save
        from dealdb.store.archive.first_look import first_look

        look = first_look(self.link, self.keys)
        return self._others.snapshot(adopted=look.adopted) or self._live.snapshot(names, look)

    def columns_bytes(self) -> int | None:
        """Memory of the live columns in this process, or None while there are none. No round trip."""
        return self._lazy_live.columns_bytes() if self._lazy_live else None

    def finish(self) -> None:
        """End what queries have begun: wait for a checkpoint, and stop reading columns ahead."""
        if self._lazy_live:
            self._lazy_live.stop_reading()
            self._lazy_live.finish()

    @property
    def _live(self) -> LiveColumns:
        # before the lock, for it takes long: a child that was forked meanwhile would never get it
        from dealdb.store.live.columns import LiveColumns

        with self._lazy_lock:
            if self._lazy_live is None:
                parts = (self.link, self.keys, self._definitions.anchor, self._cache)
                self._lazy_live = LiveColumns(*parts, turns=self._turns)
            return self._lazy_live

    def check(self) -> CheckReport:
        """Compare every hash with the log, and change nothing; see ``Audit.check``."""
        return self._others.check()

    def repair(
        self, *, adopt: bool = False, mapping: Mapping[str, str | None] | None = None
    ) -> RepairReport:
        """Adopt what other programs did to the hashes; see ``OtherPrograms.repair``."""
        return self._others.repair(adopt=adopt, mapping=mapping)

    def put_back(self) -> RepairReport:
        """See ``OtherPrograms.put_back``."""
        return self._others.put_back()

    def repair_facts(self) -> RepairReport:
        """See ``OtherPrograms.repair_facts``."""
        return self._others.repair_facts()

    def not_adopted(self) -> ForeignDeals | None:
        """Hashes that are shown and not adopted, or None; see ``OtherPrograms.shown``."""
        return self._others.shown()

    def reshape(self) -> Reshape:
        """Renames, retypes and drops columns."""
        return self._others.reshape()

    def backup(self, path: Path, *, history: bool, overwrite: bool, tell: Tell) -> BackupReport:
        """Write the collection into a file; see ``taking.take``."""
        from dealdb.store.backup.taking import take

        # what is not in the log can't be in a backup
        self._others.ensure()
        return take(
            self.link, self.keys, self._live, path, history=history, overwrite=overwrite, tell=tell
        )

    def restore(self, path: Path, tell: Tell) -> RestoreReport:
        """Write the collection from a file; see ``restoring.restore``."""
        from dealdb.store.backup.restoring import restore

        return restore(self.link, self.keys, path, tell)

    def get_many(self, ids: Sequence[str]) -> list[Deal | None]:
        """
        Deals by id, in the order asked for, None for those that are missing.

        Raises
        ------
        StoreDamaged
            If another program wrote a text that the field's type doesn't have.

        Cost
        ----
        One round trip; one more after the schema changed.
        """
        deals = [("HGETALL", self.keys.deal(deal_id)) for deal_id in ids]
        state = ("HMGET", self.keys.meta, "schema_version", "format", "adopted")
        *hashes, (version, form, adopted) = self.link.calls([*deals, state], retry=True)
        check_format(self.keys, form)
        found = {i: as_dict(pairs) for i, pairs in zip(ids, hashes, strict=True) if pairs}
        foreign = {} if adopted else self._others.deals(found)
        if not self._definitions.is_current(version):
            self._definitions.refresh()
        schema = self._definitions.schema
        return [
            foreign.get(deal_id) or deal_from(deal_id, found[deal_id], schema)
            if deal_id in found
            else None
            for deal_id in ids
        ]

    def contains(self, deal_id: str) -> bool:
        """Whether there is such a deal. One round trip."""
        look = [("EXISTS", self.keys.deal(deal_id)), ("HGET", self.keys.meta, "format")]
        exists, form = self.link.calls(look, retry=True)
        check_format(self.keys, form)
        return bool(exists)

    def count(self) -> int:
        """Number of deals; see ``sizes``. One round trip."""
        if (others := self._others.snapshot()) is not None:
            return others.height
        return self.sizes()[0]

    def sizes(self) -> tuple[int, int]:
        """Number of deals and of entries in the log; see ``sizes_of``. One round trip."""
        others = self._others.snapshot()
        deals, entries = sizes_of(self.link, self.keys)
        return deals if others is None else others.height, entries

    def save(
        self,
        deal: Mapping[str, object],
        *,
        expect_rev: int | None = None,
        must_exist: bool = False,
        at: int = 0,
    ) -> SaveResult:
        """Save one deal: fields that are not given stay, None clears; see ``DealWriter.save``."""
        self._others.ensure()
        return self._deal_writer.save(deal, expect_rev=expect_rev, must_exist=must_exist, at=at)

    def record(self, facts: pl.DataFrame, fields: Iterable[Field], stages: Iterable[str]) -> int:
        """Write what was so before; see ``FactWriter.record``."""
        from dealdb.store.commit.fact_writer import FactWriter

        self._others.ensure()
        writer = FactWriter(self._writers, self._definitions)
        return writer.record(facts, fields, stages)

    def split(self, batches: Iterable[Batch]) -> list[Batch]:
        """Batches as those that can be written whole or not at all: themselves; no round trip."""
        return list(batches)

    def write(
        self, schema: Schema, batch: Batch, *, max_rev: int | None = None, mark: Mark | None = None
    ) -> Written:
        """Write a batch of deals in one commit; see ``DealWriter.write``."""
        self._others.ensure()
        return self._deal_writer.write(schema, batch, max_rev=max_rev, mark=mark)

    def add(
        self, schema: Schema, batches: Sequence[Batch], marks: Sequence[Mark | None] | None = None
    ) -> int:
        """Add batches of new deals, in a commit each; how many were added; see ``DealWriter.add``."""
        self._others.ensure()
        return self._deal_writer.add(schema, batches, marks)

    def settling(self) -> Settling:
        """What has the server keep a load only once, while it runs and at its end."""
        from dealdb.store.live.during_load import Settling

        return Settling(self.to_settle)

    def to_settle(self) -> LiveColumns:
        """The columns that a load is folded with."""
        from dealdb.store.live.columns import LiveColumns

        # columns of its own, unless this process has them already: one that only loads need not keep any
        return self._lazy_live or LiveColumns(
            self.link, self.keys, self._definitions.anchor, only_settles=True
        )

    def delete(self, deal_id: str, *, expect_rev: int | None = None) -> bool:
        """Delete a deal; False when there was none; see ``DealWriter.delete``."""
        self._others.ensure()
        return self._deal_writer.delete(
            deal_id,
            expect_rev=expect_rev,
            adopt=lambda stray: self.contains(stray) and self._others.adopt_one(stray),
        )

    def delete_many(
        self, ids: Sequence[str], *, max_rev: int | None = None, mark: Mark | None = None
    ) -> int:
        """Delete deals in one commit; how many of them there were; see ``DealWriter.delete_many``."""
        self._others.ensure()
        return self._deal_writer.delete_many(ids, max_rev=max_rev, mark=mark)

    def newest(self) -> Position:
        """The last commit. One round trip."""
        from dealdb.store.history.confirm import newest

        return newest(self.link, self.keys)

    def look(self) -> Seen:
        """
        Schema, pipeline, last commit and number of deals, all of one moment; see ``confirm.look``.

        For a change that ``promise`` has prepared: hashes that nobody has adopted are not counted.
        """
        from dealdb.store.history.confirm import look

        return look(self.keys, self._definitions)

    def has(self, position: Position) -> bool:
        """Whether a commit is in the history; see ``reading.is_known``."""
        from dealdb.store.history.reading import is_known

        return is_known(self.link, self.keys, position)

    def asking(self, durability: Durability | None) -> AbstractContextManager[None]:
        """Let this thread ask for another durability meanwhile; None for the one that it asks for anyway."""
        return self._writers.asking(durability)

    def acting_as(self, actor: str) -> AbstractContextManager[None]:
        """Let the commits of this thread be in the name of another meanwhile."""
        return self._writers.acting_as(actor)

    def promise(self, durability: Durability | None = None) -> None:
        """Refuse what a load can't do here: see ``OtherPrograms.ensure`` and ``Writers.promise``."""
        self._others.ensure()
        self._writers.promise(durability)

    def depend(self) -> None:
        """Let this thread's commits raise ``LoadReset`` where the server has lost an earlier one of them."""
        self._writers.depend()

    def confirm(self, since: Position, durability: Durability | None = None) -> Position:
        """
        The last commit, after the server was found to have a load of this thread; see ``confirm.confirm``.

        Raises
        ------
        NotDurable
            If the load is not where it is to be, by default where the store asks for.
        """
        from dealdb.store.history.confirm import confirm

        self._writers.assure(durability)
        return confirm(self.link, self.keys, self._writers, since)

    def take_over(self, load: str) -> Marked | None:
        """Last note of a load that died, which no process continues any more; see ``load_notes.take_over``."""
        return take_over(self.link, self.keys, self._writers, load)

    def forget_load(self, load: str) -> None:
        """Remove the note of a load. One round trip."""
        self.link.call("HDEL", self.keys.writers, self.keys.load(load), retry=True)
