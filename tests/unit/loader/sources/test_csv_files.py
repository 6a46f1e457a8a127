"""Delimited text: every row of a file is loaded or rejected, whatever the file looks like."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import LoadError
from dealdb.loader.sources.csv_files import DelimitedSource
from dealdb.loader.sources.csv_strict import Dialect
from dealdb.loader.sources.table_start import sniff_delimiter
from dealdb.loader.sources.text_file import BLOCK_BYTES, ByteStream
from recorder import Recorder


def rejected(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["code"] != "header"]


@pytest.fixture
def store() -> Recorder:
    return Recorder()


CELL = st.text(st.sampled_from("ab\"',;\n\r\t é€x0"), max_size=6)


@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=12),
    ends=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_rows_are_those_of_the_csv_module(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    ends: str,
    delimiter: str,
    quoting: int,
) -> None:
    if quoting == csv.QUOTE_MINIMAL:
        # the writer forgets to quote a lone carriage return, and its own reader then sees two rows
        rows = [(a.replace("\r", ""), b.replace("\r", ""), c.replace("\r", "")) for a, b, c in rows]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ends, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["id", "a", "b", "c"])
    writer.writerows([str(number), *row] for number, row in enumerate(rows))
    store = Recorder()
    report = store.load_text(
        tmp_path_factory.mktemp("csv"), text.getvalue(), delimiter=delimiter,
        types={"a": "text", "b": "text", "c": "text"},
    )  # fmt: skip
    read = csv.DictReader(io.StringIO(text.getvalue(), newline=""), delimiter=delimiter)
    expected = {row.pop("id"): {k: v for k, v in row.items() if v} for row in read}
    assert store.deals == expected
    assert report.rejected == 0


@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=10),
    size=st.integers(1, 40),
)
def test_the_fast_road_and_the_careful_one_agree_for_any_size_of_block(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], size: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([["id", "a", "b"], *rows])
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    source = DelimitedSource(ByteStream(path, "x.csv"), ",")
    data = text.getvalue().encode()
    pieces = [(data[i : i + size], i) for i in range(0, len(data), size)]
    source._stream.blocks = lambda: iter(pieces)  # type: ignore[method-assign]
    found, lines = [], []
    for chunk in source.chunks():
        found += chunk.frame.rows()
        places = chunk.locate(range(chunk.frame.height))
        marks = [*((each.offset, each.raw, each.line) for each in places)]
        marks += [(each.offset, each.raw, each.line) for each in chunk.rejects]
        lines += [line for _, _, line in marks]
        for offset, raw, line in marks:
            assert offset is not None
            assert data[offset:].startswith(raw.encode())
            assert data.count(b"\n", 0, offset) == line - 1
    body = data[data.index(b"\n") + 1 :]
    # a cell more in every row, all of them empty, is dropped
    whole = Dialect(b",").split(body, width=len(source.headers), line=2)
    assert found == [tuple(cell or None for cell in row) for row in whole.rows]
    assert sorted(lines) == sorted(
        [line for line, _, _ in whole.spans] + [reject.line for reject in whole.rejects]
    )


def test_short_and_long_rows_are_rejected_and_not_padded(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(
        tmp_path, "id,name,city\n1,a,Bonn\n2,b\n3,c,Köln,x\n4,d,\n\n5,e,Ulm", rejects=tmp_path / "r"
    )
    assert set(store.deals) == {"1", "4", "5"}
    assert store.deals["4"] == {"name": "d"}
    assert (report.read, report.rejected, report.reasons) == (5, 2, {"columns": 2})
    short, long = rejected(tmp_path / "r")
    assert (short["line"], short["code"], short["raw"]) == ("3", "columns", "2,b")
    assert (long["line"], long["message"], long["raw"]) == (
        "4",
        "expected 3 cells, found 4",
        "3,c,Köln,x",
    )


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ('2,"never closed,x', "quotes"),
        ('2,"a"b,x', "quotes"),
        ("2,a\0b,x", "nul"),
        ('2,"opens here,x,1', "quotes"),
        ("2", "columns"),
    ],
)
def test_a_bad_row_takes_no_other_with_it(
    store: Recorder, tmp_path: Path, bad: str, code: str
) -> None:
    text = f'id,name,city\n1,"a, b",Bonn\n{bad}\n3,"c",Ulm\n4,"two\nlines",Trier\n5,e,Kiel\n'
    report = store.load_text(tmp_path, text, rejects=tmp_path / "r")
    assert set(store.deals) == {"1", "3", "4", "5"}
    assert store.deals["4"]["name"] == "two\nlines"
    (row,) = rejected(tmp_path / "r")
    assert (row["line"], row["code"], row["raw"]) == ("3", code, bad)
    assert report.rejected == 1


def test_a_quote_inside_a_cell_is_a_character(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, 'id,name\n1,12" disc\n2,say ""hi""\n3,"a ""b"""\n')
    assert [deal["name"] for deal in store.deals.values()] == ['12" disc', 'say ""hi""', 'a "b"']


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("id,name\n1,Café\n".encode(), None),
        (b"\xef\xbb\xbf" + "id,name\n1,Café\n".encode(), "encoding utf-8 with a byte order mark"),
        ("id,name\n1,Café\n".encode("cp1252"), "encoding cp1252"),
        ("id,name\n1,Café\n".encode("utf-16"), "encoding utf-16 with a byte order mark"),
    ],
)
def test_encodings_are_detected_and_reported(
    store: Recorder, tmp_path: Path, data: bytes, note: str | None
) -> None:
    report = store.load_text(tmp_path, data)
    assert store.deals == {"1": {"name": "Café"}}
    assert [text for text in report.notes if "encoding" in text] == ([note] if note else [])


