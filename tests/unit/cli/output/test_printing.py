"""Tables, JSON and CSV, compared as whole texts."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dealdb.cli.output.pager import paging
from dealdb.cli.output.printing import print_facts, print_frame, print_rows
from dealdb.cli.output.streams import Output, writing
from dealdb.formats.cells import to_cell, to_json, to_text

ROWS: list[dict[str, Any]] = [
    {
        "id": "42",
        "name": "Acme",
        "amount": Decimal("125000.00"),
        "closed": date(2026, 1, 31),
        "ok": True,
    },
    {"id": "7", "name": 'Say "hi"', "amount": Decimal("9.50"), "score": 0.25, "ok": None},
]
COLUMNS = ["id", "name", "amount", "closed", "score", "ok"]


def test_a_table_aligns_numbers_to_the_right_and_groups_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows(ROWS, COLUMNS, Output.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "id  name          amount  closed       score  ok",
        "42  Acme      125,000.00  2026-01-31          true",
        '7   Say "hi"        9.50              0.2500',
    ]


def test_csv_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, Output.CSV)
    text = capsys.readouterr().out
    assert text.splitlines()[1] == "42,Acme,125000.00,2026-01-31,,true"
    assert list(csv.DictReader(io.StringIO(text)))[1]["name"] == 'Say "hi"'


def test_json_is_one_array_with_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, Output.JSON)
    text = capsys.readouterr().out
    assert len(text.splitlines()) == len(ROWS)
    document = json.loads(text, parse_float=Decimal)
    assert document[0]["amount"] == Decimal("125000.00")
    assert document[1] == {
        "id": "7", "name": 'Say "hi"', "amount": Decimal("9.50"), "closed": None, "score": Decimal("0.25"), "ok": None,
    }  # fmt: skip


def test_json_lines_are_the_objects_of_the_array(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, Output.JSON)
    array = json.loads(capsys.readouterr().out)
    print_rows(ROWS, COLUMNS, Output.JSONL)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == array
    print_facts({"deals": 3}, Output.JSONL)
    assert capsys.readouterr().out == '{"deals": 3}\n'


def test_markdown_is_a_table_whose_texts_stay_in_their_cells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows: list[dict[str, Any]] = [
        {"name": "a|b\\\n<i>c", "amount": Decimal("1250.00")},
        {"name": None, "amount": None},
    ]
    print_rows(rows, ["name", "amount"], Output.MD)
    assert capsys.readouterr().out.splitlines() == [
        "| name | amount |",
        "| --- | ---: |",
        r"| a\|b\\<br>&lt;i>c | 1250.00 |",
        "|  |  |",
    ]
    print_facts({"deals": 3}, Output.MD)
    assert capsys.readouterr().out.splitlines()[2:] == ["| deals | 3 |"]


def test_markdown_has_no_links_tags_or_controls(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[c](javascript:x) ![p](http://h) <b> &lt; `a` \x1b[31m\x9b\u202e"
    shown = r"\[c\](javascript:x) !\[p\](http://h) &lt;b> &amp;lt; \`a\` \x1b\[31m\x9b\u202e"
    print_rows([{text: text}], [text], Output.MD)
    print_frame(pl.DataFrame({text: [text, None]}), Output.MD)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"| {shown} |", "| --- |", f"| {shown} |"] * 2 + ["|  |"]


def test_json_steers_no_terminal_and_means_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    text = "Zürich\x7f\x9b2J\u202e\u2028\x1b"
    for output in (Output.JSON, Output.JSONL):
        print_rows([{text: text, "tags": [text]}], [text, "tags"], output)
        print_frame(pl.DataFrame({text: [text], "tags": [[text]]}), output)
    shown = capsys.readouterr().out
    assert not any(each in shown for each in "\x7f\x9b\u202e\u2028\x1b")
    for line in shown.splitlines():
        if "tags" in line:
            assert json.loads(line.strip("[]")) == {text: text, "tags": [text]}


def test_no_text_of_csv_is_run_by_a_spreadsheet(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, Any]] = [{"=n": -5, "name": "=1+1"}, {"=n": Decimal(-1), "name": "@x"}]
    print_rows(rows, ["=n", "name"], Output.CSV)
    ran = capsys.readouterr()
    assert ran.out.splitlines() == ["'=n,name", "-5,'=1+1", "-1,'@x"]
    assert ran.err.startswith("2 texts got a leading apostrophe")
    with writing(raw=True):
        print_rows(rows, ["=n", "name"], Output.CSV)
    ran = capsys.readouterr()
    assert (ran.out.splitlines(), ran.err) == (["=n,name", "-5,=1+1", "-1,@x"], "")


def test_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    for output, expected in (
        (Output.JSON, "[]\n"),
        (Output.JSONL, ""),
        (Output.CSV, "id\n"),
        (Output.MD, "| id |\n| --- |\n"),
        (Output.TABLE, "id\n"),
    ):
        print_rows([], ["id"], output)
        assert capsys.readouterr().out == expected


def test_frames_print_as_rows_do(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pl.DataFrame({"owner": ["Ann", None], "n": [12345, 2026], "share": [0.5, None]})
    print_frame(frame, Output.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "owner       n   share",
        "Ann    12,345  0.5000",
        "        2,026",
    ]


def test_facts_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"server": "unix:///s", "deals": 1600, "columns": ["id text", "name text"], "none": []}
    print_facts(facts, Output.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "server   unix:///s",
        "deals    1600",
        "columns  id text",
        "         name text",
        "none",
    ]


def test_a_cell_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"name": "a\x1b]0;evil\x07\nb"}], ["name"], Output.TABLE)
    assert capsys.readouterr().out.splitlines() == ["name", r"a\x1b]0;evil\x07\nb"]


def test_moments_are_utc_as_load_reads_them() -> None:
    moment = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert to_text(moment) == to_cell(moment) == "2026-01-31T09:30:00Z"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_json_keeps_every_value(value: object) -> None:
    # an integral decimal reads back as an int, which equals it
    assert json.loads(to_json(value), parse_float=Decimal) == value


def test_json_has_no_number_for_what_is_not_finite() -> None:
    assert to_json([float("nan"), float("inf")]) == "[null, null]"


def on_terminal(code: str, columns: int, **environment: str) -> str:
    """What a program writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"COLUMNS": str(columns), "TERM": "xterm"} | environment,
    ):
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 4096):
                text += piece
        except OSError:
            # Linux ends a terminal whose other side is closed with an error
            pass
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


