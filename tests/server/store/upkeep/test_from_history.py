"""A repair that takes the history's side: hashes get back what no commit has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
import redis

from cli_runs import Run, run_fixture  # noqa: F401 a fixture
from dealdb import Deal, DealDatabase
from dealdb.errors import ConfigError, ConflictError, NotAdopted
from dealdb.store.upkeep.adopter import Adopter
from servers import Server


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase("127.0.0.1", server.port) as db:
        for n in range(1, 5):
            db.save_deal({"id": n, "name": f"Deal {n}", "amount": f"{n}00.50", "tags": ["a", "b"]})
        yield db


def deal(db: DealDatabase) -> Deal:
    found = db.get_deal(1)
    assert found is not None
    return found


def state(db: DealDatabase) -> list[tuple[object, ...]]:
    columns = ["id", "name", "amount", "tags", "stage", "owner"]
    return db.query.find(sort="id", columns=columns).rows()


@pytest.mark.parametrize("fresh", [False, True])
def test_each_kind_of_damage(
    db: DealDatabase, client: redis.Redis, server: Server, fresh: bool
) -> None:
    before = state(db)
    client.hset("deal:1", mapping={"amount": "900.5", "owner": "Mallory"})
    client.hdel("deal:2", "name")
    client.hset("deal:2", mapping={"amount": "2\x0000.5"})
    client.hset("deal:3", "_row", "0")
    client.delete("deal:4")
    with DealDatabase("127.0.0.1", server.port) as other:
        report = (other if fresh else db).repair(from_history=True)
        assert (report.restored, report.adopted, report.removed, report.remaining) == (4, 0, 0, ())
        for each in (db, other):
            assert state(each) == before
            assert each.check().ok
            assert len(each) == 4
    assert client.hgetall("deal:1")[b"amount"] == b"100.5"
    assert b"owner" not in client.hgetall("deal:1")
    with DealDatabase("127.0.0.1", server.port) as later:
        assert state(later) == before
        assert later.repair(from_history=True).restored == 0
        assert later.repair().adopted == 0


def test_a_lost_row_comes_back(db: DealDatabase, client: redis.Redis) -> None:
    before = state(db)
    client.hdel("deal:1", "_row")
    client.hset("deal:1", "name", "damaged")
    assert db.repair(from_history=True).restored == 1
    assert state(db) == before
    assert db.check().ok


def test_what_the_history_does_not_know_stays(db: DealDatabase, client: redis.Redis) -> None:
    client.hset("deal:9", mapping={"name": "New"})
    client.hset("deal:1", mapping={"colour": "blue", "name": "damaged"})
    report = db.repair(from_history=True)
    assert [(d.deal, str(d.problem), d.field) for d in report.remaining] == [
        ("1", "changed", "colour"),
        ("9", "unlogged", None),
    ]
    assert client.hgetall("deal:9") == {b"name": b"New"}
    assert client.hget("deal:1", "colour") == b"blue"
    assert deal(db)["name"] == "Deal 1"
    assert db.repair().adopted == 2


def test_both_sides_are_shown(db: DealDatabase, client: redis.Redis) -> None:
    client.hset("deal:1", "amount", "900.5")
    client.hdel("deal:2", "name")
    seen = [(d.field, d.in_hash, d.in_history) for d in db.check().differences]
    assert seen == [("amount", "900.5", "100.5"), ("name", None, "Deal 2")]
    assert "900.5" not in repr(db.check())
    report = db.repair()
    assert [(d.in_hash, d.in_history) for d in report.changed] == [
        ("900.5", "100.5"),
        (None, "Deal 2"),
    ]
    assert deal(db)["amount"] == Decimal("900.50")


def test_many_in_commits_that_others_follow(db: DealDatabase, client: redis.Redis) -> None:
    db.loader.load([{"id": f"D{n}", "name": f"Deal {n}"} for n in range(450)])
    for n in range(450):
        client.hset(f"deal:D{n}", "name", "?")
    with db.changes() as feed:
        assert db.repair(from_history=True).restored == 450
        kinds = [next(feed).kind for _ in range(3)]
    assert kinds == ["mend"] * 3
    assert db.query.count("name = '?'") == 0
    names = db.deal_history("D7").filter(field="name")["after"].to_list()
    assert names == ["Deal 7"]


def test_another_program_in_between_is_not_overwritten(
    db: DealDatabase, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.hset("deal:1", "name", "damaged")
    mend = Adopter.mend
    seen: list[object] = []

    def slow(self: Adopter, *arguments: object) -> int:
        if not seen:
            client.hset("deal:1", "owner", "Ann")
        done = mend(self, *arguments)  # type: ignore[arg-type]
        seen.append(client.hget("deal:1", "name"))
        return done

    monkeypatch.setattr(Adopter, "mend", slow)
    assert db.repair(from_history=True).restored == 1
    # the guard refused the first one; the second look took the change into account
    assert seen == [b"damaged", b"Deal 1"]
    assert db.check().ok


def test_a_hash_that_goes_in_between_is_saved_and_not_mended(
    db: DealDatabase, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(db)
    client.hset("deal:1", "name", "damaged")
    mend = Adopter.mend

    def slow(self: Adopter, *arguments: object) -> int:
        client.delete("deal:1")
        done = mend(self, *arguments)  # type: ignore[arg-type]
        assert done == 0
        assert not client.exists("deal:1")
        return done

    monkeypatch.setattr(Adopter, "mend", slow)
    db.repair(from_history=True)
    assert state(db) == before
    assert db.check().ok
    client.hset("deal:1", "name", "another program's")
    db.repair()
    assert state(db) == before[1:]
    assert not client.exists("deal:1")


def test_it_raises_the_revision(db: DealDatabase, client: redis.Redis) -> None:
    client.hset("deal:1", "name", "damaged")
    rev = deal(db).rev
    assert db.repair(from_history=True).restored == 1
    assert deal(db).rev > rev
    with pytest.raises(ConflictError):
        db.save_deal({"id": 1, "name": "late"}, expect_rev=rev)


def test_it_goes_alone_and_needs_a_history(server: Server, client: redis.Redis) -> None:
    client.hset("deal:1", "name", "Foreign")
    with DealDatabase("127.0.0.1", server.port) as db:
        with pytest.raises(NotAdopted):
            db.repair(from_history=True)
        for others in ({"adopt": True}, {"mapping": {"a": "b"}}):
            with pytest.raises(ConfigError, match="from_history"):
                db.repair(from_history=True, **others)
    assert client.keys("*") == [b"deal:1"]


def test_the_program(run: Run, db: DealDatabase, client: redis.Redis, server: Server) -> None:
    client.hset("deal:1", "amount", "900.5")
    checked = run("check", "--url", server.url)
    assert checked.code == 1
    assert "900.5" in checked.out
    assert "100.5" in checked.out
    assert "dealdb repair --from-history" in checked.err
    repaired = run("repair", "--from-history", "--json", "--url", server.url)
    assert repaired.code == 0
    said = json.loads(repaired.out)
    assert said["restored"] == 1
    assert [(row["in_hash"], row["in_history"]) for row in said["changed"]] == [("900.5", "100.5")]
    assert deal(db)["amount"] == Decimal("100.50")
    client.hset("deal:1", "amount", "900.5")
    shown = run("repair", "--url", server.url)
    assert shown.code == 0
    assert "900.5" in shown.out
    assert "100.5" in shown.out
    assert run("repair", "--from-history", "--adopt", "--url", server.url).code == 2
