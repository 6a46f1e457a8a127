"""
The store against a plain model: whatever happens in whatever order, every view of the deals is the same.

Two stores (as two processes would have them) save, delete, load, checkpoint, rename and lose things over links that
lose and delay commits, beside programs that write hashes of their own. After each step the hashes, the fold of the
log, a newcomer's columns, the history of a deal and a moment of the past must equal the model; the live columns of
both stores are looked at by steps of their own, so that they lag behind by any number of commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TypeVar
from unittest.mock import patch

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connected import ended
from dealdb.connection import RedisConnection
from dealdb.errors import (
    ConflictError,
    OutcomeUnknown,
    SchemaError,
    ServerUnavailable,
    StoreDamaged,
)
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema
from dealdb.model.values import Value
from dealdb.store import Store
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.manifest import Manifest, read_manifest
from dealdb.store.bounds.wall import LAST_MS
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.commit.batch import Batch
from dealdb.store.encoding import FACT_COLUMNS
from dealdb.store.facts.following.follower import FactsLog
from dealdb.store.facts.kept_tables import whole_ledger
from dealdb.store.facts.state import state_before
from dealdb.store.history.changes import history_in, history_of
from dealdb.store.history.index.one_deal import DealHistories
from dealdb.store.history.reading import read_history
from dealdb.store.live.columns import LiveColumns
from dealdb.store.log.entry import Position
from dealdb.store.log.reader import has_position
from dealdb.store.replica.replica import Replica
from dealdb.store.replica.snapshot import snapshot_of
from fact_checks import assert_told
from folds import assert_same_chunks
from lossy import FailingLink, Fault, FaultyLink, Network
from servers import Server
from store_model import ANY, Model, View, as_texts, canonical, stamp_of, text_of, view_of

T = TypeVar("T")
WHO = st.sampled_from([0, 1])
IDS = st.sampled_from([f"d{n}" for n in range(6)])
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "|", "a,b", '"', "\x00", "ß€😀"]
)
MONEY = st.decimals(-(10**9), 10**9, places=2) | st.decimals(-1, 1, places=4)
STAGES = ["Lead", "Won", "Lost", 'He said "won"']
VALUES: dict[str, st.SearchStrategy[Value]] = {
    "name": TEXT,
    "stage": st.sampled_from(STAGES),
    "amount": MONEY,
    "closed": st.dates(),
    "updated": st.datetimes(timezones=st.just(UTC)),
    "note": TEXT,
    # the first decimal widens the column
    "seats": st.integers(-(2**63), 2**63 - 1) | MONEY,
    # -0.0 is kept apart from 0.0, which the model's == could not tell
    "score": st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda x: x or str(x) == "0.0"
    ),
    "signed": st.booleans(),
    "memo": st.sampled_from(["a", "b"]),
}
# stages that a pipeline leaves out are open until somebody saves a deal in them
PIPELINES = st.builds(
    lambda kinds, closes: Pipeline(
        tuple(Stage(name, kind) for name, kind in kinds.items()), closes=closes
    ),
    st.dictionaries(st.sampled_from(STAGES), st.sampled_from(list(Kind))),
    st.sampled_from([True, True, False]),
)
CHANGES = st.dictionaries(st.sampled_from(sorted(VALUES)), st.none(), max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: st.none() | VALUES[name] for name in names})
)
# few values, so that saves meet what is there already
SMALL = st.fixed_dictionaries(
    {}, optional={"name": st.sampled_from(["a", "b", None]), "note": st.sampled_from(["a", None])}
)
MOVES = st.fixed_dictionaries(
    {"stage": st.none() | st.sampled_from(STAGES), "note": st.sampled_from(["a", "b", None])},
    optional={"name": st.none(), "memo": st.none(), "closed": st.none()},
).flatmap(lambda given: st.permutations(list(given.items())).map(dict))
FAULTS: st.SearchStrategy[Fault | None] = st.sampled_from(
    [None, None, None, "request", "reply", "delay", "double"]
)
OUTSIDE = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["outside", "a"]),
        # in another form, none of the type, and plain
        "amount": st.sampled_from(["10.000", "a lot", "7"]),
        "colour": st.just("red"),
        "id": st.just("1"),
    },
).filter(bool)


@dataclass
class Past:
    """What was so at each commit, as far as it was looked at."""

    moments: dict[int, tuple[View, Schema]] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    is_whole: bool = True

    def copy(self) -> Past:
        return Past(dict(self.moments), dict(self.times), self.is_whole)


@dataclass
class Backup:
    """Every key of the database, and what the model was."""

    keys: dict[bytes, bytes]
    model: Model
    past: Past
    damaged: set[str]


DEALS = st.dictionaries(
    IDS, st.tuples(st.none() | TEXT, st.none() | st.integers(-9, 9)), min_size=1
)


def texts_of(
    deals: dict[str, tuple[str | None, int | None]],
) -> dict[str, dict[str, str | None]]:
    return {
        deal: {"name": name, "amount": None if amount is None else str(amount)}
        for deal, (name, amount) in deals.items()
    }


def batch_of(deals: dict[str, tuple[str | None, int | None]]) -> Batch:
    amounts = [None if amount is None else str(amount) for _, amount in deals.values()]
    return Batch.of(list(deals), {"name": [name for name, _ in deals.values()], "amount": amounts})


class StoreMachine(RuleBasedStateMachine):
    """Rules are what users, networks, servers and other programs do."""

    server: Server
    # of so many steps one is followed by a look at the whole past, which takes most of the time
    pace = 1

    def __init__(self) -> None:
        super().__init__()
        with self.server.client() as client:
            client.flushall()
        self.connection = RedisConnection()
        self.connection.connect(unix_socket=self.server.socket)
        self.link = self.connection.link()
        self.network = Network()
        self.links: list[FaultyLink] = []
        self.stores: list[Store] = []
        for _ in range(2):
            self.links.append(FaultyLink(self.link, self.network))
            self.stores.append(Store(self.links[-1]))  # type: ignore[arg-type]
        # with writer and counter of the commits that were not carried out
        self.unknown: list[tuple[OutcomeUnknown, set[tuple[str, int]]] | None] = [None, None]
        self.model = Model()
        self.past = Past()
        self.backup: Backup | None = None
        # frame of the last query of each store, and what was in it
        self.handed_out: dict[int, tuple[pl.DataFrame, View]] = {}
        # what a load of each store is folded by
        self.folding: dict[int, LiveColumns] = {}
        # chunks that are not what was written
        self.damaged: set[str] = set()
        self.steps = self.looks = 0
        self.is_clean = self.is_replayable = True
        self.facts_log = FactsLog(self.link, self.stores[0].keys)
        # one that lives through all of it
        self.histories = DealHistories(self.link, self.stores[0].keys)
        # keeps the chunks of every history that there was
        self.cache = ChunkCache(Path(mkdtemp(prefix="dealdb")), 10**9)

    def teardown(self) -> None:
        rmtree(self.cache.folder)
        try:
            for who in (0, 1):
                self.query(who)
        finally:
            self.connection.close()

    # what the server has ------------------------------------------------------------------------

    @property
    def schema(self) -> Schema:
        text = self.link.call("HGET", "deals:meta", "schema")
        return Schema.from_json(text) if text else Schema.standard()

    @property
    def pipeline(self) -> Pipeline:
        text = self.link.call("HGET", "deals:meta", "pipeline")
        return Pipeline.from_json(text) if text else Pipeline()

    @property
    def seq(self) -> int:
        return int(self.link.call("HGET", "deals:meta", "seq") or 0)

    def stamp(self, seq: int) -> str:
        entries = self.link.call("XRANGE", "deals:log", f"{seq}-0", f"{seq}-0")
        return stamp_of(int(entries[0][1][3])) if entries else ""

    def row(self, deal: str) -> int | None:
        text = self.link.call("HGET", f"deal:{deal}", "_row")
        return None if text is None else int(text)

    # calls over a bad link ----------------------------------------------------------------------

    def attempt(
        self,
        who: int,
        call: Callable[[], T],
        fault: Fault | None,
        skip: int,
        *,
        give_up: bool,
        cut: int = 0,
    ) -> T | None:
        """
        Result of a call, or None when it did not learn what became of it.

        What the server carried out nevertheless goes into the model.
        """
        link = self.links[who]
        link.plan(fault, skip=skip, cut=cut, give_up=give_up and fault != "double")
        try:
            return call()
        except (OutcomeUnknown, ServerUnavailable) as problem:
            assert give_up
            link.gave_up()
            self.carry_out(link)
            if isinstance(problem, OutcomeUnknown):
                self.settle(who)
                self.unknown[who] = (problem, set(link.missing))
            return None
        finally:
            link.plan(None)

    def carry_out(self, link: FaultyLink) -> None:
        for kind, payload, answer, by_hand in link.done:
            seq, pipeline = int(answer.split()[0]), self.pipeline if by_hand else None
            self.model.commit(kind, payload, seq=seq, stamp=self.stamp(seq), pipeline=pipeline)

    def settle(self, who: int) -> None:
        """Ask what became of a store's open commit, if there is one."""
        entry, self.unknown[who] = self.unknown[who], None
        if entry is not None:
            problem, missing = entry
            assert problem.resolve() == (not missing)

    def apply(
        self, changes: Mapping[str, Mapping[str, str | None]], pipeline: Pipeline | None = None
    ) -> list[str]:
        seq = self.seq
        return self.model.set(changes, seq=seq, stamp=self.stamp(seq), pipeline=pipeline)

    # what users do ------------------------------------------------------------------------------

    @rule(
        who=WHO,
        deal=IDS,
        changes=CHANGES | SMALL | MOVES,
        fault=FAULTS,
        skip=st.sampled_from([0, 0, 1]),
        give_up=st.booleans(),
    )
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
        result = self.attempt(
            who,
            lambda: self.stores[who].save({"id": deal, **changes}),
            fault,
            skip,
            give_up=give_up,
        )
        if result is not None:
            self.settle(who)
            texts = {n: None if v is None else text_of(v) for n, v in changes.items()}
            assert [result.outcome] == self.apply({deal: texts}, self.pipeline)
            assert result.rev == int(self.model.hashes[deal]["_rev"])

    @rule(who=WHO, pipeline=PIPELINES)
    def define(self, who: int, pipeline: Pipeline) -> None:
        self.settle(who)
        self.stores[who].set_pipeline(pipeline)
        assert self.pipeline == pipeline

    @rule(who=WHO, deal=IDS, guess=st.integers(0, 30), right=st.booleans())
    def save_expecting(self, who: int, deal: str, guess: int, *, right: bool) -> None:
        self.settle(who)
        actual = self.model.rev_of(deal)
        expected = actual if right else guess
        changes = {"name": f"expected {expected}"}
        if expected != actual:
            with pytest.raises(ConflictError) as caught:
                self.stores[who].save({"id": deal, **changes}, expect_rev=expected)
            assert (caught.value.expected_rev, caught.value.actual_rev) == (expected, actual)
            return
        result = self.stores[who].save({"id": deal, **changes}, expect_rev=expected)
        assert [result.outcome] == self.apply({deal: changes})

    @rule(who=WHO, deal=IDS, fault=FAULTS, give_up=st.booleans())
    def delete(self, who: int, deal: str, fault: Fault | None, *, give_up: bool) -> None:
        result = self.attempt(who, lambda: self.stores[who].delete(deal), fault, 0, give_up=give_up)
        if result is None:
            return
        self.settle(who)
        if deal in self.model.hashes and self.model.row_of(deal) is None:
            self.model.adopt({deal: 1}, self.schema)
        assert result == self.model.delete(deal)

    @rule(who=WHO, deals=DEALS, fault=FAULTS, give_up=st.booleans())
    def load_batch(
        self,
        who: int,
        deals: dict[str, tuple[str | None, int | None]],
        fault: Fault | None,
        *,
        give_up: bool,
    ) -> None:
        store = self.stores[who]
        written = self.attempt(
            who, lambda: store.write(store.schema(), batch_of(deals)), fault, 0, give_up=give_up
        )
        if written is None:
            return
        self.settle(who)
        outcomes = self.apply(texts_of(deals))
        counts = (written.inserted, written.updated, written.unchanged)
        assert counts == tuple(map(outcomes.count, ("inserted", "updated", "unchanged")))

    @rule(
        who=WHO,
        parts=st.lists(DEALS, min_size=1, max_size=3),
        fault=FAULTS,
        cut=st.integers(0, 2),
        give_up=st.booleans(),
    )
    def add_batches(
        self,
        who: int,
        parts: list[dict[str, tuple[str | None, int | None]]],
        fault: Fault | None,
        cut: int,
        *,
        give_up: bool,
    ) -> None:
        """New deals, sent at once; up to the first batch with a deal that exists."""
        store = self.stores[who]
        batches = list(map(batch_of, parts))
        # an open commit can turn out to have been carried out only when it is asked about
        self.settle(who)
        known = set(self.model.hashes)
        added = self.attempt(
            who, lambda: store.add(store.schema(), batches), fault, 0, give_up=give_up, cut=cut
        )
        if added is None:
            return
        self.settle(who)
        expected = 0
        while expected < len(parts) and known.isdisjoint(parts[expected]):
            known |= parts[expected].keys()
            expected += 1
        assert added == expected
        first = self.seq - added + 1
        for seq, deals in enumerate(parts[:added], first):
            outcomes = self.model.set(texts_of(deals), seq=seq, stamp=self.stamp(seq))
            assert set(outcomes) == {"inserted"}

    @precondition(lambda self: any(self.unknown))
    @rule(who=WHO)
    def resolve(self, who: int) -> None:
        self.settle(who)

    @rule(who=WHO)
    def query(self, who: int) -> None:
        snapshot = self.stores[who].snapshot()
        assert view_of(snapshot.frame) == self.model.view(self.schema)
        assert snapshot.seq == self.seq
        frame, then = self.handed_out.get(who, (snapshot.frame, self.model.view(self.schema)))
        assert view_of(frame) == then, "a frame that was handed out"
        self.handed_out[who] = (snapshot.frame, self.model.view(self.schema))

    @rule(who=WHO, names=st.sets(st.sampled_from([*sorted(VALUES), "Name", "none"]), max_size=3))
    def query_columns(self, who: int, names: set[str]) -> None:
        """A process that has just begun reads these columns alone, and the others later, if ever."""
        snapshot = self.stores[who].snapshot(names)
        wanted = {name.lower() for name in names} & set(self.schema)
        assert wanted <= set(snapshot.rows.columns)
        deals = self.model.view(self.schema)
        assert (snapshot.height, snapshot.seq) == (len(deals), self.seq)
        for name in wanted:
            values = sorted(text_of(value) for value in snapshot.frame[name].drop_nulls())
            assert values == sorted(texts[name] for _, texts in deals if name in texts), name

    @rule(who=WHO, deal=IDS)
    def get(self, who: int, deal: str) -> None:
        schema = self.schema
        texts = {n: t for n, t in self.model.hashes.get(deal, {}).items() if n[0] != "_"}
        values = {n: canonical(t, schema.get(n)) for n, t in texts.items() if n != "id"}
        if None in values.values():
            with pytest.raises(StoreDamaged):
                self.stores[who].get_many([deal])
            return
        [found] = self.stores[who].get_many([deal])
        assert (found is None) == (deal not in self.model.hashes)
        if found is not None:
            assert {n: text_of(v) for n, v in found.items()} == {"id": deal, **values}

    @rule(who=WHO)
    def restart_process(self, who: int) -> None:
        self.stores[who] = Store(self.links[who])  # type: ignore[arg-type]
        self.unknown[who] = None
        self.folding.pop(who, None)

    # columns ------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_clean)
    @rule(
        who=WHO,
        names=st.permutations(["note", "memo", "colour", None]),
        fault=FAULTS,
        skip=st.integers(0, 2),
    )
    def rename_or_drop(
        self, who: int, names: list[str | None], fault: Fault | None, skip: int
    ) -> None:
        old, new = (names[0], names[1]) if names[0] else (names[1], None)
        assert old is not None
        store = self.stores[who]

        def call() -> None:
            if new:
                store.reshape().rename(old, new)
            else:
                store.reshape().drop(old)

        self.settle(who)
        if old not in self.schema:
            with pytest.raises(SchemaError):
                call()
            return
        self.attempt(who, call, fault, skip, give_up=False)
        self.model.move(old, new)
        assert old not in self.schema

    # the network --------------------------------------------------------------------------------

    @precondition(lambda self: self.network.held)
    @rule(which=st.integers(0, 9), keep=st.booleans())
    def deliver(self, which: int, *, keep: bool) -> None:
        """A copy arrives at last, maybe not for the last time."""
        held = self.network.held
        copy = held[which % len(held)]
        if not keep:
            held.remove(copy)
        link = FaultyLink(self.link, self.network)
        # after a reset the server knows no better, except that what lies before the copy is missing
        may_happen = copy.key in self.network.open or (
            copy.age != self.network.age and self.is_next(*copy.key)
        )
        status = copy.arrive(link)
        assert may_happen or status in (b"repeat", b"clash", b"gap"), "a late copy was carried out"
        self.carry_out(link)
        for entry in self.unknown:
            if link.done and entry is not None:
                entry[1].discard(copy.key)

    def is_next(self, writer: str, counter: int) -> bool:
        record = self.link.call("HGET", "deals:writers", writer) or b"0 "
        return counter == int(record.split()[0]) + 1

    # checkpoints and what becomes of them -------------------------------------------------------

    @property
    def manifest(self) -> Manifest | None:
        return read_manifest(self.link, self.stores[0].keys)

    def usable(self) -> Iterator[int]:
        """Places of the generations that a reader can begin with."""
        manifest = self.manifest
        for place, generation in enumerate(manifest.generations if manifest else ()):
            names = generation.columns.keys(self.stores[0].keys) if generation.columns else []
            there = not names or self.link.call("EXISTS", *names) == len(names)
            undamaged = self.damaged.isdisjoint(names)
            if there and undamaged and has_position(self.link, "deals:log", generation.position):
                yield place

    @rule(who=WHO, rounds=st.integers(1, 3), much=st.booleans())
    def checkpoint_after_changes(self, who: int, rounds: int, *, much: bool) -> None:
        for round_ in range(rounds):
            self.save(who, "d0", {"name": f"before {self.seq}"}, None, 0, give_up=False)
            self.checkpoint(who, fresh=True, much=much, anew=round_ % 2 == 0)

    @precondition(lambda self: self.model.height)
    @rule(who=WHO, fresh=st.booleans(), much=st.booleans(), anew=st.booleans())
    def checkpoint(self, who: int, *, fresh: bool, much: bool, anew: bool) -> None:
        """With ``much``, the log is as large as that of a bulk load: no older checkpoint stays for its sake."""
        store = self.stores[who]
        if fresh:
            self.query(who)
        replica = store._live._replica
        known = [] if anew else [d for of in replica.chunks.values() for d in of.values()]
        # without its columns, it may be folded into the checkpoint that has them
        waits_on = None if anew or replica.has_all else replica.waiting.columns
        kept = {*map(store.keys.chunk, known), *(waits_on.keys(store.keys) if waits_on else ())}
        lost = {key for key in kept if not self.link.call("EXISTS", key)}
        manifest, seq = self.manifest, self.seq
        with patch("dealdb.store.checkpoint.write._Checkpointer._bearable", 0 if much else 10**9):
            published = write_checkpoint(self.link, store.keys, replica, anew=anew)
        if fresh:
            is_news = manifest is None or manifest.generations[0].position.seq < seq
            assert published or not is_news or lost
        if published and self.manifest:
            newest = self.manifest.generations[0]
            assert newest.columns
            # written anew, also those that were there
            self.damaged -= set(newest.columns.keys(store.keys)) - kept
            assert (
                not much
                or self.link.call("XLEN", "deals:log") <= 1 + self.seq - newest.position.seq
            )
        assert not self.link.call("EXISTS", "deals:lease")

    @precondition(lambda self: self.model.height)
    @rule(who=WHO, so_far=st.booleans())
    def fold(self, who: int, *, so_far: bool) -> None:
        """A load ends, or goes on: the chunks that it has changed take the place of those that were there."""
        store, before = self.stores[who], self.manifest
        folding = self.folding.get(who)
        if folding is None:
            parts = self.link, store.keys, store._definitions.anchor
            folding = self.folding[who] = LiveColumns(*parts, only_settles=True)
        schedule = "dealdb.store.checkpoint.schedule"
        with (
            patch(f"{schedule}.MIN_CHANGES", 0),
            patch(f"{schedule}._CHANGES_SO_FAR", 0),
            patch(f"{schedule}._MOST_HELD", 3),
            patch(f"{schedule}._DEALS_A_CHANGE_SO_FAR", 10**9),
            patch(f"{schedule}._DEALS_A_LOADED_CHANGE", 10**9),
            patch(f"{schedule}._SETTLING_PAUSES_S", (0.0, 0.0)),
        ):
            folding.settle(so_far=so_far)
        after = self.manifest
        if after is None or after == before:
            return
        newest = after.generations[0]
        assert newest.columns
        self.damaged -= set(newest.columns.keys(store.keys)) - (
            before.keys(store.keys) if before else set()
        )
        if newest.position.seq == self.seq and self.damaged.isdisjoint(after.keys(store.keys)):
            assert_same_chunks(newest, folding.replica())

    @precondition(lambda self: self.model.height)
    @rule(who=WHO, calls=st.integers(1, 14))
    def die_during_a_checkpoint(self, who: int, calls: int) -> None:
        """What is published is complete at any moment."""
        self.query(who)
        before = self.manifest
        store = self.stores[who]
        with suppress(ServerUnavailable):
            write_checkpoint(
                FailingLink(self.link, calls),  # type: ignore[arg-type]
                store.keys,
                store._live._replica,
            )
        after = self.manifest
        if after and after != before:
            keys = store.keys
            new = after.keys(keys) - (before.keys(keys) if before else set())
            assert self.link.call("EXISTS", *new) == len(new), "published before its chunks"
        # it expires by itself
        self.link.call("DEL", "deals:lease")
        self.restart_process(who)

    @precondition(lambda self: self.model.height and self.is_clean)
    @rule(damage=st.sampled_from(["lost log", "lost", "garbage", "{}", "[]", '{"format":1}']))
    def lose_log_or_manifest(self, damage: str) -> None:
        """What was sealed and trimmed is lost with the manifest that says where it is."""
        if damage == "lost log":
            self.link.call("DEL", "deals:log")
        elif not self.link.call("EXISTS", "deals:checkpoint"):
            return
        elif damage == "lost":
            self.link.call("DEL", "deals:checkpoint")
        else:
            self.link.call("SET", "deals:checkpoint", damage)
        if not self.log_is_whole():
            self.past.is_whole = False

    def log_is_whole(self) -> bool:
        first = self.link.call("XRANGE", "deals:log", "-", "+", "COUNT", 1)
        return bool(first) and first[0][0] == b"1-0"

    @precondition(lambda self: self.link.call("KEYS", "deals:chunk:*"))
    @rule(
        newest_only=st.booleans(),
        history_too=st.booleans(),
        how=st.sampled_from(["lost", "damaged", "another"]),
    )
    def damage_chunks(self, *, newest_only: bool, history_too: bool, how: str) -> None:
        chunks = sorted(key.decode() for key in self.link.call("KEYS", "deals:chunk:*"))
        manifest = self.manifest
        segments = [each.columns for each in manifest.history if each.columns] if manifest else []
        needed = {key for each in segments for key in each.keys(self.stores[0].keys)}
        if not history_too:
            chunks = [key for key in chunks if key not in needed]
        columns = manifest.generations[0].columns if manifest else None
        newest = columns.keys(self.stores[0].keys) if columns else []
        # a reader without a checkpoint reads the hashes, where other programs may have been
        if not self.is_clean:
            if not newest_only or 1 not in self.usable():
                return
            assert manifest
            older = manifest.generations[1].columns
            assert older
            newest = sorted(set(newest) - set(older.keys(self.stores[0].keys)))
        for key in set(newest if newest_only else chunks).intersection(chunks):
            others = [other for other in chunks if other not in (key, *self.damaged)]
            if how == "lost":
                self.link.call("DEL", key)
            elif how == "another" and others:
                # what was so at another commit
                self.link.call("SET", key, self.link.call("GET", others[0]))
            else:
                self.link.call("SETRANGE", key, self.link.call("STRLEN", key) // 2, b"damage")
            self.damaged.add(key)
            self.past.is_whole = self.past.is_whole and key not in needed

    @rule(who=WHO, at=st.integers(1, 10**6))
    def tell_of_before(self, who: int, at: int) -> None:
        """Facts are imported, which are no part of the present; they are of a deal that nobody has."""
        self.settle(who)
        given = {"id": "before", "field": "name", "at": at, "value": "a", "op": "set"}
        frame = pl.DataFrame({name: [given.get(name)] for name in FACT_COLUMNS}, FACT_COLUMNS)
        self.stores[who].record(frame, [], [])
        assert self.link.call("HGET", "deals:meta", "format") == b"2"

    @rule()
    def back_up(self) -> None:
        keys = {key: self.link.call("DUMP", key) for key in self.link.call("KEYS", "*")}
        self.backup = Backup(keys, self.model.copy(), self.past.copy(), set(self.damaged))

    @rule(flush=st.booleans())
    def reset(self, *, flush: bool) -> None:
        """The server loses everything, or comes back with an older state."""
        if flush or self.backup is None:
            self.link.call("FLUSHDB")
            self.model, self.past = Model(), Past()
            self.forget_unknown()
        else:
            self.roll_back(self.backup)

    def roll_back(self, backup: Backup) -> None:
        self.link.call("FLUSHDB")
        for key, value in backup.keys.items():
            self.link.call("RESTORE", key, 0, value)
        self.model, self.past = backup.model.copy(), backup.past.copy()
        self.damaged = set(backup.damaged)
        self.forget_unknown()

    def forget_unknown(self) -> None:
        """The server has lost what happened, and late copies are news to it."""
        self.network.age += 1
        self.unknown = [None, None]

    # other programs -----------------------------------------------------------------------------

    @precondition(lambda self: self.is_replayable)
    @rule(deal=IDS, texts=OUTSIDE, replace=st.booleans())
    def write_outside(self, deal: str, texts: dict[str, str], *, replace: bool) -> None:
        if replace:
            self.link.call("DEL", f"deal:{deal}")
            self.model.hashes.pop(deal, None)
        self.link.call("HSET", f"deal:{deal}", *[part for pair in texts.items() for part in pair])
        self.model.hashes.setdefault(deal, {}).update(texts)

    @precondition(lambda self: self.is_replayable and self.model.hashes)
    @rule(
        deal=IDS, name=st.sampled_from(["name", "amount", "note", None, None]), saved=st.booleans()
    )
    def remove_outside(self, deal: str, name: str | None, *, saved: bool) -> None:
        if name is None:
            self.link.call("DEL", f"deal:{deal}")
            self.model.hashes.pop(deal, None)
            if saved:
                self.save(0, deal, {"name": "again"}, None, 0, give_up=False)
        elif self.link.call("HDEL", f"deal:{deal}", name):
            del self.model.hashes[deal][name]
            if not self.model.hashes[deal]:
                del self.model.hashes[deal]

    @precondition(lambda self: self.is_replayable and self.model.hashes)
    @rule(source=IDS, copy=IDS)
    def copy_outside(self, source: str, copy: str) -> None:
        flat = self.link.call("HGETALL", f"deal:{source}")
        if flat and source != copy:
            self.link.call("HSET", f"deal:{copy}", *flat)
            self.model.hashes.setdefault(copy, {}).update(as_texts(flat))

    @rule(who=WHO)
    def check(self, who: int) -> None:
        report = self.stores[who].check()
        assert set(report.differences) == self.model.differences(self.schema)
        assert len(report.differences) == len(set(report.differences))

    @rule(who=WHO, fault=FAULTS, skip=st.integers(0, 2))
    def repair(self, who: int, fault: Fault | None, skip: int) -> None:
        self.settle(who)
        found = self.model.differences(self.schema)
        height = self.model.height
        report = self.attempt(who, self.stores[who].repair, fault, skip, give_up=False)
        assert report is not None
        schema = self.schema
        adopted, removed = self.model.repair(schema, found)
        self.model.renumber(self.row, height)
        assert (report.adopted, report.removed) == (adopted, removed)
        assert set(report.remaining) == self.model.differences(schema)
        assert {d.problem.value for d in report.remaining} <= {"unreadable"}
        assert self.model.deals == len(self.model.hashes)

    # what has to be so at any time --------------------------------------------------------------

    @invariant()
    def every_view_agrees(self) -> None:
        self.adopt_strays()
        newcomer = Store(self.link, cache=self.cache if self.steps % 3 else None)
        if self.steps % 2:
            # the other columns come later, and must be of the same commit
            part = newcomer.snapshot(["stage"])
            rows = pl.Series(range(part.rows.height)[-2:], dtype=pl.UInt32).reverse()
            few = None if part.has_all else part.whole_rows(rows)
            if self.steps % 4 == 1 and few is not None and part.whole_rows(rows) is not None:
                ended("dealdb-read-ahead")
        else:
            few = None
        snapshot = newcomer.snapshot()
        if few is not None:
            assert few.equals(snapshot.rows[rows], null_equal=True), "few rows"
        schema = self.schema
        assert view_of(snapshot.frame) == self.model.view(schema), "checkpoint and tail"
        self.compare_hashes()
        assert newcomer.count() == self.model.deals, "count"
        self.past.moments[self.seq] = (self.model.view(schema), schema)
        if self.past.is_whole and self.steps % self.pace == 0:
            self.look_back(newcomer)
            self.looks += 1
        differences = self.model.differences(schema)
        self.is_clean = not differences
        self.is_replayable = self.log_is_whole() or not self.seq or any(self.usable())
        self.steps += 1

    def adopt_strays(self) -> None:
        """Adopt what is there, which the first change would ask for."""
        if self.link.call("HGET", "deals:meta", "adopted"):
            return
        strays = {deal: 1 for deal, texts in self.model.hashes.items() if "_row" not in texts}
        if strays:
            store = Store(self.link)
            assert store.not_adopted()
            store._others.audit().adopt_all()
            store._others.adoption.finish()
            height = self.model.height
            self.model.adopt(strays, self.schema)
            self.model.renumber(self.row, height)

    def compare_hashes(self) -> None:
        hashes = {
            key.decode().removeprefix("deal:"): as_texts(self.link.call("HGETALL", key))
            for key in self.link.call("KEYS", "deal:*")
        }
        for deal, texts in self.model.hashes.items():
            if texts.get("_rev") == ANY:
                texts["_rev"] = hashes[deal]["_rev"]
                assert int(texts["_rev"]) <= self.seq
        assert hashes == self.model.hashes, "hashes"

    def look_back(self, store: Store) -> None:
        """The whole history by itself, that of one deal, and one moment of the past."""
        entries = list(read_history(self.link, store.keys))
        folded = Replica()
        folded.apply(entries)
        assert view_of(snapshot_of(folded).frame) == self.model.view(folded.schema), (
            "fold of the log"
        )
        assert len(entries) == self.seq
        self.past.times = {entry.position.seq: entry.time_ms for entry in entries}
        manifest = self.manifest
        for generation in manifest.generations if manifest else ():
            assert has_position(self.link, store.keys.log, generation.position), "trimmed too far"
        deal = f"d{self.looks % 4}"
        history = store.history(deal)
        events = history.select("change", "field", "before", "after").rows()
        assert events == self.model.events(deal), "history of a deal"
        # one that has read a part of it already, and one that reads all of it
        facts = self.facts_log.recorded() if self.looks % 2 else store.facts()
        changes = store.changes(Position(self.seq)).filter(pl.col("id") != "before")
        assert_told(facts, changes.sort("seq", maintain_order=True), self.past.times)
        view = self.model.view(folded.schema)
        if self.model.is_told_alike():
            assert view_of(state_before(facts, LAST_MS)) == view, "facts"
        events_too = store.event_facts(assume="none")
        assert events_too.lives.equals(facts.lives, null_equal=True), "lives of events"
        for name in facts.schema:
            assert events_too.of(name).equals(facts.of(name), null_equal=True) or name == "id", name
        self.compare_tables()
        self.compare_indexes()
        moments = {
            seq: moment
            for seq, moment in self.past.moments.items()
            if self.past.times.get(seq) != self.past.times.get(seq + 1)
        }
        if moments:
            seq = list(moments)[self.looks * 7 % len(moments)]
            view, schema = moments[seq]
            when = datetime.fromtimestamp(0, UTC) + timedelta(
                milliseconds=self.past.times.get(seq, 0)
            )
            then = store.as_of(when)
            assert view_of(then.frame) == view, "a moment of the past"
            assert not seq or then.schema == schema

    def compare_tables(self) -> None:
        """What the checkpoints have kept, and the log behind it, is what all commits say."""
        keys = self.stores[0].keys
        whole = whole_ledger(self.link, keys)
        rows = whole.touches.table()["row"].unique()
        for known in (FactsLog(self.link, keys)._begun(), self.facts_log._current()):
            assert known.position == whole.position
            assert known.commits().equals(whole.commits()), "commits"
            assert known.pipelines == whole.pipelines
            ids = [ledger.all_ids(rows).sort("row", "seq", "id") for ledger in (known, whole)]
            assert ids[0].equals(ids[1]), "ids"
            for name in {*known.tables, *whole.tables} - {"ids", "commits"}:
                tables = [sorted(each.table(name).rows(), key=repr) for each in (known, whole)]
                assert tables[0] == tables[1], name

    def compare_indexes(self) -> None:
        """The history of each deal by the indexes is that of a read of everything, whatever became of the deal."""
        keys = self.stores[0].keys
        newcomer = DealHistories(self.link, keys, self.cache)
        # each in turn: a read of everything takes most of the time
        for deal in (f"d{self.looks % 6}", f"d{(self.looks + 3) % 6}", "none"):
            whole = history_of(self.link, keys, deal)
            for known in (self.histories, newcomer):
                found = known.commits_of(deal)
                assert found is not None, "the indexes do not say it"
                assert history_in(found, deal).equals(whole), f"history of {deal} by the indexes"


@pytest.mark.parametrize(
    ("examples", "steps", "pace"),
    [
        pytest.param(6, 15, 4, id="short"),
        pytest.param(5_000, 25, 1, id="long", marks=pytest.mark.slow),
    ],
)
def test_store_agrees_with_model(
    server: Server, examples: int, steps: int, pace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.connection.retry.FIRST_WAIT_S", 1e-6)
    # so few steps make few segments: two neighbours are merged, again and again
    monkeypatch.setattr("dealdb.store.archive.merging.FAN_OUT", 2)
    for module in (
        *("archive.chunks", "live.columns", "checkpoint.fold", "checkpoint.schedule"),
        "replica.changing",
    ):
        monkeypatch.setattr(f"dealdb.store.{module}.CHUNK_ROWS", 2)
    # and so few commits few pieces and blocks, whose hashes are often those of several ids
    for name, value in (("_PIECE_BYTES", 300), ("_BLOCK", 2), ("_SPARE_BITS", 0)):
        monkeypatch.setattr(f"dealdb.store.archive.deal_index.{name}", value)
    StoreMachine.server = server
    monkeypatch.setattr(StoreMachine, "pace", pace)
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
