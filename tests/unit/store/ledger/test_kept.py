"""Facts from tables that checkpoints kept, and the commits behind them, are those of all commits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import msgpack
import polars as pl
import pytest
from hypothesis import given, settings

from dealdb.connection.settings import Settings
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.archive.kept_facts import KeptFacts
from dealdb.store.archive.manifest import Generation
from dealdb.store.encoding import packed
from dealdb.store.facts.event import event_facts
from dealdb.store.facts.from_log import recorded_facts
from dealdb.store.keys import Keys
from dealdb.store.ledger.keeping import FactsKeeper
from dealdb.store.ledger.kept import beginning_of, has_facts, read_tables
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.ledger.tables import schema_of
from dealdb.store.log.entry import Entry, Position
from examples import of_profile
from store_commits import COMMIT, assert_equal, entries_of, facts_frame

KEYS = Keys("deal")


class Memory:
    """A server that has chunks alone."""

    settings = Settings()

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def calls(self, commands: Any, *, retry: bool = False) -> list[bytes | None]:
        assert retry
        return [self.blobs.get(key) for _, key in commands]


def kept_ledger(entries: list[Entry], cuts: list[int], *, hasty: bool) -> Ledger:
    """A checkpoint after each of some numbers of commits; then the others."""
    memory, facts, done = Memory(), None, 0
    for cut in cuts:
        keeper = FactsKeeper(memory, KEYS, facts, memory.blobs.update, hasty=hasty)  # type: ignore[arg-type]
        assert len(list(keeper.noted(entries[done:cut]))) == cut - done
        facts, done = keeper.kept(cut), cut
    generation = Generation(
        position=Position(done, b""),
        time_ms=0,
        schema=Schema.standard(),
        pipeline=Pipeline(),
        height=7,
        has_deleted=True,
        stages=None,
        columns=None,
        facts=facts and KeptFacts.from_document(facts.to_document()),
    )
    assert has_facts(generation)

    def load(names: Any) -> dict[str, pl.DataFrame]:
        found = read_tables(memory, KEYS, generation, names)  # type: ignore[arg-type]
        assert found is not None
        return found

    ledger = Ledger(beginning_of(generation, load))
    ledger.take(entries[done:])
    return ledger


@settings(max_examples=of_profile(0.5))
@given(
    commits=st.lists(COMMIT, max_size=14),
    cuts=st.sets(st.integers(1, 15), min_size=1, max_size=4),
    hasty=st.booleans(),
    known=st.integers(1, 15),
)
def test_facts_are_those_of_all_commits(
    commits: list[Any], cuts: set[int], known: int, *, hasty: bool
) -> None:
    entries = entries_of(commits)
    whole = Ledger()
    whole.take(entries)
    places = sorted({min(cut, len(entries)) for cut in cuts})
    found = kept_ledger(entries, places, hasty=hasty)
    assert_equal(recorded_facts(found), recorded_facts(whole))
    assert_equal(event_facts(found), event_facts(whole))
    assert_equal(event_facts(found, known), event_facts(whole, known))


def test_rows_that_no_commit_can_have_told_are_refused() -> None:
    entries = entries_of([(("set", "a", 0, {"stage": "Lead"}, 0), 1)])
    memory = Memory()
    keeper = FactsKeeper(memory, KEYS, None, memory.blobs.update)  # type: ignore[arg-type]
    list(keeper.noted(entries))
    facts = keeper.kept(2)
    assert facts
    generation = Generation(
        position=Position(2, b""), time_ms=0, schema=Schema.standard(), pipeline=Pipeline(),
        height=1, has_deleted=False, stages=None, columns=None, facts=facts,
    )  # fmt: skip

    def reads(given: Generation) -> bool:
        assert given.facts
        return read_tables(memory, KEYS, given, given.facts.tables) is not None  # type: ignore[arg-type]

    assert reads(generation)
    # as if they had been of another collection
    assert not reads(replace(generation, height=0))
    assert not reads(replace(generation, position=Position(1, b"")))
    assert not has_facts(replace(generation, position=Position(1, b"")))
    other = {**facts.tables, "gone": facts.tables["commits"]}
    assert not reads(replace(generation, facts=KeptFacts(other)))
    assert not has_facts(replace(generation, facts=KeptFacts({**facts.tables, "new": ()})))


def test_commits_of_many_deals_are_written_as_soon_as_they_come_to_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schema = Schema.standard().to_json().encode()
    entries = [Entry(Position(1, b""), 1, "w", 1, "Ann", "schema", 0, b"", schema)]
    ids = [f"d{n}" for n in range(40)]
    data = msgpack.packb([ids, ["stage"], [["Lead"] * 40]])
    rows = msgpack.packb(list(range(40)))
    facts = packed(facts_frame([(each, "stage", 5, "Won", "set") for each in ids]))
    for seq in range(2, 12):
        kind, said, of = ("set", data, rows) if seq % 2 else ("facts", facts, b"")
        entries.append(Entry(Position(seq, b""), seq, "w", seq, "Ann", kind, 0, of, said))
    monkeypatch.setattr("dealdb.store.ledger.keeping._MOST_CHANGES", 50)
    monkeypatch.setattr("dealdb.store.ledger.keeping._AT_ONCE", 2)
    memory = Memory()
    keeper = FactsKeeper(memory, KEYS, None, memory.blobs.update)  # type: ignore[arg-type]
    n_written = [len(memory.blobs) for _ in keeper.noted(entries)]
    # what is not written yet is in memory
    assert n_written[3] > 0
    assert len(set(n_written)) > 4
    found = keeper.kept(11)
    assert found
    assert (found.rows_of("touches"), found.rows_of("imported")) == (200, 200)


def test_changes_beyond_what_few_keys_let_expect_are_left_to_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = Memory()
    keeper = FactsKeeper(memory, KEYS, None, memory.blobs.update)  # type: ignore[arg-type]
    list(keeper.noted(entries_of([(("set", "a", 0, {"stage": "Lead"}, 0), 1)] * 9)))
    facts = keeper.kept(10)
    assert facts
    schemas = {"touches": schema_of("touches")}
    assert facts.read(memory, KEYS, schemas)  # type: ignore[arg-type]
    monkeypatch.setattr("dealdb.store.bounds.room.HARMLESS_CELLS", 8)
    monkeypatch.setattr("dealdb.store.bounds.room._keys_of", lambda *_: 0)
    assert facts.read(memory, KEYS, schemas) is None  # type: ignore[arg-type]
