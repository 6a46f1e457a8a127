"""Loading into a real server: what was loaded is what is there, whatever happens on the way."""

from __future__ import annotations

import csv
import io
import random
import threading
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connected import in_threads
from dealdb import DealDatabase
from dealdb.connection import round_trips
from dealdb.errors import ConflictError, LoadError, ServerUnavailable
from dealdb.loader import Progress
from dealdb.model.values import Value
from dealdb.store import Store
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase("127.0.0.1", server.port) as database:
        yield database


def frame_of(database: DealDatabase) -> pl.DataFrame:
    frame: pl.DataFrame = database.query.frame()
    return frame


def values_of(database: DealDatabase, deal_id: str) -> dict[str, Value]:
    """Values of a deal, without the moment of its last change."""
    deal = database.get_deal(deal_id)
    assert deal is not None
    return {name: value for name, value in deal.items() if name != "updated"}


def write(folder: Path, text: str, name: str = "deals.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_deals_behind_one_that_exists_are_still_added_in_bulk(db: DealDatabase) -> None:
    db.save_deal({"id": "D700", "amount": 1})
    before = db._store.sizes()[1]
    ids = [f"D{n}" for n in range(2_000)]
    report = db.loader.load(pl.DataFrame({"id": ids, "amount": range(2_000)}), batch_size=100)
    assert (report.inserted, report.updated) == (1_999, 1)
    log = db._store.link.call("XRANGE", db._store.keys.log, "-", "+")
    kinds = [fields[11].decode() for _, fields in log[before:]]
    assert kinds == [*["add"] * 7, "set", *["add"] * 12]
    assert values_of(db, "D700") == {"id": "D700", "amount": 700}


def test_the_state_of_a_collection_is_read_once_a_load(db: DealDatabase) -> None:
    db.loader.load([{"id": "1", "name": "a", "stage": "Lead"}], rejects=False)
    before = round_trips()
    db.loader.load([{"id": "2", "name": "b", "stage": "Lead"}], rejects=False)
    # commits, and what confirms them, are another thread's
    assert round_trips() - before == 1


def test_a_file_becomes_the_columns_of_every_process(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    path = write(
        tmp_path,
        "Deal ID,Deal Name,Amount,Stage,Close Date,Seats,Note\n"
        '7,Acme,"$1,234.50",Won,2026-01-31,3,"two\nlines"\n'
        '8,Böll,12345678901234567890.125,Demo,2026-02-28,,"a ""quote"""\n',
    )
    report = db.loader.load(path)
    assert (report.inserted, report.rejected) == (2, 0)
    with DealDatabase("127.0.0.1", server.port) as other:
        assert frame_of(other).select("id", "amount", "closed", "expected_close", "seats").rows() == [
            ("7", Decimal("1234.500"), date(2026, 1, 31), None, 3),
            ("8", Decimal("12345678901234567890.125"), None, date(2026, 2, 28), None),
        ]  # fmt: skip
        assert values_of(other, "8") == {
            "id": "8", "name": "Böll", "amount": Decimal("12345678901234567890.125"),
            "stage": "Demo", "expected_close": date(2026, 2, 28), "note": 'a "quote"',
                "currency": "USD",
        }  # fmt: skip
        assert [(stage.name, str(stage.kind)) for stage in other.pipeline] == [
            ("Demo", "open"),
            ("Won", "won"),
        ]


def test_loading_again_writes_nothing(db: DealDatabase, server: Server, tmp_path: Path) -> None:
    rows = "".join(f"{n},{n / 8},{n % 28 + 1}/12/2026,{n % 2 == 0}\n" for n in range(1000))
    path = write(tmp_path, "id,amount,created,hot\n" + rows)
    assert db.loader.load(path).inserted == 1000
    with server.client() as client:
        before = client.xlen("deals:log")
        again = db.loader.load(path)
        assert (again.unchanged, again.read) == (1000, 1000)
        assert client.xlen("deals:log") == before


def test_what_is_loaded_is_what_saving_one_by_one_gives(db: DealDatabase, tmp_path: Path) -> None:
    deals = [
        {
            "id": "1",
            "name": "a",
            "amount": Decimal("10.50"),
            "created": date(2026, 1, 31),
            "seats": 3,
        },
        {"id": "2", "name": "b", "amount": Decimal(0), "probability": Decimal("0.25")},
    ]
    for deal in deals:
        db.save_deal(deal)
    names = ["id", "name", "amount", "created", "seats", "probability"]
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(deals)
    report = db.loader.load(write(tmp_path, text.getvalue()))
    assert report.unchanged == 2
    assert db.loader.load(deals).unchanged == 2
    assert db.loader.load(frame_of(db)).unchanged == 2


def test_a_frame_of_the_database_loads_into_another(
    db: DealDatabase, new_server: Callable[..., Server], tmp_path: Path
) -> None:
    db.loader.load(
        [{"id": n, "amount": Decimal(n) / 4, "updated": "2026-01-31T09:30:00Z"} for n in range(50)]
    )
    frame_of(db).write_parquet(tmp_path / "deals.parquet")
    with DealDatabase("127.0.0.1", new_server().port) as other:
        assert other.loader.load(tmp_path / "deals.parquet").inserted == 50
        assert frame_of(other).equals(frame_of(db))


def test_fields_widen_while_a_load_runs(db: DealDatabase) -> None:
    db.save_deal({"id": "0", "seats": 1})
    report = db.loader.load(pl.DataFrame({"id": ["1", "2"], "seats": [2.5, 0.125]}))
    assert report.rejected == 0
    assert db.schema["seats"].describe() == "decimal(3)"
    assert [deal["seats"] for deal in db.get_deals(["0", "1", "2"]) if deal] == [
        Decimal(1), Decimal("2.5"), Decimal("0.125"),
    ]  # fmt: skip


def test_keys_that_a_row_lacks_stay(db: DealDatabase, tmp_path: Path) -> None:
    db.loader.load([{"id": 1, "name": "a", "owner": "Ann"}])
    path = write(
        tmp_path, '{"id": 1, "owner": null}\n{"id": 1, "company": "Acme"}\n', "deals.jsonl"
    )
    assert db.loader.load(path).updated == 2
    assert values_of(db, "1") == {"id": "1", "name": "a", "company": "Acme"}


def test_a_server_that_dies_stops_the_load_and_loading_again_completes_it(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = new_server("--appendonly", "yes", "--appendfsync", "always")
    path = write(tmp_path, "id,amount\n" + "".join(f"{n},{n}.25\n" for n in range(2000)))
    acknowledged = 0

    def kill_half_way(progress: Progress) -> None:
        nonlocal acknowledged
        if progress.phase == "loading":
            acknowledged = progress.rows
        if acknowledged == 1000 and server.process is not None:
            server.kill()

    with DealDatabase("127.0.0.1", server.port, retry_deadline_s=0.5) as database:
        with pytest.raises(ServerUnavailable):
            database.loader.load(path, batch_size=100, progress=kill_half_way)
        server.start()
        # the one in flight may have arrived although nobody heard of it
        assert len(database) - acknowledged in (0, 100)
        report = database.loader.load(path)
        assert report.inserted + report.unchanged == 2000
        assert len(database) == 2000


def test_a_plan_that_fails_writes_nothing(db: DealDatabase, tmp_path: Path) -> None:
    path = write(tmp_path, "id,created\n1,03/04/2026\n")
    with pytest.raises(LoadError, match="say dates='us' or dates='eu'"):
        db.loader.load(path)
    assert len(db) == 0


def test_the_golden_export(db: DealDatabase, shared_data: Path) -> None:
    path = shared_data / "crm_sales_opportunities" / "sales_pipeline.csv"
    report = db.loader.load(path)
    assert (report.read, report.inserted) == (8800, 8800)
    frame = frame_of(db)
    won = frame.filter(pl.col("stage") == "Won")
    assert (won.height, won["amount"].sum()) == (4238, Decimal(10_005_534))
    assert frame["closed"].null_count() == 2089
    assert frame["expected_close"].null_count() == 8800
    with path.open(encoding="utf-8", newline="") as file:
        assert frame["id"].to_list() == [row["opportunity_id"] for row in csv.DictReader(file)]


def test_a_dry_run_leaves_every_key_as_it_is(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    db.loader.load([{"id": n, "name": "old", "stage": "Demo"} for n in range(600)])
    path = write(
        tmp_path,
        "id,name,stage,seats\n" + "".join(f"{n},new,Signed,{n}\n" for n in range(300, 900)),
    )
    with server.client() as client:
        before = {key: client.dump(key) for key in client.scan_iter()}
        said = {
            policy: db.loader.load(path, dry_run=True, on_conflict=policy)
            for policy in ("merge", "replace", "skip")
        }
        assert {key: client.dump(key) for key in client.scan_iter()} == before
    assert said["merge"].new_stages == ("Signed",)
    assert (said["skip"].inserted, said["skip"].skipped) == (300, 300)
    done = db.loader.load(path, on_conflict="replace")
    assert (done.inserted, done.updated) == (said["replace"].inserted, said["replace"].updated)
    assert db.loader.load(path, on_conflict="skip").skipped == 600
    with pytest.raises(LoadError, match=r"that exist already: 600, "):
        db.loader.load(path, on_conflict="error")


def test_replacing_clears_what_the_source_lacks(db: DealDatabase) -> None:
    db.loader.load([{"id": 1, "name": "a", "owner": "Ann", "seats": 3}])
    assert db.loader.load([{"id": 1, "name": "a"}], on_conflict="replace").updated == 1
    assert values_of(db, "1") == {"id": "1", "name": "a"}
    assert db.loader.load([{"id": 1, "name": "a"}], on_conflict="replace").unchanged == 1


def test_deals_that_the_source_lacks_are_deleted(db: DealDatabase) -> None:
    db.loader.load([{"id": n, "owner": "Ann" if n % 2 else "Bob"} for n in range(20)])
    left = [{"id": n, "owner": "Ann"} for n in range(5, 20, 2)]
    said = db.loader.load(left, delete_missing="owner = 'Ann'", dry_run=True)
    assert (said.deleted, len(db)) == (2, 20)
    assert db.loader.load(left, delete_missing="owner = 'Ann'").deleted == 2
    assert "1" not in db
    assert len(db) == 18
    assert db.check().ok
    with pytest.raises(LoadError, match="10 of 18 deals are missing"):
        db.loader.load(left, delete_missing=True)
    # half of those that the filter selects, not of all
    with pytest.raises(LoadError, match="7 of 8 deals are missing"):
        db.loader.load(left[:1], delete_missing="owner = 'Ann'")
    assert len(db) == 18


def saving_first(monkeypatch: pytest.MonkeyPatch, method: str, save: Callable[[], object]) -> None:
    """Somebody saves right before the first call of a method of the store reaches the server."""
    original = getattr(Store, method)
    saved: list[object] = []

    def call(self: Store, *arguments: Any, **options: Any) -> Any:
        if not saved:
            saved.append(save())
        return original(self, *arguments, **options)

    monkeypatch.setattr(Store, method, call)


@pytest.mark.parametrize("outsider", [False, True])
def test_a_deal_saved_in_the_last_moment_is_skipped(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch, outsider: bool
) -> None:
    with DealDatabase("127.0.0.1", server.port) as other, server.client() as client:
        other.save_deal({"id": "0"})

        def save() -> object:
            if outsider:
                return client.hset("deal:3", "name", "theirs")
            return other.save_deal({"id": "3", "name": "theirs"})

        saving_first(monkeypatch, "write", save)
        rows = [{"id": str(n), "name": "mine", "owner": "Ann"} for n in range(1, 6)]
        report = db.loader.load(rows, on_conflict="skip")
        assert (report.inserted, report.skipped) == (4, 1)
        kept = {k: v for k, v in client.hgetall("deal:3").items() if not k.startswith(b"_")}
        assert kept == {b"name": b"theirs"}


def test_a_deal_saved_in_the_last_moment_stops_a_load_that_may_not_meet_any(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DealDatabase("127.0.0.1", server.port) as other:
        saving_first(monkeypatch, "write", lambda: other.save_deal({"id": "3", "name": "theirs"}))
        with pytest.raises(LoadError, match="somebody else saved while this load ran: 1;"):
            db.loader.load([{"id": str(n), "name": "mine"} for n in range(5)], on_conflict="error")
        assert frame_of(db).select("id", "name").rows() == [("3", "theirs")]


def test_skipping_beside_another_writer_mixes_no_deal(db: DealDatabase, server: Server) -> None:
    ids = [str(n) for n in range(1500)]
    theirs = set()
    skipped = 0
    has_begun = threading.Event()

    def work(number: int) -> None:
        nonlocal skipped
        if number:
            # a load may be over before another process has a connection
            assert has_begun.wait(60)
            rows = [{"id": deal_id, "name": "mine", "owner": "Ann"} for deal_id in ids]
            skipped = db.loader.load(rows, on_conflict="skip", batch_size=50).skipped
            return
        with DealDatabase("127.0.0.1", server.port) as other:
            for deal_id in random.Random(5).sample(ids, 400):
                if other.get_deal(deal_id) is None:
                    try:
                        other.save_deal({"id": deal_id, "name": "theirs"}, expect_rev=0)
                    except ConflictError:
                        continue
                    theirs.add(deal_id)
                    has_begun.set()

    assert in_threads(2, work) == []
    assert skipped == len(theirs) > 0
    assert frame_of(db).select("id", "name", "owner").sort("id").rows() == [
        (deal_id, "theirs", None) if deal_id in theirs else (deal_id, "mine", "Ann")
        for deal_id in sorted(ids)
    ]


def test_missing_deals_go_in_one_commit_and_what_others_touch_stays(
    db: DealDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.loader.load([{"id": n, "name": "old"} for n in range(1000)])
    with DealDatabase("127.0.0.1", server.port) as other, server.client() as client:
        saving_first(monkeypatch, "delete_many", lambda: other.update_deal("7", name="theirs"))
        before = client.xlen("deals:log")
        report = db.loader.load(
            [{"id": n, "name": "old"} for n in range(400, 1000)], delete_missing=True
        )
        assert report.deleted == 399
        # theirs, and one for all that were deleted
        assert client.xlen("deals:log") == before + 2
    assert values_of(db, "7") == {"id": "7", "name": "theirs"}
    assert len(db) == 601
    assert db.check().ok


def test_an_option_that_is_left_out_deletes_nothing(db: DealDatabase) -> None:
    db.loader.load([{"id": n} for n in range(10)], rejects=False)
    db.loader.load([{"id": 1}], rejects=False, delete_missing=None)  # type: ignore[arg-type]
    assert len(db) == 10
