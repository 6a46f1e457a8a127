"""JSON: lines, arrays, and the answers of programs."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import LoadError
from dealdb.loader.sources import json_files
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
        ('{"ids": [\n1]}', "no column is the id of the deals"),
        ('{"error": "unauthorized"}', "no column is the id of the deals"),
        ('{"deals" 1}', "line 1: this is not JSON"),
        ('{"deals": [\n{"id": 1},', "line 2: this is not JSON"),
        ('{"deals": [\n{"id": 1}]', "line 2: this is not JSON"),
        ('[{"id": 1}, {"id": ', "line 1: this is not JSON, or an array or object ends too early"),
        ('[{"id": 1},\n{"id" 2}]', "line 2: this is not JSON"),
        ('[{"id": 1}]\n\noops, connection reset', "line 3: this is not JSON"),
        ('{"results": [{"id": 1}]}\n]', "line 2: this is not JSON"),
        ('[{"id": 1}]\n3', "line 2: JSON but not an array"),
        ("3", "JSON but not an array"),
        ("<html></html>", "is an HTML page, not a table"),
        ("", "line 1: this is not JSON"),
    ],
)
def test_json_that_is_no_array(store: Recorder, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        store.load_text(tmp_path, text, name="x.json")
    assert store.batches == []


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
    assert "the answer says that more pages follow" in report.notes


def test_a_row_of_json_lines_with_a_list_stays_a_row(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, '{"id": "1", "items": ["a"]}\n{"id": "2"}\n', "x.json")
    assert set(store.deals) == {"1", "2"}


@pytest.mark.parametrize("block", [7, 10_000])
def test_all_documents_of_a_file_are_read(
    store: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("dealdb.loader.sources.text_file.BLOCK_BYTES", block)
    text = '[{"id": 1}, {"id": 2}]\n[{"id": 3}]\ufeff{"data": [{"id": 4}]}\n{"id": "5é"}[[{"id": 6}], {"id": 7}]'
    report = store.load_text(tmp_path, text, "x.json")
    assert list(store.deals) == ["1", "2", "3", "4", "5é", "6", "7"]
    assert (report.rejected, report.notes) == (0, ())


def test_a_file_of_several_documents_is_all_that_there_is(store: Recorder, tmp_path: Path) -> None:
    store.load([{"id": str(n)} for n in range(12)])
    first, second = ([{"id": str(n)} for n in part] for part in (range(7), range(7, 12)))
    report = store.load_text(
        tmp_path, json.dumps(first) + json.dumps(second), "x.json", delete_missing=True
    )
    assert (report.deleted, len(store.deals)) == (0, 12)


def test_pages_of_answers_line_by_line(store: Recorder, tmp_path: Path) -> None:
    pages = [
        {"results": [{"id": "1"}], "paging": {"next": {"after": "1"}}},
        {"results": [{"id": "2"}]},
    ]
    report = store.load_text(tmp_path, "\n".join(map(json.dumps, pages)), "x.jsonl")
    assert (list(store.deals), report.notes) == (["1", "2"], ())


def test_places_in_an_answer_are_those_of_the_file(store: Recorder, tmp_path: Path) -> None:
    text = '{"é": 1,\n"data": {"deals": [\n{"id": 1},\n 2]}}'
    store.load_text(tmp_path, text, "x.json", rejects=tmp_path / "rejects")
    found = pl.read_csv(tmp_path / "rejects", infer_schema=False).row(0, named=True)
    assert (found["line"], found["raw"]) == ("4", "2")
    assert text.encode()[int(found["offset"])] == ord("2")


def test_lines_may_begin_with_a_mark_and_spell_names_differently(
    store: Recorder, tmp_path: Path
) -> None:
    text = '{"ID": 1, "name": "a"}\n\ufeff{"id": 2, "Name": "b"}\n'
    store.load_text(tmp_path, text, "x.jsonl")
    assert store.deals == {"1": {"name": "a"}, "2": {"name": "b"}}


def test_hubspot_line_by_line(store: Recorder, tmp_path: Path) -> None:
    row = {"id": "1", "properties": {"dealname": "A", "dealstage": "closedwon", "amount": "100"}}
    store.load_text(tmp_path, json.dumps(row) + "\n", "x.jsonl")
    assert store.deals == {"1": {"name": "A", "stage": "closedwon", "amount": "100"}}


def test_a_deal_over_several_lines_is_one_row(store: Recorder, tmp_path: Path) -> None:
    row = {"id": 7, "name": "a", "items": [{"id": 8, "sku": "x"}]}
    store.load_text(tmp_path, json.dumps(row, indent=1), "x.json")
    assert store.deals == {"7": {"name": "a", "items": '[{"id":8,"sku":"x"}]'}}


@pytest.mark.parametrize("name", ["deals.json", "deals.jsonl"])
def test_rows_without_a_name_are_rejected(store: Recorder, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = ["{}", "{}", '{"id": 1}', "{}"]
    for some, read, rejected in ((rows, 4, 3), (rows[:2], 2, 2)):
        path.write_text(f"[{','.join(some)}]" if name == "deals.json" else "\n".join(some))
        report = store.load(path)
        assert (report.read, report.rejected) == (read, rejected)


def test_chunks_of_empty_objects_alone(store: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "deals.json"
    path.write_text("[" + "{}," * 20_000 + '{"id": 1}]')
    report = store.load(path)
    assert (report.read, report.inserted, report.rejected) == (20_001, 1, 20_000)


def test_a_number_beyond_decimals_is_not_one(store: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "deals.jsonl"
    path.write_text('{"id": "1", "amount": 1e99999999999999999999}\n{"id": "2", "amount": 5}\n')
    report = store.load(path)
    assert (report.inserted, dict(report.reasons)) == (1, {"not-json": 1})
    (tmp_path / "deals.json").write_text('[{"id": "1", "amount": 1e99999999999999999999}]')
    with pytest.raises(LoadError, match=r"deals.json, line 1: a number that nobody can have meant"):
        store.load(tmp_path / "deals.json")
