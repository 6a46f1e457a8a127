"""History is loaded: each fact once, whatever happens on the way, and no older program misreads the collection."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.errors import LoadError, StoreDamaged
from dealdb.store.history.reading import read_history
from servers import DURABLE, Server

FACTS = [
    {"id": 1, "at": "2026-01-05T12:00:00Z", "field": "stage", "value": "Lead"},
    {"id": 1, "at": "2026-02-05", "field": "stage", "value": "Closed Won"},
    {"id": 2, "at": 1767614400000, "field": "amount", "value": "7.50", "key": "k"},
    {"id": 2, "at": "soon", "field": "amount", "value": "7.50"},
    {"id": 2, "at": "2026-01-05", "field": "amount", "value": "much"},
    {"id": 2, "at": "2026-01-06", "field": "owner", "value": "Ann"},
    {"id": 2, "at": "2026-01-06", "field": "owner", "value": "Bob"},
    {"id": 2, "at": "1980-01-06", "field": "owner", "value": "Bob"},
    {"id": 2, "at": "2026-01-06", "field": "owner", "value": "Bob"},
]


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def test_a_report_counts_what_was_read(db: DealDatabase) -> None:
    db.save_deal({"id": 1, "stage": "Lead"})
    dry = db.history.load(FACTS, source="crm", dry_run=True)
    assert db._store.known_facts()[0].is_empty()
    report = db.history.load(FACTS, source="crm")
    assert dry == report
    assert (report.read, report.new, report.known, report.rejected) == (9, 5, 1, 3)
    assert (report.unknown_deals, report.unknown_stages) == (1, 1)
    assert (report.ties, report.imprecise) == (1, 3)
    assert report.reasons == {"at: not-a-moment": 1, "amount: not-a-number": 1, "at: too-early": 1}
    # the stage is known by now, and means what its name says
    assert "Closed Won" in db.pipeline
    again = db.history.load(FACTS, source="crm")
    assert (again.new, again.known, again.unknown_stages) == (0, 6, 0)
    spans = db.history.span().filter(field="amount").drop("field").rows()
    assert [(f"{first:%Y-%m-%d}", n) for first, _, n in spans] == []
    assert db.history.span()["field"].to_list() == ["stage"]


def test_files_and_frames_say_the_same_as_rows(db: DealDatabase, tmp_path: Path) -> None:
    rows = [{**row, "at": str(row["at"])} for row in FACTS]
    path = tmp_path / "facts.csv"
    pl.DataFrame(rows).write_csv(path)
    first = db.history.load(path, source="crm")
    assert first.new == 5
    assert db.history.load(pl.DataFrame(rows), source="crm").new == 0
    labels = {"9": "Won"}
    stage = {"id": 1, "at": "2026-03-01T10:00", "field": "stage", "value": "9"}
    db.history.load([stage], stages=labels, zone="Europe/Berlin")
    told = db._store.known_facts()[0].filter(value="Won")
    assert told["at"].to_list() == [1772355600000]


def test_what_is_no_history_is_refused(db: DealDatabase) -> None:
    with pytest.raises(LoadError, match="is no history that can be read: its columns are id, on"):
        db.history.load([{"id": 1, "on": "2026-01-01"}])
    with pytest.raises(LoadError, match="zone"):
        db.history.load(FACTS, zone="Nowhere")
    circle = [merge("1", "2"), merge("2", "3"), merge("3", "1")]
    report = db.history.load(circle)
    assert (report.new, report.reasons) == (0, {"value: merge-circle": 3})
    assert db._store.known_facts()[0].is_empty()
    # one that is told in parts
    assert db.history.load(circle[:2]).new == 2
    with pytest.raises(LoadError, match="into itself"):
        db.history.load(circle[2:])
    assert db._store.known_facts()[0].height == 2


def test_nothing_is_a_history_too(db: DealDatabase, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("id,at,field,value\n")
    sources: tuple[Any, ...] = ([], path)
    for source in sources:
        report = db.history.load(source)
        assert (report.read, report.new, report.rejected) == (0, 0, 0)


def test_moments_of_python_without_a_zone_are_in_the_zone_of_the_source(db: DealDatabase) -> None:
    naive = datetime(2026, 1, 12, 9, 30)  # noqa: DTZ001  # that is what is tried
    moments = [naive, naive.replace(tzinfo=UTC), date(2026, 1, 12), "2026-01-12T09:30:00"]
    rows = [{"id": n, "at": at, "field": "owner", "value": "Ann"} for n, at in enumerate(moments)]
    assert db.history.load(rows, zone="Europe/Berlin").imprecise == 1
    found = db._store.known_facts()[0].sort("id")["at"].to_list()
    noon = int(naive.replace(tzinfo=UTC).timestamp() * 1000)
    hour = 3_600_000
    # the day is that of the pipeline, which is in UTC
    assert found == [noon - hour, noon, noon - 9 * hour - hour // 2, noon - hour]


def test_days_begin_in_the_zone_of_the_pipeline(db: DealDatabase) -> None:
    db.set_pipeline(replace(db.pipeline, zone="America/New_York"))
    day = [{"id": 1, "at": "2026-04-01", "field": "stage", "value": "Lead"}]
    assert db.history.load(day, zone="Europe/Berlin").imprecise == 1
    db.save_deal({"id": 1, "stage": "Lead"})
    db.save_deal({"id": 2, "created": "2026-02-01", "stage": "Demo"})
    changed = {"deal_id": 2, "field_key": "stage_id", "old_value": "Lead", "new_value": "Demo"}
    assert db.history.load([{**changed, "time": "2026-02-03 10:00:00"}]).new == 2
    found = db._store.known_facts()[0].filter(field="stage").sort("at")
    begins = [datetime.fromtimestamp(at / 1000, UTC).isoformat() for at in found["at"]]
    assert begins == [
        "2026-02-01T05:00:00+00:00", "2026-02-03T10:00:00+00:00", "2026-04-01T04:00:00+00:00",
    ]  # fmt: skip
    # in UTC it would be the evening of the day before
    assert db.as_of("2026-03-31", time="event").get_deal(1) is None
    assert db.as_of("2026-04-01", time="event").get_deal(1) == {"id": "1", "stage": "Lead"}


def test_a_plain_table_may_lack_values_and_be_called_by_a_label(db: DealDatabase) -> None:
    rows = [{"id": 1, "at": "2026-01-12", "field": "owner", "op": "unknown"}]
    assert db.history.load(rows, source="old crm").new == 1
    own = [{"id": 2, "at": "2026-01-12", "field": "id", "value": "3"}]
    assert db.history.load(own, source="old crm").reasons == {"field: missing-field": 1}
    assert db._store.known_facts()[0]["source"].to_list() == ["old crm"]
    # the values of own fields have the types that the collection gave them
    db.save_deal({"id": 1, "score": 7})
    mixed = [
        {"id": 1, "at": "2026-01-13", "field": "score", "value": value} for value in ("8", "high")
    ]
    report = db.history.load(mixed)
    assert (report.new, report.reasons) == (1, {"score: not-an-integer": 1})
    view = db.as_of("2026-01-14", time="event").get_deal(1)
    assert view is not None
    assert view["score"] == 8


@pytest.mark.parametrize("form", ["json", "choices", "list"])
def test_lists_are_read_as_a_load_reads_them(db: DealDatabase, tmp_path: Path, form: str) -> None:
    db.save_deal({"id": 1, "tags": ["now"], "hot": True})
    told = {"json": '["a", "b"]', "choices": "a; b", "list": ["a", "b"]}[form]
    changes = [("2026-01-05", told), ("2026-01-06", "c"), ("2026-01-07", None)]
    long = [{"id": 1, "at": at, "field": "tags", "value": value} for at, value in changes]
    yes = {"id": 1, "at": "2026-01-06", "field": "hot", "value": "no"}
    bad = [{"id": 1, "at": "2026-01-08", "field": name, "value": "{x"} for name in ("tags", "hot")]
    path = tmp_path / "facts.jsonl"
    path.write_text("\n".join(map(json.dumps, [*long, yes, *bad])))
    report = db.history.load(path, rejects=tmp_path / "bad.csv")
    assert (report.new, report.reasons) == (4, {"tags: not-a-list": 1, "hot: not-a-bool": 1})
    rejected = (tmp_path / "bad.csv").read_text()
    assert [word in rejected for word in ("not-a-list", "not-a-bool")] == [True, True]
    # the same in other forms is known already
    wide = [{"id": 1, "at": at, "tags": value} for at, value in changes]
    for rows in (long, wide):
        assert db.history.load(rows).new == 0
    versions = [
        {"value": value or "", "timestamp": f"{at}T09:00:00.000Z"}
        for at, value in (("2026-02-05", "p;q"), *changes[2:])
    ]
    hubspot = [{"id": "1", "propertiesWithHistory": {"tags": versions}}]
    assert db.history.load(hubspot).rejected == 0
    days = ("2026-01-05", "2026-01-06", "2026-01-07", "2026-02-05")
    views: list[dict[str, Any]] = [db.as_of(day, time="event").get_deal(1) or {} for day in days]
    assert [view.get("tags") for view in views] == [["a", "b"], ["c"], None, ["p", "q"]]
    assert views[1]["hot"] is False
    # as the load of the same cells does
    db.loader.load([{"id": 2, "tags": told}], bar=False)
    loaded = db.get_deal(2)
    assert loaded is not None
    assert loaded["tags"] == ["a", "b"]


def merge(loser: str, survivor: str) -> dict[str, Any]:
    return {"id": loser, "at": "2026-01-01", "field": None, "value": survivor, "op": "merge"}


def test_an_older_program_refuses_the_collection_from_then_on(
    db: DealDatabase, server: Server
) -> None:
    store = db._store
    db.save_deal({"id": 1, "stage": "Lead"})

    def form() -> bytes:
        found: bytes = store.link.call("HGET", store.keys.meta, "format")
        return found

    assert form() == b"1"
    db.history.load(FACTS[:1])
    assert form() == b"2"
    # as its readers and its script look at it
    assert form() not in (None, b"1")
    store.link.call("HSET", store.keys.meta, "format", "3")
    url = f"unix://{server.socket}"
    with pytest.raises(StoreDamaged, match="upgrade"), DealDatabase.from_url(url) as other:
        other.query.frame()


def test_a_copy_has_the_facts(db: DealDatabase, tmp_path: Path) -> None:
    db.save_deal({"id": 1, "stage": "Lead"})
    db.history.load(FACTS)
    facts = db._store.known_facts()[0]
    path = tmp_path / "b.backup"
    db.backup(path)
    DealDatabase.check_backup(path)
    db._store.link.call("FLUSHDB")
    db.restore(path)
    assert db._store.link.call("HGET", "deals:meta", "format") == b"2"
    assert db._store.known_facts()[0].equals(facts, null_equal=True)
    assert not db.check().differences
    # the state is made again from the log
    db._store.link.call("DEL", "deals:meta")
    db.repair()
    assert db._store.link.call("HGET", "deals:meta", "format") == b"2"
    db.save_deal({"id": 1, "stage": "Demo"})


PROGRAM = """
import sys
from dealdb import DealDatabase
with DealDatabase.from_url(sys.argv[1]) as db:
    print("begins", flush=True)
    db.history.load(sys.argv[2], source="crm")
