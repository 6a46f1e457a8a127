"""The commands for the past, for what other programs did, and for the columns, against a real server."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

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
        "deal  problem   field  in_hash  in_history",
        "42    changed   name   Bolt     Acme",
        "7     unlogged",
    ]
    assert found.err == (
        "dealdb repair adopts what the hashes hold\n"
        "dealdb repair --from-history puts back what the history holds\n"
    )
    document = run("check", "--json").json
    one = {"deal": "42", "problem": "changed", "field": "name"}
    changed = {**one, "in_hash": "Bolt", "in_history": "Acme"}
    nothing = {"field": None, "in_hash": None, "in_history": None}
    assert document["differences"] == [changed, {"deal": "7", "problem": "unlogged", **nothing}]
    assert run("check", "--csv").out.splitlines()[0] == "deal,problem,field,in_hash,in_history"
    repaired = run("repair", "--json")
    done: dict[str, object] = {
        "adopted": 2,
        "removed": 0,
        "mapping": {},
        "notes": [],
        "remaining": [],
    }
    done["changed"] = [changed]
    assert (repaired.code, repaired.json) == (0, done)
    assert run("check").code == 0
    assert run("find", "name = 'Bolt'", "--json").json[0]["id"] == "42"


def test_facts_that_are_lost_are_named_and_made_again(
    run: Run, db: DealDatabase, server: Server
) -> None:
    db.save_deal({"id": "42", "amount": 10})
    assert run("repair", "--facts", "--json").json == {"facts": 1}
    assert "kept up to commit" in run("doctor").out
    with server.client() as client:
        facts = client.get("deals:checkpoint").decode().partition('"facts":')[2]
        key = next(k for k in sorted(client.keys("deals:chunk:*")) if k.decode()[12:] in facts)
        client.delete(key)
    found = run("check")
    assert found.code == 1
    assert f"facts that are missing or damaged: {key.decode()}" in found.err
    assert "dealdb repair --facts" in found.err
    assert run("check", "--json").json["lost_facts"] == [key.decode()]
    assert key.decode() in run("doctor").out.replace("\n", "")
    assert run("repair", "--facts").code == 0
    assert run("check").code == 0
    assert run("repair", "--facts", "--adopt").code == 2


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


def foreign(server: Server) -> dict[Any, Any]:
    """Fill a collection as another program does; what there is afterwards."""
    with server.client() as client:
        for n in range(3):
            client.hset(f"deal:{n}", mapping={"value": f"{n}000.50", "stage": "won"})
        return everything(server)


def everything(server: Server) -> dict[Any, Any]:
    with server.client() as client:
        return {key: client.dump(key) for key in client.keys("*")}


READS = (
    ("find",), ("find", "amount > 5", "--json"), ("search", "won"), ("get", "1"), ("sql", "SELECT count(*) FROM deals"),
    ("facets", "stage"), ("stats",), ("stats", "win-rate"), ("pipeline",), ("history", "1"), ("schema",), ("check",),
    ("watch", "--since", "0", "--timeout", "0"), ("health",), ("doctor",), ("info",), ("find", "--at", "2999-01-01"),
    ("stats", "--at", "2020-01-01"), ("query",), ("repair",), ("save", "id=1", "amount=5"), ("delete", "1", "--yes"),
)  # fmt: skip


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_no_command_writes_to_hashes_that_nobody_has_adopted(
    run: Run, server: Server, words: tuple[str, ...]
) -> None:
    before = foreign(server)
    ran = run(*words)
    assert everything(server) == before
    is_change = words[0] in ("repair", "save", "delete")
    if is_change:
        assert (ran.code, "dealdb repair --adopt" in ran.err) == (1, True)
    elif words[0] not in ("query", "doctor", "info"):
        assert "error" not in ran.err or words[0] == "history"
        assert "3 hashes of another program are shown and not adopted" in ran.err + ran.out


def test_an_export_and_a_shell_write_nothing(
    run: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = foreign(server)
    assert run("export", str(tmp_path / "d.csv")).code == 0
    assert len((tmp_path / "d.csv").read_text().splitlines()) == 4
    monkeypatch.setattr(sys, "stdin", io.StringIO("find\nstats\nget 1\nsave id=1 amount=5\n"))
    ran = run("shell")
    # once is enough
    assert ran.err.count("3 hashes of another program are shown") == 1
    assert "dealdb repair --adopt" in ran.err
    assert everything(server) == before


def answering(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)


@pytest.mark.parametrize("words", [("repair",), ("save", "id=1", "amount=5")], ids=" ".join)
def test_a_terminal_asks_before_it_adopts(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    before = foreign(server)
    answering(monkeypatch, "n\n")
    ran = run(*words)
    assert (ran.code, everything(server)) == (1, before)
    assert ran.err.count("Adopt 3 hashes? It adds _row and _rev to each. [y/N]") == 1
    answering(monkeypatch, "y\n")
    assert run(*words).code == 0
    assert run("check").code == 0
    assert run("find", "amount > 1000", "--json").json[0]["value"] in ("1000.50", "2000.50")


def test_adopting_without_a_terminal(run: Run, server: Server) -> None:
    foreign(server)
    ran = run("repair", "--adopt")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "adopted    3"
    assert "value -> amount" in ran.err
    ran = run("find", "amount > 1000", "--json")
    assert (len(ran.json), ran.err) == (2, "")


def test_mapping_a_hash_field(run: Run, server: Server) -> None:
    foreign(server)
    with server.client() as client:
        client.hset("deal:1", "worth", "17.5")
    assert run("repair", "--adopt", "--map", "worth=amount", "--json").json["mapping"] == {
        "worth": "amount"
    }
    assert run("repair", "--map", "nothing=amount").code == 2
    assert run("repair", "--data", "--adopt").code == 2
    assert len(run("find", "amount = 17.5", "--json").json) == 1


@pytest.mark.parametrize("text", ["0", "0s", "soon", "-1s", "5 days"])
def test_a_time_that_is_none(run: Run, text: str) -> None:
    ran = run("repair", "--every", text)
    assert (ran.code, "such as 10s, 5m or 1h" in ran.err) == (2, True)
