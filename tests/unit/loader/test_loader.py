"""A load as a whole: headers, close dates, batches, rejects, the report, progress, and what stops it."""

from __future__ import annotations

import csv
import io
import os
import sys
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb.analytics.metrics import concentration
from dealdb.errors import LoadError, ServerUnavailable
from dealdb.loader import DataLoader, Progress
from dealdb.loader.columns.headers import map_headers
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.commit.batch import Batch
from recorder import Recorder, Written


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.mark.parametrize(
    ("program", "headers"),
    [
        ("HubSpot", {
            "Record ID": "id", "Deal Name": "name", "Deal Stage": "stage", "Deal owner": "owner",
            "Amount": "amount", "Create Date": "created", "Close Date": "close_date",
            "Associated Company": "company", "Original Source": "source", "Currency": "currency",
            "Deal probability": "probability", "Closed Lost Reason": "loss_reason", "Deal Type": "deal_type",
        }),
        ("HubSpot API", {
            "hs_object_id": "id", "dealname": "name", "dealstage": "stage", "hubspot_owner_id": "owner",
            "amount": "amount", "createdate": "created", "closedate": "close_date",
            "hs_deal_stage_probability": "probability", "hs_lastmodifieddate": "updated",
        }),
        ("Salesforce", {
            "Id": "id", "Name": "name", "StageName": "stage", "Amount": "amount", "CloseDate": "close_date",
            "CreatedDate": "created", "AccountId": "company", "OwnerId": "owner", "Probability": "probability",
            "LeadSource": "source", "CurrencyIsoCode": "currency", "LastModifiedDate": "updated",
            "NextStep": "next_step", "ForecastCategoryName": "forecast_category_name",
        }),
        ("Pipedrive", {
            "ID": "id", "Title": "name", "Organization": "company", "Owner": "owner", "Stage": "stage",
            "Value": "amount", "Currency": "currency", "Deal created": "created", "Probability": "probability",
            "Expected close date": "expected_close", "Deal closed on": "closed", "Lost reason": "loss_reason",
            "Update time": "updated", "Source channel": "source",
        }),
        ("Zoho", {
            "Record Id": "id", "Deal Name": "name", "Account Name": "company", "Deal Owner": "owner",
            "Stage": "stage", "Amount": "amount", "Closing Date": "close_date", "Created Time": "created",
            "Modified Time": "updated", "Lead Source": "source", "Probability (%)": "probability",
            "Reason For Loss": "loss_reason",
        }),
        ("Close", {
            "id": "id", "lead_name": "company", "user_name": "owner", "status_label": "stage",
            "value": "amount", "value_currency": "currency", "confidence": "probability",
            "date_created": "created", "date_updated": "updated", "date_won": "closed (won)",
            "date_lost": "closed (lost)",
        }),
    ],
)  # fmt: skip
def test_headers_of_exports(program: str, headers: dict[str, str]) -> None:
    assert map_headers(list(headers), None, Schema.standard()) == headers


def test_the_better_name_gets_the_field(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "owner_id,Deal Owner,deal_id,ID\n5,Ann,x,1\n")
    assert store.deals == {"1": {"owner": "Ann", "owner_id": "5", "deal_id": "x"}}
    assert report.mapping == {
        "owner_id": "owner_id",
        "Deal Owner": "owner",
        "deal_id": "deal_id",
        "ID": "id",
    }


def test_other_headers_become_names_of_their_own(store: Recorder) -> None:
    headers = [
        "id",
        "_fivetran_synced",
        "Deal Type",
        "isClosed",
        "property_hs_x",
        "Größe (m²)",
        "***",
        "a b",
        "a_b",
    ]
    assert list(map_headers(headers, None, store.schema()).values()) == [
        "id", "fivetran_synced", "deal_type", "is_closed", "hs_x", "größe_m²", "column", "a_b", "a_b_2",
    ]  # fmt: skip


