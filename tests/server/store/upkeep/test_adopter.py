"""Adopted hashes keep their fields, and get those of every collection beside them."""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from dealdb import DealDatabase, Difference, LoadError, Problem, SchemaError, StoreError
from dealdb.store.upkeep.adopter import Adopter
from servers import Server


@pytest.fixture
def client(server: Server) -> Iterator[redis.Redis]:
    with server.client() as client:
        client.hset(
            "deal:10",
            mapping={
                "title": "Ten", "value": "5,000.00", "stage": "Closed Won", "created_at": "2026-01-31T10:00:00",
                "closed_at": "2026-02-03", "score": "1.2345", "zip": "007",
            },
        )  # fmt: skip
        client.hset("deal:9", mapping={"title": "Nine", "value": "abc", "stage": "lead"})
        client.hset("deal:8", mapping={"title": "Eight", "value": "1,250.50", "score": "2"})
        yield client


@pytest.fixture
def db(server: Server, client: redis.Redis) -> Iterator[DealDatabase]:
    with DealDatabase(port=server.port) as db:
        yield db


def own(client: redis.Redis) -> dict[Any, dict[Any, Any]]:
    """What the hashes have that dealdb has not added."""
    added = {b"_row", b"_rev", b"amount", b"name", b"created", b"closed"}
    return {
        key: {n: v for n, v in client.hgetall(key).items() if n not in added}
        for key in client.keys("deal:*")
    }


def test_the_other_program_finds_its_fields_as_they_were(
    db: DealDatabase, client: redis.Redis
) -> None:
    before = own(client)
    report = db.repair(adopt=True)
    assert report.adopted == 3
    assert own(client) == before
    assert report.mapping == {
        "value": "amount",
        "title": "name",
        "created_at": "created",
        "closed_at": "closed",
    }
    # told, and kept as the text that it is
    assert report.remaining == (Difference(deal="9", problem=Problem.UNREADABLE, field="value"),)
    assert client.hget("deal:10", "amount") == b"5000"
    assert client.hget("deal:9", "amount") is None
    frame = db.query.frame()
    # in the order of their ids, not in that of a scan
    assert frame["id"].to_list() == ["8", "9", "10"]
    assert frame["amount"].to_list() == [Decimal("1250.50"), None, Decimal(5000)]
    assert frame["created"].to_list() == [None, None, datetime.date(2026, 1, 31)]
    assert frame["value"].to_list() == ["1,250.50", "abc", "5,000.00"]
    assert db.schema["score"].describe() == "decimal(4)"
    assert db.schema["zip"].describe() == "text"
    assert db.analytics.summary()["won_value"] == 5000
    assert db.check().ok
    assert db.deal_history(10).height > 0


def test_what_was_shown_is_what_is_adopted(db: DealDatabase) -> None:
    with pytest.warns(UserWarning, match="left out: 1"):
        shown = db.query.frame()
    schema, pipeline = db.schema.fields, db.pipeline
    db.repair(adopt=True)
    assert db.query.frame().equals(shown)
    assert db.schema.fields == schema
    assert db.pipeline == pipeline


def test_a_repair_carries_later_changes_over(db: DealDatabase, client: redis.Redis) -> None:
    db.repair(adopt=True)
    # of dealdb's own change, nothing is taken back
    db.update_deal(10, amount=77, name="Mine")
    client.hset("deal:10", "title", "Theirs")
    client.hset("deal:9", "value", "3,000.00")
    client.hdel("deal:8", "value")
    client.hset("deal:7", mapping={"title": "Seven", "value": "70", "owner_name": "Ann"})
    assert db.repair().adopted == 4
    assert db.check().ok
    frame = db.query.frame().sort("id")
    found = dict(zip(frame["id"], zip(frame["name"], frame["amount"], strict=True), strict=True))
    assert found == {
        "7": ("Seven", Decimal(70)),
        "8": ("Eight", None),
        "9": ("Nine", Decimal(3000)),
        "10": ("Theirs", Decimal(77)),
    }
    # a field that comes later stays what it is
    assert frame["owner"].null_count() == 4
    assert frame["owner_name"].drop_nulls().to_list() == ["Ann"]


