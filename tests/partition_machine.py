"""
The machine that holds a collection of partitions against a plain model, one for each partition.

Two stores save, delete, load, declare and ask over links that lose and delay commits, while checkpoints are written,
processes end, and the server loses all, or what is newest in one partition. After each step the hashes of every
partition, the columns of a newcomer and the history of a deal must equal the models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dealdb.connection import RedisConnection
from dealdb.errors import ConflictError, OutcomeUnknown, SchemaError, ServerUnavailable
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema
from dealdb.model.values import Value
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.commit.batch import Batch
from dealdb.store.keys import Keys
from dealdb.store.partitions.layout import partition_of, tag_of
from dealdb.store.partitions.partitioned import PartitionedStore
from lossy import Fault, FaultyLink, Network, writers_in
from servers import Server
from store_model import Model, View, as_texts, stamp_of, text_of, view_of

T = TypeVar("T")
WHO = st.sampled_from([0, 1])
# some in each partition
IDS = st.sampled_from([f"d{n}" for n in range(8)])
STAGES = ["Lead", "Won", "Lost"]
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "name": st.sampled_from(["a", "b", "ß|,"]),
    "stage": st.sampled_from(STAGES),
    "amount": st.decimals(-100, 100, places=2),
    "closed": st.dates(),
    # the first decimal widens the column
    "seats": st.integers(-9, 9) | st.decimals(-1, 1, places=1),
    "memo": st.sampled_from(["a", "b"]),
}
CHANGES = st.dictionaries(st.sampled_from(sorted(VALUES)), st.none(), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: st.none() | VALUES[name] for name in names})
)
PIPELINES = st.builds(
    lambda kinds, closes: Pipeline(
        tuple(Stage(name, kind) for name, kind in kinds.items()), closes=closes
    ),
    st.dictionaries(st.sampled_from(STAGES), st.sampled_from(list(Kind)), min_size=1),
    st.booleans(),
)
DEALS = st.dictionaries(
    IDS, st.tuples(st.none() | st.just("a"), st.none() | st.integers(-9, 9)), min_size=1
)
FAULTS: st.SearchStrategy[Fault | None] = st.sampled_from(
    [None, None, None, "request", "reply", "delay", "double"]
)


def batch_of(deals: Mapping[str, tuple[str | None, int | None]]) -> Batch:
    amounts = [None if amount is None else str(amount) for _, amount in deals.values()]
    return Batch.of(list(deals), {"name": [name for name, _ in deals.values()], "amount": amounts})


class PartitionMachine(RuleBasedStateMachine):
    """Rules are what users, networks and servers do."""

    server: Server
    partitions: int

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.connected()
        self.link = self.connection.link()
        self.network = Network()
        self.links = [self.link_of_process() for _ in range(2)]
        self.stores = [self.opened(link) for link in self.links]
        self.keys = [Keys("deal", tag_of(n, self.partitions)) for n in range(self.partitions)]
        self.numbers = {keys.writers: n for n, keys in enumerate(self.keys)}
        self.models = [Model() for _ in self.keys]
        self.unknown: list[tuple[OutcomeUnknown, set[tuple[str, int]]] | None] = [None, None]
        # keys and models of all partitions, at one moment
        self.backup: tuple[dict[bytes, bytes], list[Model]] | None = None
        self.steps = 0

    def connected(self) -> RedisConnection:
        """To a server without data."""
        with self.server.client() as client:
            client.flushall()
        return RedisConnection().connect(unix_socket=self.server.socket)

    def link_of_process(self) -> FaultyLink:
        return FaultyLink(self.link, self.network)

    def opened(self, link: object) -> PartitionedStore:
        return PartitionedStore(link, "deal", partitions=self.partitions)  # type: ignore[arg-type]

    def teardown(self) -> None:
        try:
            for who in (0, 1):
                self.query(who)
        finally:
            self.connection.close()

    # what the server has ------------------------------------------------------------------------

    def names(self, pattern: str = "*") -> list[bytes]:
        """Of all keys."""
        return [key for node in self.link.each_node() for key in node.call("KEYS", pattern)]

    @property
    def schema(self) -> Schema:
        text = self.link.call("HGET", self.keys[0].meta, "schema")
        return Schema.from_json(text) if text else Schema.standard()

    def seq(self, number: int) -> int:
        return int(self.link.call("HGET", self.keys[number].meta, "seq") or 0)

    def stamp(self, number: int, seq: int) -> str:
        entries = self.link.call("XRANGE", self.keys[number].log, f"{seq}-0", f"{seq}-0")
        return stamp_of(int(entries[0][1][3])) if entries else ""

    def of(self, deal: str) -> Model:
        return self.models[partition_of(deal, self.partitions)]

    def view(self) -> View:
        schema = self.schema
        return sorted(
            (deal for model in self.models for deal in model.view(schema)),
            key=lambda deal: deal[0],
        )

    # calls over a bad link ----------------------------------------------------------------------

    def attempt(
        self, who: int, call: Callable[[], T], fault: Fault | None, skip: int, *, give_up: bool
    ) -> T | None:
        """Result of a call, or None when it did not learn what became of it; the models know what the server did."""
        link = self.links[who]
        self.settle(who)
        link.plan(fault, skip=skip, give_up=give_up and fault != "double")
        try:
            return call()
        except (OutcomeUnknown, ServerUnavailable) as problem:
            assert give_up
            link.gave_up()
            if isinstance(problem, OutcomeUnknown):
                self.unknown[who] = (problem, set(link.missing))
            return None
        finally:
            self.carry_out(link)
            link.plan(None)

    def carry_out(self, link: FaultyLink) -> None:
        for (kind, payload, answer, by_hand), key in zip(link.done, link.places, strict=True):
            assert key is not None
            number = self.numbers[key]
            seq = int(answer.split()[0])
            text = self.link.call("HGET", self.keys[number].meta, "pipeline") if by_hand else None
            pipeline = Pipeline.from_json(text) if text else Pipeline() if by_hand else None
            stamp = self.stamp(number, seq)
            self.models[number].commit(kind, payload, seq=seq, stamp=stamp, pipeline=pipeline)

    def settle(self, who: int) -> None:
        entry, self.unknown[who] = self.unknown[who], None
        if entry is not None:
            problem, missing = entry
            assert problem.resolve() == (not missing)

    # what users do ------------------------------------------------------------------------------

    @rule(
        who=WHO, deal=IDS, changes=CHANGES, fault=FAULTS, skip=st.integers(0, 2),
        give_up=st.booleans(),
    )  # fmt: skip
    def save(
        self,
        who: int,
        deal: str,
        changes: dict[str, Value],
        fault: Fault | None,
        skip: int,
        *,
        give_up: bool,
    ) -> None:
        store = self.stores[who]
        result = self.attempt(
            who, lambda: store.save({"id": deal, **changes}), fault, skip, give_up=give_up
        )
        if result is not None:
            texts = self.of(deal).hashes[deal]
            assert result.rev == int(texts["_rev"])
            for name, value in changes.items():
                if name != "closed":
                    assert texts.get(name) == (None if value is None else text_of(value)), name

    @rule(who=WHO, pipeline=PIPELINES, fault=FAULTS, skip=st.integers(0, 4), give_up=st.booleans())
    def define(
        self, who: int, pipeline: Pipeline, fault: Fault | None, skip: int, *, give_up: bool
    ) -> None:
        """Cut off between two partitions, it is as good as done: the others follow with their next change."""
        store = self.stores[who]
        self.attempt(who, lambda: store.set_pipeline(pipeline), fault, skip, give_up=give_up)

    @rule(who=WHO, name=st.sampled_from(["memo", "seats", "more"]), skip=st.integers(0, 2))
    def declare_and_die(self, who: int, name: str, skip: int) -> None:
        """The head has the field, its partition not yet; or neither has."""
        self.attempt(
            who,
            lambda: self.stores[who].save({"id": "d1", name: 1 if name == "seats" else "a"}),
            "request",
            skip,
            give_up=True,
        )
        self.restart_process(who)

    @rule(who=WHO, deal=IDS, guess=st.integers(0, 30), right=st.booleans())
    def save_expecting(self, who: int, deal: str, guess: int, *, right: bool) -> None:
        actual = self.of(deal).rev_of(deal) if deal in self.of(deal).hashes else 0
        expected = actual if right else guess
        store = self.stores[who]

        def call() -> object:
            return store.save({"id": deal, "name": f"expected {expected}"}, expect_rev=expected)

        if expected == actual:
            assert self.attempt(who, call, None, 0, give_up=False)
            return
        with pytest.raises(ConflictError) as caught:
            self.attempt(who, call, None, 0, give_up=False)
        assert (caught.value.expected_rev, caught.value.actual_rev) == (expected, actual)

    @rule(who=WHO, deal=IDS, fault=FAULTS, give_up=st.booleans())
    def delete(self, who: int, deal: str, fault: Fault | None, *, give_up: bool) -> None:
        there = deal in self.of(deal).hashes
        result = self.attempt(who, lambda: self.stores[who].delete(deal), fault, 0, give_up=give_up)
        assert result in (None, there)
        assert result is None or deal not in self.of(deal).hashes

    @rule(who=WHO, ids=st.lists(IDS, unique=True, min_size=1), fault=FAULTS, give_up=st.booleans())
    def delete_many(self, who: int, ids: list[str], fault: Fault | None, *, give_up: bool) -> None:
        there = sum(deal in self.of(deal).hashes for deal in ids)
        result = self.attempt(
            who, lambda: self.stores[who].delete_many(ids), fault, 0, give_up=give_up
        )
        assert result in (None, there)

    @rule(who=WHO, deals=DEALS, fault=FAULTS, skip=st.integers(0, 2), give_up=st.booleans())
    def load_batch(
        self,
        who: int,
        deals: dict[str, tuple[str | None, int | None]],
        fault: Fault | None,
        skip: int,
        *,
        give_up: bool,
    ) -> None:
        store = self.stores[who]
        known = sum(deal in self.of(deal).hashes for deal in deals)
        written = self.attempt(
            who, lambda: store.write(store.schema(), batch_of(deals)), fault, skip, give_up=give_up
        )
        if written is not None:
            assert written.inserted == len(deals) - known
            assert written.updated + written.unchanged == known

    @rule(
        who=WHO, parts=st.lists(DEALS, min_size=1, max_size=3), fault=FAULTS, give_up=st.booleans()
    )
    def add_batches(
        self,
        who: int,
        parts: list[dict[str, tuple[str | None, int | None]]],
        fault: Fault | None,
        *,
        give_up: bool,
    ) -> None:
        """New deals, sent at once; up to the first batch with a deal that exists."""
        store = self.stores[who]
        self.settle(who)
        batches = store.split(map(batch_of, parts))
        known = {deal for model in self.models for deal in model.hashes}
        added = self.attempt(
            who, lambda: store.add(store.schema(), batches), fault, 0, give_up=give_up
        )
        if added is None:
            return
        expected = 0
        while expected < len(batches) and known.isdisjoint(batches[expected].ids):
            known |= set(batches[expected].ids)
            expected += 1
        assert added == expected
        assert known == {deal for model in self.models for deal in model.hashes}

    @rule(who=WHO)
    def query(self, who: int) -> None:
        snapshot = self.stores[who].snapshot()
        assert view_of(snapshot.frame) == self.view()
        assert snapshot.seq == sum(self.seq(n) for n in range(self.partitions))

    @rule(who=WHO, names=st.sets(st.sampled_from([*sorted(VALUES), "none"]), max_size=3))
    def query_columns(self, who: int, names: set[str]) -> None:
        snapshot = self.stores[who].snapshot(names)
        deals = self.view()
        assert snapshot.height == len(deals)
        for name in {name for name in names if name in self.schema}:
            values = sorted(text_of(value) for value in snapshot.frame[name].drop_nulls())
            assert values == sorted(texts[name] for _, texts in deals if name in texts), name

    @rule(who=WHO, ids=st.lists(IDS, min_size=1, max_size=4))
    def get(self, who: int, ids: list[str]) -> None:
        deals = dict(self.view())
        for deal, found in zip(ids, self.stores[who].get_many(ids), strict=True):
            assert (found is None) == (deal not in deals)
            if found is not None:
                own = {n: text_of(v) for n, v in found.items() if n != "id"}
                assert own == deals[deal]

    @rule(
        who=WHO, names=st.permutations(["memo", "more", None]), fault=FAULTS, skip=st.integers(0, 6),
        give_up=st.booleans(),
    )  # fmt: skip
    def rename_or_drop(
        self, who: int, names: list[str | None], fault: Fault | None, skip: int, *, give_up: bool
    ) -> None:
        """Cut off in the middle, it is finished by whoever changes or repairs something of that kind next."""
        old, new = (names[0], names[1]) if names[0] else (names[1], None)
        assert old is not None
        store = self.stores[who]

        def call() -> bool:
            if new:
                store.reshape().rename(old, new)
            else:
                store.reshape().drop(old)
            return True

        self.settle(who)
        store.reshape().finish()
        self.carry_out(self.links[who])
        self.links[who].plan(None)
        if old not in self.schema:
            with pytest.raises(SchemaError):
                call()
        elif self.attempt(who, call, fault, skip, give_up=give_up):
            assert old not in self.schema
            assert not any(old in texts for m in self.models for texts in m.hashes.values())

    @rule(who=WHO)
    def repair(self, who: int) -> None:
        report = self.attempt(who, self.stores[who].repair, None, 0, give_up=False)
        assert report is not None
        assert not report.remaining
        assert not self.schema.leaving

    @rule(who=WHO)
    def restart_process(self, who: int) -> None:
        self.stores[who] = self.opened(self.links[who])
        self.unknown[who] = None

    # the network and the server -----------------------------------------------------------------

    @precondition(lambda self: self.network.held)
    @rule(which=st.integers(0, 9), keep=st.booleans())
    def deliver(self, which: int, *, keep: bool) -> None:
        """A copy arrives at last, maybe not for the last time."""
        held = self.network.held
        copy = held[which % len(held)]
        if not keep:
            held.remove(copy)
        link = FaultyLink(self.link, self.network)
        writer, counter = copy.key
        writers = writers_in(copy.command)
        assert writers is not None
        record = self.link.call("HGET", writers, writer) or b"0 "
        is_next = counter == int(record.split()[0]) + 1
        may_happen = copy.key in self.network.open or (copy.age != self.network.age and is_next)
        status = copy.arrive(link)
        assert may_happen or status in (b"repeat", b"clash", b"gap"), "a late copy was carried out"
        self.carry_out(link)
        for entry in self.unknown:
            if link.done and entry is not None:
                entry[1].discard(copy.key)

    @rule(who=WHO, number=st.integers(0, 3), anew=st.booleans())
    def checkpoint(self, who: int, number: int, *, anew: bool) -> None:
        self.query(who)
        part = self.stores[who]._partitions[number % self.partitions]
        if self.seq(number % self.partitions):
            write_checkpoint(self.link, part.keys, part._live._replica, anew=anew)

    @rule()
    def back_up(self) -> None:
        keys = {key: self.link.call("DUMP", key) for key in self.names()}
        self.backup = (keys, [model.copy() for model in self.models])

    @precondition(lambda self: self.backup is not None)
    @rule(number=st.integers(-1, 3))
    def set_back(self, number: int) -> None:
        """A failover loses what is newest in one partition; or the server comes back with an older state."""
        assert self.backup is not None
        keys, models = self.backup
        number %= self.partitions
        tag = f"{{{tag_of(number, self.partitions)}}}"
        # of the head, only as a whole: other partitions may have what it has no more
        texts = {key: key.decode(errors="replace") for key in [*keys, *self.names()]}
        chosen = {key for key, text in texts.items() if number == 0 or tag in text}
        for key in chosen:
            self.link.call("DEL", key)
            if key in keys:
                self.link.call("RESTORE", key, 0, keys[key])
        for place in range(self.partitions):
            if number in (0, place):
                self.models[place] = models[place].copy()
        self.network.age += 1
        self.unknown = [None, None]

    @rule(who=WHO)
    def check(self, who: int) -> None:
        assert not self.stores[who].check().differences

    # what has to be so at any time --------------------------------------------------------------

    @invariant()
    def every_view_agrees(self) -> None:
        newcomer = self.opened(self.link)
        view = self.view()
        if self.steps % 2:
            newcomer.snapshot(["stage"])
        assert view_of(newcomer.snapshot().frame) == view
        assert newcomer.count() == len(view)
        for number, keys in enumerate(self.keys):
            hashes = {
                key.decode().removeprefix(keys.deal_prefix): as_texts(
                    self.link.call("HGETALL", key)
                )
                for key in self.names(f"{keys.deal_prefix}*")
            }
            assert hashes == self.models[number].hashes, number
        if self.steps % 4 == 0:
            deal = f"d{self.steps % 8}"
            events = newcomer.history(deal).select("change", "field", "before", "after").rows()
            assert events == self.of(deal).events(deal)
            then = newcomer.as_of(datetime(2100, 1, 1, tzinfo=UTC))
            assert view_of(then.frame) == view
        self.steps += 1


def prepare(machine: type[PartitionMachine], partitions: int, patch: pytest.MonkeyPatch) -> None:
    """Let it have so many partitions, columns of many chunks, and no waits."""
    patch.setattr("dealdb.connection.retry.FIRST_WAIT_S", 1e-6)
    # a power of two for those who choose, not for what is done with it
    patch.setattr("dealdb.store.partitions.layout._is_possible", lambda _: True)
    for module in ("archive.chunks", "live.columns", "checkpoint.fold", "replica.changing"):
        patch.setattr(f"dealdb.store.{module}.CHUNK_ROWS", 2)
    patch.setattr(machine, "partitions", partitions, raising=False)


def run(machine: type[PartitionMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
