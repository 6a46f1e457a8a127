"""JSON, frames, Parquet, iterables and pipes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdb.errors import LoadError
from dealdb.loader.sources import json_files
from dealdb.loader.sources.frames import FrameSource
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def test_json_lines(store: Recorder, tmp_path: Path) -> None:
    lines = [
        '{"id": 1, "name": "a", "amount": 12345678901234567890.10, "seats": 3, "on": true}',
        '{"id": "2", "amount": "1,200.50", "tags": ["x", {"y": 2.50}], "since": "2026-01-31"}',
        "",
        '{"id": 3, "zip": "01234", "code": "17", "rate": NaN}\r',
    ]
    report = store.load_text(tmp_path, "\n".join(lines), name="deals.jsonl")
    assert (report.format, report.read, report.rejected) == ("jsonl", 3, 0)
    assert store.values("1") == {
        "name": "a", "amount": Decimal("12345678901234567890.10"), "seats": 3, "on": True,
    }  # fmt: skip
    assert store.values("2") == {
        "amount": Decimal("1200.50"), "tags": '["x",{"y":2.50}]', "since": date(2026, 1, 31),
    }  # fmt: skip
    # text of a JSON file is text, whatever it looks like
    assert store.values("3") == {"zip": "01234", "code": "17"}


def test_bad_lines_of_json_are_rejected_alone(store: Recorder, tmp_path: Path) -> None:
    bad = [
        '{"id": 2',
        "[1]",
        '"text"',
        '{"name": "no id"}',
        '{"id": "\\ud800"}',
        '{"id": ""}',
        "{}" * 2,
    ]
    deep = "[" * 100_000
    text = "\n".join(['{"id": 1}', *bad, deep, '{"id": 9}'])
    report = store.load_text(tmp_path, text, name="deals.jsonl", rejects=tmp_path / "rejects")
    assert set(store.deals) == {"1", "9"}
    assert report.reasons == {
        "not-json": 3, "not-an-object": 2, "id: missing-id": 2, "encoding": 1,
    }  # fmt: skip
    found = pl.read_csv(tmp_path / "rejects", infer_schema=False)
    assert dict(found.select("line", "raw").iter_rows()) == {
        str(number): raw for number, raw in enumerate([*bad, deep], start=2)
    }


def test_a_damaged_line_of_json_text_is_rejected_alone(store: Recorder, tmp_path: Path) -> None:
    data = '{"id": "é"}\n'.encode() + b'{"id": "\xff"}\n' + '{"id": "ü"}\n{"id": "ö"}'.encode()
    report = store.load_text(tmp_path, data, name="x.jsonl")
    assert set(store.deals) == {"é", "ü", "ö"}
    assert report.reasons == {"encoding": 1}


def test_missing_keys_stay_and_nulls_clear(store: Recorder, tmp_path: Path) -> None:
    store.load([{"id": "1", "name": "a", "owner": "Ann"}, {"id": "2", "name": "b", "owner": "Bob"}])
    text = '{"id": 1, "name": "A"}\n{"id": 2, "owner": null}\n{"id": 1, "owner": null}'
    report = store.load_text(tmp_path, text, name="x.jsonl")
    assert store.deals == {"1": {"name": "A"}, "2": {"name": "b"}}
    assert (report.updated, report.duplicates) == (3, 1)


ROWS = st.lists(
    st.dictionaries(
        st.sampled_from(["name", "owner", "company"]), st.none() | st.text(max_size=4), max_size=3
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=50)
@given(
    rows=ROWS,
    ids=st.lists(st.sampled_from("abc"), min_size=20, max_size=20),
    size=st.integers(1, 5),
)
def test_rows_apply_in_order_whatever_keys_they_have(
    rows: list[dict[str, str | None]], ids: list[str], size: int
) -> None:
    given_rows = [{"id": deal_id, **row} for deal_id, row in zip(ids, rows, strict=False)]
    expected: dict[str, dict[str, str]] = {}
    for row in given_rows:
        deal = expected.setdefault(str(row["id"]), {})
        for name, value in row.items():
            if name != "id" and value is None:
                deal.pop(name, None)
            elif name != "id" and value is not None:
                deal[name] = value
    store = Recorder()
    report = store.load(given_rows, batch_size=size)
    assert store.deals == expected
    assert report.duplicates == len(given_rows) - len(expected)
    assert all(len(batch) <= size for batch, _ in store.batches)


def test_a_json_array_is_read_element_by_element(
    store: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"id": n, "name": "x" * n, "amount": n / 4, "note": "é\n]"} for n in range(300)]
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    monkeypatch.setattr("dealdb.loader.sources.text_file.BLOCK_BYTES", 97)
    monkeypatch.setattr(json_files, "ROWS_A_CHUNK", 70)
    report = store.load_text(tmp_path, text, name="deals.json")
    assert report.format == "json"
    assert store.values("299")["amount"] == Decimal("74.75")
    assert [deal["note"] for deal in store.deals.values()] == ["é\n]"] * 300


def test_elements_that_are_no_objects_are_rejected(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, '[{"id": 1},\n 2, null,\n{"id": 3}]', name="x.json")
    assert set(store.deals) == {"1", "3"}
    assert report.reasons == {"not-an-object": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"ids": [\n1]}', "JSON but not an array"),
        ('{"deals" 1}', "JSON but not an array"),
        ('{"deals": {"results": [\n{"id": 1}]}}', "JSON but not an array"),
        ('{"deals": [\n{"id": 1},', "line 2: this is not JSON"),
        (
            '[{"id": 1}, {"id": ',
            "line 1: this is not JSON, or the array ends too early",
        ),
        ('[{"id": 1},\n{"id" 2}]', "line 2: this is not JSON"),
        ("3", "JSON but not an array"),
        ("", "line 1: this is not JSON"),
    ],
)
def test_json_that_is_no_array(store: Recorder, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        store.load_text(tmp_path, text, name="x.json")
    assert store.batches == []


def test_json_lines_called_json(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, '{"id": 1}\n{"id": 2}\n', name="x.json")
    assert (report.format, report.inserted) == ("jsonl", 2)


def test_content_tells_the_format_where_the_name_doesn_t(store: Recorder, tmp_path: Path) -> None:
    assert store.load_text(tmp_path, '[{"id": 1}]', name="a").format == "json"
    assert store.load_text(tmp_path, '{"id": 1}\n{"id": 2}', name="b").format == "jsonl"
    assert store.load_text(tmp_path, "id\tname\n1\tx", name="c").format == "tsv"
    assert store.load_text(tmp_path, "id,name\n1,x", name="d.export").format == "csv"
    assert store.load_text(tmp_path, '{"id": 1}', name="e.csv", format="jsonl").format == "jsonl"
    pl.DataFrame({"id": ["1"]}).write_parquet(tmp_path / "f")
    assert store.load(tmp_path / "f").format == "parquet"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("missing.csv", None, "there is no file"),
        ("deals.zip", b"PK\x03\x04rest", "can't be read as an XLSX"),
        ("deals.bin", b"\x7fELF\0\0\0", "neither text nor Parquet; what can be loaded is csv, tsv"),
        ("deals.parquet", b"no parquet", "can't be read as Parquet"),
        ("deals.arrow", b"ARROW1\0\0", "can't be read as Arrow"),
    ],
)
def test_files_that_can_t_be_loaded(
    store: Recorder, tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(LoadError, match=message):
        store.load(tmp_path / name)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (3, {}, "a int can't be loaded"),
        ({"id": 1}, {}, "a dict can't be loaded"),
        (b"id\n1", {}, "a bytes can't be loaded"),
        (io.StringIO("id\n1"), {}, "must be binary"),
        ([], {"format": "xml"}, "there is no format 'xml'; the formats are csv, tsv"),
        ([], {"delimiter": "::"}, "a delimiter is one of"),
        ([], {"dates": "uk"}, "dates is one of 'us', 'eu'"),
        ([], {"batch_size": 0}, "batch_size is a whole number from 1"),
    ],
)
def test_requests_that_make_no_sense(
    store: Recorder, source: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(LoadError, match=message):
        store.load(source, **options)


def test_a_folder_is_no_file(store: Recorder, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="is a folder"):
        store.load(tmp_path)


def test_standard_input_is_any_text_format(store: Recorder) -> None:
    report = store.load(io.BytesIO(b"id;name\n1;x\n"))
    assert (report.source, report.inserted) == ("stdin", 1)
    store.load(io.TextIOWrapper(io.BytesIO(gzip.compress(b'{"id": 2}\n{"id": 3}'))))
    assert set(store.deals) == {"1", "2", "3"}


FRAME = pl.DataFrame(
    {
        "Deal ID": [1, 2],
        "amount": [1.1, float("nan")],
        "Create Date": [datetime(2026, 1, 31, 9, 30), None],  # noqa: DTZ001  # a time without a zone, as frames have them
        "seats": pl.Series([3, None], dtype=pl.UInt8),
        "rate": [0.25, None],
        "price": pl.Series([Decimal("1.250"), None], dtype=pl.Decimal(38, 3)),
        "live": [True, None],
        "since": pl.Series([datetime(2026, 1, 31, 9, 30, tzinfo=UTC), None]),
        "day": [date(1201, 1, 31), None],
        "tier": pl.Series(["A", None], dtype=pl.Categorical),
        "tags": [["x", "y"], None],
        "code": ["017", None],
        "nothing": [None, None],
    }
)
EXPECTED = {
    "amount": Decimal("1.10"), "created": date(2026, 1, 31), "seats": 3, "rate": 0.25,
    "price": Decimal("1.250"), "live": True, "since": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    "day": date(1201, 1, 31), "tier": "A", "tags": ["x", "y"], "code": "017",
}  # fmt: skip


def test_frames_keep_their_types(store: Recorder) -> None:
    report = store.load(FRAME)
    assert (report.source, report.format, report.inserted) == ("frame", "frame", 2)
    assert store.values("1") == EXPECTED
    assert store.deals["2"] == {}
    assert "nothing" not in store.schema()
    assert store.load(FRAME.lazy()).unchanged == 2


def test_values_of_a_frame_that_no_field_has_are_rejected_alone(
    store: Recorder, tmp_path: Path
) -> None:
    # days since 1970, which no calendar of Python's has
    days = pl.Series([0, 4_000_000, -719_600, 1, 2], dtype=pl.Int32).cast(pl.Date)
    frame = pl.DataFrame(
        {
            "id": ["good", "late", "early", "large", "endless"],
            "day": days,
            "moment": days.cast(pl.Datetime("ms")),
            "units": pl.Series([1, 2, 3, 10**36, 5], dtype=pl.Int128),
            "rate": [0.5, 1.0, 1.0, 1.0, float("inf")],
        }
    )
    report = store.load(frame, rejects=tmp_path / "rejects.csv")
    assert store.values("good") == {
        "day": date(1970, 1, 1),
        "moment": datetime(1970, 1, 1, tzinfo=UTC),
        "units": Decimal(1),
        "rate": 0.5,
    }
    assert list(store.deals) == ["good"]
    assert report.reasons == {
        "day: not-a-date": 2,
        "units: not-a-number": 1,
        "rate: not-a-number": 1,
    }
    assert "12921" in (tmp_path / "rejects.csv").read_text()


def test_numbers_of_a_frame_have_a_point_whatever_texts_have(store: Recorder) -> None:
    frame = pl.DataFrame(
        {
            "id": ["a", "b", "endless"],
            "amount": [1.234, 1234.5, 2.0],
            "probability": [0.125, 0.5, 1.0],
            "rate": [1.234, 2.5, float("inf")],
            "price": ["1,5", "2,25", "3,0"],
        }
    )
    report = store.load(frame, decimal_point=",", types={"price": "decimal"})
    assert store.values("a") == {
        "amount": Decimal("1.234"), "probability": Decimal("0.125"), "rate": 1.234, "price": Decimal("1.50"),
    }  # fmt: skip
    assert store.values("b")["amount"] == Decimal("1234.500")
    assert report.reasons == {"rate: not-a-number": 1}


@given(
    days=st.lists(st.dates() | st.none(), min_size=3, max_size=3),
    amounts=st.lists(st.decimals(-(10**9), 10**9, places=3) | st.none(), min_size=3, max_size=3),
    rates=st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=3, max_size=3
    ),
    seats=st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=3, max_size=3),
    live=st.lists(st.booleans() | st.none(), min_size=3, max_size=3),
)
@settings(max_examples=50, deadline=None)
def test_typed_columns_are_stored_as_their_texts_are(**columns: list[Any]) -> None:
    values = {
        "closed": pl.Series(columns["days"], dtype=pl.Date),
        "amount": pl.Series(columns["amounts"], dtype=pl.Decimal(38, 3)),
        "rate": pl.Series(columns["rates"], dtype=pl.Float64),
        "seats": pl.Series(columns["seats"], dtype=pl.Int64),
        "live": pl.Series(columns["live"], dtype=pl.Boolean),
    }
    types = {"rate": "float", "seats": "int", "live": "bool"}
    texts = {
        name: [None if value is None else str(value).lower() for value in column]
        for name, column in values.items()
    }
    typed, plain = Recorder(), Recorder()
    typed.load(pl.DataFrame({"id": ["a", "b", "c"], **values}), types=types)
    plain.load(
        pl.DataFrame({"id": ["a", "b", "c"], **texts}, schema_overrides=dict.fromkeys(texts, pl.String)),
        types=types, decimal_point=".",
    )  # fmt: skip
    assert typed.deals == plain.deals


def test_parquet_keeps_its_types(store: Recorder, tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "deals.parquet")
    store.load(tmp_path / "deals.parquet")
    assert store.values("1") == EXPECTED


def test_pyarrow_tables_are_frames(store: Recorder) -> None:
    store.load(FRAME.to_arrow())
    assert store.values("1") == EXPECTED
    reader = pa.table({"id": ["9"], "amount": pa.array([Decimal("5.50")])}).to_reader()
    store.load(reader)
    assert store.values("9") == {"amount": Decimal("5.50")}


def test_pandas_frames_may_hold_integers_as_floats(store: Recorder) -> None:
    frame = pd.DataFrame(
        {
            "id": [7.0, 8.0, None],
            "owner_id": [35252170.0, None, None],
            "amount": [0.1 + 0.2, None, 1],
            "created": pd.to_datetime(["2026-01-31", None, None]),
        }
    )
    report = store.load(frame)
    assert store.values("7") == {
        "owner": "35252170", "amount": Decimal("0.30000000000000004"), "created": date(2026, 1, 31),
    }  # fmt: skip
    assert store.deals["8"] == {}
    assert report.reasons == {"id: missing-id": 1}


def test_empty_frames_load_nothing(store: Recorder) -> None:
    assert store.load(pl.DataFrame()).read == 0
    assert store.load(FRAME.clear()).read == 0
    assert store.load([]).read == 0


def test_frames_are_cut_into_chunks_of_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dealdb.loader.sources.frames.ROWS_A_CHUNK", 3)
    chunks = list(FrameSource(pl.DataFrame({"id": range(7)})).chunks())
    assert [chunk.frame.height for chunk in chunks] == [3, 3, 1]
    assert chunks[2].locate([0]) == [(7, '{"id":6}', None)]


def test_an_iterable_is_read_once_and_may_grow_columns(
    store: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_files, "ROWS_A_CHUNK", 2)

    def rows() -> Iterator[dict[str, object]]:
        yield {"id": 1, "seats": 1, "stage": "Won", "owner_id": 5}
        yield {"id": 2, "seats": None, "probability": 60}
        yield {"id": 3, "seats": Decimal("2.5"), "stage": "Lost", "owner": "Ann"}
        yield {"id": 4, "probability": 0.5, "extra": True}

    report = store.load(rows())
    assert report.inserted == 4
    assert store.schema()["seats"].describe() == "decimal(2)"
    assert store.values("3") == {"seats": Decimal("2.50"), "stage": "Lost", "owner_2": "Ann"}
    # the scale was settled by the rows before
    assert store.values("4") == {"probability": Decimal("0.005"), "extra": True}
    assert {stage.name for stage in report.pipeline} == {"Won", "Lost"}


def test_values_that_have_no_text_are_rejected(store: Recorder) -> None:
    report = store.load(
        [{"id": 1}, {"id": 2, "x": object()}, {"id": 3, 4: 5}, "text", {"id": 5, "\ud800": 1}]
    )
    assert set(store.deals) == {"1"}
    assert report.reasons == {"type": 1, "not-a-name": 1, "not-an-object": 1, "encoding": 1}


def test_values_without_an_end_are_rejected_alone(store: Recorder) -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    itself: list[Any] = []
    itself.append(itself)
    bad = [10**5_000, deep, {"a": deep}, itself, "\ud800", [10**5_000, "\ud800"]]
    rows = [{"id": f"bad{n}", "note": value} for n, value in enumerate(bad)]
    report = store.load([{"id": "1", "note": "a"}, *rows, {"id": "2", "note": "b"}])
    assert sorted(store.deals) == ["1", "2"]
    assert (report.read, report.rejected) == (8, 6)
    assert report.reasons == {"type": 5, "encoding": 1}


def test_lists_of_texts_stay_lists(store: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "deals.jsonl"
    path.write_text(
        '{"id": 1, "tags": ["a", "b,c"], "mixed": ["a", 1]}\n{"id": 2, "tags": []}\n{"id": 3}\n'
    )
    report = store.load(path)
    assert report.rejected == 0
    assert store.schema()["tags"].describe() == "list"
    assert store.schema()["mixed"].describe() == "text"
    assert store.load(path).unchanged == 3


HUBSPOT = {
    "results": [
        {
            "id": "77",
            "properties": {
                "dealname": "Acme", "amount": "1250.50", "dealstage": "closedwon",
                "createdate": "1551398400000", "hs_object_id": "77", "closedate": 1569888000000,
            },
            "createdAt": "2019-03-01T00:00:00Z",
        },
        {"id": "78", "properties": {"dealname": "Bolt", "createdate": "1551398400123", "closedate": None}},
    ],
    "paging": {"next": {"after": "2"}},
}  # fmt: skip
PIPEDRIVE = {"success": True, "data": [{"id": 1, "title": "a", "value": 5}], "more": {"data": [1]}}
SALESFORCE = {"totalSize": 1, "done": True, "records": [{"Id": "006", "Name": "a", "Amount": 5.5}]}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("answer", "deals"),
    [
        (PIPEDRIVE, {"1": {"name": "a", "amount": "5"}}),
        (SALESFORCE, {"006": {"name": "a", "amount": "5.5"}}),
        ({"items": []}, {}),
    ],
)
def test_answers_of_programs_have_the_deals_in_a_member(
    store: Recorder, tmp_path: Path, answer: object, deals: object, indent: int | None
) -> None:
    store.load_text(tmp_path, json.dumps(answer, indent=indent), "answer.json")
    assert store.deals == deals


def test_an_answer_of_hubspot(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, json.dumps(HUBSPOT), "answer.json")
    assert store.values("77") | {"created_at": None} == {
        "name": "Acme", "amount": Decimal("1250.50"), "stage": "closedwon", "created": date(2019, 3, 1),
        "closed": date(2019, 10, 1), "hs_object_id": "77", "created_at": None,
    }  # fmt: skip
    assert store.values("78") == {"name": "Bolt", "created": date(2019, 3, 1)}
    assert "milliseconds since 1970 in 'createdate'" in report.notes
    assert "times of day dropped in 'createdate': 1; its field is a date" in report.notes


def test_a_row_of_json_lines_with_a_list_stays_a_row(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, '{"id": "1", "items": ["a"]}\n{"id": "2"}\n', "x.json")
    assert set(store.deals) == {"1", "2"}


def test_milliseconds_since_1970_in_dates_alone(store: Recorder, tmp_path: Path) -> None:
    store.load_text(
        tmp_path,
        "id,created,updated,called\n1,1551398400000,1551398400123,1551398400000\n2,2026-01-31,,5\n",
    )
    assert store.deals["1"] == {
        "created": "2019-03-01", "updated": "2019-03-01T00:00:00.123Z", "called": "1551398400000",
    }  # fmt: skip
    assert store.deals["2"] == {"created": "2026-01-31", "called": "5"}


@pytest.mark.parametrize("told", ["sep=|\n", '"SEP=|"\r\n'])
def test_the_first_line_may_tell_what_stands_between_cells(
    store: Recorder, tmp_path: Path, told: str
) -> None:
    report = store.load_text(
        tmp_path, f"{told}id|name,owner|amount\n1|a,b|5\n2|c|soon\n", rejects=True,
        types={"amount": "decimal(2)"},
    )  # fmt: skip
    assert store.deals == {"1": {"name_owner": "a,b", "amount": "5"}}
    assert report.rejects is not None
    rows = list(csv.DictReader(report.rejects.read_text("utf-8").splitlines()))
    assert [(row["line"], row["raw"]) for row in rows] == [
        ("1", "id|name,owner|amount"), ("4", "2|c|soon"),
    ]  # fmt: skip


def test_lines_that_end_in_returns(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, 'id,name\r1,a\r2,"b\rc"\r')
    assert store.deals == {"1": {"name": "a"}, "2": {"name": "b\nc"}}
