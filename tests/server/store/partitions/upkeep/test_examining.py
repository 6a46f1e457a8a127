"""What doctor says of a collection of partitions: each of them, and how they are filled."""

from __future__ import annotations

from typing import Any

import pytest

from cli_runs import Run, run_fixture  # noqa: F401 a fixture
from dealdb import DealDatabase, Kind, Pipeline, Stage
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.upkeep.reshaping import PartitionedReshape
from servers import Server


@pytest.fixture
def url(server: Server) -> str:
    with DealDatabase.from_url(server.url, partitions=4) as db:
        db.loader.load([{"id": n, "name": "acme"} for n in range(40)], bar=False)
    return server.url


def test_all_is_well(run: Run, url: str) -> None:
    ran = run("doctor", "--json", "--url", url)
    found = {row["check"]: row for row in ran.json}
    assert {row["state"] for row in ran.json} <= {"ok", "warn"}
    assert found["partitions"]["found"] == "4, with 8 to 12 deals each"


def test_damage_is_told_of_the_partition_that_has_it(run: Run, server: Server, url: str) -> None:
    with server.client() as client:
        client.hset("deals:{2.1}:meta", "format", "99")
        client.hset("deal:{3.3}:stray", "name", "of another program")
    ran = run("doctor", "--json", "--url", url)
    told = {row["check"]: row["found"] for row in ran.json if row["state"] != "ok"}
    assert told["format"] == "partition 2: 99"
    assert told["hashes"] == "partition 3: 1 of 13 not in the log"
    assert ran.code == 1


def test_where_deals_are(run: Run, url: str) -> None:
    ran = run("keys", "1", "x", "--json", "--url", url)
    assert [(row["id"], row["key"]) for row in ran.json] == [
        ("1", "deal:{2.1}:1"),
        ("x", "deal:{2.1}:x"),
    ]
    # a plain server has no slots
    assert {name for row in ran.json for name in row} == {"id", "key", "partition", "partitions"}
    with DealDatabase.from_url(url, collection="lead") as db:
        assert db.place_of(7).key == "lead:7"


def test_a_log_that_is_gone_is_told(run: Run, server: Server, url: str) -> None:
    with server.client() as client:
        client.delete("deals:{2.1}:log")
    ran = run("doctor", "--json", "--url", url)
    told = {row["check"]: row["found"] for row in ran.json if row["state"] != "ok"}
    assert told["log"] == "partition 2: 'deals:{2.1}:log' is gone, and there are commits"
    with DealDatabase.from_url(url) as db:
        # which begins a new one
        assert db.query.count() == 40
    ran = run("doctor", "--json", "--url", url)
    told = {row["check"]: row["found"] for row in ran.json if row["state"] != "ok"}
    assert "log" not in told
    assert told["history"].startswith("partition 2: commits 1 to ")


def test_a_field_whose_removal_died_is_told(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DealDatabase.from_url(url) as db:
        db.save_deal({"id": 1, "seats": 5})
        with monkeypatch.context() as patched:
            # as far as the head's first commit
            patched.setattr(PartitionedReshape, "finish", lambda _: [])
            db.drop_field("seats")
        ran = run("doctor", "--json", "--url", url)
        told = {row["check"]: row for row in ran.json}["fields"]
        assert (told["state"], told["found"]) == ("warn", "'seats' is being dropped")
        assert run("repair", "--url", url).code == 0
        assert "seats" not in db.schema
    ran = run("doctor", "--json", "--url", url)
    assert "fields" not in {row["check"] for row in ran.json}


def test_a_repair_says_what_it_moved_and_what_it_left(run: Run, server: Server, url: str) -> None:
    with server.client() as client:
        client.hset("deal:new", "name", "brought")
        client.hset("deal:1", "name", "another")
    ran = run("repair", "--json", "--url", url)
    assert (ran.code, ran.json["adopted"], ran.json["moved"]) == (1, 1, 1)
    assert [(row["deal"], row["problem"]) for row in ran.json["remaining"]] == [("1", "foreign")]
    assert "dealdb keys ID" in ran.err
    assert "of their type" not in ran.err


def test_stages_that_died_between_two_partitions_are_told(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DealDatabase.from_url(url) as db:
        with monkeypatch.context() as patched:
            # as far as the head's commit
            patched.setattr(Partition, "follow", lambda _: None)
            db.set_pipeline(Pipeline((Stage("Signed", Kind.WON),)))
        ran = run("doctor", "--json", "--url", url)
        told = {row["check"]: row for row in ran.json}["stages"]
        assert (told["state"], told["found"]) == (
            "warn",
            "others than the first has: partitions 1, 2, 3",
        )
        assert run("repair", "--url", url).code == 0
        ran = run("doctor", "--json", "--url", url)
        assert "stages" not in {row["check"] for row in ran.json}
        db.query.frame()
        pieces: Any = db._store.pieces
        assert len({str(part.own_pipeline) for part in pieces}) == 1


def test_a_partition_that_was_emptied_is_told(run: Run, server: Server, url: str) -> None:
    with DealDatabase.from_url(url) as db, server.client() as client:
        db.loader.load([{"id": n} for n in range(400)], bar=False)
        client.delete(*client.keys("deal*{2.1}*"))
    ran = run("doctor", "--json", "--url", url)
    found = [row["found"] for row in ran.json if row["check"] == "partitions"]
    assert found[0].startswith("without any commit: partition 2, where the others have ")
    with DealDatabase.from_url(url, collection="few", partitions=4) as db:
        db.save_deal({"id": 1})
    ran = run("doctor", "--json", "--url", url, "--collection", "few")
    assert [row["state"] for row in ran.json if row["check"] == "partitions"] == ["ok"]
