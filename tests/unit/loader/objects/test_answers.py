"""Where the rows are in what a program answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dealdb.loader.objects.answers import is_answer, rows_in, rows_of_object
from recorder import Recorder

ROWS = [{"id": "1"}, {"id": "2"}]
ANSWERS: list[dict[str, Any]] = [
    {"result": ROWS, "total": 2},
    {"status": 0, "result": {"records": ROWS, "totalSize": 2, "done": True}, "warnings": []},
    {"data": {"opportunities": ROWS}},
    {"data": {"opportunities": {"edges": [{"node": row} for row in ROWS]}}},
    {"errors": [], "data": ROWS},
    {"data": {"warnings": [], "columns": [{"x": 1}], "deals": ROWS}},
    {"d": {"results": ROWS}},
    {"_embedded": {"deals": ROWS}},
    {"jsonrpc": "2.0", "id": 1, "result": ROWS},
    {"users": [{"id": "9"}], "deals": ROWS},
]


@pytest.mark.parametrize("answer", ANSWERS, ids=json.dumps)
@pytest.mark.parametrize("form", ["line", "indented", "listed"])
def test_answers(tmp_path: Path, answer: dict[str, Any], form: str) -> None:
    store = Recorder()
    listed = [answer] if form == "listed" else answer
    text = json.dumps(listed, indent=1 if form == "indented" else None)
    report = store.load_text(tmp_path, text, "x.json")
    assert (list(store.deals), report.rejected) == (["1", "2"], 0)
    assert is_answer(answer)


@pytest.mark.parametrize(
    ("members", "rows"),
    [
        ({"data": {"id": 1}}, [{"id": 1}]),
        ({"success": True, "data": {"id": 1, "tags": [{"id": 2}]}}, [{"id": 1, "tags": [{"id": 2}]}]),
        ({"id": 1, "data": {"a": 1}}, [{"id": 1, "data": {"a": 1}}]),
        ({"id": ["1", "2"], "name": ["A", "B"]}, [{"id": "1", "name": "A"}, {"id": "2", "name": "B"}]),
        ({"id": {"0": "1"}, "name": {"0": "A"}}, [{"id": "1", "name": "A"}]),
        ({"0": {"id": "1"}, "1": {"id": "2"}}, ROWS),
        ({"id": ["1", "2"], "name": ["A"]}, [{"id": ["1", "2"], "name": ["A"]}]),
        ({"id": {"record_id": "r"}, "values": {"a": 1}}, [{"id": {"record_id": "r"}, "values": {"a": 1}}]),
        ({"results": []}, []),
    ],
)  # fmt: skip
def test_objects_without_an_array_of_rows(members: dict[str, Any], rows: list[Any]) -> None:
    assert rows_of_object(members) == rows


def test_rows_that_look_like_answers_stay_rows() -> None:
    for row in ({"id": 1, "items": [{"id": 2}]}, {"items": [], "id": 1}, {"tags": [{"id": 2}]}):
        assert not is_answer(row)
        assert list(rows_in(row)) == [row]
