"""Facts as they happened, against a fold by hand: in any order, in any commits, once or twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import hypothesis.strategies as st
import msgpack
import polars as pl
from hypothesis import given, settings

from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.encoding import FACT_COLUMNS, packed
from dealdb.store.facts.assumed import Assume
from dealdb.store.facts.event import event_facts, told_facts
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.from_log import recorded_facts
from dealdb.store.facts.saved import is_saved_alone
from dealdb.store.facts.state import state_before
from dealdb.store.ledger.ledger import Beginning, Ledger
from dealdb.store.log.entry import Entry, Position
from examples import of_profile

Row = tuple[str, str | None, int, str | None, str]
# deals are saved at this moment, and facts are imported later
SAVED = 1_000_000
MOMENTS = [100_000, 200_000, 300_000]


def entry(
    seq: int, kind: str, time: int, data: bytes, rows: Sequence[int] = (), height: int = 0
) -> Entry:
    packed_rows = msgpack.packb(list(rows)) if rows else b""
    return Entry(Position(seq, b""), time, "w", seq, "Ann", kind, height, packed_rows, data)


def data_of(rows: Sequence[Row]) -> bytes:
    frame = pl.DataFrame(rows, schema=["id", "field", "at", "value", "op"], orient="row")
    more = [pl.lit(None, pl.String).alias(name) for name in ("who", "source", "key")]
    return packed(
        frame.with_columns(more).select(pl.col(n).cast(t) for n, t in FACT_COLUMNS.items())
    )


def ledger_of(commits: Sequence[Sequence[Row]]) -> Ledger:
    """A deal that was saved, and commits of facts after that."""
    ledger = Ledger()
    saved: bytes = msgpack.packb([["a", "b"], ["owner"], [["Now", "Now"]]])
    ledger.take(
        [
            entry(1, "schema", 1, Schema.standard().to_json().encode()),
            entry(2, "set", SAVED, saved, [0, 1]),
        ]
    )
    filled = [rows for rows in commits if rows]
    ledger.take(
        entry(seq, "facts", SAVED + seq, data_of(rows), height=2)
        for seq, rows in enumerate(filled, 3)
    )
    return ledger


def states(facts: Facts) -> list[list[Any]]:
    return [
        sorted(state_before(facts, t, ["id", "owner", "name"]).rows())
        for t in (100_001, 200_001, 300_001, SAVED, SAVED + 1)
    ]


def by_hand(rows: Sequence[Row], at: int) -> list[Any]:
    """What was so just before a moment, worked out fact by fact."""
    gone = {row[:3] for row in rows if row[4] == "retract" and row[3] is None}
    gone_values = {row[:4] for row in rows if row[4] == "retract"}
    facts = [
        r for r in rows if r[4] != "retract" and r[:3] not in gone and r[:4] not in gone_values
    ]
    found = []
    for deal in ("a", "b", "c"):
        own = sorted({r for r in facts if r[0] == deal}, key=lambda r: r[2])
        told = {r[1] for r in own if r[1]}
        state: dict[str, str | None] | None = None
        first = min((r[2] for r in own if r[1]), default=None)
        events: list[tuple[int, str | None, str | None, bool]] = [
            (r[2], r[1], r[3], False) for r in own
        ]
        if deal != "c":
            # what the deal was saved with: from its first fact on, unless the field has facts of its own
            since = SAVED if "owner" in told or first is None else first
            events.append((since, "owner", "Now", True))
        events.sort(key=lambda e: (e[0], not e[3]))
        ended = False
        for when, field, value, is_load in events:
            if when >= at:
                break
            if field is None:
                state, ended = None, True
            elif not (is_load and ended and state is None):
                state = (state or {}) | {field: value}
        is_ghost = deal == "c" and not any(e[1] is None and e[0] >= at for e in events)
        if state is not None and not is_ghost:
            found.append((deal, state.get("owner"), state.get("name")))
    return sorted(found)


# one value for each moment of a field: between others only their place decides
FACTS = st.builds(
    lambda deal, field, at, clears: (
        deal,
        field,
        at,
        None if clears else f"{field}{at}",
        "clear" if clears else "set",
    ),
    st.sampled_from("abc"),
    st.sampled_from(["owner", "name"]),
    st.sampled_from(MOMENTS),
    st.just(value=False),
)
ENDS = st.builds(
    lambda deal, at: (deal, None, at + 50, None, "delete"),
    st.sampled_from("abc"),
    st.sampled_from(MOMENTS),
)
RETRACTS = st.builds(
    lambda fact, with_value: (*fact[:3], fact[3] if with_value else None, "retract"),
    FACTS,
    st.booleans(),
)
ROWS = st.lists(FACTS | FACTS | ENDS | RETRACTS, max_size=12)


@settings(max_examples=of_profile(0.5))
@given(ROWS, st.data())
def test_any_order_in_any_commits_and_twice_is_the_same(
    rows: list[Row], data: st.DataObject
) -> None:
    expected = [by_hand(rows, t) for t in (100_001, 200_001, 300_001, SAVED, SAVED + 1)]
    assert states(event_facts(ledger_of([rows]))) == expected
    other = data.draw(st.permutations([*rows, *rows[: len(rows) // 2]]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(other)), max_size=3)))
    pieces = [other[a:b] for a, b in zip([0, *cuts], [*cuts, len(other)], strict=True)]
    assert states(event_facts(ledger_of(pieces))) == expected


SAVES = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2]),
        st.integers(0, 2),
        st.dictionaries(
            st.sampled_from(["owner", "name", "stage"]),
            st.none() | st.sampled_from("xy"),
            min_size=1,
        ),
    )
    | st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, 2), st.none()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=of_profile(0.5))
@given(SAVES)
def test_without_imports_things_happened_when_they_were_recorded(
    saves: list[tuple[int, int, dict[str, str | None] | None]],
) -> None:
    """Saves and deletions, some in one millisecond, of deals that don't say when they were created."""
    ledger, rows, height, time = Ledger(), dict[int, int](), 0, SAVED
    entries = [entry(1, "schema", 1, Schema.standard().to_json().encode())]
    for deal, wait, given_fields in saves:
        time += wait
        seq = len(entries) + 1
        if given_fields is None:
            if deal in rows:
                data: bytes = msgpack.packb([[f"d{deal}"]])
                entries.append(entry(seq, "delete", time, data, [rows.pop(deal)], height))
            continue
        row, before = rows.setdefault(deal, height), height
        columns = [[value] for value in given_fields.values()]
        data = msgpack.packb([[f"d{deal}"], list(given_fields), columns])
        entries.append(entry(seq, "set", time, data, [row], before))
        height = max(height, row + 1)
    ledger.take(entries)
    recorded, happened = recorded_facts(ledger), event_facts(ledger)
    assert happened.lives.equals(recorded.lives, null_equal=True)
    for name in ("owner", "name", "stage", "updated"):
        assert happened.of(name).equals(recorded.of(name), null_equal=True), name
    for t in range(SAVED, time + 2):
        assert state_before(happened, t).equals(state_before(recorded, t), null_equal=True)