def test_bytes_without_meaning_in_cp1252_are_another_encoding(
    store: Recorder, tmp_path: Path
) -> None:
    with pytest.raises(LoadError, match=r"make no sense; say what it is with encoding="):
        store.load_text(tmp_path, b"id,name\n1,\x81\xe9\n")
    report = store.load_text(tmp_path, b"id,name\n1,\x81\xe9\n2,\xe9\n", encoding="cp1252")
    assert (store.deals, report.reasons) == ({"2": {"name": "é"}}, {"encoding": 1})


def test_a_damaged_line_of_utf8_is_rejected_alone(store: Recorder, tmp_path: Path) -> None:
    text = "id,name\n1,é\n".encode() + b"2,\xff\n" + "3,ü\n4,ö\n".encode()
    report = store.load_text(tmp_path, text)
    assert set(store.deals) == {"1", "3", "4"}
    assert report.reasons == {"encoding": 1}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_sniffed(store: Recorder, tmp_path: Path, delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (["id", "name"], ["1", "x"], ["2", "y"]))
    store.load_text(tmp_path, text)
    assert store.deals == {"1": {"name": "x"}, "2": {"name": "y"}}


def test_semicolons_win_over_decimal_commas(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, "id;name;amount\n1;Acme, Inc;17,50\n2;Böll, Co;1.217,5\n")
    assert [deal["amount"] for deal in store.deals.values()] == ["17.5", "1217.5"]
    assert sniff_delimiter(b"id\n1\n") == ","


def test_headers_may_repeat_be_empty_or_padded(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, " id ,note,note, \n1,a,b,c\n")
    assert store.deals["1"] == {"note": "a", "note_2": "b", "column_4": "c"}
    assert "several columns have one name: 'note'" in report.notes


@pytest.mark.parametrize(
    "header", ['id,12" disc', 'id,"na\nme"', '"id","12"" disc"', "\n\nid,name"]
)
def test_rows_begin_right_behind_the_header(store: Recorder, tmp_path: Path, header: str) -> None:
    report = store.load_text(tmp_path, f'{header}\n1,a\n2,"b"\n3,5" disc\n')
    assert (report.read, report.inserted, report.rejected) == (3, 3, 0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('id,"name', "quotes that are closed by the end of their cell"),
        ('id,"na"me', "quotes that are closed by the end of their cell"),
        ("id,na\0me", "text without NUL bytes"),
    ],
)
@pytest.mark.parametrize("rest", ["", '1,a\n2,b\n3,"x\n4,c\n', "1,a\n" * 200_000])
def test_a_header_that_can_t_be_read_stops_the_load(
    store: Recorder, tmp_path: Path, header: str, expected: str, rest: str
) -> None:
    expected = "at most 512 KB" if header == 'id,"name' and len(rest) > 1_000 else expected
    with pytest.raises(LoadError, match=rf"line 3: the names of the columns can't be .*{expected}"):
        store.load_text(tmp_path, f"\n\n{header}\n{rest}")
    assert store.batches == []


def test_headers_may_be_long_but_not_endless(store: Recorder, tmp_path: Path) -> None:
    names = ["id", *(f"f{n}_{'é' * 1_000}" for n in range(45))]
    report = store.load_text(tmp_path, f"{','.join(names)}\n{','.join('1' * 46)}\n")
    assert (report.read, report.inserted, len(report.columns)) == (1, 1, 46)
    with pytest.raises(LoadError, match=r"line 1: the names of the columns can't.*at most 512 KB"):
        store.load_text(tmp_path, f"id,{'x' * 600_000}\n1,1\n")
    with pytest.raises(LoadError, match="has 5,001 columns; a table has at most 4,096"):
        store.load_text(tmp_path, f"id{',c' * 5_000}\n1{',1' * 5_000}\n")