TERMINAL_CODE = """
from dealdb.cli.output.streams import Output
from dealdb.cli.output.printing import print_rows
print_rows([{"id": "1", "name": "x" * 100, "city": "Rome", "note": "n"}], ["id", "name", "city", "note"], Output.TABLE)
"""


def test_columns_that_have_no_place_are_named() -> None:
    assert on_terminal(TERMINAL_CODE, 29, NO_COLOR="1") == (
        f"id  name{' ' * 14}  city\n1   {'x' * 17}…  Rome\nnot shown for lack of width: note; --csv has all\n"
    )
    assert "not shown" not in on_terminal(TERMINAL_CODE, 80)


EMPTY_CODE = """
from dealdb.cli.output.streams import Output
from dealdb.cli.output.printing import print_rows
rows = [{"id": "1", "name": None, "city": "Rome", "tags": "", "note": "n"}]
print_rows(rows, ["id", "name", "city", "tags", "note"], Output.TABLE, with_empty=WITH_EMPTY)
print_rows([], ["id", "name"], Output.TABLE, with_empty=False)
"""


@pytest.mark.parametrize(
    ("width", "with_empty", "header", "told"),
    [
        (80, True, "id  name  city  tags  note", ""),
        (80, False, "id  city  note", "not shown for lack of values: name, tags; --csv has all"),
        (20, True, "id  city  note", "not shown for lack of values: name, tags; --csv has all"),
        (12, True, "id  city", "not shown for lack of values: name, tags; for lack of width: note; --csv has all"),
    ],
)  # fmt: skip
def test_columns_without_a_value_go_first(
    width: int, *, with_empty: bool, header: str, told: str
) -> None:
    code = EMPTY_CODE.replace("WITH_EMPTY", str(with_empty))
    lines = on_terminal(code, width, NO_COLOR="1").splitlines()
    assert lines[0] == header
    assert lines[2:] == [*([told] if told else []), "id  name"]