@settings(max_examples=of_profile(0.5))
@given(st.lists(ROWS.filter(bool), min_size=1, max_size=4), st.integers(2, 6))
def test_what_is_recorded_later_does_not_change_what_was_known(
    commits: list[list[Row]], known: int
) -> None:
    then = ledger_of(commits[: known - 2])
    now = ledger_of(commits)
    assert states(event_facts(now, known)) == states(event_facts(then))


def test_a_number_of_the_source_decides_between_facts_of_one_moment() -> None:
    def told(*rows: tuple[str, str | None, str]) -> list[object]:
        frame = pl.DataFrame(
            [("a", "owner", 100_000, value, op, None, "crm", key) for value, key, op in rows],
            schema=FACT_COLUMNS,
            orient="row",
        )
        ledger = ledger_of([])
        ledger.take([entry(3, "facts", SAVED + 3, packed(frame), height=2)])
        return event_facts(ledger).of("owner").filter(life=0)["value"].to_list()

    assert told(("Bob", "2", "set"), ("Ann", "1", "set")) == ["Bob", "Now"]
    assert told(("Ann", "1", "set"), ("Bob", "2", "set")) == ["Bob", "Now"]
    # of one number the first telling counts
    assert told(("Ann", "1", "set"), ("Bob", "1", "set")) == ["Ann", "Now"]
    # it is taken back with its number, or without one where it is the only one
    assert told(("Bob", "2", "set"), ("Ann", "1", "set"), ("Bob", "2", "retract")) == ["Ann", "Now"]
    assert told(("Bob", "2", "set"), ("Bob", None, "retract")) == ["Now"]
    # and may be told again with another
    assert told(("Bob", None, "set"), ("Bob", None, "retract"), ("Bob", "3", "set")) == [
        "Bob",
        "Now",
    ]


