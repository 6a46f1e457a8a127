"""The facade: what a user does with deals."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import redis

from dealdb import (
    ConfigError,
    ConflictError,
    DealDatabase,
    DealNotFound,
    Field,
    Kind,
    Pipeline,
    SchemaError,
    Stage,
)
from dealdb.store.replica import changing
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def test_constructing_opens_nothing() -> None:
    db = DealDatabase(host="no-such-host.invalid", port=1, db=15)
    assert not db.is_connected()
    assert not db.health().reachable
    db.close()


def test_its_parts_say_where_they_are_without_the_password(server: Server) -> None:
    with DealDatabase("127.0.0.1", server.port) as db:
        where = f"collection 'deal' on redis://127.0.0.1:{server.port}/0"
        assert repr(db.query) == f"<QueryEngine of {where}>"
        assert repr(db.analytics) == f"<Analytics of {where}>"
        assert repr(db.loader) == f"<DataLoader of {where}>"
        assert "<th>deals</th><td>0</td>" in db.health()._repr_html_()
        view = db.as_of("2026-01-31")
        assert repr(view.query) == "<QueryEngine of 0 deals>"
        assert repr(view.analytics) == f"<Analytics of {view!r}>"


def test_what_is_no_method_names_the_one_that_is(server: Server) -> None:
    with DealDatabase("127.0.0.1", server.port) as db:
        many = getattr  # an attribute that type checkers know to be missing
        with pytest.raises(AttributeError, match=r"db\.loader\.load\(deals\)"):
            many(db, "save_deals")
        with pytest.raises(AttributeError, match=r"'DealDatabase' object has no attribute 'sql'$"):
            many(db, "sql")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"db": 16}, "Redis database must be between 0 and 15"),
        ({"db": -1}, "Redis database must be between 0 and 15"),
        ({"port": 0}, "Invalid port number"),
        ({"port": 65536}, "Invalid port number"),
        ({"collection": "deals"}, "can't be a collection"),
        ({"collection": "a:b"}, "can't be a collection"),
    ],
)
def test_settings_are_checked_at_construction(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^.*{message}"):
        DealDatabase(**settings)  # type: ignore[arg-type]
    assert issubclass(ConfigError, ValueError)


def test_saving_merges_and_none_clears(db: DealDatabase) -> None:
    assert db.save_deal({"id": 42, "name": "Acme", "amount": "125000.00"}).outcome == "inserted"
    assert db.save_deal({"id": "42", "amount": Decimal(125000)}).outcome == "unchanged"
    assert db.save_deal({"id": 42, "owner": "Ann", "name": None}).outcome == "updated"
    deal = db.get_deal(42)
    assert deal is not None
    assert deal.pop("updated")
    assert deal == {"id": "42", "amount": Decimal("125000.00"), "owner": "Ann"}


def test_updating_needs_a_deal(db: DealDatabase) -> None:
    with pytest.raises(DealNotFound, match="no deal with id '1'"):
        db.update_deal(1, stage="Won")
    assert len(db) == 0
    db.save_deal({"id": 1})
    assert db.update_deal(1, stage="Won").outcome == "updated"


def test_stale_write_is_refused_with_both_revisions(db: DealDatabase) -> None:
    first = db.save_deal({"id": 1, "stage": "Lead"}, expect_rev=0)
    second = db.save_deal({"id": 1, "stage": "Won"}, expect_rev=first.rev)
    for change in (
        lambda: db.save_deal({"id": 1, "stage": "Lost"}, expect_rev=first.rev),
        lambda: db.update_deal(1, stage="Lost", expect_rev=first.rev),
        lambda: db.delete_deal(1, expect_rev=first.rev),
    ):
        with pytest.raises(ConflictError) as caught:
            change()
        assert (caught.value.expected_rev, caught.value.actual_rev) == (first.rev, second.rev)
    deal = db.get_deal(1)
    assert deal is not None
    assert (deal["stage"], deal.rev) == ("Won", second.rev)
    assert db.delete_deal(1, expect_rev=deal.rev)


def test_reading_many_keeps_the_order(db: DealDatabase) -> None:
    for n in (1, 2):
        db.save_deal({"id": n, "name": str(n)})
    assert [deal and deal["id"] for deal in db.get_deals([2, "x", 1, 2])] == ["2", None, "1", "2"]
    assert db.get_deals([]) == []
    assert 1 in db
    assert "x" not in db
    assert None not in db
    assert len(db) == 2
    assert db.delete_deal(1)
    assert not db.delete_deal(1)
    assert len(db) == 1
    assert db


def test_a_number_leaves_room_for_every_other(db: DealDatabase) -> None:
    long, fine = Decimal("12345678901234567890.5"), Decimal("0.123456789012345678")
    db.save_deal({"id": 1, "amount": long})
    # the columns are there, and get wider
    assert len(db.query.frame()) == 1
    db.save_deal({"id": 2, "amount": fine})
    for number in ("0.1234567890123456789", "123456789012345678901"):
        with pytest.raises(SchemaError, match="at most 20 digits and 18 decimals"):
            db.save_deal({"id": 3, "amount": Decimal(number)})
        with pytest.raises(SchemaError, match="at most 20 digits and 18 decimals"):
            db.save_deal({"id": 3, "new": Decimal(number)})
    with pytest.raises(SchemaError, match="'amount': a decimal has 0 to 18 digits after the point"):
        db.loader.load([{"id": 3, "amount": 7}], types={"amount": "decimal(30)"})
    assert db.query.frame()["amount"].to_list() == [long, fine]
    assert "new" not in db.schema


def test_another_program_s_number_can_t_make_the_columns_unreadable(
    db: DealDatabase, server: Server
) -> None:
    db.save_deal({"id": 1, "amount": 5})
    with server.client() as client:
        client.hset("deal:2", "amount", "9" * 30)
    db.repair()
    assert len(db.query.frame()) == 2
    db.save_deal({"id": 3, "amount": Decimal("0.123456789012345678")})
    for database in (db, DealDatabase.from_url(server.url)):
        assert database.query.frame()["amount"].to_list()[::2] == [
            5,
            Decimal("0.123456789012345678"),
        ]
        database.close()


def test_every_type_comes_back_exactly(db: DealDatabase) -> None:
    deal = {
        "id": "ß|,\"'\n€",
        "name": "\x00 control \x1b and | , \" ' \u202e",
        "amount": Decimal("99999999999999999999.99"),
        "probability": Decimal("0.3333"),
        "created": date(1201, 1, 1),
        "updated": datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC),
        "seats": 2**62,
        "score": 0.1 + 0.2,
        "signed": False,
        "empty": "",
        "long": "x" * 1_000_000,
    }
    db.save_deal(deal)
    assert db.get_deal(deal["id"]) == deal  # type: ignore[arg-type]
    row = db.query.frame().row(0, named=True)
    assert {name: value for name, value in row.items() if value is not None} == deal


def test_numbers_of_more_digits_than_arithmetic_keeps_are_exact(db: DealDatabase) -> None:
    long = Decimal("12345678901234567890.123456789012345678")
    db.save_deal({"id": 1, "amount": long, "other": long})
    frame = db.query.frame()
    assert frame["amount"].to_list() == frame["other"].to_list() == [long]
    assert db.query.count(f"amount = {long}") == 1
    assert db.query.count(f"amount = {str(long)[:-9]}") == 0


def test_types_widen_but_never_narrow(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "seats": 3})
    db.save_deal({"id": 2, "seats": Decimal("1.125")})
    assert db.schema["seats"].describe() == "decimal(3)"
    deal = db.get_deal(1)
    assert deal is not None
    assert deal["seats"] == 3
    assert db.query.frame()["seats"].to_list() == [Decimal("3.000"), Decimal("1.125")]
    with pytest.raises(
        SchemaError, match="deal '3', field 'seats': expected a decimal number, got other text"
    ) as e:
        db.save_deal({"id": 3, "seats": "many", "fresh": 1})
    assert (e.value.deal, e.value.field) == ("3", "seats")
    assert "fresh" not in db.schema
    assert 3 not in db


@pytest.mark.parametrize(
    ("deal", "complaint"),
    [
        ({"name": "no id"}, "a deal needs an id"),
        ({"id": ""}, "a deal needs an id"),
        ({"id": 1, "amount": "1,000"}, "expected a decimal number"),
        ({"id": 1, "amount": float("nan")}, "expected a decimal number"),
        ({"id": 1, "created": "31.01.2026"}, "expected a date such as 2026-01-31"),
        ({"id": 1, "created": datetime(2026, 1, 1, 9, tzinfo=UTC)}, "a date without a time of day"),
        ({"id": 1, "probability": "about 60%"}, "a probability from 0 to 1"),
        ({"id": 1, "probability": 60}, "a probability from 0 to 1"),
        ({"id": 1, "name": "\ud800"}, "text that UTF-8 can encode"),
        ({"id": 1, "_row": "7"}, "can't be a field name"),
        ({"id": 1, "tags": object()}, "expected text, a number"),
    ],
)
def test_what_does_not_fit_is_refused_whole(
    db: DealDatabase, deal: dict[str, object], complaint: str
) -> None:
    with pytest.raises(SchemaError, match=complaint):
        db.save_deal({**deal, "owner": "Ann"})
    assert len(db) == 0


def test_messages_hold_no_values(db: DealDatabase) -> None:
    with pytest.raises(SchemaError) as caught:
        db.save_deal({"id": 1, "amount": "confidential-1"})
    assert "confidential" not in str(caught.value)


def test_stages_get_a_meaning_when_they_are_first_seen(db: DealDatabase) -> None:
    for stage in ("Negotiation", "Closed Won", "Lost"):
        db.save_deal({"id": stage, "stage": stage})
    assert {stage.name: stage.kind for stage in db.pipeline} == {
        "Negotiation": Kind.OPEN,
        "Closed Won": Kind.WON,
        "Lost": Kind.LOST,
    }


def test_the_pipeline_decides_not_the_text(db: DealDatabase) -> None:
    db.set_pipeline(
        Pipeline((Stage("Won", Kind.OPEN, Decimal("0.1")), Stage("Gescheitert", Kind.WON)))
    )
    db.save_deal({"id": 1, "stage": "Won", "amount": 5})
    db.save_deal({"id": 2, "stage": "Gescheitert", "amount": 7})
    assert db.pipeline.names(Kind.WON) == ["Gescheitert"]
    assert db.analytics.win_rate()["won"] == 1


def test_a_stage_that_deals_are_in_is_left_out_on_purpose_only(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Won", "amount": 5})
    db.save_deal({"id": 2, "stage": "Lead", "amount": 7})
    db.save_deal({"id": 3, "stage": "Lost"})
    db.delete_deal(3)
    assert db.analytics.summary()["won"] == 1
    only_leads = Pipeline((Stage("Lead", Kind.OPEN, Decimal("0.1")),))
    with pytest.raises(SchemaError, match=r"leaves out: 'Won' \(1\); define .* force=True"):
        db.set_pipeline(only_leads)
    assert "Won" in db.pipeline
    db.set_pipeline(only_leads, force=True)
    assert db.pipeline == only_leads
    # what the pipeline lacks is open, whatever it is called
    figures = db.analytics.summary()
    assert (figures["open"], figures["won"]) == (2, 0)
    told = "deals in stages that the pipeline does not define, counted as open: 1"
    assert told in db.analytics.pipeline().basis.warnings
    # what was left out before is not asked again
    db.set_pipeline(Pipeline((*only_leads, Stage("Demo", Kind.OPEN))))


def test_save_clears_a_field_that_this_process_has_not_seen_yet(
    db: DealDatabase, server: Server
) -> None:
    assert db.get_deal(1) is None
    with DealDatabase.from_url(f"unix://{server.socket}") as other:
        other.save_deal({"id": 1, "note": "to be cleared", "score": 1.5})
    db.save_deal({"id": 1, "note": None, "score": 2, "colour": "red"})
    deal = db.get_deal(1)
    assert deal is not None
    assert {**deal, "updated": None} == {"id": "1", "score": 2.0, "colour": "red", "updated": None}
    assert db._store.link.call("HGET", "deal:1", "score") == b"2.0"


def test_other_process_sees_every_acknowledged_save(db: DealDatabase, server: Server) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}") as other:
        for n in range(20):
            db.save_deal({"id": n % 7, "amount": n})
            assert other.query.find(id=str(n % 7))["amount"].item() == n


def test_frames_handed_out_never_change(db: DealDatabase) -> None:
    for n in range(50):
        db.save_deal({"id": n, "name": f"a name too long to be inlined {n}", "amount": n})
    frame = db.query.frame()
    copy = pl.DataFrame(frame.to_dicts(), schema=frame.schema)
    for n in range(0, 60, 3):
        db.save_deal({"id": n, "name": f"another name {n}", "amount": -n, "stage": "Won"})
    db.delete_deal(1)
    db.query.frame()
    assert frame.equals(copy)


def test_collections_share_a_database_without_meeting(db: DealDatabase, server: Server) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}", collection="lead") as leads:
        db.save_deal({"id": 1, "name": "deal"})
        leads.save_deal({"id": 1, "name": "lead", "score": 5})
        assert (len(db), len(leads)) == (1, 1)
        assert "score" not in db.query.frame().columns
        assert db.query.frame()["name"].item() == "deal"
        assert leads.check().ok
        leads.delete_deal(1)
        assert 1 in db


def test_selecting_a_database_moves_everything(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "name": "in 0"})
    db.select_database(3)
    assert db.query.frame().height == 0
    db.save_deal({"id": 1, "name": "in 3"})
    assert db.query.frame()["name"].item() == "in 3"
    db.select_database(0)
    assert db.query.frame()["name"].item() == "in 0"
    with pytest.raises(ConfigError):
        db.select_database(16)


def test_sixteen_hundred_deals_from_many_threads_over_ten_connections(
    db: DealDatabase, server: Server
) -> None:
    with server.client() as client:
        before = client.info("stats")["total_connections_received"]
        problems: list[Exception] = []

        def save(first: int) -> None:
            try:
                for n in range(first, 1600, 64):
                    db.save_deal({"id": n, "name": f"Deal {n}", "amount": n})
            except Exception as problem:
                problems.append(problem)

        threads = [threading.Thread(target=save, args=(n,)) for n in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert client.info("stats")["total_connections_received"] - before <= 10
        assert client.hget("deal:1599", "name") == b"Deal 1599"
    assert len(db) == 1600
    assert db.query.frame()["amount"].sum() == sum(range(1600))


def test_health_counts_deals_and_log(db: DealDatabase) -> None:
    db.save_deal({"id": 1})
    health = db.health()
    assert (health.reachable, health.deals, health.log_length) == (True, 1, 2)
    assert health.pool_size == 10


def test_embedded_keeps_deals(tmp_path: Path) -> None:
    with DealDatabase.embedded(tmp_path) as db:
        db.save_deal({"id": 1, "name": "kept"})
    with DealDatabase.embedded(tmp_path) as db:
        deal = db.get_deal(1)
        assert deal is not None
        assert deal["name"] == "kept"


def test_embedded_server_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with DealDatabase.embedded(tmp_path) as db:
        for n in range(20):
            db.save_deal({"id": n})
        with redis.Redis(unix_socket_path=str(tmp_path / "socket")) as client:
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
        assert db.save_deal({"id": 20}).outcome == "inserted"
        assert db.query.count() == 21


def test_types_widen_under_concurrent_writers(db: DealDatabase, server: Server) -> None:
    """Eight processes' worth of writers widen the same column and add columns of their own, at once."""
    problems: list[Exception] = []

    def write(n: int) -> None:
        try:
            with DealDatabase.from_url(f"unix://{server.socket}") as writer:
                for i in range(12):
                    value = Decimal(i) / 10 ** (i % 6) if n % 2 else i
                    writer.save_deal({"id": f"{n}-{i}", "score": value, f"own_{n}": i})
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    frame = db.query.frame()
    assert frame.height == 96
    assert frame.schema["score"] == pl.Decimal(38, 5)
    expected = {
        f"{n}-{i}": Decimal(i) / 10 ** (i % 6) if n % 2 else Decimal(i)
        for n in range(8)
        for i in range(12)
    }
    assert dict(frame.select("id", "score").rows()) == expected
    assert db.check().ok


