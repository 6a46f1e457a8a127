"""A column gets another type: every value is read as the new one, or it is refused with what doesn't fit."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dealdb import ConfigError, DealDatabase, SchemaError
from dealdb.store.commit.definitions import Definitions
from dealdb.store.upkeep.adopter import Adopter
from servers import Server

NOW = datetime.datetime(2026, 1, 31, 9, 30, tzinfo=datetime.UTC)


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase(port=server.port) as db:
        yield db


def column(db: DealDatabase, name: str) -> list[Any]:
    """Values by three ways that must agree: live columns, a fresh process, and the hashes."""
    values = db.query.frame().sort("id")[name].to_list()
    with DealDatabase(port=db.connection.settings.port) as fresh:
        assert fresh.query.frame().sort("id")[name].to_list() == values
    deals = db.get_deals(sorted(db.query.frame()["id"]))
    assert [deal and deal.get(name) for deal in deals] == values
    assert db.check().ok
    return values


@pytest.mark.parametrize(
    ("texts", "kind", "expected"),
    [
        (["7", " 8 ", None], "int", [7, 8, None]),
        (["7.50", "8", "0.125"], "decimal", [Decimal("7.5"), Decimal(8), Decimal("0.125")]),
        (["1e5", "2.50"], "float", [100000.0, 2.5]),
        (["True", "false"], "bool", [True, False]),
        (["2026-01-31", None], "date", [datetime.date(2026, 1, 31), None]),
        (["2026-01-31T09:30:00Z"], "datetime", [NOW]),
        (['["a", "b"]'], "list", [["a", "b"]]),
    ],
)
def test_texts_become_values(
    db: DealDatabase, texts: list[str | None], kind: str, expected: list[object]
) -> None:
    for n, text in enumerate(texts):
        db.save_deal({"id": n, "worth": text, "name": "x"})
    before = db.query.frame()
    db.retype_field("worth", kind)
    assert column(db, "worth") == expected
    assert db.schema["worth"].describe().startswith(kind)
    # it can be repeated
    seq = db._store.newest()
    db.retype_field("worth", kind)
    assert db._store.newest() == seq
    # what was handed out stays, and so does the past
    assert before["worth"].to_list() == texts
    assert db.deal_history(0).filter(field="worth")["after"].to_list()[0] == texts[0]
    assert db.as_of("2999-01-01").query.count() == len(texts)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (7, "decimal", Decimal(7)),
        (7, "text", "7"),
        (Decimal("7.00"), "int", 7),
        (Decimal("7.10"), "text", "7.1"),
        (True, "text", "true"),
        (datetime.date(2026, 1, 31), "text", "2026-01-31"),
        (NOW, "text", "2026-01-31T09:30:00Z"),
        (["a"], "text", '["a"]'),
        (0.5, "decimal", Decimal("0.5")),
    ],
)
def test_values_become_others(db: DealDatabase, value: object, kind: str, expected: object) -> None:
    db.save_deal({"id": 1, "worth": value})
    db.retype_field("worth", kind)
    assert column(db, "worth") == [expected]


def test_what_does_not_fit_is_refused_or_cleared(db: DealDatabase) -> None:
    for n in range(10):
        db.save_deal({"id": n, "worth": "much" if n < 7 else f"{n}.5"})
    seq = db._store.newest()
    with pytest.raises(
        SchemaError, match=r"fit: 7, in the deals '0', '1', '2', '3', '4', \.\.\.; with"
    ):
        db.retype_field("worth", "decimal")
    assert db._store.newest() == seq
    with pytest.raises(ConfigError):
        db.retype_field("worth", "decimal", bad_cells="drop")
    db.retype_field("worth", "decimal", bad_cells="null")
    assert column(db, "worth") == [None] * 7 + [Decimal("7.5"), Decimal("8.5"), Decimal("9.5")]
    assert db.deal_history(0).filter(field="worth")["before"].to_list() == [None, "much"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1,000", "decimal"),
        ("1.5", "int"),
        ("nan", "float"),
        ("1" * 21, "decimal"),
        ("31.01.2026", "date"),
    ],
)
def test_nothing_is_guessed(db: DealDatabase, text: str, kind: str) -> None:
    db.save_deal({"id": 1, "worth": text})
    with pytest.raises(SchemaError):
        db.retype_field("worth", kind)
    assert column(db, "worth") == [text]


def test_columns_of_every_collection_and_unknown_ones(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "amount": 5})
    for name, kind in (("amount", "int"), ("worth", "int")):
        with pytest.raises(SchemaError, match="can't be changed"):
            db.retype_field(name, kind)
    db.save_deal({"id": 1, "worth": "5"})
    with pytest.raises(SchemaError, match="no type"):
        db.retype_field("worth", "number")


def test_an_interruption_is_gone_on_with(db: DealDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(450):
        db.save_deal({"id": n, "worth": f"{n}.50"})
    mend, calls = Adopter.mend, iter(range(2))

    def until_cut(*given: Any) -> int:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return mend(*given)

    with monkeypatch.context() as patch:
        patch.setattr(Adopter, "mend", until_cut)
        with pytest.raises(KeyboardInterrupt):
            db.retype_field("worth", "decimal")
    assert db.schema["worth"].describe() == "text"
    assert db.check().ok
    db.retype_field("worth", "decimal")
    assert set(column(db, "worth")) == {Decimal(n) + Decimal("0.5") for n in range(450)}


def test_a_save_meanwhile_is_not_lost(db: DealDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    db.save_deal({"id": 1, "worth": "1.50"})
    retype, saves = Definitions.retype, iter(["2.50"])
    other = DealDatabase(port=db.connection.settings.port)

    def after_a_save(*given: Any, **named: Any) -> bool:
        if text := next(saves, None):
            other.save_deal({"id": 2, "worth": text})
        return retype(*given, **named)

    monkeypatch.setattr(Definitions, "retype", after_a_save)
    db.retype_field("worth", "decimal")
    assert column(db, "worth") == [Decimal("1.5"), Decimal("2.5")]
    # one that knows the old type takes the new one
    assert other.save_deal({"id": 3, "worth": "3.5"}).outcome == "inserted"
    assert column(db, "worth")[-1] == Decimal("3.5")
    other.close()


def test_what_another_program_wrote_meanwhile(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 1, "worth": "1.50"})
    with server.client() as client:
        client.hset("deal:1", "worth", "3.50")
    db.retype_field("worth", "decimal")
    assert column(db, "worth") == [Decimal("3.5")]


def test_a_column_takes_the_name_of_an_empty_one(db: DealDatabase) -> None:
    for n in range(3):
        db.save_deal({"id": n, "value": f"{n}.250", "owner": "Ann"})
    db.rename_field("value", "amount")
    assert column(db, "amount") == [Decimal("0.25"), Decimal("1.25"), Decimal("2.25")]
    assert "value" not in db.schema
    db.save_deal({"id": 1, "value": "7", "opened": "31.01.2026"})
    # one that has values is not written over
    with pytest.raises(SchemaError, match="exists already and holds"):
        db.rename_field("value", "amount")
    with pytest.raises(SchemaError, match="don't fit"):
        db.rename_field("opened", "created")
    assert db.get_deal(1)["opened"] == "31.01.2026"  # type: ignore[index]


def test_after_a_checkpoint(db: DealDatabase) -> None:
    db.loader.load(
        [{"id": n, "colour": f"x{n}", "size": f"{n}.50"} for n in range(5000)],
        types={"size": "text"},
    )
    db.retype_field("size", "decimal")
    with DealDatabase(port=db.connection.settings.port) as fresh:
        assert fresh.query.frame()["size"].sum() == sum(range(5000)) + 2500
        assert fresh.deal_history(7).filter(field="size")["after"].to_list() == ["7.50", "7.5"]
    assert db.check().ok
