"""The beginning of a collection of partitions, and what other programs find of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from connected import documented_rule
from dealdb import ConfigError, DealDatabase, NotOnPartitions, StoreDamaged
from dealdb.connection import Link
from dealdb.store.hashes import scan_names
from dealdb.store.keys import Keys
from dealdb.store.partitions import begin
from servers import Server


@pytest.fixture
def client(server: Server) -> Any:
    with server.client() as client:
        yield client


def opened(server: Server, **given: Any) -> DealDatabase:
    return DealDatabase.from_url(server.url, **given)


def test_looking_at_a_collection_does_not_begin_it(server: Server, client: Any) -> None:
    with opened(server, partitions=4) as db:
        assert (len(db), db.get_deal(1), 1 in db, db.query.find().height) == (0, None, False, 0)
        assert db.query.saved() == {}
        assert db.rates.frame().height == 0
        assert not db.delete_deal(1)
        assert not client.keys("*")


def test_a_collection_says_itself_how_many_partitions_it_has(server: Server, client: Any) -> None:
    with opened(server, partitions=8) as db, opened(server) as other:
        db.save_deal({"id": 1, "name": "Acme"})
        layout = json.loads(client.get("deals:layout"))
        assert (layout["format"], layout["partitions"]) == (1, 8)
        found = other.get_deal(1)
        assert found is not None
        assert found["name"] == "Acme"
        assert client.keys("deal:*") == client.keys("deal:{*}:1")


@pytest.mark.parametrize(
    "ask", [len, lambda db: db.save_deal({"id": 1}), lambda db: db.query.find()]
)
def test_another_number_than_it_has_is_refused(
    server: Server, ask: Callable[[DealDatabase], object]
) -> None:
    with opened(server, partitions=4) as db:
        db.save_deal({"id": 1})
    with opened(server, partitions=8) as db, pytest.raises(ConfigError, match="partitions=4"):
        ask(db)
    with (
        opened(server, partitions=1) as db,
        pytest.raises(StoreDamaged, match="several partitions"),
    ):
        ask(db)


def test_a_collection_of_one_piece_stays_one(server: Server) -> None:
    with opened(server) as db:
        db.save_deal({"id": 1})
    with opened(server, partitions=4) as db, pytest.raises(ConfigError, match="partitions=1"):
        db.save_deal({"id": 1})
    with opened(server, partitions=1) as db:
        assert len(db) == 1


def test_hashes_of_another_program_are_not_divided(server: Server, client: Any) -> None:
    client.hset("deal:7", mapping={"name": "theirs"})
    with opened(server, partitions=4) as db:
        with pytest.raises(NotOnPartitions, match="another program"):
            db.save_deal({"id": 1})
        assert client.keys("*") == [b"deal:7"]


def test_a_beginning_that_was_cut_off_goes_on(server: Server, client: Any) -> None:
    client.hset("deals:meta", "format", "partitions")
    with opened(server) as db, pytest.raises(StoreDamaged, match="cut off"):
        len(db)
    with opened(server, partitions=2) as db:
        db.save_deal({"id": 1})
        assert len(db) == 1
    with opened(server) as db:
        assert len(db) == 1


def test_a_program_that_began_with_one_piece_never_writes_beside_partitions(server: Server) -> None:
    with opened(server) as old, opened(server) as older, server.client() as client:
        old.save_deal({"id": 1})
        assert older.query.find().height == 1
        client.flushall()
        with opened(server, partitions=4) as db:
            db.save_deal({"id": 2})
        for ask in (
            lambda: old.save_deal({"id": 3}),
            lambda: old.get_deal(2),
            lambda: len(old),
            lambda: 2 in old,
            lambda: older.save_deal({"id": 3}),
            lambda: older.query.find(),
        ):
            with pytest.raises(StoreDamaged, match="open the database again"):
                ask()
        assert sorted(client.keys("deal:*")) == client.keys("deal:{*}:2")


@pytest.mark.parametrize("then", [1, 2, 8])
def test_a_program_that_takes_it_to_have_others_writes_nothing(server: Server, then: int) -> None:
    with opened(server, partitions=4) as old, server.client() as client:
        for number in range(8):
            old.save_deal({"id": number})
        assert old.query.find().height == 8
        client.flushall()
        with opened(server, partitions=then) as db:
            db.save_deal({"id": 100})
            db.save_deal({"id": 101})
        before = client.keys("*")
        for number in range(8):
            with pytest.raises(StoreDamaged, match="open the database again"):
                old.save_deal({"id": number})
        for ask in (
            len,
            lambda db: db.get_deal(100),
            lambda db: db.query.find(),
            lambda db: db.schema,
            lambda db: db.pipeline,
            lambda db: db._store.shown(),
        ):
            with pytest.raises(StoreDamaged, match="open the database again"):
                ask(old)
        assert sorted(client.keys("*")) == sorted(before)


@pytest.mark.parametrize(("first", "then"), [(1, 4), (4, 1)])
def test_what_is_kept_besides_the_deals_is_not_empty_but_elsewhere(
    server: Server, client: Any, first: int, then: int
) -> None:
    """Nobody takes quotas, rates and saved queries that he can't find for none, or writes them where nobody looks."""
    quota = {"key": "Ann", "period": "2026-Q1", "amount": "100", "currency": "EUR"}
    with opened(server, partitions=first) as old:
        old.save_deal({"id": 1, "amount": 1})
        old.query.save("mine", "amount > 1")
        old.quotas.load([quota])
        client.flushall()
        with opened(server, partitions=then) as new:
            new.save_deal({"id": 2, "amount": 1})
            new.query.save("others", "amount > 2")
            before = sorted(client.keys("*"))
            for use in (
                old.query.saved,
                lambda: old.query.save("mine", "amount > 1"),
                lambda: old.query.forget("mine"),
                old.quotas.frame,
                old.rates.frame,
                lambda: old.quotas.load([quota]),
                old.quotas.clear,
                lambda: old.quotas.clear(forget=True),
            ):
                with pytest.raises(StoreDamaged, match="open the database again"):
                    use()
            assert sorted(client.keys("*")) == before
            assert list(new.query.saved()) == ["others"]