def test_the_caller_maps_headers(store: Recorder, tmp_path: Path) -> None:
    text = "key,Deal Name,owner,junk,when\n1,a,b,c,2026-01-31\n"
    mapping = {"KEY": "id", "Deal Name": "company", "junk": None, "when": "closed"}
    report = store.load_text(tmp_path, text, mapping=mapping)
    assert store.values("1") == {"company": "a", "owner": "b", "closed": date(2026, 1, 31)}
    assert report.mapping["junk"] is None


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"Deal ID": "id"}, r"mapping: no column 'Deal ID'; the columns are key, name"),
        ({"nam": "id"}, r"mapping: no column 'nam'; did you mean 'name'\?"),
        ({"key": "id", "name": "id"}, "two columns can't both be 'id'"),
        (None, r"no column is the id of the deals; name it with mapping={'<column>': 'id'}"),
    ],
)
def test_headers_that_can_t_be_mapped(
    store: Recorder, tmp_path: Path, mapping: dict[str, str | None] | None, message: str
) -> None:
    with pytest.raises(LoadError, match=message):
        store.load_text(tmp_path, "key,name\n1,a\n", mapping=mapping)


STAGES = """id,stage,close_date,name
1,Won,2026-01-31,a
2,Demo,2026-02-28,b
3,Closed Lost,2026-03-31,c
4,,2026-04-30,d
"""


def test_one_close_date_is_split_by_outcome(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, STAGES)
    assert {deal_id: store.values(deal_id) for deal_id in store.deals} == {
        "1": {"stage": "Won", "name": "a", "closed": date(2026, 1, 31)},
        "2": {"stage": "Demo", "name": "b", "expected_close": date(2026, 2, 28)},
        "3": {"stage": "Closed Lost", "name": "c", "closed": date(2026, 3, 31)},
        "4": {"name": "d", "expected_close": date(2026, 4, 30)},
    }
    assert "close dates split by outcome into 'closed' and 'expected_close'" in report.notes
    assert report.new_stages == ("Demo", "Won", "Closed Lost")


def test_closing_keeps_what_was_expected_and_reopening_clears(
    store: Recorder, tmp_path: Path
) -> None:
    store.load_text(tmp_path, "id,stage,close_date\n1,Demo,2026-01-31\n2,Won,2026-01-15\n")
    store.load_text(tmp_path, "id,stage,close_date\n1,Won,2026-03-01\n2,Demo,2026-05-05\n")
    assert store.values("1") == {
        "stage": "Won", "expected_close": date(2026, 1, 31), "closed": date(2026, 3, 1),
    }  # fmt: skip
    assert store.values("2") == {"stage": "Demo", "expected_close": date(2026, 5, 5)}


def test_new_deals_keep_the_order_of_the_source(store: Recorder, tmp_path: Path) -> None:
    rows = "".join(f"{n},{'Won' if n % 3 else 'Demo'},2026-01-31\n" for n in range(700))
    store.load_text(tmp_path, "id,stage,close_date\n" + rows)
    assert list(store.deals) == [str(n) for n in range(700)]
    assert [len(ids) for ids, _ in store.batches] == [500, 200]


def test_a_deal_that_comes_again_in_a_later_chunk_keeps_what_was_expected(
    store: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.loader.sources.text_file.BLOCK_BYTES", 64)
    rows = "".join(f"{n},Demo,2026-01-31\n" for n in range(10))
    report = store.load_text(tmp_path, f"id,stage,close_date\n{rows}3,Won,2026-02-28\n")
    assert store.values("3") == {
        "stage": "Won", "closed": date(2026, 2, 28), "expected_close": date(2026, 1, 31),
    }  # fmt: skip
    assert report.duplicates == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("stage,close_date,Expected Close Date", {"closed": 1, "expected_close": 2}),
        ("stage,close_date,closed_at", {"expected_close": 1, "closed": 2}),
        ("stage,expected_close,closed", {"expected_close": 1, "closed": 2}),
        ("name,close_date,other", {"expected_close": 1}),
    ],
)
def test_no_split_where_both_dates_are_given(
    store: Recorder, tmp_path: Path, headers: str, expected: dict[str, int]
) -> None:
    days = ["", "2026-01-31", "2026-02-28"]
    store.load_text(tmp_path, f"id,{headers}\n1,Won,{days[1]},{days[2]}\n")
    found = {
        name: day for name, day in store.deals["1"].items() if name in ("closed", "expected_close")
    }
    assert found == {name: days[place] for name, place in expected.items()}


def test_loading_again_changes_nothing(store: Recorder, tmp_path: Path) -> None:
    text = STAGES.replace("name", "probability").replace(",a", ",60").replace(",b", ",7%")
    text = text.replace(",c", ",0").replace(",d", ",")
    assert store.load_text(tmp_path, text).inserted == 4
    before = {deal_id: dict(deal) for deal_id, deal in store.deals.items()}
    again = store.load_text(tmp_path, text)
    assert (again.unchanged, again.read, again.new_stages) == (4, 4, ())
    assert store.deals == before


