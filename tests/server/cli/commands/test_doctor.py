"""``dealdb doctor`` on servers that are well, and on ones that are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_runs import Ran, Run, db_fixture, run_fixture  # noqa: F401 fixtures
from dealdb import DealDatabase
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint.write import write_checkpoint
from servers import Server


def findings(ran: Ran) -> dict[str, dict[str, Any]]:
    return {row["check"]: row for row in ran.json}


def states(ran: Ran) -> dict[str, str]:
    return {check: row["state"] for check, row in findings(ran).items()}


def test_a_server_that_is_well(run: Run, db: DealDatabase, flavor: str) -> None:
    db.save_deal({"id": "42"})
    ran = run("doctor", "--json")
    assert ran.code == 0
    # the servers of the tests keep nothing on disk
    known_hole = ["security"] if flavor == "redis62" else []
    assert {check for check, state in states(ran).items() if state != "ok"} == {
        "persistence",
        *known_hole,
    }
    assert [check for check in states(ran) if check not in known_hole] == [
        "settings", "version", "eviction", "persistence", "role", "pool", "server", "rights", "format", "hashes",
        "log", "history", "facts",
        "clock",
    ]  # fmt: skip
    assert findings(ran)["hashes"]["found"] == "1, all in the log"
    lines = run("doctor").out.splitlines()
    assert lines[0].startswith("ok    settings     redis://127.0.0.1:")
    assert "                   -> a restart loses every deal: set appendonly yes" in lines


def test_sealed_history_that_is_damaged_or_gone(run: Run, db: DealDatabase, server: Server) -> None:
    for n in range(3):
        db.save_deal({"id": str(n)})
    assert findings(run("doctor", "--json"))["history"]["found"] == "nothing sealed yet"
    assert write_checkpoint(db._store.link, db._store.keys, db._store._live.replica())
    manifest = read_manifest(db._store.link, db._store.keys)
    assert manifest
    [segment] = manifest.history
    whole = findings(run("doctor", "--json"))["history"]
    assert whole["found"] == f"sealed up to commit {segment.last}, 1 segment whole"
    with server.client() as client:
        blob = client.get(segment.key)
        for left, how in ((blob[:-1] + b"x", "not what was sealed"), (b"", "missing")):
            client.delete(segment.key)
            if left:
                client.set(segment.key, left)
            ran = run("doctor", "--json")
            assert findings(ran)["history"]["found"] == f"commits 1 to {segment.last} are {how}"
            assert ran.code == 1


def test_it_changes_nothing(run: Run, server: Server) -> None:
    with server.client() as client:
        client.hset("deal:7", "name", "Acme")
        assert states(run("doctor", "--json"))["hashes"] == "warn"
        assert client.keys() == [b"deal:7"]
        assert client.hgetall("deal:7") == {b"name": b"Acme"}


def test_hashes_that_other_programs_saved(run: Run, db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": "42"})
    with server.client() as client:
        client.hset("deal:7", "name", "Acme")
    ran = run("doctor", "--json")
    assert (ran.code, findings(ran)["hashes"]["found"]) == (0, "1 of 2 not in the log")
    run("repair")
    assert states(run("doctor", "--json"))["hashes"] == "ok"


def test_a_newer_format_and_a_foreign_key_fail(run: Run, db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": "42"})
    with server.client() as client:
        client.hset("deals:meta", "format", "99")
        newer = run("doctor", "--json")
        client.delete("deals:meta")
        client.set("deals:meta", "theirs")
        foreign = run("doctor", "--json")
    assert (newer.code, states(newer)["format"]) == (1, "fail")
    assert "upgrade dealdb" in findings(newer)["format"]["advice"]
    assert (foreign.code, states(foreign)["format"]) == (1, "fail")
    assert "another --collection" in findings(foreign)["format"]["advice"]


def test_eviction_and_replication_fail(
    run: Run, server: Server, new_server: Callable[..., Server]
) -> None:
    evicting = new_server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    ran = run("doctor", "--json", "--url", evicting.url)
    assert (ran.code, states(ran)["eviction"]) == (1, "fail")
    replica = new_server("--replicaof", "127.0.0.1", str(server.port))
    ran = run("doctor", "--json", "--url", replica.url)
    assert (ran.code, states(ran)["role"]) == (1, "fail")


def test_rights_that_are_missing_are_named(
    run: Run, server: Server, flavor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.client() as client:
        rule = ("~deal:*", "~deals:*", "+@all", "-xtrim", "-hdel")
        client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", *rule)
        client.execute_command("ACL", "SETUSER", "bob", "on", ">pw", "~*", "+@all", "-eval")
    host = f"127.0.0.1:{server.port}"
    monkeypatch.setenv("DEALDB_URL", f"redis://ann:pw@{host}")
    ann = run("doctor", "--json")
    if flavor == "redis62":
        assert "can't tell" in findings(ann)["rights"]["found"]
    else:
        assert (ann.code, states(ann)["rights"]) == (1, "fail")
        assert findings(ann)["rights"]["found"] == "missing for the keys of deal: hdel, xtrim"
        assert findings(ann)["rights"]["advice"].endswith("~deal:* ~deals:* +hdel +xtrim")
    assert ":pw@" not in ann.out
    monkeypatch.setenv("DEALDB_URL", f"redis://bob:pw@{host}")
    bob = run("doctor", "--json")
    assert (bob.code, states(bob)["rights"]) == (1, "fail")
    assert "eval" in findings(bob)["rights"]["found"]
    with server.client() as client:
        client.execute_command("ACL", "DELUSER", "ann", "bob")


def test_a_server_that_is_down_is_one_failure(run: Run) -> None:
    ran = run("doctor", "--json", "--url", "redis://localhost:1?retry_deadline_s=0.1")
    assert (ran.code, states(ran)) == (1, {"settings": "ok", "server": "fail"})
    assert run("doctor", "--url", "redis://localhost:1/99").code == 2


def test_a_log_that_is_ahead_fails(server: Server, run: Run) -> None:
    with DealDatabase(port=server.port) as db, server.client() as client:
        db.save_deal({"id": 1, "name": "before"})
        meta = client.hgetall("deals:meta")
        db.save_deal({"id": 1, "name": "after"})
        # what an older version left of a commit that was refused in the middle
        client.hset("deals:meta", mapping=meta)
    ran = run("doctor", "--json")
    [log] = [row for row in ran.json if row["check"] == "log"]
    assert (ran.code, log["state"], log["advice"]) == (1, "fail", "run dealdb repair")
    assert run("repair").code == 0
    assert run("doctor").code == 0


def test_a_password_that_others_can_read_is_warned_of(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.delenv("DEALDB_URL")
    (tmp_path / "p").write_text("s3cret\n")
    (tmp_path / "config.toml").write_text(
        f'url = "redis://127.0.0.1:{server.port}"\npassword_file = "p"\n'
    )
    monkeypatch.setenv("DEALDB_CONFIG", str(tmp_path / "config.toml"))
    with server.client() as client:
        client.config_set("requirepass", "s3cret")
        try:
            for mode, warned in ((0o644, True), (0o660, True), (0o600, False), (0o400, False)):
                (tmp_path / "p").chmod(mode)
                found = [
                    each for each in run("doctor", "--json").json if each["check"] == "password"
                ]
                assert [each["state"] for each in found] == ["warn"] * warned
                assert not warned or f"mode {mode:04o}" in found[0]["found"]
        finally:
            client.config_set("requirepass", "")
