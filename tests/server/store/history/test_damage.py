"""A log that was damaged: each surface names the commit, doctor the way out, and the way out is one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli_runs import Run, run_fixture  # noqa: F401 a fixture
from dealdb import DealDatabase
from dealdb.errors import StoreDamaged
from servers import Server

Change = Callable[[bytes], bytes]


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with server.client() as client:
        yield client


@pytest.fixture
def filled(server: Server) -> None:
    with DealDatabase("127.0.0.1", server.port) as db:
        db.save_deal({"id": "1", "name": "One", "stage": "won"})
        db.loader.load([{"id": f"D{n}", "name": f"Deal number {n}"} for n in range(60)])
        db.save_deal({"id": "1", "name": "Uno"})
        db.delete_deal("D3")


def damage(client: Any, kind: bytes, field: bytes, change: Change) -> int:
    """Write the log anew, with one field of the last commit of a kind changed; returns its number."""
    entries = client.xrange("deals:log")
    number = max(n for n, (_, entry) in enumerate(entries) if entry[b"kind"] == kind)
    for n, (name, entry) in enumerate(entries):
        fields = {k: change(v) if n == number and k == field else v for k, v in entry.items()}
        client.xadd("copied", fields, id=name)
    client.rename("copied", "deals:log")
    return number + 1


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def works(db: DealDatabase) -> None:
    assert db.query.count() == 60
    assert db.check().ok
    assert db.save_deal({"id": "1", "name": "Eins"}).outcome == "updated"
    with DealDatabase("127.0.0.1", db.connection.settings.port) as fresh:
        assert fresh.query.count("name = 'Eins'") == 1
        assert fresh.check().ok


@pytest.mark.parametrize(
    ("kind", "field", "change"),
    [
        pytest.param(b"add", b"data", lambda data: flip(data, 30), id="add"),
        pytest.param(b"add", b"data", lambda data: data[: len(data) // 2], id="half of an add"),
        pytest.param(b"add", b"data", lambda _: b"", id="nothing of an add"),
        pytest.param(b"set", b"data", lambda data: flip(data, 0), id="set"),
        pytest.param(b"set", b"data", lambda data: data[:-3], id="end of a set"),
        pytest.param(b"set", b"rows", lambda rows: flip(rows, 0), id="rows"),
        pytest.param(b"delete", b"rows", lambda _: b"\x91\xa1x", id="rows of a delete"),
        pytest.param(b"schema", b"data", lambda data: data[:-9], id="schema"),
        pytest.param(b"pipeline", b"data", lambda _: b"[[1]]", id="pipeline"),
        pytest.param(b"set", b"kind", lambda _: b"sex", id="kind"),
        pytest.param(b"set", b"counter", lambda _: b"x", id="counter"),
    ],
)
def test_damage_is_named_with_the_way_out(
    run: Run,
    client: Any,
    server: Server,
    filled: None,
    kind: bytes,
    field: bytes,
    change: Change,
) -> None:
    number = damage(client, kind, field, change)
    named = (
        "holds an entry that dealdb did not write" if field == b"counter" else f"commit {number} "
    )
    for command in (["find"], ["check"], ["repair"]):
        ran = run(*command, "--url", server.url)
        assert (command, ran.code, named in ran.err) == (command, 1, True), ran.err
        assert "Traceback" not in ran.err
    doctor = run("doctor", "--json", "--url", server.url)
    assert doctor.code == 1
    [log] = [row for row in doctor.json if row["state"] == "fail"]
    assert (log["check"], named in log["found"]) == ("log", True)
    assert "DEL deals:log" in log["advice"]
    client.delete("deals:log")
    with DealDatabase("127.0.0.1", server.port) as db:
        works(db)
    assert run("doctor", "--url", server.url).code == 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", [b"add", b"set"])
def test_any_flipped_byte_is_told_by_an_error_of_ours(
    client: Any, server: Server, filled: None, kind: bytes, seed: int
) -> None:
    """An error where it can't be read, or a difference from the hashes; or nothing, where it means nothing."""
    rng = random.Random(seed)
    client.copy("deals:log", "whole")
    for _ in range(25):
        client.copy("whole", "deals:log", replace=True)
        damage(client, kind, b"data", lambda data: flip(data, rng.randrange(len(data))))
        with DealDatabase("127.0.0.1", server.port) as db:
            try:
                found = db.check().differences
                ids = db.query.frame(["id", "name"]).sort("id").rows()
            except StoreDamaged:
                assert any(f.state == "fail" and f.check == "log" for f in db.examine())
            else:
                keys = sorted(client.keys("deal:*"))
                names = [(client.hget(key, "name") or b"").decode() for key in keys]
                hashes = [(key[5:].decode(), name) for key, name in zip(keys, names, strict=True)]
                assert found or ids == hashes


def test_a_commit_that_is_missing(run: Run, client: Any, server: Server, filled: None) -> None:
    client.xdel("deals:log", "4-0")
    doctor = run("doctor", "--json", "--url", server.url)
    assert [row["found"] for row in doctor.json if row["check"] == "log"] == [
        "commit 5 does not follow commit 3"
    ]


def test_a_log_that_is_gone(run: Run, client: Any, server: Server, filled: None) -> None:
    def told() -> dict[str, str]:
        rows = run("doctor", "--json", "--url", server.url).json
        return {row["check"]: row["found"] for row in rows if row["check"] in ("log", "history")}

    sound = told()
    client.delete("deals:log")
    assert told() == {**sound, "log": "'deals:log' is gone, and there are commits"}
    with DealDatabase("127.0.0.1", server.port) as db:
        works(db)
    missing = "are missing: the log was removed, or a backup without history was restored"
    assert told() == {**sound, "history": f"commits 1 to 6 {missing}"}
