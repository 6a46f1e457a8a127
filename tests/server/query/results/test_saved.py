"""Saved queries: kept with the deals, seen by every process, checked when saved and when run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.errors import QueryError, StoreDamaged
from dealdb.query import SavedQuery
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        db.save_deal({"id": "1", "name": "Acme", "stage": "won", "amount": 100})
        db.save_deal({"id": "2", "name": "Globex", "stage": "won", "amount": 250})
        db.save_deal({"id": "3", "name": "Initech", "stage": "lost", "amount": 70})
        yield db


def test_another_process_runs_what_was_saved(db: DealDatabase, server: Server) -> None:
    db.query.save("Won ones", "STAGE = 'won'", sort=["-Amount"], columns=["ID", "amount"])
    with DealDatabase.from_url(f"unix://{server.socket}") as other:
        assert other.query.saved() == {
            "Won ones": SavedQuery(
                where="STAGE = 'won'", sort=("-amount",), columns=("id", "amount")
            )
        }
        found = other.query.run("Won ones")
        assert found.columns == ["id", "amount"]
        assert found["id"].to_list() == ["2", "1"]
        assert other.query.run("Won ones", limit=1, offset=1, name="Acme").height == 0
        assert other.query.run("Won ones", name="Acme")["id"].to_list() == ["1"]
    assert len(db) == 3
    assert db.check().ok


def test_parameters_are_given_when_it_runs(db: DealDatabase) -> None:
    db.query.save("large", "amount > :least")
    assert db.query.run("large", params={"least": 99})["id"].to_list() == ["1", "2"]
    with pytest.raises(QueryError, match="the parameter :least has no value"):
        db.query.run("large")


def test_saving_again_replaces_and_forgetting_removes(db: DealDatabase) -> None:
    db.query.save("q", "stage = 'won'")
    db.query.save("q", None, sort="name")
    db.query.save("a")
    assert list(db.query.saved()) == ["a", "q"]
    assert db.query.run("q")["id"].to_list() == ["1", "2", "3"]
    assert (db.query.forget("q"), db.query.forget("q")) == (True, False)
    assert list(db.query.saved()) == ["a"]


def test_collections_keep_their_own(db: DealDatabase, server: Server) -> None:
    db.query.save("q", "stage = 'won'")
    with DealDatabase.from_url(f"unix://{server.socket}", collection="lead") as other:
        assert other.query.saved() == {}
        with pytest.raises(QueryError, match="no saved query 'q'; none is saved"):
            other.query.run("q")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("",), {}, "a query's name is 1 to 63"),
        (("a" * 64,), {}, "a query's name is 1 to 63"),
        (("a\nb",), {}, "a query's name is 1 to 63"),
        ((5,), {}, "a query's name is 1 to 63"),
        (("q", "stag = 'won'"), {}, "no column 'stag'"),
        (("q", "stag = :x"), {}, "no column 'stag'"),
        (("q", "amount >"), {}, "expected a value"),
        (("q", "amount + 1"), {}, "not a condition"),
        (("q", pl.col("amount") > 1), {}, "saved as SQL text, not as a Expr"),
        (("q",), {"sort": "nam"}, "no column 'nam'"),
        (("q",), {"columns": ["nam"]}, "no column 'nam'"),
    ],
)
def test_what_cant_be_saved(
    db: DealDatabase, arguments: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueryError) as caught:
        db.query.save(*arguments, **options)
    assert message in str(caught.value)
    assert db.query.saved() == {}


def test_unknown_names_are_told_with_the_nearest(db: DealDatabase) -> None:
    db.query.save("large")
    with pytest.raises(QueryError, match="no saved query 'larg'; did you mean 'large'"):
        db.query.run("larg")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', json.dumps({"version": 2})])
def test_what_another_program_wrote_there_is_told(
    db: DealDatabase, server: Server, text: str
) -> None:
    with server.client() as client:
        client.hset("deals:queries", "q", text)
    with pytest.raises(StoreDamaged, match="saved query 'q'"):
        db.query.run("q")


def test_the_past_keeps_no_queries(db: DealDatabase) -> None:
    with pytest.raises(QueryError, match="kept with the live deals"):
        db.as_of("2999-12-31").query.saved()


def test_mappings_of_loads_are_no_queries_and_are_in_backups(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    db.loader.load([{"id": "1"}], save_mapping="crm")
    db.query.save("hot", "amount > 5")
    assert list(db.query.saved()) == ["hot"]
    with pytest.raises(QueryError, match="no saved query 'crm'"):
        db.query.run("crm")
    assert not db.query.forget("mapping:crm")
    db.backup(tmp_path / "x.backup", bar=False)
    assert db.loader.forget_mapping("crm")
    with DealDatabase.from_url(f"unix://{server.socket}", collection="copy") as copy:
        copy.restore(tmp_path / "x.backup", bar=False)
        assert list(copy.loader.mappings()) == ["crm"]
        assert list(copy.query.saved()) == ["hot"]