def test_cells_are_shortened_where_all_columns_fit_then() -> None:
    lines = on_terminal(TERMINAL_CODE, 40, NO_COLOR="1").splitlines()
    assert lines == [f"id  name{' ' * 18}  city  note", f"1   {'x' * 21}…  Rome  n"]


def test_headers_are_bold_unless_no_color_is_set() -> None:
    assert on_terminal(TERMINAL_CODE, 80).startswith("\x1b[1mid  name")
    assert "\x1b" not in on_terminal(TERMINAL_CODE, 80, NO_COLOR="1")


PAGED_CODE = """
from dealdb.cli.output.streams import Output
from dealdb.cli.output.printing import print_rows
from dealdb.cli.output.pager import paging
with paging(wanted=True):
    print_rows([{"n": n} for n in range(30)], ["n"], Output.TABLE)
print("end")
"""


@pytest.mark.parametrize(
    ("environment", "lines"),
    [
        ({"PAGER": "head -n 3"}, ["n", "0", "1", "end"]),
        ({"PAGER": "true"}, ["end"]),
        ({"PAGER": "head -n 3", "LINES": "50"}, ["n", *map(str, range(30)), "end"]),
        ({"PAGER": ""}, ["n", *map(str, range(30)), "end"]),
        ({"PAGER": "no-such-pager"}, ["n", *map(str, range(30)), "end"]),
    ],
)
def test_what_is_longer_than_the_terminal_goes_through_the_pager(
    environment: dict[str, str], lines: list[str]
) -> None:
    text = on_terminal(PAGED_CODE, 80, **{"LINES": "20", "NO_COLOR": "1"} | environment)
    assert [line.strip() for line in text.splitlines()] == lines


def test_without_a_terminal_nothing_is_paged(capsys: pytest.CaptureFixture[str]) -> None:
    with paging(wanted=True):
        print_rows([{"n": n} for n in range(300)], ["n"], Output.TABLE)
    assert len(capsys.readouterr().out.splitlines()) == 301


def test_a_column_is_never_wider_than_the_terminal() -> None:
    text = on_terminal(TERMINAL_CODE.replace('["id", "name", "city", "note"]', '["name"]'), 20)
    assert text.splitlines()[1:] == ["x" * 19 + "…"]


WIDE_CODE = """
from datetime import date
from decimal import Decimal
from dealdb.cli.output.streams import Output
from dealdb.cli.output.printing import print_rows
row = {"id": "D1", "name": "Meridian Logistics new business", "company": "株式会社メリディアン", "stage": "Won"}
row |= {"amount": Decimal("127250.00"), "created": date(2026, 1, 31), "source": "Website", "n": 12345}
print_rows([row, {"id": "D2", "amount": Decimal("9.50")}], list(row), Output.TABLE)
"""

# numbers end below each other
ENDS = ("amount", "127,250.00", "9.50")


@pytest.mark.parametrize(
    ("width", "left_out"),
    [(60, ["created", "source", "n"]), (80, ["n"]), (100, []), (120, [])],
)
def test_a_table_has_the_most_columns_that_fit(width: int, left_out: list[str]) -> None:
    lines = on_terminal(WIDE_CODE, width, NO_COLOR="1").splitlines()
    assert max(map(cell_len, lines[:3])) <= width
    ends = [cell_len(line.partition(end)[0] + end) for line, end in zip(lines, ENDS, strict=False)]
    assert ends == [ends[0]] * 3
    told = f"not shown for lack of width: {', '.join(left_out)}; --csv has all"
    assert lines[3:] == ([told] if left_out else [])
    assert ("…" in lines[1]) == (width < 120)
