"""What doctor says of a collection of partitions: each of them, and how they are filled."""

from __future__ import annotations

import pytest

from cli_runs import Run, run_fixture  # noqa: F401 a fixture
from dealdb import DealDatabase
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
    with DealDatabase.from_url(url, collection="lead") as db:
        assert db.place_of(7).key == "lead:7"
