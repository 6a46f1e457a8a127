"""An export whose rows say since when they are so: ``load(at=...)`` does what saves with ``at`` do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from commits import at_each_commit
from dealdb import DealDatabase
from dealdb.errors import LoadError, StoreError
from dealdb.model.pipeline import Kind, Pipeline, Stage
from servers import Server

PIPELINE = Pipeline((Stage("Lead", Kind.OPEN), Stage("Demo", Kind.OPEN), Stage("Won", Kind.WON)))
ROWS: list[dict[str, Any]] = [
    {"id": "1", "stage": "Lead", "amount": "50.00", "since": "2026-01-05T12:00:00Z"},
    {"id": "2", "stage": "Lead", "amount": "70.00", "since": "2026-01-06"},
    {"id": "1", "stage": "Demo", "amount": "50.00", "since": "2026-01-12T09:30:00+01:00"},
    {"id": "1", "stage": "Won", "amount": "60.00", "since": "1770724800000"},
]


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def told(db: DealDatabase) -> list[list[dict[str, Any]]]:
    facts = db._store.event_facts()
    return [facts.of(name).drop("seq").to_dicts() for name in ("stage", "amount")]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_a_load_says_what_saves_would_say(
    db: DealDatabase, server: Server, zone: str, tmp_path: Path
) -> None:
    path = tmp_path / "deals.csv"
    lines = [",".join(ROWS[0]), *(",".join(map(str, row.values())) for row in ROWS)]
    path.write_text("\n".join(lines))
    db.set_pipeline(replace(PIPELINE, zone=zone))
    report = db.loader.load(path, at="Since", mapping={"since": None}, bar=False)
    assert (report.inserted, report.updated, report.rejected) == (2, 2, 0)
    assert db.get_deal(1) == {
        "id": "1", "stage": "Won", "amount": Decimal(60), "updated": db.query.find("id = '1'")["updated"][0],
    }  # fmt: skip
    with DealDatabase.from_url(f"unix://{server.socket}", collection="other") as other:
        other.set_pipeline(replace(PIPELINE, zone=zone))
        for row in (ROWS[0], ROWS[2], {**ROWS[3], "since": "2026-02-10T12:00:00Z"}, ROWS[1]):
            given = {name: value for name, value in row.items() if name != "since"}
            other.save_deal({**given, "closed": None}, at=row["since"])
        # deals that came first begin first
        one, two = (sorted(map(str, each)) for each in (told(db)[0], told(other)[0]))
        assert [s.replace("'life': 0", "").replace("'life': 1", "") for s in one] == [
            s.replace("'life': 0", "").replace("'life': 1", "") for s in two
        ]
    for day, stage in (("2026-01-10", "Lead"), ("2026-01-12", "Demo"), ("2026-02-10", "Won")):
        deal = db.as_of(day, time="event").get_deal(1)
        assert deal is not None
        assert deal["stage"] == stage, day
    first = db.as_of("2026-01-06", time="event").get_deal(2)
    assert first == {"id": "2", "stage": "Lead", "amount": Decimal(70)}
    assert db.as_of("2026-01-05", time="event").get_deal(2) is None
    table = db.analytics.waterfall(since="2026-01-01").frame
    created = table.filter(bucket="created").row(0, named=True)
    assert (created["n"], created["value"]) == (2, Decimal(130))
    assert db.check().ok


def test_rows_without_a_moment_are_set_aside_by_row_and_column(
    db: DealDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "deals.csv"
    path.write_text(
        "id,amount,Stage Date\n1,5.00,2026-01-05\n2,6.00,\n3,7.00,soon\n4,8.00,1201-01-05\n"
        "5,9.00,2999-01-01\n6,much,x\n"
    )
    rejects = tmp_path / "bad.csv"
    for bad_cells in ("reject", "null"):
        report = db.loader.load(
            path, at="stage_date", rejects=rejects, bad_cells=bad_cells, mapping={"amount": "amount"},
            types={"amount": "decimal(2)"}, bar=False,
        )  # fmt: skip
        assert (report.read, report.rejected) == (6, 5)
        column = "Stage Date"
        of_amount = {"amount: not-a-number"} if bad_cells == "reject" else set()
        expected = {
            f"{column}: {code}"
            for code in ("missing-moment", "too-early", "in-the-future", "not-a-moment")
        }
        assert set(report.reasons) == expected | of_amount
        places = [line.split(",")[1:4] for line in rejects.read_text().splitlines()[2:]]
        assert [line for line, _, _ in places] == ["3", "4", "5", "6", "7"]
        assert [header for _, _, header in places][:4] == [column] * 4
    assert db.query.count() == 1


def test_loading_it_again_changes_nothing(db: DealDatabase) -> None:
    rows = [row for row in ROWS if row["id"] == "2"]
    db.loader.load(rows, at="since", bar=False)
    before, seq = told(db), db._store.newest().seq
    report = db.loader.load(rows, at="since", bar=False)
    assert (report.unchanged, db._store.newest().seq) == (1, seq)
    assert told(db) == before


def test_a_column_that_is_not_there_is_refused_before_anything_is_written(db: DealDatabase) -> None:
    for rows in (ROWS, iter(ROWS)):
        with pytest.raises(LoadError, match=r"at: .*'when'.*since"):
            db.loader.load(rows, at="when", bar=False)
    assert db.query.count() == 0
    either = [{"id": n, "since": day} for n, day in enumerate(["01/02/2026", "03/04/2026"])]
    with pytest.raises(LoadError, match=r"column 'since': .*day/month"):
        db.loader.load(either, at="since", mapping={"since": None}, bar=False)
    assert db.query.count() == 0


def test_a_dry_run_counts_the_same_and_writes_nothing(db: DealDatabase) -> None:
    rows = [*ROWS, {"id": 9, "since": "soon"}]
    dry = db.loader.load(rows, at="since", dry_run=True, bar=False)
    assert db.query.count() == 0
    report = db.loader.load(rows, at="since", bar=False)
    same = ("inserted", "updated", "rejected", "reasons")
    assert [getattr(dry, name) for name in same] == [getattr(report, name) for name in same]


def test_many_deals_and_a_mapping_that_keeps_the_column(db: DealDatabase, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    lines = [f"{n},Lead,{n}.00,2026-01-{n % 28 + 1:02}" for n in range(2_000)]
    path.write_text("\n".join(["id,stage,amount,valid from", *lines]))
    db.loader.load(path, at="valid from", save_mapping="weekly", bar=False)
    assert db.loader.mapping("weekly").options["at"] == "valid from"
    again = db.loader.load(path, mapping="weekly", bar=False)
    assert again.unchanged == 2_000
    n_then = len(db.as_of(date(2026, 1, 14), time="event"))
    assert n_then == sum(n % 28 < 14 for n in range(2_000))
    assert db.check().ok


def moments_of(db: DealDatabase, field: str = "stage") -> list[tuple[str, str, Any]]:
    """Since when a field of each deal had each of its values."""
    facts = db._store.event_facts()
    told = facts.of(field).join(facts.lives.select("life", "id"), on="life").sort("id", "at")
    day = pl.from_epoch("at", time_unit="ms").dt.strftime("%m-%d")
    return told.select("id", day, "value").rows()


def test_a_row_that_changes_nothing_says_since_when_it_was_so(db: DealDatabase) -> None:
    db.set_pipeline(PIPELINE)
    first = [{"id": "1", "stage": "Demo", "amount": "50.00"}]
    db.loader.load(first, bar=False)
    seq = db._store.newest().seq
    rows = [{**first[0], "since": "2026-01-12"}]
    report = db.loader.load(rows, at="since", mapping={"since": None}, bar=False)
    assert (report.unchanged, "facts of rows that change nothing now: 2" in report.notes) == (
        1,
        True,
    )
    assert moments_of(db) == [("1", "01-12", "Demo")]
    # once is enough, and what says nothing new is left out
    after = db._store.newest().seq
    assert after == seq + 1
    for since in ("2026-01-12", "2026-01-19"):
        again = db.loader.load(
            [{**first[0], "since": since}], at="since", mapping={"since": None}, bar=False
        )
        assert (again.unchanged, again.notes) == (1, report.notes[:-1])
    assert db._store.newest().seq == after
    # it was so earlier than was known
    db.loader.load(
        [{**first[0], "since": "2026-01-08"}], at="since", mapping={"since": None}, bar=False
    )
    assert moments_of(db) == [("1", "01-08", "Demo")]
    assert db.check().ok
    dry = db.loader.load(
        [{**first[0], "since": "2026-01-02"}],
        at="since",
        mapping={"since": None},
        dry_run=True,
        bar=False,
    )
    assert (dry.unchanged, moments_of(db)) == (1, [("1", "01-08", "Demo")])
    skipped = [{**first[0], "since": "2026-01-02"}]
    db.loader.load(skipped, at="since", mapping={"since": None}, on_conflict="skip", bar=False)
    assert moments_of(db) == [("1", "01-08", "Demo")]


def test_what_was_so_again_stands_behind_what_is_new_before_it(db: DealDatabase) -> None:
    db.set_pipeline(PIPELINE)
    db.save_deal({"id": "1", "stage": "Demo"}, at="2026-01-02")
    told = [("Lead", 20), ("Lead", 5), ("Demo", 21), ("Demo", 10)]
    rows = [{"id": "1", "stage": stage, "since": f"2026-01-{day:02}"} for stage, day in told]
    report = db.loader.load(rows, at="since", mapping={"since": None}, bar=False)
    # the first and the third row change the deal; what the last one says was known until the second one came
    assert (report.updated, report.unchanged) == (2, 2)
    days = [(day, stage) for _, day, stage in moments_of(db)]
    assert days == [
        ("01-02", "Demo"), ("01-05", "Lead"), ("01-10", "Demo"), ("01-20", "Lead"), ("01-21", "Demo"),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_rows_in_any_order_say_what_saves_would_say(
    db: DealDatabase, server: Server, seed: int
) -> None:
    chance = random.Random(seed)
    ids, stages = ("1", "2"), ("Lead", "Demo", "Won")
    rows = [
        {
            "id": chance.choice(ids),
            "stage": chance.choice(stages),
            "amount": chance.choice(["5.00", "6.00", None]),
            "since": f"2026-01-{chance.randrange(1, 20):02}T12:00:00Z",
        }
        for _ in range(12)
    ]
    db.set_pipeline(PIPELINE)
    db.save_deal({"id": "1", "stage": "Won", "amount": 6})
    db.loader.load(rows, at="since", mapping={"since": None}, batch_size=1 + seed, bar=False)
    with DealDatabase.from_url(f"unix://{server.socket}", collection="other") as other:
        other.set_pipeline(PIPELINE)
        other.save_deal({"id": "1", "stage": "Won", "amount": 6})
        for row in rows:
            given = {name: value for name, value in row.items() if name != "since"}
            other.save_deal({**given, "closed": None}, at=row["since"])
        for field in ("stage", "amount"):
            assert moments_of(db, field) == moments_of(other, field)
    assert db.check().ok


@pytest.mark.parametrize("n_done", [0, 5, 14])
def test_a_load_that_was_interrupted_goes_on(
    db: DealDatabase,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_done: int,
) -> None:
    """Deals of before, some of them as the rows have them, and ids that come again with other moments."""
    chance = random.Random(n_done)
    lines = [
        f"{chance.randrange(80)},{chance.choice(['Lead', 'Demo', 'Won'])},{chance.randrange(3)}.00,"
        f"{'soon' if n % 40 == 7 else f'2026-01-{chance.randrange(1, 28):02}'}"
        for n in range(300)
    ]
    path = tmp_path / "deals.csv"
    path.write_text("\n".join(["id,stage,amount,since", *lines]))
    options: dict[str, Any] = {"at": "since", "mapping": {"since": None}, "batch_size": 20}

    def begin(some: DealDatabase) -> None:
        some.set_pipeline(PIPELINE)
        some.loader.load(
            [{"id": n, "stage": "Demo", "amount": "1.00"} for n in range(40)], bar=False
        )

    with DealDatabase.from_url(f"unix://{server.socket}", collection="other") as other:
        begin(other)
        expected = other.loader.load(path, **options, bar=False)
        begin(db)

        def fail(number: int) -> None:
            if number > n_done:
                msg = "the server is gone"
                raise StoreError(msg)

        with monkeypatch.context() as patched:
            at_each_commit(patched.setattr, fail)
            with pytest.raises(StoreError, match="is gone"):
                db.loader.load(path, **options, bar=False)
        if n_done:
            db.set_pipeline(replace(PIPELINE, zone="Asia/Tokyo"))
            with pytest.raises(LoadError, match="had a different time zone of the pipeline"):
                db.loader.load(path, **options, resume=True, bar=False)
            db.set_pipeline(PIPELINE)
        report = db.loader.load(path, **options, resume=True, bar=False)
        same = ("read", "inserted", "updated", "unchanged", "rejected", "reasons", "duplicates")
        assert [getattr(report, name) for name in same] == [
            getattr(expected, name) for name in same
        ]
        assert (report.resumed > 0) is (n_done > 0)
        for field in ("stage", "amount"):
            assert moments_of(db, field) == moments_of(other, field)
    assert db.check().ok