def test_interrupted_catching_up_leaves_no_half_columns(
    db: DealDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        db.save_deal({"id": n, "name": "old", "amount": n})
    db.query.frame()
    db.save_deal({"id": 1, "name": "new", "amount": 100, "stage": "Won"})
    decoded = changing.decoded

    def interrupt(texts: list[str | None], field: Field) -> pl.Series:
        if field.name == "amount":
            raise KeyboardInterrupt
        return decoded(texts, field)

    with monkeypatch.context() as patched:
        patched.setattr(changing, "decoded", interrupt)
        with pytest.raises(KeyboardInterrupt):
            db.query.frame()
    assert db.query.find(id="1").select("name", "amount", "stage").row(0) == (
        "new",
        Decimal(100),
        "Won",
    )


def test_queries_follow_to_another_database(server: Server) -> None:
    """Nothing of the one left behind is shown, though both have had as many commits."""
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        query, history = db.query, "SELECT DISTINCT id FROM history"
        db.save_deal({"id": 1, "name": "Acme"})
        query.save("acme", "name = 'Acme'")
        assert query.sql(history)["id"].to_list() == ["1"]
        db.select_database(1)
        db.save_deal({"id": 2, "name": "Globex"})
        assert query.find()["id"].to_list() == ["2"]
        assert query.saved() == {}
        assert query.sql(history)["id"].to_list() == ["2"]


def test_threads_act_in_names_of_their_own(db: DealDatabase) -> None:
    both = threading.Barrier(2)

    def change(name: str) -> None:
        with db.acting_as(name):
            for number in range(5):
                both.wait()
                db.save_deal({"id": name, "n": number})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(change, ["ann", "zoe"]))
    with db.acting_as("ann"), pytest.raises(SchemaError), db.acting_as("eve"):
        db.save_deal({"id": "x", "n": "none"})
    for name in ("ann", "zoe"):
        assert set(db.deal_history(name)["who"]) == {name}
    before = db.save_deal({"id": "own", "n": 1})
    history = db.deal_history("own")
    assert before.outcome == "inserted"
    assert not {"ann", "zoe", "eve"} & set(history["who"])


def test_a_view_of_what_happened_has_each_deal_under_its_own_id(server: Server) -> None:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        days = {"A": "2026-01-03", "B": "2026-01-01", "C": "2026-01-02", "D": "2026-01-04"}
        deals = [
            {"id": id_, "name": id_.lower(), "stage": "Lead", "created": day}
            for id_, day in days.items()
        ]
        db.loader.load(deals)
        found = db.as_of("2026-02-01", time="event").query.find(columns=["id", "name"])
        assert found.rows() == [("B", "b"), ("C", "c"), ("A", "a"), ("D", "d")]
