"""Columns are renamed and dropped without losing what others write meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from dealdb import DealDatabase, SchemaError
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def column(db: DealDatabase, name: str) -> dict[str, object]:
    frame = db.query.frame()
    pairs = zip(frame["id"].to_list(), frame[name].to_list(), strict=True)
    return {deal: value for deal, value in pairs if value is not None}


def test_rename_moves_every_value(db: DealDatabase, server: Server) -> None:
    for n in range(450):
        db.save_deal({"id": n, "region": f"R{n}" if n % 3 else None, "name": "x"})
    db.rename_field("region", "territory")
    assert "region" not in db.schema
    assert column(db, "territory") == {str(n): f"R{n}" for n in range(450) if n % 3}
    with server.client() as client:
        assert client.hgetall("deal:1").keys() == {b"_row", b"_rev", b"name", b"territory"}
    assert db.check().ok
    with DealDatabase.from_url(f"unix://{server.socket}") as other:
        assert other.query.frame().equals(db.query.frame())


def test_a_column_that_becomes_the_stages_gives_them_a_meaning(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Demo"})
    db.save_deal({"id": 2, "phase": "Gewonnen"})
    db.rename_field("phase", "stage")
    assert [str(stage.kind) for stage in db.pipeline] == ["open", "won"]
    assert db.analytics.summary()["won"] == 1


def test_drop_removes_the_column_and_keeps_the_history(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "region": "EMEA", "name": "x"})
    db.drop_field("region")
    assert db.get_deal(1) == {"id": "1", "name": "x"}
    assert "region" not in db.query.frame().columns
    assert ("region", "EMEA", None) in db.deal_history(1).select("field", "before", "after").rows()
    db.save_deal({"id": 1, "region": 7})
    assert db.schema["region"].describe() == "int"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("amount", "value", "every collection has it"),
        ("colour", "color", "there is none; own fields are region, seats"),
        ("region", "seats", "exists already and holds int"),
        ("region", "_region", "can't be a field name"),
    ],
)
def test_what_can_not_be_renamed(db: DealDatabase, old: str, new: str, complaint: str) -> None:
    db.save_deal({"id": 1, "region": "EMEA", "seats": 3})
    with pytest.raises(SchemaError, match=complaint):
        db.rename_field(old, new)
    assert column(db, "region") == {"1": "EMEA"}


def test_rename_beside_writers_loses_nothing(db: DealDatabase, server: Server) -> None:
    for n in range(300):
        db.save_deal({"id": n, "region": "old"})
    stop = threading.Event()
    last: dict[str, str] = {}

    def write() -> None:
        with DealDatabase.from_url(f"unix://{server.socket}") as writer:
            n = 0
            while not stop.is_set() and n < 200:
                n += 1
                deal = str(n % 300)
                writer.save_deal({"id": deal, "name": f"name {n}"})
                last[deal] = f"name {n}"
                time.sleep(0.001)

    thread = threading.Thread(target=write)
    thread.start()
    db.rename_field("region", "territory")
    stop.set()
    thread.join()
    assert column(db, "territory") == {str(n): "old" for n in range(300)}
    assert column(db, "name") == last
    assert db.check().ok


def test_interrupted_rename_goes_on(db: DealDatabase) -> None:
    for n in range(3):
        db.save_deal({"id": n, "region": f"R{n}"})
    store = db._store
    store.declare([type(db.schema["region"])("territory", db.schema["region"].type)])
    store._others.adopter().mend(["1"], ["territory", "region"], ["region", None], [0])
    db.rename_field("region", "territory")
    assert column(db, "territory") == {"0": "R0", "1": "R1", "2": "R2"}


def test_lists_of_texts(db: DealDatabase) -> None:
    tags = ["renewal", "EMEA, north", 'say "hi"', "", "ß\n€"]
    db.save_deal({"id": 1, "tags": tags})
    db.save_deal({"id": 2, "tags": []})
    db.save_deal({"id": 3})
    assert db.save_deal({"id": 1, "tags": tuple(tags)}).outcome == "unchanged"
    deal = db.get_deal(1)
    assert deal is not None
    assert deal["tags"] == tags
    assert db.query.frame()["tags"].to_list() == [tags, [], None]
    with pytest.raises(SchemaError, match="expected a list of texts"):
        db.save_deal({"id": 1, "tags": [1, 2]})


def test_rename_when_another_program_removed_a_deal(db: DealDatabase, server: Server) -> None:
    for n in range(3):
        db.save_deal({"id": n, "region": f"R{n}"})
    with server.client() as client:
        client.delete("deal:1")
    db.rename_field("region", "territory")
    assert column(db, "territory") == {"0": "R0", "2": "R2"}
    assert db.check().ok


@pytest.mark.parametrize("name", ["^x$", "*"])
def test_a_field_whose_name_is_a_pattern_can_only_be_left(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for refused in (
        lambda: db.save_deal({"id": 1, name: "v"}),
        lambda: db.save_deal({"id": 1, name: None}),
        lambda: db.loader.load([{"id": 1, "c": "v"}], mapping={"c": name}, bar=False),
    ):
        with pytest.raises(SchemaError, match="can't be a field name"):
            refused()
    with monkeypatch.context() as older:
        # as collections were made before such names were refused
        older.setattr("dealdb.model.schema.is_pattern", lambda _: False)
        db.save_deal({"id": 1, "x": "own", name: "one"})
        db.save_deal({"id": 2, name: "two"})
        db.query.frame()
    # a commit that a process applies which has the column
    db.save_deal({"id": 2, name: "three"})
    db.delete_deal(db.save_deal({"id": 3, name: "four"}).id)
    assert column(db, "id").keys() == {"1", "2"}
    with pytest.raises(SchemaError, match="can't be a field name"):
        db.rename_field("x", "^y$")
    db.rename_field(name, "fine")
    assert column(db, "fine") == {"1": "one", "2": "three"}
    assert column(db, "x") == {"1": "own"}
    assert db.check().ok
    with DealDatabase.from_url(f"unix://{server.socket}") as other:
        assert other.query.frame().equals(db.query.frame())


@pytest.mark.parametrize("name", ["^x$", "*"])
def test_a_field_whose_name_is_a_pattern_can_be_dropped(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with monkeypatch.context() as older:
        older.setattr("dealdb.model.schema.is_pattern", lambda _: False)
        db.save_deal({"id": 1, "x": "own", name: "one"})
    db.drop_field(name)
    assert db.get_deal(1) == {"id": "1", "x": "own"}
    assert db.check().ok
