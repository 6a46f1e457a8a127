"""A log, or the sealed history, of which another program has removed a part: no answer is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import pytest

from connected import pause
from dealdb import DealDatabase
from dealdb.errors import FeedReset, QueryError, StoreDamaged
from dealdb.store.checkpoint.write import write_checkpoint
from servers import Server

Answers: TypeAlias = dict[str, object]


def gone(client: Any, log: str) -> None:
    client.delete(log)


def cut_off(client: Any, log: str) -> None:
    client.xtrim(log, maxlen=1, approximate=False)


def without_one(client: Any, log: str) -> None:
    [*_, one, _last] = client.xrange(log)
    client.xdel(log, one[0])


def without_the_last(client: Any, log: str) -> None:
    [*_, last] = client.xrange(log)
    client.xdel(log, last[0])


def without_manifest(client: Any, log: str) -> None:
    client.delete(log.removesuffix("log") + "checkpoint")


def without_state(client: Any, log: str) -> None:
    client.delete(log.removesuffix("log") + "meta")


def without_state_and_log(client: Any, log: str) -> None:
    without_state(client, log)
    client.delete(log)


HARMS = (gone, cut_off, without_one, without_the_last)
# those of a collection that has a checkpoint
ALL = [(harm, sealed) for harm in HARMS for sealed in (False, True)] + [(without_manifest, True)]
# what needs no history: the present is in the hashes, too
PRESENT = "present"


@pytest.fixture(params=[1, 4])
def db(server: Server, request: pytest.FixtureRequest) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(server.url, partitions=request.param, actor="ann") as db:
        yield db


def filled(db: DealDatabase, *, sealed: bool) -> list[datetime]:
    """A collection of some commits; moments before each of them and after the last."""
    moments = []
    for n in range(4):
        moments.append(pause())
        db.save_deal({"id": "x", "amount": n, "stage": "Lead"})
        db.save_deal({"id": f"d{n}", "amount": 10 * n, "stage": "Lead"})
        # the second one cuts off what the first one has sealed
        if sealed and n in (1, 3):
            checkpoint(db)
    for n in range(2):
        moments.append(pause())
        if n:
            # of this one nothing comes behind it
            db.update_deal("d3", amount=31)
        db.update_deal("x", amount=100 + n)
    return [*moments, pause()]


def checkpoint(db: DealDatabase) -> None:
    """Write one of each partition."""
    for part in getattr(db._store, "_partitions", [db._store]):
        part.snapshot()
        write_checkpoint(part.link, part.keys, part._live.replica())


def asked(db: DealDatabase, moments: list[datetime]) -> Mapping[str, Callable[[], object]]:
    """What to ask; of each the answer can be compared."""
    questions: dict[str, Callable[[], object]] = {
        PRESENT: lambda: sorted(db.query.find(columns=["id", "amount"]).rows()),
        "history of x": lambda: db.deal_history("x").drop("when").rows(),
        "history of d3": lambda: db.deal_history("d3").drop("when").rows(),
        "history of no deal": lambda: db.deal_history("none").rows(),
        "feed": lambda: sorted(
            (d.id, d.outcome) for commit in db.changes(0, timeout_s=0) for d in commit.deals
        ),
        "activity": lambda: db.analytics.activity().frame.to_dicts(),
    }
    for n, moment in enumerate(moments):
        questions[f"as of {n}"] = lambda moment=moment: sorted(  # type: ignore[misc]
            db.as_of(moment).query.find(columns=["id", "amount"]).rows()
        )
        questions[f"event time {n}"] = lambda moment=moment: sorted(  # type: ignore[misc]
            db.as_of(moment, time="event").query.find(columns=["id", "amount"]).rows()
        )
    return questions


def log_of_x(client: Any) -> str:
    """The log that has the most commits: those of the deal that all of them are of but the first."""
    logs: list[str] = [key.decode() for key in client.keys("*") if client.type(key) == b"stream"]
    return max(logs, key=lambda log: int(client.xlen(log)))


def wrong_ones(told: Answers, right: Answers) -> Answers:
    """Answers that are neither those of before nor an error that says what is missing."""
    said = (StoreDamaged, FeedReset)
    return {n: answer for n, answer in told.items() if answer not in (right[n], *said)}


def answers(db: DealDatabase, moments: list[datetime]) -> Answers:
    found: Answers = {}
    for name, ask in asked(db, moments).items():
        try:
            found[name] = ask()
        except (StoreDamaged, FeedReset, QueryError) as error:
            # the last before the first fact: there is nothing to tell of
            found[name] = type(error)
    return found


@pytest.mark.parametrize("same", [False, True], ids=["fresh", "same"])
@pytest.mark.parametrize(("harm", "sealed"), ALL)
def test_a_log_that_was_harmed_leads_to_no_wrong_answer(
    db: DealDatabase, server: Server, harm: Callable[[Any, str], None], *, same: bool, sealed: bool
) -> None:
    moments = filled(db, sealed=sealed)
    right = answers(db, moments)
    assert StoreDamaged not in right.values()
    with server.client() as client, DealDatabase.from_url(server.url) as fresh:
        log = log_of_x(client)
        there = client.xlen(log), client.dbsize()
        harm(client, log)
        assert (client.xlen(log), client.dbsize()) != there
        told = answers(db if same else fresh, moments)
        wrong = wrong_ones(told, right)
        # the columns of one server follow the log alone, until the next commit
        is_behind = harm is without_the_last and db._store.partitions == 1
        if is_behind:
            wrong.pop(PRESENT, None)
        assert not wrong
        assert StoreDamaged in told.values()
        if not is_behind:
            assert told[PRESENT] == right[PRESENT]
        # and after the next commit, and when checkpoints have sealed what was left
        for n in range(3):
            db.save_deal({"id": "x", "amount": 7 + n})
            told = answers(db if same else fresh, moments)
            assert ("x", 7 + n) in told[PRESENT]  # type: ignore[operator]
            assert len(told[PRESENT]) == 5  # type: ignore[arg-type]
            past = {n: answer for n, answer in told.items() if n.startswith(("as of", "event"))}
            assert not wrong_ones(past, right)
            of_x, before = told["history of x"], right["history of x"]
            # who has seen all commits before knows them still
            assert of_x is StoreDamaged or of_x[: len(before)] == before  # type: ignore[index, arg-type]
            assert not wrong_ones({"history of d3": told["history of d3"]}, right)
            checkpoint(db)


@pytest.mark.parametrize("same", [False, True], ids=["fresh", "same"])
@pytest.mark.parametrize("sealed", [False, True], ids=["", "sealed"])
def test_a_collection_without_its_state_is_not_taken_for_an_empty_one(
    db: DealDatabase, server: Server, *, same: bool, sealed: bool
) -> None:
    moments = filled(db, sealed=sealed)
    right = answers(db, moments)
    with server.client() as client, DealDatabase.from_url(server.url) as fresh:
        without_state(client, log_of_x(client))
        told = answers(db if same else fresh, moments)
        assert not wrong_ones(told, right)
        with pytest.raises(StoreDamaged, match="is gone, and there are commits; dealdb repair"):
            len(fresh)
        assert any("is gone, and there are commits" in each for each in fresh.health().warnings)
        # the history is all there
        assert told["as of 1"] == right["as of 1"]
        assert told["history of x"] == right["history of x"]
        db.repair()
        assert len(fresh) == 5
        assert answers(db if same else fresh, moments) == right


@pytest.mark.parametrize("same", [False, True], ids=["fresh", "same"])
def test_what_is_sealed_alone_is_not_taken_for_all(
    db: DealDatabase, server: Server, *, same: bool
) -> None:
    moments = filled(db, sealed=True)
    right = answers(db, moments)
    with server.client() as client, DealDatabase.from_url(server.url) as fresh:
        without_state_and_log(client, log_of_x(client))
        told = answers(db if same else fresh, moments)
        # without partitions nothing but what is sealed tells it from an empty collection
        if db._store.partitions == 1:
            told = {n: answer for n, answer in told.items() if n not in (PRESENT, "feed")}
        assert not wrong_ones(told, right)
        assert told["history of x"] is StoreDamaged
        with pytest.raises(StoreDamaged, match="is gone, and there are commits"):
            len(fresh)


def test_metrics_that_are_asked_first_see_that_the_end_is_lost(
    db: DealDatabase, server: Server
) -> None:
    filled(db, sealed=False)
    with server.client() as client, DealDatabase.from_url(server.url) as fresh:
        without_the_last(client, log_of_x(client))
        # a query of the present would have begun a new end
        with pytest.raises(StoreDamaged):
            fresh._store.facts()