# deals that are saved again, deleted and begun anew, of which some say when they were created and closed
_VALUES = {
    "stage": st.sampled_from(["Lead", "Won", "Gone"]),
    "created": st.sampled_from(["1970-01-10", "1970-02-01", "1970-02-20", "no day"]),
    "closed": st.sampled_from(["1970-01-05", "1970-01-15", "1970-03-01"]),
    "expected_close": st.sampled_from(["1970-03-01", "1970-03-02"]),
    "owner": st.sampled_from("xy"),
    "updated": st.sampled_from(["1970-01-02T00:00:00Z"]),
}
FIELDS = st.fixed_dictionaries(
    {}, optional={name: st.none() | values for name, values in _VALUES.items()}
).filter(bool)
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 86_400_000]), FIELDS | FIELDS | st.none()),
    min_size=1,
    max_size=12,
)


@given(STEPS, st.sampled_from(["birth", "none"]), st.integers(1, 14), st.booleans())
def test_read_field_by_field_it_is_the_same_as_all_together(
    steps: list[tuple[int, int, dict[str, str | None] | None]],
    assume: Assume,
    until: int,
    has_pipeline: bool,
) -> None:
    stages = Pipeline().covering(["Lead", "Won"])
    rows, height, time = dict[int, int](), 0, 40 * 86_400_000
    entries = [entry(1, "schema", 1, Schema.standard().to_json().encode())]
    if has_pipeline:
        entries.append(entry(2, "pipeline", 2, stages.to_json().encode()))
    for deal, wait, given_fields in steps:
        time += wait
        seq = len(entries) + 1
        if given_fields is None:
            if deal in rows:
                data: bytes = msgpack.packb([[f"d{deal}"]])
                entries.append(entry(seq, "delete", time, data, [rows.pop(deal)], height))
            continue
        row, before = rows.setdefault(deal, height), height
        columns = [[value] for value in given_fields.values()]
        data = msgpack.packb([[f"d{deal}"], list(given_fields), columns])
        entries.append(entry(seq, "set", time, data, [row], before))
        height = max(height, row + 1)
    ledger = Ledger()
    ledger.take(entries)
    assert is_saved_alone(ledger)
    found, expected = event_facts(ledger, until, assume), told_facts(ledger, until, assume)
    assert found.lives.equals(expected.lives, null_equal=True)
    assert found.commits.equals(expected.commits)
    assert (found.pipelines, found.n_assumed, found.n_ghosts) == (
        expected.pipelines,
        expected.n_assumed,
        expected.n_ghosts,
    )
    for name in ("id", *_VALUES, "amount"):
        assert found.of(name).equals(expected.of(name), null_equal=True), name


def test_fields_that_nobody_asks_for_are_not_read() -> None:
    asked = list[str]()
    whole = ledger_of([])

    def load(names: Collection[str]) -> dict[str, pl.DataFrame]:
        asked.extend(names)
        return {name: whole.table(name) for name in names}

    ledger = Ledger(
        Beginning(position=whole.position, schema=whole.schema, tables=[*whole.tables], load=load)
    )
    facts = event_facts(ledger)
    assert "cells:owner" not in asked
    assert facts.of("owner")["value"].to_list() == ["Now", "Now"]
    assert "cells:owner" in asked
