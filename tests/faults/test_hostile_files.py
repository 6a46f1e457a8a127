"""Files that are made, or broken, to do harm: refused with their line, in little memory, and the rest is loaded."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dealdb import DealDatabase
from dealdb.errors import LoadError
from faults.agreement import assert_agreement
from servers import Server

MB = 1024 * 1024
# a reader holds some blocks of 2 MB, and a row of up to 32 MB two or three times
CAP_MB = 400
# loads files, and tells for each what came of it, and how much memory it took beyond what there was before
CHILD = """
import json, resource, sys
from dealdb import DealDatabase
from dealdb.errors import DealDBError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "linux" else 1024**2)

with DealDatabase(port=int(sys.argv[1])) as db:
    db.loader.load([{"id": "before", "name": "before"}], rejects=False)
    before = peak()
    for path in sys.argv[2:]:
        try:
            said = str(db.loader.load(path, rejects=False))
        except DealDBError as error:
            said = f"{error.code}: {error}"
        print(json.dumps([said, peak() - before]), flush=True)
"""


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase(port=server.port) as db:
        yield db


def rejects_of(path: Path) -> list[tuple[int, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [(int(row["line"]), row["code"]) for row in rows if row["code"] != "header"]


def rows_in(file: Path, size: int) -> None:
    """A gzip file of so many bytes of rows."""
    rows = gzip.compress(b"7,aaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * (MB // 32))
    file.write_bytes(gzip.compress(b"id,name\n") + rows * (size // MB))


def one_cell(file: Path, size: int) -> None:
    """A gzip file of one cell."""
    cell = gzip.compress(b"a" * MB)
    file.write_bytes(gzip.compress(b"id,name\n1,ok\n2,") + cell * (size // MB))


def cell_of_nothing(file: Path, size: int) -> None:
    """A file with a cell of NUL bytes, which takes no room on the disk."""
    with file.open("wb") as text:
        text.write(b'id,name\n1,ok\n2,"')
        text.truncate(size)


def many_columns(file: Path, n: int) -> None:
    names = b",".join(b"c%d" % number for number in range(n))
    file.write_bytes(b"id," + names + b"\n1" + b",1" * n + b"\n")


def many_keys(file: Path, n: int) -> None:
    pairs = ",".join(f'"k{number}":1' for number in range(n))
    file.write_text(f'{{"id": "1"}}\n{{"id": "2",{pairs}}}\n')


@pytest.mark.parametrize("times", [1, pytest.param(15, marks=pytest.mark.slow)])
def test_large_files_stay_in_little_memory(server: Server, tmp_path: Path, times: int) -> None:
    cases: dict[str, tuple[Callable[[Path, int], None], int, str]] = {
        "bomb.csv.gz": (rows_in, 72 * MB * times, "more than 200 times its size"),
        "cell.csv.gz": (one_cell, 72 * MB * times, "more than 200 times its size"),
        "nothing.csv": (cell_of_nothing, 72 * MB * times, "line 3: the row is longer than 32 MB"),
        "wide.csv": (
            many_columns,
            700_000 * times,
            "more than 10,000 columns; a table has at most 4,096",
        ),
        "less wide.csv": (many_columns, 5_000 * times, "columns; a table has at most 4,096"),
        "keys.jsonl": (many_keys, 1_000 * times, "at most 512 fields"),
    }
    for name, (make, size, _) in cases.items():
        make(tmp_path / name, size)
    command = [sys.executable, "-c", CHILD, str(server.port)]
    command += [str(tmp_path / name) for name in cases]
    child = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert child.returncode == 0, child.stderr
    told = [json.loads(line) for line in child.stdout.splitlines()]
    for (said, grown), (name, (_, _, expected)) in zip(told, cases.items(), strict=True):
        assert expected in said, f"{name}: {said}"
        assert grown < CAP_MB, f"{name}: {grown} MB"
    with server.client() as client:
        # nothing half loaded
        assert set(assert_agreement(client)) == {"before"}
        names: Any = client.hkeys("deals:writers")
    assert [name for name in names if name.startswith(b"load:")] == []


def test_broken_text_is_rejected_by_its_line(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    lines = [
        b"id,name,name,amount,close_date",
        "ok,\u202egnp.eman,שלום,12.50,9999-12-31".encode(),
        b"nul,a\0b,x,1,2026-01-01",
        b"bytes,a\xff\xfeb,x,1,2026-01-01",
        b"surrogate,\xed\xa0\x80,x,1,2026-01-01",
        "é,caf\u00e9,x,1,0001-01-01".encode(),
        b"nan,a,x,NaN,2026-01-01",
        b"inf,a,x,-Infinity,2026-01-01",
        b"huge,a,x,1e400,2026-01-01",
        b"digits,a,x," + b"9" * 5_000 + b",2026-01-01",
        b"late,a,x,1,10000-01-01",
        b"no day,a,x,1,2026-02-30",
        b"short,a",
        b"long,a,x,1,2026-01-01,and,more",
        b'quote,"a,x,1,2026-01-01',
        "\u202eid,\u200f,\ufeff,0.01,2026-12-31".encode(),
        b"last,a,x,1,2026-01-01",
    ]
    path, rejects = tmp_path / "deals.csv", tmp_path / "rejects.csv"
    path.write_bytes(b"\n".join([*lines, b""]))
    report = db.loader.load(path, rejects=rejects)
    assert sorted(rejects_of(rejects)) == [
        (3, "nul"), (4, "encoding"), (5, "encoding"), (8, "not-a-number"), (9, "not-a-number"),
        (10, "not-a-number"), (11, "not-a-date"), (12, "not-a-date"), (13, "columns"), (14, "columns"), (15, "quotes"),
    ]  # fmt: skip
    assert (report.read, report.inserted, report.rejected) == (16, 5, 11)
    assert any("several columns have one name: 'name'" in note for note in report.notes)
    deal = db.get_deal("ok")
    assert deal is not None
    assert deal["name"] == "\u202egnp.eman"
    assert deal["name_2"] == "שלום"
    assert (deal["amount"], deal["expected_close"]) == (Decimal("12.50"), date(9999, 12, 31))
    early = db.get_deal("é")
    assert early is not None
    assert early["expected_close"] == date(1, 1, 1)
    frame = db.query.frame()
    assert sorted(frame["id"]) == sorted(["ok", "é", "nan", "\u202eid", "last"])
    # what a data frame writes for nothing is nothing
    assert db.query.count("amount IS NULL") == 1
    assert db.query.count("expected_close > '9000-01-01'") == 1
    assert db.check().ok
    with server.client() as client:
        assert len(assert_agreement(client)) == 5


def test_broken_json_is_rejected_by_its_line(
    db: DealDatabase, server: Server, tmp_path: Path
) -> None:
    deep, digits = "[" * 20_000 + "]" * 20_000, "9" * 5_000
    lines = [
        '{"id": "ok", "n": 1.5, "note": "\\u202e"}',
        '{"id": "\\ud800", "n": 1}',
        '{"id": "value", "note": "\\udfff"}',
        '{"id": "name", "\\ud800": 1}',
        '{"id": "nan", "n": NaN}',
        '{"id": "inf", "n": -Infinity}',
        '{"id": "huge", "n": 1e400}',
        f'{{"id": "digits", "n": {digits}}}',
        f'{{"id": "deep", "n": {deep}}}',
        '{"id": "open", "n": ',
        '["no", "object"]',
        '{"n": 1}',
        '{"id": "twice", "n": 1, "n": 2}',
        '{"id": "last", "n": 3}',
    ]
    path, rejects = tmp_path / "deals.jsonl", tmp_path / "rejects.csv"
    path.write_text("\n".join([*lines, ""]))
    report = db.loader.load(path, rejects=rejects)
    rejected = dict(rejects_of(rejects))
    assert report.read == 14
    assert report.inserted + report.rejected == 14
    assert set(rejected) >= {2, 3, 4, 6, 7, 8, 9, 10, 11, 12}
    assert {"ok", "twice", "last"} <= set(db.query.frame()["id"])
    assert sorted(db.query.frame()["n"].drop_nulls()) == [Decimal("1.5"), Decimal(2), Decimal(3)]
    assert db.check().ok
    with server.client() as client:
        assert len(assert_agreement(client)) == report.inserted


def test_json_that_can_t_be_read_to_its_end_loads_nothing(db: DealDatabase, tmp_path: Path) -> None:
    deals = ",\n".join(f'{{"id": "d{n}", "n": {n}}}' for n in range(5_000))
    for name, rest in {"deep": "[" * 100_000, "digits": "9" * 5_000, "cut": ""}.items():
        path = tmp_path / f"{name}.json"
        path.write_text(f'[{deals},\n{{"id": "x", "n": {rest}')
        with pytest.raises(LoadError, match="line 5001"):
            db.loader.load(path, rejects=False)
    assert len(db) == db.query.count() == 0


def test_values_that_are_none_are_rejected_alone(db: DealDatabase, server: Server) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "ok", "n": 1.5, "d": date.max},
        {"id": "\ud800", "n": 1.0},
        {"id": "value", "note": "\udfff"},
        {"id": "inf", "n": float("inf")},
        {"id": "digits", "n": 10**5_000},
        {"id": "\u202eid", "n": 2.5, "d": date.min},
    ]
    report = db.loader.load(rows, rejects=False)
    assert (report.read, report.inserted, report.rejected) == (6, 2, 4)
    assert sorted(db.query.frame()["id"]) == ["ok", "\u202eid"]
    assert sorted(db.query.frame()["d"]) == [date.min, date.max]
    assert db.check().ok
    with server.client() as client:
        assert len(assert_agreement(client)) == 2
