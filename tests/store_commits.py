"""Commits of all kinds, as another program may have mixed them up, and facts that have to be the same."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import msgpack
import polars as pl

from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.encoding import FACT_COLUMNS, packed
from dealdb.store.facts.facts import Facts
from dealdb.store.log.entry import Entry, Position

DEALS = st.sampled_from("abcd")
VALUES = st.none() | st.sampled_from(["Lead", "Won", "5", "2026-01-02"])
CELLS = st.dictionaries(
    st.sampled_from(["stage", "owner", "created", "amount", "currency"]), VALUES
)
FACT = st.tuples(
    DEALS,
    st.sampled_from(["stage", "owner"]),
    st.integers(1, 400_000),
    st.sampled_from(["Lead", "Won", "Ann"]),
    st.sampled_from(["set", "set", "clear", "retract", "delete"]),
)
# what is done, and how much later by the clock, which may be set back
COMMIT = st.tuples(
    st.one_of(
        # a row that another program copied, or a deal whose hash it replaced, is one of these
        st.tuples(st.just("set"), DEALS, st.integers(0, 5), CELLS, st.sampled_from([0, 0, 7_000])),
        st.tuples(st.just("delete"), DEALS, st.integers(0, 5)),
        st.tuples(st.just("facts"), st.lists(FACT, min_size=1, max_size=3)),
        st.just(("pipeline",)),
    ),
    st.integers(-50_000, 90_000),
)


def entries_of(commits: list[Any]) -> list[Entry]:
    schema = Schema.standard().to_json().encode()
    entries = [Entry(Position(1, b""), 100_000, "w", 1, "Ann", "schema", 0, b"", schema)]
    time = 100_000
    for seq, (what, later) in enumerate(commits, 2):
        time = max(time + later, 1)
        rows, data, kind = b"", b"", what[0]
        if kind == "set":
            _, deal, row, cells, at = what
            ats = [[at]] if at else []
            data = msgpack.packb([[deal], list(cells), [[v] for v in cells.values()], *ats])
            rows = msgpack.packb([row])
        elif kind == "delete":
            data, rows = msgpack.packb([[what[1]]]), msgpack.packb([what[2]])
        elif kind == "facts":
            data = packed(facts_frame(what[1]))
        else:
            data = Pipeline().covering(["Lead", "Won"]).to_json().encode()
        entries.append(Entry(Position(seq, b""), time, "w", seq, "Bob", kind, 6, rows, data))
    return entries


def facts_frame(facts: list[Any]) -> pl.DataFrame:
    rows = []
    for deal, field, at, value, op in facts:
        given = {"id": deal, "at": at, "op": op, "field": None if op == "delete" else field}
        if op == "set":
            given["value"] = value
        rows.append([given.get(name) for name in FACT_COLUMNS])
    return pl.DataFrame(rows, FACT_COLUMNS, orient="row")


def assert_equal(found: Facts, expected: Facts) -> None:
    assert found.lives.equals(expected.lives)
    assert found.commits.equals(expected.commits)
    assert (found.schema, found.pipeline) == (expected.schema, expected.pipeline)
    assert found.pipelines == expected.pipelines
    assert (found.n_assumed, found.n_ghosts) == (expected.n_assumed, expected.n_ghosts)
    assert found.currencies == expected.currencies
    for name in expected.schema:
        assert found.of(name).equals(expected.of(name)), name