"""


@pytest.mark.slow
def test_an_import_that_is_killed_continues(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    n = 400_000
    path = tmp_path / "facts.csv"
    place = pl.int_range(n, eager=True)
    pl.DataFrame({"id": place % 5_000, "at": place * 60_000 + 1_700_000_000_000}).with_columns(
        field=pl.lit("owner"), value=("o" + place.cast(pl.String))
    ).write_csv(path)
    server = new_server(*DURABLE)
    url = f"unix://{server.socket}"
    with DealDatabase.from_url(url) as db:
        db.save_deal({"id": 1})
        for kill_server in (False, True):
            with subprocess.Popen(
                [sys.executable, "-c", PROGRAM, url, str(path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as process:
                before = db._store.newest().seq
                until = time.monotonic() + 60
                while (
                    db._store.newest().seq < before + 3
                    and process.poll() is None
                    and time.monotonic() < until
                ):
                    time.sleep(0.005)
                if kill_server:
                    server.kill()
                os.kill(process.pid, signal.SIGKILL)
            if kill_server:
                server.start()
        known = db._store.known_facts()[0].height
        assert 0 < known < n
        report = db.history.load(path, source="crm")
        assert (report.new, report.known) == (n - known, known)
        facts = db._store.known_facts()[0]
        assert facts.height == n == facts.select("id", "at").n_unique()
        assert (
            sum(1 for _ in read_history(db._store.link, db._store.keys)) == db._store.newest().seq
        )


def test_histories_of_crms_are_told_by_their_headers(db: DealDatabase) -> None:
    db.loader.load(
        [{"id": "D2", "stage": "Lead", "amount": "50", "created": "2026-01-10"}], bar=False
    )
    rows = [
        {
            "Id": "017A",
            "OpportunityId": deal,
            "CreatedDate": "2026-02-01T12:00:00Z",
            "Field": "Amount",
            "OldValue": "60.00",
            "NewValue": "80.00",
        }
        for deal in ("D2", "D3")
    ]
    report = db.history.load(iter(rows))
    assert report.reasons == {"no-creation-date": 1}
    assert db.history.load(rows).new == 0
    # what a change replaced was so since the deal was created
    days = {"2026-01-20": 60, "2026-02-05": 80}
    for day, amount in days.items():
        [deal] = db.as_of(day, time="event").query.find("id = 'D2'").to_dicts()
        assert deal["amount"] == amount, day
    wide = [{"id": "D2", "at": "2026-01-15", "owner": "Ann"}]
    assert db.history.load(wide).new == 1
    with pytest.raises(LoadError, match="no history that can be read as pipedrive"):
        db.history.load(wide, source="pipedrive")


def test_the_shared_files_of_crms_load_as_they_are(db: DealDatabase, shared_data: Path) -> None:
    hubspot, salesforce = shared_data / "fivetran_hubspot", shared_data / "fivetran_salesforce"
    counts = {
        hubspot / "deal_property_history_data.csv": (100, 0),
        hubspot / "deal_stage_data.csv": (14, 0),
        hubspot / "merged_deal_data.csv": (14, 0),
        salesforce / "sf_opportunity_history_data.csv": (92, 1),
    }
    for path, (new, rejected) in counts.items():
        stages = hubspot / "deal_pipeline_stage_data.csv" if "stage" in path.name else None
        report = db.history.load(path, stages=stages)
        assert (report.new, report.rejected) == (new, rejected), path.name


def test_rows_that_cannot_be_read_go_to_a_file(db: DealDatabase, tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_text("id,at,field,value\n1,2026-01-05,stage,Lead\n2,soon,stage,Lead\n")
    assert db.history.load(file, dry_run=True).rejects_file is None
    report = db.history.load(file)
    assert (report.new, report.rejected) == (1, 1)
    assert report.rejects_file is not None
    kept = report.rejects_file.read_text()
    assert "soon" in kept
    # corrected, it is read again
    report.rejects_file.write_text(kept.replace("soon", "2026-01-06"))
    again = db.history.load(report.rejects_file)
    assert (again.new, again.rejected) == (1, 0)
    assert not db.history.load(file, rejects=False).rejects_file