@pytest.mark.parametrize(("first", "then"), [(None, 4), (1, 4), (4, 1), (1, None), (4, None)])
@pytest.mark.parametrize("has_asked", [False, True])
def test_the_past_of_what_was_emptied_is_not_empty_but_elsewhere(
    server: Server, client: Any, first: int | None, then: int | None, *, has_asked: bool
) -> None:
    """Where it is begun again as something else, or is being restored."""
    with opened(server, partitions=first) as old:
        asks: Sequence[Callable[[], object]] = (
            lambda: old.deal_history(1),
            lambda: old.as_of("2100-01-01", time="event"),
            lambda: old.analytics.funnel(),
        )
        old.save_deal({"id": 1, "stage": "Lead"})
        for ask in asks if has_asked else ():
            ask()
        client.flushall()
        if then is None:
            client.hset("deals:meta", "format", "restore")
        else:
            with opened(server, partitions=then) as new:
                new.save_deal({"id": 1, "stage": "Won"})
        for ask in asks:
            with pytest.raises(StoreDamaged, match=r"open the database again|a restore of"):
                ask()


def test_a_database_that_was_emptied_begins_again(server: Server) -> None:
    with opened(server, partitions=4) as db, server.client() as client:
        for number in range(8):
            db.save_deal({"id": number, "stage": "Won"})
        assert db.query.find().height == 8
        client.flushall()
        assert (db.query.find().height, len(db)) == (0, 0)
        for number in range(3):
            db.save_deal({"id": number, "stage": "Won"})
        assert (db.query.find().height, len(db)) == (3, 3)
        with opened(server) as other:
            assert len(other) == 3


def test_it_needs_no_other_rights_than_a_collection_of_one_piece(
    server: Server, flavor: str
) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "dealdb", "on", ">s3cret", *documented_rule())
    with opened(server, partitions=4, username="dealdb", password="s3cret") as db:
        db.loader.load([{"id": str(number), "name": "a"} for number in range(100)])
        db.save_deal({"id": 1, "stage": "Won"})
        db.query.save("won", "stage = 'Won'")
        assert (len(db), db.query.run("won").height) == (100, 1)


def test_who_has_seen_nothing_yet_finds_it_when_it_begins(server: Server) -> None:
    with opened(server) as reader, opened(server) as other, opened(server, partitions=4) as db:
        assert (len(reader), reader.get_deal(1), reader.query.count()) == (0, None, 0)
        assert other.rates.frame().height == 0
        db.save_deal({"id": 1, "name": "Acme"})
        assert (len(reader), reader.query.count("name = 'Acme'")) == (1, 1)
        assert other.save_deal({"id": 2}).outcome == "inserted"
        assert (len(reader), len(db), 2 in db) == (2, 2, True)


def test_threads_that_begin_a_collection_together_all_save(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one finds in it by then is no other program's."""
    scan, waiting = scan_names, threading.Barrier(2)

    def scan_late(link: Any, keys: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            waiting.wait(10)
            waiting.wait(10)
        return scan(link, keys)

    monkeypatch.setattr(begin, "scan_names", scan_late)
    with opened(server, partitions=4) as db, opened(server, partitions=4) as other:
        outcomes: list[object] = []
        late = threading.Thread(target=lambda: outcomes.append(other.save_deal({"id": 1}).outcome))
        late.start()
        # it has seen that there is no collection yet
        waiting.wait(10)
        db.save_deal({"id": 2})
        waiting.wait(10)
        late.join()
        assert outcomes == ["inserted"]
        assert len(db) == 2


@pytest.mark.parametrize("partitions", [None, 4])
def test_who_comes_while_another_program_begins_it_waits_for_that(
    server: Server, client: Any, partitions: int | None
) -> None:
    with opened(server, partitions=4) as db, opened(server, partitions=partitions) as other:
        db.save_deal({"id": 1})
        layout = client.get("deals:layout")
        # between the two steps of a beginning
        client.delete("deals:layout")
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(other.get_deal, 1)
            time.sleep(0.1)
            assert not asked.done()
            client.set("deals:layout", layout)
            assert asked.result() is not None


def test_what_another_program_has_begun_meanwhile_is_left(server: Server, client: Any) -> None:
    with opened(server, partitions=4) as db, opened(server, partitions=4) as other:

        def begin_again() -> None:
            """Just after a program has looked, another one has undone what it began, and begins the collection."""
            begin.Beginning.undo(own, is_left=False)
            begin.Beginning(other._store.link, Keys("deal"), 4).begin()

        own = begin.Beginning(db._store.link, Keys("deal"), 4)
        own.begin()
        slow = begin.Beginning(cast("Link", _Slow(db._store.link, begin_again)), Keys("deal"), 4)
        slow._own = own._own
        slow.undo(is_left=False)
        assert sorted(client.keys("*")) == [b"deals:layout", b"deals:meta"]
        other.save_deal({"id": 1})
        assert len(db) == len(other) == 1


class _Slow:
    """A link to a program that is held up once it has read something."""

    def __init__(self, link: Link, meanwhile: Callable[[], None]) -> None:
        self.call, self._calls, self._meanwhile = link.call, link.calls, meanwhile

    def calls(self, commands: Sequence[tuple[str, ...]], *, retry: bool) -> list[Any]:
        replies = self._calls(commands, retry=retry)
        self._meanwhile()
        return replies