def test_a_change_in_between_is_not_lost(
    db: DealDatabase, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes, changes = Adopter.hashes, iter(["6,000.00", "7,000.00"])

    def and_change(adopter: Adopter, ids: list[str]) -> object:
        found = hashes(adopter, ids)
        if value := next(changes, None):
            client.hset("deal:10", "value", value)
        return found

    monkeypatch.setattr(Adopter, "hashes", and_change)
    db.repair(adopt=True)
    assert db.get_deal(10)["amount"] == Decimal(7000)  # type: ignore[index]
    assert db.check().ok


def test_a_mapping_of_the_caller(db: DealDatabase, client: redis.Redis) -> None:
    report = db.repair(adopt=True, mapping={"score": "amount", "title": None})
    assert report.mapping["score"] == "amount"
    assert "title" not in report.mapping
    amounts = dict(db.query.frame().select("id", "amount").iter_rows())
    assert amounts == {"10": Decimal("1.2345"), "8": Decimal(2), "9": None}
    with pytest.raises(LoadError, match="no column 'worth'"):
        db.repair(mapping={"worth": "amount"})
    assert db.check().ok


def test_a_mapping_of_a_collection_that_was_adopted_as_texts(
    db: DealDatabase, client: redis.Redis
) -> None:
    db.repair(adopt=True, mapping={"value": None, "title": None})
    assert db.query.count("amount > 0") == 0
    report = db.repair(mapping={"value": "amount"})
    assert report.adopted == 2
    assert [each.deal for each in report.remaining] == ["9"]
    assert db.query.count("amount > 0") == 2
    client.hset("deal:10", "value", "12")
    assert db.repair().adopted == 1
    assert db.query.count("amount = 12") == 1


def test_no_field_of_the_other_program_is_written_over(
    db: DealDatabase, client: redis.Redis
) -> None:
    with pytest.raises(SchemaError, match="hashes that have that field already: 2"):
        db.repair(adopt=True, mapping={"value": "score"})
    assert b"_row" not in client.hgetall("deal:8")
    db.repair(adopt=True)
    # of later ones, some have the name of an added field themselves
    client.hset("deal:1", mapping={"amount": "7", "name": "Own"})
    db.repair()
    assert client.hmget("deal:1", "amount", "name") == [b"7", b"Own"]
    assert db.query.find("id = '1'")["amount"].to_list() == [Decimal(7)]
    assert db.check().ok


@pytest.mark.parametrize("field", [b"value", b"title", b"region", b"caf\xe9", b"stage"])
def test_what_is_not_utf8_is_told_and_left(
    db: DealDatabase, client: redis.Redis, field: bytes
) -> None:
    client.hset("deal:9", field, b"Caf\xe9")
    report = db.repair(adopt=True)
    assert report.adopted == 3
    if field != b"caf\xe9":
        expected = Difference(deal="9", problem=Problem.UNREADABLE, field=field.decode())
        assert expected in report.remaining
    assert client.hget("deal:9", field) == b"Caf\xe9"
    with DealDatabase(port=db.connection.settings.port) as fresh:
        assert fresh.query.count() == 3
        assert fresh.deal_history(9).height > 0
        assert len(list(fresh.changes(0, timeout_s=0))) > 1
        fresh.save_deal({"id": 1, "name": "next"})
        assert fresh.query.count() == 4
        assert fresh.repair().adopted == 0
    # once another program has mended it, so has a repair
    client.hset("deal:9", field, "Café")
    db.repair()
    assert db.query.count() == 4


def test_dates_that_can_be_read_both_ways_stay_texts(db: DealDatabase, client: redis.Redis) -> None:
    for n in (8, 9, 10):
        client.hset(f"deal:{n}", "created_at", f"0{n % 5}/03/2026")
    report = db.repair(adopt=True)
    assert "created_at" not in report.mapping
    [note] = [note for note in report.notes if "'created_at' stays text" in note]
    assert note.endswith("has to write dates as 2026-01-31 and numbers as 1234.50")
    assert db.query.frame()["created_at"].to_list() == ["03/03/2026", "04/03/2026", "00/03/2026"]


def test_dates_that_are_asked_for_are_never_guessed(db: DealDatabase, client: redis.Redis) -> None:
    for n in (8, 9):
        client.hset(f"deal:{n}", "begun", f"0{n % 5}/03/2026")
    with pytest.raises(LoadError, match="either month or day first; what writes them has to write"):
        db.repair(adopt=True, mapping={"begun": "created"})
    for n in (8, 9):
        client.hset(f"deal:{n}", "begun", f"2026-03-0{n % 5}")
    db.repair(adopt=True, mapping={"begun": "created"})
    assert f"{db.query.frame()['created'].drop_nulls()[0]}" == "2026-03-03"


PAGE = Path(__file__).parents[4] / "docs" / "existing-redis.md"


def fence(name: str) -> str:
    found = re.search(rf"^```{name}\n(.*?)^```$", PAGE.read_text(), flags=re.M | re.S)
    assert found
    return found[1]


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="no redis-cli on this machine")
def test_the_commands_that_take_it_out_again(server: Server, client: redis.Redis) -> None:
    client.delete(*client.keys("deal:*"))
    client.hset("deal:a b'c", mapping={"title": "Odd", "value": "7.00", "stage": "won"})
    client.hset("deal:2", mapping={"title": "Two", "value": "2,000.50", "stage": "won"})
    client.set("deal:text", "of another type")
    client.set("others", "stay")
    before = {key: client.dump(key) for key in client.keys("*")}
    with DealDatabase(port=server.port) as db:
        db.repair(adopt=True)
        db.query.save("hot", "amount > 5")
    commands = fence("sh-out").replace("redis-cli", f"redis-cli -p {server.port}")
    subprocess.run(["bash", "-ec", commands], check=True, timeout=60)
    assert client.keys("deals:*") == []
    hashes = {key: client.hgetall(key) for key in client.keys("deal:[a2]*")}
    assert hashes == {
        b"deal:a b'c": {b"title": b"Odd", b"value": b"7.00", b"stage": b"won"},
        b"deal:2": {b"title": b"Two", b"value": b"2,000.50", b"stage": b"won"},
    }
    assert {key: client.dump(key) for key in client.keys("*")}.keys() == before.keys()
    # and in again
    with DealDatabase(port=server.port) as db:
        assert db.repair(adopt=True).adopted == 2


@pytest.mark.filterwarnings("ignore::dealdb.NotAdoptedWarning")
def test_a_user_who_can_only_look(server: Server, client: redis.Redis) -> None:
    rule = ("ACL", "SETUSER", "eve", "on", ">pw", *fence("acl-look").split())
    client.execute_command(*rule)  # type: ignore[no-untyped-call]
    try:
        with DealDatabase(port=server.port, username="eve", password="pw") as db:
            assert db.query.count() == len(db) == 3
            assert db.get_deal(8)["amount"] == Decimal("1250.50")  # type: ignore[index]
            assert db.analytics.summary()["won_value"] == 5000
            assert db.query.sql("SELECT count(*) FROM deals").item() == 3
            assert db.as_of("2999-01-01").query.count() == 3
            assert list(db.changes(0, timeout_s=0)) == []
            assert db.deal_history(8).is_empty()
            assert len(db.check().differences) == 3
            assert db.health().deals == 3
            assert "amount" in db.schema
            with pytest.raises(StoreError):
                db.repair(adopt=True)
    finally:
        client.acl_deluser("eve")
