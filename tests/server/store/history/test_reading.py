"""History is never lost by trimming, and any moment of it can be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from connected import checkpoint, pause, try_checkpoint
from dealdb import DealDatabase
from dealdb.errors import QueryError, StoreDamaged
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.history.reading import read_history
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", actor="ann") as db:
        yield db


def test_history_of_a_deal(db: DealDatabase) -> None:
    db.save_deal({"id": 7, "name": "Acme", "amount": 100})
    db.save_deal({"id": 8, "name": "Acme"})
    db.save_deal({"id": 7, "amount": 250, "name": "Acme"})
    db.save_deal({"id": 7, "amount": None})
    db.delete_deal(7)
    db.save_deal({"id": 7})
    history = db.deal_history(7)
    assert history.select("change", "field", "before", "after").rows() == [
        ("inserted", "name", None, "Acme"),
        ("inserted", "amount", None, "100"),
        ("updated", "amount", "100", "250"),
        ("updated", "amount", "250", None),
        ("deleted", None, None, None),
        ("inserted", None, None, None),
    ]
    assert set(history["who"]) == {"ann"}
    assert history["when"].is_sorted()
    assert history["seq"].n_unique() == 5
    assert abs(history["when"][-1] - datetime.now(UTC)) < timedelta(minutes=1)
    assert db.deal_history("none").height == 0


def test_history_survives_trimming(db: DealDatabase, server: Server) -> None:
    for n in range(30):
        db.save_deal({"id": n % 3, "amount": n})
        if n % 5 == 4:
            checkpoint(db)
    with server.client() as client:
        assert client.xlen("deals:log") < 15
        assert client.scard("deals:chunks") == len(
            client.keys("deals:chunk:*")
            + client.keys("deals:history:*")
            + client.keys("deals:index:*")
        )
        manifest = read_manifest(db._store.link, db._store.keys)
        assert manifest
        kept = {key.decode() for key in client.smembers("deals:chunks")}
        assert kept == manifest.keys(db._store.keys)
    assert db.deal_history(1)["after"].to_list() == [str(n) for n in range(1, 30, 3)]


def test_columns_that_only_the_history_needs_are_kept(db: DealDatabase) -> None:
    """What a load gave is in chunks of columns; the deals have long other values by the end."""
    n = 5_000
    for amount in range(4):
        db.loader.load([{"id": k, "amount": amount, "name": f"{amount}.{k}"} for k in range(n)])
        try_checkpoint(db)
    manifest = read_manifest(db._store.link, db._store.keys)
    assert manifest
    keys = db._store.keys
    now = {key for each in manifest.generations if each.columns for key in each.columns.keys(keys)}
    then = {key for each in manifest.history if each.columns for key in each.columns.keys(keys)}
    assert then - now
    assert db._store.link.call("EXISTS", *then) == len(then)
    for k in (0, n - 1):
        history = db.deal_history(k).filter(pl.col("field") == "name")
        assert history["after"].to_list() == [f"{amount}.{k}" for amount in range(4)]


def test_as_of_shows_each_moment(db: DealDatabase) -> None:
    moments: list[tuple[datetime, dict[str, Decimal]]] = []
    state: dict[str, Decimal] = {}
    for n in range(12):
        deal, amount = str(n % 4), Decimal(n)
        if n == 6:
            db.delete_deal(deal)
            del state[deal]
        else:
            db.save_deal({"id": deal, "amount": amount, "stage": "Won" if n % 2 else "Open"})
            state[deal] = amount
        if n in (3, 5, 8):
            checkpoint(db)
        moments.append((pause(), dict(state)))
    for moment, expected in moments:
        view = db.as_of(moment)
        assert dict(view.query.frame().select("id", "amount").rows()) == expected
        assert len(view) == len(expected)
    before_all = db.as_of(moments[0][0] - timedelta(days=1))
    assert len(before_all) == 0
    assert db.as_of(datetime.now(UTC)).query.frame().equals(db.query.frame())
    assert db.as_of(date.today() + timedelta(days=1)).query.frame().equals(db.query.frame())  # noqa: DTZ011


@pytest.mark.parametrize("name", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
def test_a_day_ends_in_the_zone_of_the_pipeline(db: DealDatabase, name: str) -> None:
    """At any moment one of the first two has another day than UTC."""
    db.set_pipeline(Pipeline(zone=name))
    before = datetime.now(ZoneInfo(name)).date()
    db.save_deal({"id": 1, "stage": "Lead"})
    today = datetime.now(ZoneInfo(name)).date()
    assert len(db.as_of(today)) == len(db.as_of(str(today))) == 1
    assert len(db.as_of(before - timedelta(days=1))) == 0
    assert len(db.as_of(today, time="event", known=today)) == 1
    with pytest.raises(QueryError, match="before the first fact"):
        db.as_of(before - timedelta(days=1), time="event")
    [commit] = [each for each in db.changes(0, timeout_s=0) if each.deals]
    known = db.as_of(today, time="event", known=before - timedelta(days=1))
    assert len(known) == 0
    assert commit.when.astimezone(ZoneInfo(name)).date() in (before, today)


@pytest.mark.parametrize("name", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_a_save_of_a_day_is_so_from_its_beginning_in_the_zone(db: DealDatabase, name: str) -> None:
    db.set_pipeline(Pipeline((Stage("Done", Kind.WON),), zone=name))
    db.save_deal({"id": 1, "stage": "Done"}, at="2026-02-10")
    assert db.get_deal(1) == {"id": "1", "stage": "Done", "closed": date(2026, 2, 10)}
    begin = datetime(2026, 2, 10, tzinfo=ZoneInfo(name))
    later = begin + timedelta(milliseconds=1)
    assert db.as_of(later, time="event").get_deal(1) is not None
    with pytest.raises(QueryError, match="which is of 2026-02-10"):
        db.as_of(begin, time="event")


def test_view_has_queries_metrics_and_deals_of_then(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Won", "amount": 10, "owner": "Ann", "closed": "2026-01-31"})
    then = pause()
    db.save_deal({"id": 1, "stage": "Lost", "colour": "red"})
    db.save_deal({"id": 2, "stage": "Lost"})
    view = db.as_of(then)
    assert view.get_deal(1) == {
        "id": "1",
        "stage": "Won",
        "amount": Decimal("10.00"),
        "owner": "Ann",
        "closed": date(2026, 1, 31),
    }
    assert view.get_deal(2) is None
    assert 1 in view
    assert 2 not in view
    assert "colour" not in view.schema
    assert view.analytics.win_rate()["win_rate"] == 1.0
    assert view.analytics.pipeline().basis.as_of == then.date()
    assert view.query.count(stage="Won") == 1
    assert db.analytics.win_rate()["win_rate"] == 0.0


def test_moments_as_text(db: DealDatabase) -> None:
    db.save_deal({"id": 1})
    assert len(db.as_of("2020-01-01")) == 0
    assert len(db.as_of("2999-01-01T00:00:00Z")) == 1
    assert db.as_of(" 2999-01-01 ").when == date(2999, 1, 1)
    with pytest.raises(QueryError, match="is not a date or time"):
        db.as_of("yesterday-ish")


def test_lost_segment_is_told_and_harms_no_present_deal(db: DealDatabase, server: Server) -> None:
    db.save_deal({"id": 0, "amount": 0})
    first = pause()
    for n in range(1, 4):
        try_checkpoint(db)
        db.save_deal({"id": n, "amount": n})
    moment = pause()
    try_checkpoint(db)
    with server.client() as client:
        client.delete(min(client.keys("deals:history:*")))
    with pytest.raises(StoreDamaged, match="incomplete after commit 0"):
        db.deal_history(1)
    assert len(db.as_of("2020-01-01")) == 0
    with pytest.raises(StoreDamaged, match="incomplete after commit 0"):
        db.as_of(first)
    assert len(db.as_of(moment)) == db.query.count() == 4


def test_damaged_checkpoint_falls_back_to_the_older_one(db: DealDatabase, server: Server) -> None:
    for n in range(3):
        db.save_deal({"id": n})
        try_checkpoint(db)
    with server.client() as client:
        manifest = read_manifest(db._store.link, db._store.keys)
        assert manifest
        newest = manifest.generations[0].columns
        assert newest
        client.setrange(newest.part(["id"], 0, 0).keys(db._store.keys)[0], 100, b"damage")
    with DealDatabase.from_url(f"unix://{server.socket}") as newcomer:
        assert newcomer.query.frame().equals(db.query.frame())


def test_dead_writers_leftovers_go_with_the_next_checkpoint(
    db: DealDatabase, server: Server
) -> None:
    db.save_deal({"id": 1})
    with server.client() as client:
        client.sadd("deals:chunks", "deals:chunk:dead")
        client.set("deals:chunk:dead", b"x")
        client.set("deals:lease", "another process")
        assert not try_checkpoint(db)
        client.delete("deals:lease")
        checkpoint(db)
        assert not client.exists("deals:chunk:dead", "deals:lease")


def test_a_trim_between_two_pages_of_the_log_loses_no_commit(
    db: DealDatabase, server: Server
) -> None:
    # more than a reader asks for at first
    for n in range(150):
        db.save_deal({"id": n % 3, "amount": n})
    read = read_history(db._store.link, db._store.keys)
    seen = [next(read)]
    for n in range(2):
        checkpoint(db)
        db.save_deal({"id": "later", "amount": n})
    seen += read
    with server.client() as client:
        newest = int(client.hget("deals:meta", "seq"))
    assert [entry.position.seq for entry in seen] == list(range(1, newest + 1))


def test_a_log_that_is_emptied_between_two_pages_is_told(db: DealDatabase, server: Server) -> None:
    for n in range(150):
        db.save_deal({"id": n % 3, "amount": n})
    read = read_history(db._store.link, db._store.keys)
    next(read)
    with server.client() as client:
        client.flushdb()
    with pytest.raises(StoreDamaged):
        list(read)
