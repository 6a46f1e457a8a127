"""Reading a collection of several partitions: a deal from one of them, queries from all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, Schema
from dealdb.store.bounds.wall import number_in
from dealdb.store.commit.durability import Durability
from dealdb.store.deal import Deal, deal_from
from dealdb.store.hashes import as_dict, as_texts
from dealdb.store.keys import Keys, check_format
from dealdb.store.partitions.begin import Beginning
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.past.reads import PartitionedPast

if TYPE_CHECKING:
    import polars as pl

    from dealdb.store.archive.chunk_cache import ChunkCache
    from dealdb.store.commit.definitions import Definitions
    from dealdb.store.foreign.reading import ReadHashes
    from dealdb.store.foreign.view import ForeignDeals
    from dealdb.store.history.feed import Feed
    from dealdb.store.history.feed_start import Since
    from dealdb.store.log.entry import Position
    from dealdb.store.partitions.joined import JoinedColumns
    from dealdb.store.replica.snapshot import Snapshot
    from dealdb.store.tables.table import SmallTable
    from dealdb.store.upkeep.check import CheckReport

# others may change the schema while deals are read, or empty the collection
_MAX_TRIES = 5


class PartitionedReads(PartitionedPast):
    """
    What is read of a collection of several partitions, and what there is once in it.

    The first partition is the head: its fields, stages and saved queries are those of the collection.

    Parameters
    ----------
    link, collection, actor, cache, durability, allow_eviction
        As of a ``Store``.
    partitions
        How many partitions the collection has, or is to have.
    """

    def __init__(
        self,
        link: Link,
        collection: str,
        actor: str = "",
        cache: ChunkCache | None = None,
        durability: Durability = Durability.MEMORY,
        *,
        partitions: int,
        allow_eviction: bool = False,
        read: Callable[[], ReadHashes] | None = None,
    ) -> None:
        self.link = link
        self._cache = cache
        self._beginning = Beginning(link, Keys(collection), partitions)
        build = partial(
            Partition, link, collection, actor, cache, durability,
            partitions=partitions, begin=self._beginning.begin, read=read,
        )  # fmt: skip
        self._head = build(number=0, head=None, allow_eviction=allow_eviction)
        # the head asks the server for all whether it removes deals
        others = (
            build(number=n, head=self._head, allow_eviction=True) for n in range(1, partitions)
        )
        self._partitions: list[Partition] = [self._head, *others]
        self._lazy_joined: JoinedColumns | None = None

    @property
    def partitions(self) -> int:
        """How many there are."""
        return len(self._partitions)

    @property
    def keys(self) -> Keys:
        """Keys of the head, which has what there is once in a collection."""
        return self._head.keys

    def _of(self, deal_id: str) -> Partition:
        return self._partitions[partition_of(deal_id, self.partitions)]

    def _read(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Replies to reads, once the collection was found to be made as it was. One round trip, two in a cluster."""
        # first: the last of all is answered after all others, also in a cluster
        looks = [*self._beginning.looks, ("HGET", self.keys.meta, "format")]
        layout, form, of_head, *replies = self.link.calls([*looks, *commands], retry=True)
        self._beginning.check(layout, form)
        # as long as a collection is being restored, its head says so, and other partitions may be whole already
        check_format(self.keys, of_head)
        return replies

    # fields and stages -----------------------------------------------------------------------------

    def schema(self) -> Schema:
        """Schema in force. One round trip."""
        return self._defined().schema

    def pipeline(self) -> Pipeline:
        """Pipeline in force. One round trip."""
        return self._defined().pipeline

    def shown(self) -> tuple[Schema, Pipeline]:
        """Schema and pipeline of the deals that queries show. One round trip."""
        found = self._defined()
        return found.schema, found.pipeline

    def _defined(self) -> Definitions:
        found = self._head.definitions.refresh()
        if not found.exist:
            # nothing was saved yet; or the collection was emptied, and is made otherwise by now
            self._read([])
        return found

    def declare(self, fields: Iterable[Field]) -> Schema:
        """Add or widen fields; see ``Definitions.declare``. The other partitions follow with their next change."""
        return self._head.declare(fields)

    def redefine(self, change: Callable[[Pipeline], Pipeline]) -> Pipeline:
        """Make another pipeline of the one in force, in all partitions; see ``Definitions.redefine``."""
        pipeline = self._head.redefine(change)
        self._follow()
        return pipeline

    def set_pipeline(self, pipeline: Pipeline) -> None:
        """Replace the stages in all partitions; see ``Definitions.set_pipeline``."""
        self._head.set_pipeline(pipeline)
        self._follow()

    def _follow(self) -> None:
        # a partition closes deals by the stages that it has, which others may have changed since this process saw them
        for part in self._partitions:
            part.follow()

    def zone_for(self, when: object) -> tzinfo:
        """Zone in which a date begins and ends; see ``StoreHistory.zone_for``."""
        return self._head.zone_for(when)

    # reads -----------------------------------------------------------------------------------------

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
        """
        All deals as of now, with these columns at least; see ``LiveColumns.snapshot``.

        Cost
        ----
        One round trip where nothing is new, two where fewer than 100 commits are new in each partition; at first
        three for each of them.
        """
        newest = self._positions()
        if not any(position.seq for position in newest):
            from dealdb.store.replica.snapshot import nothing

            return nothing(Schema.standard(self.partitions))
        found = self._joined.snapshot(newest, names)
        definitions = self._head.definitions
        if definitions.has_other_stages(self._head.own_pipeline):
            # a save by who was shown these stages goes by them, also where a partition has not got them yet
            definitions.refresh()
        return found

    @property
    def _joined(self) -> JoinedColumns:
        # not at the top: Polars takes longer to import than a single deal takes to read or save
        from dealdb.store.partitions.joined import JoinedColumns

        if self._lazy_joined is None:
            self._lazy_joined = JoinedColumns(self._partitions)
        return self._lazy_joined

    def _positions(self) -> list[Position]:
        """
        The last commit of each partition.

        Raises
        ------
        StoreDamaged
            If a partition has commits, and its state, which says how many, is gone.

        Cost
        ----
        One round trip; one more where a partition has lost the commits that were read of it.
        """
        # of these it may be that there are none, or that only the state is gone
        unread = {n for n, part in enumerate(self._partitions) if not part.read_up_to.seq}
        for _ in range(_MAX_TRIES):
            positions, have_commits = self._looked_at(unread)
            without = {n for n, position in enumerate(positions) if not position.seq}
            if without <= unread and not without & have_commits:
                return positions
            # looked at once more: it may have been emptied between two commands
            unread |= without
        raise self._state_gone(without & have_commits)

    def _state_gone(self, numbers: Iterable[int]) -> StoreDamaged:
        from dealdb.store.history.state import state_gone

        return state_gone(self.link, [self._partitions[n].keys for n in sorted(numbers)])

    def _looked_at(self, unread: Collection[int]) -> tuple[list[Position], set[int]]:
        """The last commit of each partition, as its state says, and those of ``unread`` that have commits at all."""
        from dealdb.store.log.reader import position_in

        # before the states: who begins a partition meanwhile gives it one with its first commit
        keys = [self._partitions[n].keys for n in unread]
        looks = [("EXISTS", each.log, each.checkpoint) for each in keys]
        # the head last: whatever the others have, it has had before
        metas = [part.keys.meta for part in reversed(self._partitions)]
        found = self._read([*looks, *(("HMGET", meta, "seq", "hash") for meta in metas)])
        states = zip(metas, found[len(looks) :], strict=True)
        positions = [position_in(meta, *each) for meta, each in states]
        return positions[::-1], {n for n, there in zip(unread, found, strict=False) if there}

    def as_of(self, when: datetime | date) -> Snapshot:
        """
        All deals as they were at a moment; see ``StoreHistory.as_of``.

        Cost
        ----
        That of each partition's history, one after the other.
        """
        from dealdb.store.partitions.past.joined_states import deals_until

        self._read([])
        return deals_until(self._partitions, when, self.zone_for(when))

    def history(self, deal_id: str) -> pl.DataFrame:
        """Every change of one deal; see ``changes.history_of``."""
        self._read([])
        return self._of(deal_id).history(deal_id)

    def feed(self, since: Since, timeout_s: float | None) -> Feed:
        """Commits of all partitions as they happen, over sockets besides the pool's; see ``PartitionedFeed``."""
        from dealdb.store.partitions.feeding.feed import PartitionedFeed

        keys = Keys(self.keys.collection)
        return PartitionedFeed(self.link.apart(), keys, self._partitions, since, timeout_s)

    def get_many(self, ids: Sequence[str]) -> list[Deal | None]:
        """Deals by id; see ``Store.get_many``. One round trip; two more after the schema changed."""
        deals = [("HGETALL", self._of(deal_id).keys.deal(deal_id)) for deal_id in ids]
        definitions = self._head.definitions
        for _ in range(_MAX_TRIES):
            # with the widest types: another partition may have widened a field
            *hashes, version = self._read([*deals, ("HGET", self.keys.meta, "schema_version")])
            if definitions.is_current(version):
                break
            # the hashes again too: what has another name or type by now may have been read before
            definitions.refresh()
        schema = definitions.schema
        return [
            deal_from(deal_id, as_dict(pairs), schema) if pairs else None
            for deal_id, pairs in zip(ids, hashes, strict=True)
        ]

    def contains(self, deal_id: str) -> bool:
        """Whether there is such a deal. One round trip."""
        return bool(self._read([("EXISTS", self._of(deal_id).keys.deal(deal_id))])[0])

    def count(self) -> int:
        """Number of deals. One round trip."""
        return self.sizes()[0]

    def sizes(self) -> tuple[int, int]:
        """Number of deals and of entries in the logs; see ``Store.sizes``. One round trip."""
        keys = [part.keys for part in self._partitions]
        looks = [
            look
            for each in keys
            for look in (
                ("XLEN", each.log),
                ("EXISTS", each.checkpoint),
                ("HGET", each.meta, "deals"),
            )
        ]
        for _ in range(_MAX_TRIES):
            found = self._read(looks)
            entries, deals = list(map(int, found[::3])), found[2::3]
            said = zip(entries, found[1::3], deals, strict=True)
            gone = [
                n for n, (log, sealed, told) in enumerate(said) if told is None and (log or sealed)
            ]
            if not gone:
                numbers = (
                    number_in(f"deals in {each.meta!r}", n)
                    for each, n in zip(keys, deals, strict=True)
                )
                return sum(numbers), sum(entries)
        raise self._state_gone(gone)

    def columns_bytes(self) -> int | None:
        """Memory of the live columns in this process, or None while there are none. No round trip."""
        held = [n for part in self._partitions if (n := part.columns_bytes()) is not None]
        return sum(held) if held else None

    def finish(self) -> None:
        """End what queries have begun; see ``Store.finish``."""
        for part in self._partitions:
            part.finish()

    def check(self) -> CheckReport:
        """Compare every hash with the log, and change nothing; see ``check_all``."""
        from dealdb.store.partitions.upkeep.checking import check_all

        self._read([])
        return check_all(self._partitions)

    def not_adopted(self) -> ForeignDeals | None:
        """None: hashes of another program are in no partition."""
        return None

    def times_to_come(self) -> str | None:
        """What to say where commits have times in the future, or None. A round trip a partition."""
        return next(filter(None, (part.times_to_come() for part in self._partitions)), None)

    def log_ahead(self) -> str | None:
        """What to say where a log is ahead of its state, or None. Two round trips a partition."""
        return next(filter(None, (part.log_ahead() for part in self._partitions)), None)

    # texts besides the deals -----------------------------------------------------------------------

    def saved_queries(self) -> dict[str, str]:
        """Texts of the saved queries by name. One round trip; some more where there are none."""
        return as_texts(self.ask_besides("HGETALL", self._head.keys.queries))

    def save_query(self, name: str, text: str) -> None:
        """Keep a query's text; see ``Store.save_query``."""
        self._ensure_begun()
        self._head.save_query(name, text)

    def forget_query(self, name: str) -> bool:
        """Remove a saved query; whether there was one. One round trip."""
        if self._head.forget_query(name):
            return True
        self._read([])
        return False

    def table(self, name: str, columns: Sequence[str]) -> SmallTable:
        """A small table beside the deals; see ``Store.table``."""
        from dealdb.store.tables.table import SmallTable

        return SmallTable(
            self.link,
            self.keys,
            name,
            columns,
            ask=self.ask_besides,
            before_change=self._ensure_begun,
        )

    def ask_besides(self, *command: str) -> Any:
        """As of a ``Store``; where there is nothing, one round trip more asks how the collection is made."""
        found = self._head.ask_besides(*command)
        if not found:
            # nothing was saved yet; or the collection was emptied, and is made otherwise by now
            self._read([])
        return found

    def _ensure_begun(self) -> None:
        """What is kept beside the deals is found only in a collection that says how many partitions it has."""
        if not self._head.definitions.refresh().exist:
            self._head.declare([])
