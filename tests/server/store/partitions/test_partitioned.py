"""A collection of partitions is the same collection: what is compared is one of one piece, after the same history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dealdb import ConflictError, DealDatabase, Kind, Pipeline, SchemaError, Stage
from dealdb.database import LiveDeals
from dealdb.errors import DealDBError
from examples import few_by_default
from servers import Server

STAGES = ["Talks", "Won", "Lost", "Closed won", None]
# of types that others don't fit, and of such as widen
VALUES: dict[str, list[Any]] = {
    "name": ["Acme renewal", "acme", "Zürich, Ärzte", "", None],
    "owner": ["Ann", "Bob", None],
    "stage": STAGES,
    "amount": [1, "12.50", Decimal("0.125"), None],
    "created": [date(2026, 1, 1) + timedelta(days=n) for n in range(3)],
    "seats": [5, Decimal("2.5"), "x", None],
    "tags": [["a", "b"], [], None],
}


class Pair:
    """Two collections that go through the same in two processes: one of one piece, and one of partitions."""

    def __init__(self, url: str, partitions: int) -> None:
        self.singles = [DealDatabase.from_url(url, collection="single") for _ in range(2)]
        self.processes = [
            DealDatabase.from_url(url, collection="parted", partitions=partitions) for _ in range(2)
        ]
        # frames that were handed out, with a copy of what they were
        self.held: list[tuple[pl.DataFrame, list[tuple[Any, ...]]]] = []

    def close(self) -> None:
        for db in (*self.singles, *self.processes):
            db.close()

    def both(self, random: Random, act: Callable[[DealDatabase], Any]) -> None:
        process = random.randrange(2)
        assert outcome(act, self.processes[process]) == outcome(act, self.singles[process])

    def compare(self) -> None:
        for db, single in zip(self.processes, self.singles, strict=True):
            mine, theirs = plain(db.query.find()), plain(single.query.find())
            assert_frame_equal(mine, theirs)
            assert len(db) == len(single) == theirs.height
            assert db.pipeline == single.pipeline
            assert dict(db.schema) == dict(single.schema)
            # not a copy: what it refers to is about to change
            rows = LiveDeals(db).snapshot().rows
            self.held.append((rows, rows.rows()))
            for ask in QUESTIONS:
                assert outcome(ask, db) == outcome(ask, single)
        for frame, before in self.held:
            assert frame.rows() == before


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the clock; in the order of ids."""
    return frame.drop("updated", strict=False).sort("id")


def outcome(act: Callable[[DealDatabase], Any], db: DealDatabase) -> Any:
    try:
        found = act(db)
    except DealDBError as problem:
        return type(problem), problem.code
    return found.rows() if isinstance(found, pl.DataFrame) else found


QUESTIONS: list[Callable[[DealDatabase], Any]] = [
    lambda db: db.query.count("amount > 1"),
    lambda db: db.query.count("stage = 'Won' AND owner IS NULL"),
    lambda db: db.query.find(
        "amount >= 0", sort=["-amount", "id"], limit=5, columns=["id", "amount"]
    ),
    lambda db: db.query.find(sort=["stage", "id"], limit=3).drop("updated", strict=False),
    lambda db: db.query.page(sort="owner", size=4).items.drop("updated", strict=False),
    lambda db: db.query.search("acme", limit=7).select("id", "_score", "_in", "_highlight"),
    lambda db: db.query.sql("SELECT stage, count(*), sum(amount) FROM deals GROUP BY 1 ORDER BY 1"),
    lambda db: db.query.facets("owner")["owner"].table,
    lambda db: db.analytics.win_rate(by="owner").frame.sort("owner"),
    lambda db: db.analytics.pipeline().frame,
    lambda db: [db.get_deal(n) is None for n in range(12)],
    lambda db: [{**(db.get_deal(n) or {}), "updated": 0} for n in range(12)],
    lambda db: [n in db for n in range(12)],
]


def save(random: Random) -> Callable[[DealDatabase], Any]:
    deal = {"id": random.randrange(12)} | {
        name: random.choice(values) for name, values in VALUES.items() if random.random() < 0.4
    }
    return lambda db: db.save_deal(deal).outcome


def save_expecting(random: Random) -> Callable[[DealDatabase], Any]:
    number, wrong = random.randrange(12), random.random() < 0.5

    def act(db: DealDatabase) -> Any:
        found = db.get_deal(number)
        rev = found.rev if found else 0
        return db.save_deal(
            {"id": number, "owner": "Eve"}, expect_rev=rev + 1 if wrong else rev
        ).outcome

    return act


def delete(random: Random) -> Callable[[DealDatabase], Any]:
    number = random.randrange(12)
    return lambda db: db.delete_deal(number)


def load(random: Random) -> Callable[[DealDatabase], Any]:
    rows = [
        {"id": str(random.randrange(60)), "name": random.choice(["Acme", "Globex"]), "amount": n}
        | ({"stage": random.choice(["Won", "New one"])} if random.random() < 0.5 else {})
        for n in range(random.choice([1, 10, 60]))
    ]
    how = random.choice(["merge", "replace", "skip", "error"])

    def act(db: DealDatabase) -> Any:
        report = db.loader.load(rows, on_conflict=how)
        return report.read, report.inserted, report.updated, report.unchanged, report.skipped

    return act


def pipeline(random: Random) -> Callable[[DealDatabase], Any]:
    # all of them: whether a process knows yet that a stage was left out is a matter of chance
    names = random.sample([*filter(None, STAGES), "New one", "Other"], 6)
    stages = Pipeline(tuple(Stage(name, random.choice(list(Kind))) for name in names))
    return lambda db: db.set_pipeline(stages, force=True)


ACTIONS = [save] * 12 + [save_expecting] * 3 + [delete] * 2 + [load, pipeline]


@contextmanager
def pair_on(server: Server, partitions: int) -> Iterator[Pair]:
    with server.client() as client:
        client.flushall()
    pair = Pair(server.url, partitions)
    try:
        yield pair
    finally:
        pair.close()


@settings(max_examples=few_by_default(4))
@given(seed=st.integers(0, 2**32), partitions=st.sampled_from([2, 4, 16]))
def test_the_same_history_gives_the_same_answers(
    shared_server: Server, seed: int, partitions: int
) -> None:
    random = Random(seed)
    with pair_on(shared_server, partitions) as pair:
        for step in range(40):
            pair.both(random, random.choice(ACTIONS)(random))
            if step % 8 == 7:
                pair.compare()


def test_a_conflict_names_the_revision_of_the_deal(server: Server) -> None:
    with DealDatabase.from_url(server.url, partitions=4) as db:
        first = db.save_deal({"id": 1, "name": "a"})
        second = db.save_deal({"id": 1, "name": "b"}, expect_rev=first.rev)
        with pytest.raises(ConflictError) as conflict:
            db.save_deal({"id": 1, "name": "c"}, expect_rev=first.rev)
        assert conflict.value.actual_rev == second.rev
        with pytest.raises(SchemaError):
            db.save_deal({"id": 1, "amount": "many"})