def test_a_file_without_rows_loads_nothing(store: Recorder, tmp_path: Path) -> None:
    assert store.load_text(tmp_path, "id,name\n").read == 0
    assert store.load_text(tmp_path, "id,name").read == 0
    assert store.batches == []


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_refused(store: Recorder, tmp_path: Path, text: str) -> None:
    with pytest.raises(LoadError, match="no line with column names"):
        store.load_text(tmp_path, text)


def test_gzip_is_read_by_content(store: Recorder, tmp_path: Path) -> None:
    data = gzip.compress(b"id,name\n1,x\n")
    assert store.load_text(tmp_path, data, name="deals.csv.gz").inserted == 1
    assert store.load_text(tmp_path, data, name="deals.csv").unchanged == 1
    with pytest.raises(LoadError, match="can't be read to its end"):
        store.load_text(tmp_path, data[:-9], name="cut.csv.gz")


def test_a_file_of_many_blocks_arrives_whole(store: Recorder, tmp_path: Path) -> None:
    wide = "x" * 2000
    n_rows = 3 * BLOCK_BYTES // 2000
    rows = (f'{n},"{wide}\n{n}",{n}' for n in range(n_rows))
    report = store.load_text(tmp_path, "id,note,seats\n" + "\n".join(rows))
    assert (report.inserted, report.rejected) == (n_rows, 0)
    assert all(deal["note"] == f"{wide}\n{n}" for n, deal in store.deals.items())


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


@pytest.mark.parametrize(
    ("text", "n_above"),
    [
        ("Deals report\n\nid,name\n1,A\n", 1),
        ("Deals report,\n,\nFrom,\nid,name\n1,A\n", 3),
        ("# exported by x, on y, with z\nid,name\n1,A\n", 1),
        ("Report: Deals,generated 2026\nid,name\n1,A\n", 1),
        ("Deals report, 31.01.2026\n\nid;name;amount\n1;A;\n", 1),
    ],
)
def test_titles_above_the_table_are_left_out(
    store: Recorder, tmp_path: Path, text: str, n_above: int
) -> None:
    report = store.load_text(tmp_path, text)
    assert store.deals == {"1": {"name": "A"}}
    assert f"lines above the names of the columns left out: {n_above}" in report.notes


def test_the_line_of_a_row_below_titles(store: Recorder, tmp_path: Path) -> None:
    text = "Deals\n\nid,name\n1,A\n2\n"
    store.load_text(tmp_path, text, rejects=tmp_path / "r.csv")
    (row,) = rejected(tmp_path / "r.csv")
    assert (row["line"], row["offset"], row["raw"]) == ("5", str(text.index("2\n")), "2")


@pytest.mark.parametrize(
    "text",
    [
        'id, name, amount\n1, "A, b", 5\n',
        'id,name,amount\n1, "A, b" ,5\n',
        'id,name,amount\r\r\n1,"A, b",5\r\r\n',
        'id,name,amount\n\ufeff1,"A, b",5\n',
        'id,name,amount\n\ufeff"1","A, b",5\n',
        'id,name,amount\n1,"A, b",5,\n',
        'id,name,amount,\n1,"A, b",5\n',
    ],
)
def test_what_other_programs_write_between_cells(
    store: Recorder, tmp_path: Path, text: str
) -> None:
    report = store.load_text(tmp_path, text)
    assert (store.deals, report.rejected) == ({"1": {"name": "A, b", "amount": "5"}}, 0)


def test_a_blank_before_a_quote_that_is_part_of_the_text(store: Recorder, tmp_path: Path) -> None:
    store.load_text(tmp_path, 'id,name\n1, "x" y\n2, "open\n3,z\n')
    assert [deal["name"] for deal in store.deals.values()] == ['"x" y', '"open', "z"]


def test_a_table_without_rows_needs_an_id_too(store: Recorder, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no column is the id"):
        store.load_text(tmp_path, "Session expired\n")
    assert store.load_text(tmp_path, "id,name\n").read == 0


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_encodings_without_a_byte_order_mark(
    store: Recorder, tmp_path: Path, encoding: str
) -> None:
    report = store.load_text(tmp_path, "id,name\n1,Łódź\n2,日本\n".encode(encoding))
    assert [deal["name"] for deal in store.deals.values()] == ["Łódź", "日本"]
    assert report.notes[0].startswith(f"encoding {encoding}")
