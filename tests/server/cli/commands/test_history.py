"""The commands for the past, for what other programs did, and for the columns, against a real server."""

from __future__ import annotations

import io
import sys

import pytest

from cli_runs import Run, db_fixture, run_fixture  # noqa: F401 fixtures
from connected import pause
from dealdb import DealDatabase
from servers import Server


def test_history_tells_every_change(run: Run, db: DealDatabase) -> None:
    db.save_deal({"id": "42", "name": "Acme"})
    db.save_deal({"id": "42", "name": "Bolt"})
    db.delete_deal("42")
    rows = run("history", "42", "--json").json
    assert [(row["change"], row["field"], row["before"], row["after"]) for row in rows][:2] == [
        ("inserted", "name", None, "Acme"),
        ("updated", "name", "Acme", "Bolt"),
    ]
    assert rows[-1]["change"] == "deleted"
    missing = run("history", "43")
    assert (missing.code, missing.out, missing.err) == (1, "", "error: no deal with id '43'\n")


def test_at_gives_the_deals_of_then(run: Run, db: DealDatabase) -> None:
    db.save_deal({"id": "42", "name": "Acme", "stage": "Lead", "amount": 10})
    # commits of that very moment would be in it: the next one has to come later
    moment = pause()
    db.save_deal({"id": "42", "name": "Bolt", "region": "north"})
    db.save_deal({"id": "43", "stage": "Lead", "amount": 5})
    at = ("--at", moment.isoformat(), "--json")
    assert [row["name"] for row in run("find", *at).json] == ["Acme"]
    assert run("sql", "SELECT count(*) AS n FROM deals", *at).json == [{"n": 1}]
    assert run("stats", *at).json["basis"]["n"] == 1
    assert [(row["stage"], row["n"]) for row in run("pipeline", *at).json["rows"]] == [("Lead", 1)]
    assert "region" not in [row["column"] for row in run("schema", *at).json]
    past = run("get", "42", *at).json
    assert (past["name"], "_rev" in past) == ("Acme", False)
    assert run("get", "43", *at).code == 1
    assert run("find", "--json").json != run("find", *at).json
    assert run("find", "--at", "soon").code == 2


def test_check_and_repair_find_and_adopt_what_others_did(
    run: Run, db: DealDatabase, server: Server
) -> None:
    db.save_deal({"id": "42", "name": "Acme", "amount": 10})
    agreed = run("check")
    assert (agreed.code, agreed.out) == (0, "deals        1\ndifferences  none\n")
    with server.client() as client:
        client.hset("deal:42", "name", "Bolt")
        client.hset("deal:7", mapping={"name": "Other"})
    found = run("check")
    assert found.code == 1
    assert found.out.splitlines() == [
        "deals        1",
        "differences  2",
        "deal  problem   field",
        "42    changed   name",
        "7     unlogged",
    ]
    assert found.err == "dealdb repair adopts what the hashes hold\n"
    document = run("check", "--json").json
    assert document["differences"][1] == {"deal": "7", "problem": "unlogged", "field": None}
    assert run("check", "--csv").out.splitlines()[0] == "deal,problem,field"
    repaired = run("repair", "--json")
    assert (repaired.code, repaired.json) == (0, {"adopted": 2, "removed": 0, "remaining": []})
    assert run("check").code == 0
    assert run("find", "name = 'Bolt'", "--json").json[0]["id"] == "42"


def test_repair_leaves_to_a_person_what_is_no_value(
    run: Run, db: DealDatabase, server: Server
) -> None:
    db.save_deal({"id": "42", "amount": 10})
    with server.client() as client:
        client.hset("deal:42", "amount", "much")
    ran = run("repair")
    assert ran.code == 1
    assert "42    unreadable  amount" in ran.out
    assert "dealdb save id=ID FIELD=" in ran.err
    assert run("save", "id=42", "amount=").code == 0
    assert run("check").code == 0


def test_columns_are_shown_renamed_and_dropped(
    run: Run, db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.save_deal({"id": "42", "region": "north"})
    assert {"column": "region", "type": "text"} in run("schema", "--json").json
    assert run("schema", "rename", "region", "area").out == "region: renamed to area\n"
    assert run("get", "42", "--json").json["area"] == "north"
    for answer, code in (("n\n", 1), ("y\n", 0)):
        stdin = io.StringIO(answer)
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run("schema", "drop", "area").code == code
        assert ("area" in db.schema) == bool(code)
    assert run("schema", "drop", "amount", "--yes").code == 2
