"""Rates and quotas are kept with the deals: replaced, versioned, in backups, whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import redis

from cli_runs import Run, run_fixture  # noqa: F401 a fixture
from dealdb import DealDatabase, QueryError, SchemaError, StoreDamaged
from dealdb.store.tables import table as kept
from faults.proxy import Proxy
from servers import Server

JANUARY = {"date": "2026-01-01", "currency": "USD", "rate": "0.90"}
MARCH = {"date": "2026-03-01", "currency": "USD", "rate": "0.80"}


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


@pytest.fixture
def copy(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}", collection="copy", db=3) as db:
        yield db


@pytest.fixture
def raw(server: Server) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


def rates(db: DealDatabase, as_of: Any = None) -> list[tuple[str, str, Decimal]]:
    return [(str(day), currency, rate) for day, currency, rate in db.rates.frame(as_of).rows()]


def test_a_load_adds_and_replaces(db: DealDatabase) -> None:
    assert rates(db) == []
    first = db.rates.load([JANUARY, {**MARCH, "rate": "7"}, MARCH])
    assert (first.read, first.added, first.repeated) == (3, 2, 1)
    again = db.rates.load(
        [JANUARY, {**MARCH, "rate": "0.75"}, {**MARCH, "currency": "GBP"}, {**MARCH, "rate": "x"}]
    )
    counts = (again.added, again.replaced, again.unchanged, again.rejected, again.repeated)
    assert counts == (1, 1, 1, 1, 0)
    assert again.reasons == {"rate: not-a-rate": 1}
    assert rates(db) == [
        ("2026-01-01", "USD", Decimal("0.90")),
        ("2026-03-01", "GBP", Decimal("0.80")),
        ("2026-03-01", "USD", Decimal("0.75")),
    ]
    # saved queries and mappings are others
    assert db.query.saved() == {}
    assert db.loader.mappings() == {}


def test_what_was_known_before_stays(db: DealDatabase) -> None:
    db.save_deal(
        {"id": 1, "stage": "Won", "amount": "100", "currency": "USD", "closed": "2026-02-10"}
    )
    moments = []
    for rate in ("0.90", "0.95"):
        db.rates.load([{**JANUARY, "rate": rate}])
        moments.append(datetime.now(UTC))
    db.rates.delete(currency="USD", date=date(2026, 1, 1))
    moments.append(datetime.now(UTC))
    db.rates.load([{**JANUARY, "rate": "0.99"}])
    assert db.rates.clear() == 1
    assert db.rates.clear() == 0
    known = [rates(db, moment) for moment in moments]
    assert [rows and rows[0][2] for rows in known] == [Decimal("0.90"), Decimal("0.95"), []]
    assert rates(db, "2020-01-01") == rates(db) == []
    # a figure by what is known, and by what was
    db.rates.load([{**JANUARY, "rate": "0.99"}])
    today = datetime.now(UTC).date().isoformat()
    value = {
        known: db.analytics.summary(to="EUR", rates_known=known)["won_value"]
        for known in (None, today, "2020-01-01")
    }
    assert value == {None: Decimal(99), today: Decimal(99), "2020-01-01": Decimal(0)}
    assert db.as_of("2999-01-01").analytics.deal_size(to="EUR")["value"] == Decimal(99)
    assert db.rates.clear(forget=True) == 1
    assert rates(db, moments[0]) == []


def test_rows_are_deleted_by_their_key(db: DealDatabase) -> None:
    db.rates.load([JANUARY, MARCH, {**MARCH, "currency": "GBP"}])
    assert db.rates.delete(currency="CHF") == 0
    assert db.rates.delete(date="2026-03-01") == 2
    assert rates(db) == [("2026-01-01", "USD", Decimal("0.90"))]
    for wrong in ({}, {"rate": 1}, {"day": "2026-01-01"}):
        with pytest.raises(QueryError):
            db.rates.delete(**wrong)


def test_quotas_by_start_or_by_label(db: DealDatabase) -> None:
    ann = {"period": "2026-Q1", "key": "Ann", "amount": "2000.00", "currency": "EUR"}
    bob = {"period_start": "2026-01-01", "period": "quarter", "key": "Bob", "amount": 1000}
    bad = [
        {**bob, "period_start": None}, {**ann, "period_start": "2026-02-01"}, {**ann, "period": "2026-Q5"},
        {**ann, "key": " "}, {**ann, "amount": "0.001"}, {**ann, "currency": 5, "amount": None},
    ]  # fmt: skip
    report = db.quotas.load([ann, bob, *bad])
    assert (report.added, report.rejected) == (2, 6)
    start = date(2026, 1, 1)
    assert db.quotas.frame().columns == ["period_start", "period", "key", "amount", "currency"]
    assert db.quotas.frame().rows() == [
        (start, "quarter", "Ann", Decimal("2000.00"), "EUR"),
        (start, "quarter", "Bob", Decimal("1000.00"), None),
    ]
    # by whichever name: it is the same quota
    report = db.quotas.load([{**ann, "period": "Quarter", "period_start": start, "amount": 2500}])
    assert (report.replaced, report.added) == (1, 0)


def test_labels_are_those_of_the_pipeline(db: DealDatabase) -> None:
    db.set_pipeline(replace(db.pipeline, fiscal_start=2))
    report = db.quotas.load(
        [
            {"period": "FY2027-Q1", "key": "Ann", "amount": 1},
            {"period": "2026-Q1", "key": "Ann", "amount": 1},
        ]
    )
    assert (report.added, report.rejected) == (1, 1)
    assert db.quotas.frame()["period_start"].to_list() == [date(2026, 2, 1)]


def test_a_day_is_one_of_the_pipelines_zone(db: DealDatabase) -> None:
    db.set_pipeline(replace(db.pipeline, zone="Europe/Berlin"))
    last = int(datetime(2026, 3, 31, 22, 0, tzinfo=UTC).timestamp() * 1000) - 1
    assert db._end_ms(date(2026, 3, 31)) == db._end_ms("2026-03-31") == last


def test_they_are_in_backups_with_their_versions(
    db: DealDatabase, copy: DealDatabase, tmp_path: Path
) -> None:
    db.save_deal({"id": 1})
    db.rates.load([JANUARY])
    between = datetime.now(UTC)
    db.rates.load([MARCH])
    db.quotas.load([{"period": "2026", "key": "Ann", "amount": 5}])
    db.backup(tmp_path / "deals.backup")
    copy.restore(tmp_path / "deals.backup")
    assert rates(copy) == rates(db)
    assert rates(copy, between) == rates(db, between) == [("2026-01-01", "USD", Decimal("0.90"))]
    assert copy.quotas.frame().equals(db.quotas.frame())


def test_two_loads_at_once_both_count(server: Server) -> None:
    def load(number: int) -> None:
        with DealDatabase.from_url(f"unix://{server.socket}") as other:
            for day in range(1, 6):
                other.rates.load([{**JANUARY, "date": f"2026-0{number}-0{day}"}])

    threads = [threading.Thread(target=load, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        assert db.rates.frame().height == 20


def test_an_answer_that_is_lost_doubles_nothing(db: DealDatabase) -> None:
    class Lossy:
        def __init__(self, link: Any) -> None:
            self._link, self.settings, self.lost = link, link.settings, 0

        def call(self, *command: Any, retry: bool = False) -> Any:
            answer = self._link.call(*command, retry=retry)
            if command[0] == "EVAL" and not self.lost:
                self.lost += 1
                # what the link does by itself: it sends the same again
                return self.call(*command, retry=retry)
            return answer

    db.save_deal({"id": 1})
    table = db._table("rates", ["date", "currency", "rate"])
    table._link = Lossy(table._link)  # type: ignore[assignment]
    new = pl.DataFrame(
        [("2026-01-01", "USD", "0.9")], schema=["date", "currency", "rate"], orient="row"
    )

    def change(now: kept.KeptRows) -> kept.KeptRows | None:
        return None if now.live().height else now.with_rows(new)

    table.change(change)
    assert table.read().rows.height == 1
    assert len(table.read().known) == 1


def test_a_change_whose_answer_was_lost_is_counted(server: Server) -> None:
    with Proxy(server.port) as proxy, DealDatabase(port=proxy.port) as db:
        db.rates.load([JANUARY])
        proxy.fault("lose_reply", matching=b'{"version":1,"known":[')
        report = db.rates.load([JANUARY, MARCH])
        assert (report.added, report.unchanged) == (1, 1)
        proxy.fault("lose_reply", matching=b'{"version":1,"known":[')
        assert db.rates.delete(currency="USD") == 2
        assert db.rates.frame().is_empty()
        assert len(db._table("rates", ["date", "currency", "rate"]).read().known) == 3


def test_there_is_a_limit(db: DealDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_ROWS", 2)
    db.rates.load([JANUARY, MARCH])
    with pytest.raises(SchemaError, match="would have 3 rows"):
        db.rates.load([{**MARCH, "rate": 5}])
    assert len(rates(db)) == 2
    db.rates.clear(forget=True)
    assert db.rates.load([MARCH]).added == 1


def test_what_another_program_wrote_is_damage(db: DealDatabase, raw: redis.Redis) -> None:
    raw.hset("deals:queries", "table:rates", "{}")
    for ask in (
        db.rates.frame,
        lambda: db.rates.load([JANUARY]),
        lambda: db.analytics.summary(to="EUR"),
    ):
        with pytest.raises(StoreDamaged, match="the rates in 'deals:queries'"):
            ask()
    assert db.rates.clear(forget=True) == 1
    table = db._table("rates", ["date", "currency", "rate"])
    odd = pl.DataFrame([("soon", "USD", "0.9")], schema=["date", "currency", "rate"], orient="row")
    table.change(lambda now: now.with_rows(odd))
    with pytest.raises(StoreDamaged, match="the rates are not what dealdb wrote"):
        db.rates.frame()


def test_nothing_is_loaded_into_a_restore(db: DealDatabase, raw: redis.Redis) -> None:
    raw.hset("deals:meta", "format", "restore")
    with pytest.raises(StoreDamaged, match="a restore of collection 'deal' is under way"):
        db.rates.load([JANUARY])
    assert not raw.exists("deals:queries")


def test_times_of_versions_grow_though_the_clock_is_set_back(
    db: DealDatabase, raw: redis.Redis
) -> None:
    db.rates.load([JANUARY])
    table = db._table("rates", ["date", "currency", "rate"])
    text: Any = raw.hget("deals:queries", "table:rates")
    now = table.read().known[0]
    raw.hset(
        "deals:queries", "table:rates", text.replace(str(now).encode(), str(now + 10**9).encode())
    )
    db.rates.load([MARCH])
    assert table.read().known == (now + 10**9, now + 10**9 + 1)


def test_the_commands(run: Run, db: DealDatabase, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(
        "date,currency,rate\n2026-01-01,USD,0.90\n2026-03-01,USD,0.80\n2026-03-01,GBP,x\n"
    )
    loaded = run("rates", "load", str(file), "--json", "--rejects", str(tmp_path / "bad.csv"))
    assert (loaded.code, loaded.json["added"], loaded.json["rejected"]) == (1, 2, 1)
    assert "not-a-rate" in (tmp_path / "bad.csv").read_text()
    shown = run("rates", "--json").json
    assert [(row["date"], Decimal(row["rate"])) for row in shown] == [
        ("2026-01-01", Decimal("0.9")), ("2026-03-01", Decimal("0.8")),
    ]  # fmt: skip
    db.save_deal(
        {"id": 1, "stage": "Won", "amount": "100", "currency": "USD", "closed": "2026-02-10"}
    )
    figures = run("stats", "--to", "EUR", "--json").json["rows"][0]
    assert (figures["won_value"], figures["currency"]) == (Decimal("90.00"), "EUR")
    figures = run("stats", "deal-size", "--to", "EUR", "--rate-day", "as-of", "--json").json[
        "rows"
    ][0]
    assert Decimal(figures["value"]) == 80
    assert run("stats", "sales-cycle", "--to", "EUR").code != 0
    assert "1 deleted" in run("rates", "delete", "date=2026-03-01").out
    assert run("rates", "clear", "--json").json == {"deleted": 1}
    assert run("rates", "--as-of", "2020-01-01", "--json").json == []
    quotas = tmp_path / "quotas.json"
    quotas.write_text('[{"period": "2026-Q1", "key": "Ann", "amount": 2000, "currency": "EUR"}]')
    assert "added" in run("quotas", "load", str(quotas)).out
    assert run("quotas", "--json").json[0]["period_start"] == "2026-01-01"
    for wrong in (
        ("rates", "load"),
        ("rates", "delete"),
        ("rates", "delete", "x"),
        ("quotas", "list", "--forget"),
    ):
        assert run(*wrong).code != 0