def test_empty_cells_clear_and_absent_columns_stay(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id,name,owner,amount\n1,a,b,5\n")
    report = store.load_text(tmp_path, "id,name,amount\n1,,-\n")
    assert store.deals == {"1": {"owner": "b"}}
    assert report.updated == 1


def test_repeated_ids_apply_in_order(store: Recorder, tmp_path: Path) -> None:
    rows = "".join(f"{n % 3},v{n}\n" for n in range(10))
    report = store.load_text(tmp_path, "id,name\n" + rows, batch_size=4)
    assert store.deals == {"0": {"name": "v9"}, "1": {"name": "v7"}, "2": {"name": "v8"}}
    assert (report.inserted, report.updated, report.duplicates) == (3, 7, 7)


def test_batches_have_their_size_and_keep_the_order(store: Recorder, tmp_path: Path) -> None:
    rows = "".join(f"{n}\n" for n in range(1201))
    store.load_text(tmp_path, "id\n" + rows)
    assert [len(ids) for ids, _ in store.batches] == [500, 500, 201]
    assert list(store.deals) == [str(n) for n in range(1201)]


REJECTED = (
    'id,amount,created\n1,5,2026-01-31\n,6,2026-01-31\n3,"7 ""x""",2026-01-31\n4,8,soon\n5,9\n'
)


def test_the_rejects_file_says_what_where_and_why(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, REJECTED, rejects=True)
    path = Path("deals.csv.rejects.csv")
    assert report.rejects == path
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    source = str(tmp_path / "deals.csv")
    assert rows[0] == ["source", "line", "offset", "column", "value", "code", "message", "raw"]
    assert sorted(rows[1:], key=lambda row: int(row[1])) == [
        [source, "1", "", "", ",", "header", "names of the columns", "id,amount,created"],
        [source, "3", "33", "id", "", "missing-id", "expected an id that is not empty", ",6,2026-01-31"],
        [
            source, "4", "47", "amount", '7 "x"', "not-a-number",
            "expected a number of at most 20 digits and 18 decimals", '3,"7 ""x""",2026-01-31',
        ],
        [source, "5", "70", "created", "soon", "not-a-date", "expected a date such as 2026-01-31", "4,8,soon"],
        [source, "6", "79", "", "", "columns", "expected 3 cells, found 2", "5,9"],
    ]  # fmt: skip
    assert report.reasons == {
        "id: missing-id": 1,
        "amount: not-a-number": 1,
        "created: not-a-date": 1,
        "columns": 1,
    }
    assert list(store.deals) == ["1"]


def test_no_rejects_no_file(store: Recorder, tmp_path: Path) -> None:
    assert store.load_text(tmp_path, "id\n1\n", rejects=True).rejects is None
    assert store.load_text(tmp_path, REJECTED, rejects=False).rejects is None
    assert list(Path.cwd().iterdir()) == []


def test_rejects_go_to_the_working_directory_where_the_source_is_read_only(
    store: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "deals.csv"
    source.write_text(REJECTED)
    # a folder in its place can't be written by anybody, whoever runs the tests
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deals.csv.rejects.csv").mkdir(parents=True)
    (elsewhere / "deals.csv").symlink_to(source)
    assert store.load(elsewhere / "deals.csv", rejects=True).rejects == Path(
        "deals.csv.rejects.csv"
    )
    assert store.load(io.BytesIO(REJECTED.encode()), rejects=True).rejects == Path(
        "stdin.rejects.csv"
    )
    with pytest.raises(LoadError, match=r"rejected rows can't be written to .*choose another"):
        store.load(source, rejects=tmp_path / "no" / "such" / "folder.csv")


def test_max_errors_stops_the_load(store: Recorder, tmp_path: Path) -> None:
    with pytest.raises(
        LoadError,
        match=r"^rejected rows of .*: 4, more than max_errors=3: .*1 amount: not-a-number",
    ) as caught:
        store.load_text(tmp_path, REJECTED, max_errors=3)
    assert "soon" not in str(caught.value)
    assert store.load_text(tmp_path, REJECTED, max_errors=4).rejected == 4


class Failing(Recorder):
    """A server that goes away after some commits."""

    def write(self, schema: Schema, batch: Batch, **conditions: Any) -> Written:
        if len(self.batches) == 3:
            msg = "the server is gone"
            raise ServerUnavailable(msg)
        return super().write(schema, batch, **conditions)


def test_errors_of_the_server_stop_the_load_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    store = Failing()
    text = "id\n" + "".join(f"{n}\n" for n in range(100))
    with pytest.raises(ServerUnavailable):
        store.load_text(tmp_path, text, batch_size=10)
    assert list(store.deals) == [str(n) for n in range(30)]


def test_progress_is_reported_to_the_end(store: Recorder, tmp_path: Path) -> None:
    seen: list[Progress] = []
    text = "id\n" + "".join(f"{n}\n" for n in range(1000))
    store.load_text(tmp_path, text, progress=seen.append)
    assert [step.phase for step in seen] == ["checking", "loading", "loading"]
    assert [step.rows for step in seen] == [1000, 500, 1000]
    assert seen[-1].bytes_done == seen[-1].bytes_total == len(text)
    assert seen[-1].share == 1.0
    seen.clear()
    store.load([{"id": n} for n in range(4)], progress=seen.append, batch_size=2)
    assert [step.share for step in seen] == [1.0, 0.5, 1.0]
    assert Progress(phase="loading", rows=3).share is None


def test_progress_moves_while_a_pipe_is_read(store: Recorder) -> None:
    text = b"id,name\n" + b"".join(b"%d,x\n" % n for n in range(30_000))
    source, target = os.pipe()
    moved = threading.Event()
    seen: list[Progress] = []

    def show(progress: Progress) -> None:
        seen.append(progress)
        moved.set()

    def feed() -> None:
        with os.fdopen(target, "wb", buffering=0) as pipe:
            pipe.write(text[:1000])
            # what comes in is told before there is more
            moved.wait(30)
            n_told.append(len(seen))
            pipe.write(text[1000:])

    n_told: list[int] = []
    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(source, "rb") as pipe:
        assert store.load(pipe, progress=show).inserted == 30_000
    thread.join()
    assert n_told[0] > 0
    reading = [step for step in seen if step.phase == "reading"]
    assert (reading[0].bytes_done, reading[-1].bytes_done) == (1000, len(text))
    assert next(step.phase for step in seen[len(reading) :]) == "checking"


def test_a_named_pipe_is_read_once(store: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: path.write_text("id;name\n1;a\n2;b\n"))
    thread.start()
    report = store.load(path)
    thread.join()
    assert (report.source, report.inserted) == (str(path), 2)
    with pytest.raises(LoadError, match="only the load of a file"):
        store.load(path, resume=True)


def test_progress_moves_while_the_encoding_is_looked_for(
    store: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.loader.sources.text_file.BLOCK_BYTES", 1000)
    seen: list[Progress] = []
    text = "id\n" + "".join(f"{n}\n" for n in range(1000))
    store.load_text(tmp_path, text, progress=seen.append)
    reading = [step for step in seen if step.phase == "reading"]
    assert [step.bytes_done for step in reading] == [1000, 2000, 3000]
    assert {step.bytes_total for step in reading} == {len(text)}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_appears_on_a_terminal_only(
    store: Recorder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    store.load_text(tmp_path, STAGES)
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    store.load_text(tmp_path, STAGES, bar=False)
    assert terminal.getvalue() == ""
    store.load_text(tmp_path, STAGES)
    assert "loading deals.csv" in terminal.getvalue()
    assert "4 rows" in terminal.getvalue()


def test_the_report_reads_well(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, STAGES)
    source = str(tmp_path / "deals.csv")
    assert (
        repr(report)
        == f"LoadReport(source={source!r}, read=4, inserted=4, updated=0, unchanged=0, rejected=0)"
    )
    assert report.rate == pytest.approx(4 / report.seconds)
    assert [(each.header, each.field, each.type) for each in report.columns] == [
        ("id", "id", "text"), ("stage", "stage", "text"), ("close_date", "close_date", "date"),
        ("name", "name", "text"),
    ]  # fmt: skip


def test_a_source_larger_than_what_is_kept_is_read_twice(
    store: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dealdb.loader.writing.run.KEPT_BYTES", 10)
    monkeypatch.setattr("dealdb.loader.sources.text_file.BLOCK_BYTES", 64)
    text = "id,seats,stage\n" + "".join(f"{n},{n},S{n}\n" for n in range(50)) + "x,many,Won\n"
    store.load_text(tmp_path, text)
    # the last row decides about the first one
    assert store.schema()["seats"].describe() == "text"
    assert store.values("7") == {"seats": "7", "stage": "S7"}
    assert len(store.deals) == 51


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet", "stdin"])
def test_progress_tells_what_was_acknowledged(store: Recorder, tmp_path: Path, kind: str) -> None:
    rows = [{"id": str(n), "name": "x" * 20} for n in range(1000)]
    frame = pl.DataFrame(rows)
    path = tmp_path / f"deals.{kind}"
    match kind:
        case "json":
            frame.write_json(path)
        case "jsonl":
            frame.write_ndjson(path)
        case "parquet":
            frame.write_parquet(path)
        case _:
            frame.write_csv(path)
    seen: list[Progress] = []

    def show(progress: Progress) -> None:
        if progress.phase == "loading":
            assert progress.rows <= len(store.deals)
            seen.append(progress)

    source = io.BytesIO(path.read_bytes()) if kind == "stdin" else path
    store.load(source, batch_size=100, progress=show)
    shares = [step.share or 0 for step in seen]
    assert shares == pytest.approx([n / 10 for n in range(1, 11)], abs=0.01)
    assert {step.rows_total for step in seen} == {1000}
    assert all(step.rate > 0 for step in seen)
    left = [step.seconds_left for step in seen]
    assert None not in left
    assert left[-1] == 0


def test_the_golden_export_loads_as_it_is(store: Recorder, shared_data: Path) -> None:
    path = shared_data / "crm_sales_opportunities" / "sales_pipeline.csv"
    report = store.load(path)
    assert (report.inserted, report.rejected, report.duplicates) == (8800, 0, 0)
    assert report.mapping == {
        "opportunity_id": "id", "sales_agent": "owner", "product": "product", "account": "company",
        "deal_stage": "stage", "engage_date": "created", "close_date": "close_date", "close_value": "amount",
    }  # fmt: skip
    assert [stage.name for stage in report.pipeline] == ["Prospecting", "Engaging", "Won", "Lost"]
    won = [store.values(deal_id) for deal_id, deal in store.deals.items() if deal["stage"] == "Won"]
    assert len(won) == 4238
    assert sum(Decimal(str(deal["amount"])) for deal in won) == 10_005_534
    assert not any("expected_close" in deal for deal in store.deals.values())
    assert sum("closed" in deal for deal in store.deals.values()) == 6711
    assert sum("company" not in deal for deal in store.deals.values()) == 1425
    assert store.load(path).unchanged == 8800


def test_the_salesforce_export_loads_but_for_one_probability(
    store: Recorder, shared_data: Path
) -> None:
    report = store.load(shared_data / "fivetran_salesforce" / "sf_opportunity_data.csv")
    assert (report.inserted, report.reasons) == (9, {"probability: not-a-probability": 1})
    deals = [store.values(deal_id) for deal_id in store.deals]
    assert sorted({str(deal["probability"]) for deal in deals}) == ["0.00", "0.65", "1.00"]
    assert {deal["is_won"] for deal in deals} == {True, False}


def test_the_hubspot_export_loads(store: Recorder, shared_data: Path) -> None:
    report = store.load(shared_data / "fivetran_hubspot" / "deal_data.csv")
    assert (report.inserted, report.rejected) == (44, 0)
    assert store.values("1244495215") == {
        "name": "1f03614fdf8999728ac2cfeb1c4b3984", "portal_id": "4727653", "is_deleted": False,
        "created": date(2019, 12, 4),
    }  # fmt: skip


def test_wide_rows_go_in_smaller_commits(store: Recorder) -> None:
    wide = {f"c{n}": "x" for n in range(99)}
    store.load([{"id": n, **wide} for n in range(200)])
    assert [len(ids) for ids, _ in store.batches] == [26] * 7 + [18]


def test_the_result_of_a_metric_is_exported(store: Recorder, tmp_path: Path) -> None:
    frame = pl.DataFrame({"stage": ["Won"], "company": ["Acme"], "amount": [5]})
    board = concentration(frame, Pipeline().covering(["Won"]))
    loader = DataLoader(lambda: store)
    assert loader.export(tmp_path / "board.csv", board).rows == 1
    with (tmp_path / "board.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["value"], row["top"]) == ("5.00", '["Acme"]')
    with pytest.raises(LoadError, match="limit is for filters"):
        loader.export(tmp_path / "board.csv", board, limit=1)
