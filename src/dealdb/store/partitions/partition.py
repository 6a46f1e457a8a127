"""One partition of a collection: a store of its own, whose fields and stages are those of the first partition."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.leaving import Leaving
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.checkpoint.turns import Turns
from dealdb.store.commit.change import Change, Condition
from dealdb.store.commit.definitions import Defined, Definitions
from dealdb.store.commit.durability import Durability
from dealdb.store.commit.writers import Writers
from dealdb.store.deal import SaveResult
from dealdb.store.keys import Keys
from dealdb.store.leaving import left, refuse_leaving, schema_for, without
from dealdb.store.partitions.layout import partition_of, tag_of
from dealdb.store.store import Store

if TYPE_CHECKING:
    from dealdb.store.archive.chunk_cache import ChunkCache
    from dealdb.store.foreign.reading import ReadHashes
    from dealdb.store.live.columns import LiveColumns
    from dealdb.store.log.entry import Position
    from dealdb.store.log.reader import News
    from dealdb.store.replica.snapshot import Snapshot
    from dealdb.store.upkeep.other_programs import OtherPrograms

# each lost race means that another process got its change in; more losses than this are not a race
_MAX_TRIES = 100


class Followed(Definitions):
    """
    Fields and stages of a partition: those of the head, the first partition, which alone decides.

    What is in force is what the head has. The partition gets it by commits of its own, so that its log can be read by
    itself: before a change that needs it, and never before the head has it.

    Parameters
    ----------
    head
        Those of the first partition.
    """

    def __init__(
        self, link: Link, keys: Keys, writers: Writers, partitions: int, head: Definitions
    ) -> None:
        super().__init__(link, keys, writers, partitions)
        self._head = head

    @property
    def _known(self) -> Defined:
        head = self._head._known
        if not head.schema.leaving:
            return head
        # while a field leaves, each partition keeps what it has of it
        own = self.own
        pipeline = (head.pipeline, head.pipeline_version)
        return Defined(own.schema, own.schema_version, *pipeline, own.schema_text)

    @property
    def own(self) -> Defined:
        """What the partition itself has, as last seen. No round trip, but for the first one."""
        return self._cached or self._refresh()

    def refresh(self) -> Definitions:
        """Read both again, and give the partition what it lacks. One round trip where it lacks nothing."""
        self.follow()
        return self

    def declare(self, fields: Iterable[Field]) -> Schema:
        """
        Add or widen fields, in the head; the partition follows with its next change.

        Raises
        ------
        SchemaError
            As ``Definitions.declare`` raises it; or if a field is being dropped, renamed or retyped, and this partition
            has lost it.
        """
        wanted = list(fields)
        for _ in range(_MAX_TRIES):
            schema = self._head.declare(wanted)
            if not schema.leaving:
                return schema
            # the field may have left by now
            self.follow()
            if self._head.schema.leaving:
                refuse_leaving(self._head.schema, self.own.schema, wanted)
                return self.schema
        raise self._never_settled()

    def redefine(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        """Make another pipeline of the one in force, in the head and then here."""
        pipeline = self._head.redefine(change)
        self.follow()
        return pipeline

    def set_pipeline(self, pipeline: Pipeline) -> None:
        """Replace the pipeline, in the head and then here."""
        self._head.set_pipeline(pipeline)
        self.follow()

    def keep_up(self) -> None:
        """Give the partition what it is known to lack; no round trip where it was last seen to have all of it."""
        own, head = self._cached, self._head._cached
        if own is None or head is None or not _is_current(own, head):
            self.follow()

    def follow(self) -> tuple[Defined, Defined]:
        """
        Give the partition the head's fields and stages, where it has others; returns what it has then, and the head.

        Raises
        ------
        StoreDamaged
            If it has fields or stages that the head has not had yet.

        Cost
        ----
        One round trip; two more for each of both that it lacks.
        """
        with self._writers.beforehand():
            for _ in range(_MAX_TRIES):
                # its own first: what the head has had by then, it may get
                own, head = self._link.calls([self._asked(), self._head._asked()], retry=True)
                known = self._take(*self._checked(own))
                leader = self._head._take(*self._head._checked(head))
                change = self._lacking(known, leader)
                if change is None:
                    return known, leader
                self._writers.commit(change)
        raise self._never_settled()

    def _lacking(self, own: Defined, head: Defined) -> Change | None:
        if own.schema.version > head.schema.version:
            raise StoreDamaged(
                f"{self._link.settings.where}: {self._keys.meta!r} has fields that the first partition of the "
                "collection has not: a part of the collection was set back to an older state"
            )
        if (text := _schema_text(own, head)) != own.schema_text:
            return Change("schema", own.schema_version, text)
        if own.pipeline_version != head.pipeline_version:
            return Change("pipeline", own.pipeline_version, head.pipeline_text)
        return None

    def lose(self, leaving: Leaving, own: Defined, *, seq: int) -> bool:
        """
        Have the partition lose what leaves; whether it has.

        Parameters
        ----------
        leaving
            What leaves, as the head has said since before ``own`` was asked for.
        own
            What the partition has: no other schema is replaced.
        seq
            Nothing may have been committed to it since.
        """
        change = Change(
            "schema", own.schema_version, without(own.schema, leaving).to_json(),
            condition=Condition.no_commit_since(seq),
        )  # fmt: skip
        reply = self._writers.commit(change)
        self._refresh()
        return reply.is_done

    def anchor(self) -> None:
        """Append a commit that changes nothing, with what this partition has."""
        Definitions(self._link, self._keys, self._writers, self._partitions).anchor()


class Leading(Definitions):
    """
    Fields and stages of the head, whose first commit is that of the collection.

    Parameters
    ----------
    begin
        Says for good how many partitions there are, before that commit.
    """

    def __init__(
        self, link: Link, keys: Keys, writers: Writers, partitions: int, begin: Callable[[], None]
    ) -> None:
        super().__init__(link, keys, writers, partitions)
        self._begin = begin

    def _schema_change(self, fields: list[Field]) -> Change | None:
        self._refuse_leaving(fields)
        change = super()._schema_change(fields)
        if change is not None and not change.version:
            self._begin()
        return change

    def _refuse_leaving(self, fields: list[Field]) -> None:
        """Refuse another type for a field that leaves: no partition could follow."""
        if self.schema.leaving:
            # it may have left by now
            schema = self._refresh().schema
            refuse_leaving(schema, schema, fields)

    def follow(self) -> tuple[Defined, Defined]:
        """What the head has, which follows nobody; as ``Followed.follow``. One round trip."""
        found = self._refresh()
        return found, found

    def reform(self, change: Callable[[Schema], Schema | None]) -> Schema:
        """
        Make another schema of the one in force, whoever has changed it meanwhile; returns that in force afterwards.

        Parameters
        ----------
        change
            Asked again where somebody has; None for nothing to change.

        Cost
        ----
        Two round trips, and one more where there is something to change.
        """
        self._refresh()
        with self._writers.beforehand():
            self._until_done(lambda: self._reformed(change))
        return self.schema

    def _reformed(self, change: Callable[[Schema], Schema | None]) -> Change | None:
        known = self._known
        schema = change(known.schema)
        if schema is None:
            return None
        return Change("schema", known.schema_version, schema.to_json())

    def lose(self, leaving: Leaving, own: Defined, *, seq: int) -> bool:
        """Have the head lose what has left all others, and say no more that it leaves; as ``Followed.lose``."""
        change = Change(
            "schema", own.schema_version, left(own.schema, leaving).to_json(),
            condition=Condition.no_commit_since(seq),
        )  # fmt: skip
        reply = self._writers.commit(change)
        self._refresh()
        return reply.is_done


def _is_current(own: Defined, head: Defined) -> bool:
    """Whether a partition has what it is to have."""
    same_stages = own.pipeline_version == head.pipeline_version
    return same_stages and own.schema_text == _schema_text(own, head)


def _schema_text(own: Defined, head: Defined) -> bytes:
    """Text of the schema that a partition is to have."""
    if not head.schema.leaving:
        return head.schema_text
    return schema_for(own.schema, head.schema).to_json().encode()


class Partition(Store):
    """
    One partition of a collection.

    Parameters
    ----------
    link, collection, actor, cache, durability
        As of a ``Store``.
    number, partitions
        Which one of how many.
    head
        The first one, None for that itself.
    begin
        For the first one: says how many there are, before the first commit of all.
    allow_eviction, read
        As of a ``Store``.
    """

    _definitions: Followed | Leading

    def __init__(
        self,
        link: Link,
        collection: str,
        actor: str,
        cache: ChunkCache | None,
        durability: Durability,
        *,
        number: int,
        partitions: int,
        head: Partition | None,
        begin: Callable[[], None],
        allow_eviction: bool,
        read: Callable[[], ReadHashes] | None = None,
    ) -> None:
        self._number, self._partitions, self._head, self._begin = number, partitions, head, begin
        self._turns = head._turns if head else Turns()
        parts = (link, collection, actor, cache, durability)
        super().__init__(*parts, allow_eviction=allow_eviction, read=read)
        # no program writes into a partition before dealdb does; what is there later is for a check to find
        self._others.adoption.is_done = True

    def _keys_of(self, collection: str) -> Keys:
        return Keys(collection, tag_of(self._number, self._partitions))

    def _definitions_of(self) -> Followed | Leading:
        parts = (self.link, self.keys, self._writers, self._partitions)
        return (
            Followed(*parts, self._head.definitions) if self._head else Leading(*parts, self._begin)
        )

    def is_elsewhere(self, deal_id: str) -> bool:
        """Whether a deal belongs to another partition."""
        return partition_of(deal_id, self._partitions) != self._number

    @property
    def definitions(self) -> Followed | Leading:
        """Fields and stages."""
        return self._definitions

    @property
    def leading(self) -> Leading:
        """Fields and stages of the head, of which this is one."""
        found = self._head.definitions if self._head else self._definitions
        if isinstance(found, Followed):
            msg = "the head follows nobody"
            raise TypeError(msg)
        return found

    @property
    def writers(self) -> Writers:
        """What commits to it."""
        return self._writers

    @property
    def others(self) -> OtherPrograms:
        """What other programs do to its hashes."""
        return self._others

    @property
    def own_pipeline(self) -> Pipeline:
        """Stages as the columns have them: as they were defined, without those that merely occur."""
        return self._live.pipeline

    def keep_up(self) -> None:
        """Have the fields and stages of the head; see ``Followed.keep_up``."""
        if isinstance(self._definitions, Followed):
            self._definitions.keep_up()

    def follow(self) -> None:
        """Have the fields and stages that the head has now; see ``Followed.follow``."""
        if isinstance(self._definitions, Followed):
            self._definitions.follow()

    def save(
        self,
        deal: Mapping[str, object],
        *,
        expect_rev: int | None = None,
        must_exist: bool = False,
        at: int = 0,
    ) -> SaveResult:
        """Save one deal; see ``DealWriter.save``."""
        # the server closes a deal by the stages that the partition has
        self.keep_up()
        return super().save(deal, expect_rev=expect_rev, must_exist=must_exist, at=at)

    def zone_for(self, when: object) -> tzinfo:
        """Zone in which a date begins and ends: that of the head; no read gives the partition what it lacks."""
        return self._head.zone_for(when) if self._head else super().zone_for(when)

    def to_back_up(self) -> LiveColumns:
        """Its columns, for who writes all of them into a file."""
        return self._live

    @property
    def read_up_to(self) -> Position:
        """The last commit that its columns have."""
        return self._live.position

    def snapshot_of(self, news: News, names: Collection[str] | None) -> Snapshot:
        """Its deals as of now; no round trip where ``news`` has what is new, and the columns are at hand."""
        if not news.newest.seq:
            from dealdb.store.replica.snapshot import nothing

            return nothing(Schema(0, ()))
        return self._live.snapshot(names, news=news)
