"""Rejected rows can be corrected in their file, and loaded from there."""

from __future__ import annotations

import csv
import gzip
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from dealdb.errors import LoadError
from dealdb.loader.rejects import COLUMNS
from recorder import Recorder

TYPES = {"amount": "decimal(2)"}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rewrite(path: Path, change: dict[str, str], delimiter: str = ",", mark: str = "") -> None:
    """Correct a rejects file as a spreadsheet would save it."""
    rows = rows_of(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(mark)
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        for row in rows:
            for before, after in change.items():
                row["raw"] = row["raw"].replace(before, after)
            writer.writerow(row.values())


SOURCES = {
    "deals.csv": "Deal ID,Amount,Note\n1,5,a\n=2,soon,\"line\none\"\n3,later,\n4\n",
    "deals.txt": "Deal ID;Amount;Note\n1;5;a\n=2;soon;\"line\none\"\n3;later;\n4\n",
    "deals.tsv": "Deal ID\tAmount\tNote\n1\t5\ta\n=2\tsoon\t\"line\none\"\n3\tlater\t\n4\n",
    "deals.jsonl": '{"Deal ID":"1","Amount":5,"Note":"a"}\n{"Deal ID":"=2","Amount":"soon","Note":"line\\none"}\n'
    '{"Deal ID":"3","Amount":"later","Note":null}\n4\n',
    "deals.json": '[{"Deal ID":"1","Amount":5,"Note":"a"},\n{"Deal ID":"=2",\n"Amount":"soon","Note":"line\\none"},'
    '{"Deal ID":"3","Amount":"later","Note":null},4]',
}  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("name", list(SOURCES))
def test_corrected_rejects_load(tmp_path: Path, name: str, separator: str) -> None:
    store = Recorder()
    report = store.load_text(tmp_path, SOURCES[name], name, rejects=True, types=TYPES)
    assert (report.inserted, report.rejected) == (1, 3)
    path = report.rejects
    assert path is not None
    rewrite(path, {"soon": "2.50", "later": "7"}, separator, "\ufeff")
    again = store.load(path, types=TYPES, rejects=True)
    assert (again.inserted, again.rejected) == (2, 1)
    assert store.deals["=2"] == {"amount": "2.5", "note": "line\none"}
    assert store.deals["3"] == {"amount": "7"}
    # what is still wrong went to a file of the same form
    assert again.rejects == Path(f"{name}.rejects.csv.rejects.csv")
    assert rows_of(again.rejects)[-1]["raw"] == "4"


def test_no_cell_of_a_rejects_file_is_run_by_a_spreadsheet(tmp_path: Path) -> None:
    text = "id,amount\n=cmd,=1+1\n'x,soon\n"
    report = Recorder().load_text(tmp_path, text, rejects=True, types=TYPES)
    assert report.rejects is not None
    assert [(row["value"], row["raw"]) for row in rows_of(report.rejects)[1:]] == [
        ("'=1+1", "'=cmd,=1+1"), ("soon", "''x,soon"),
    ]  # fmt: skip


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ["deals.csv", "deals.jsonl", "deals.json"])
def test_offsets_are_bytes_of_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, zipped: bool, mark: bytes
) -> None:
    # pieces that end in the middle of a row, and of a character
    monkeypatch.setattr("dealdb.loader.sources.text_file.BLOCK_BYTES", 19)
    lines = ["id,amount,name", "1,5,é", "2,soon,b", "3", "4,x,b"]
    if name != "deals.csv":
        rows = [(1, "é"), (2, "soon"), (3, "5")]
        lines = [json.dumps({"id": n, "amount": a}, ensure_ascii=False) for n, a in rows] + ["7"]
    data = mark + "\n".join(lines).encode()
    if name == "deals.json":
        data = (
            mark
            + '{"é": {"results": []}, "results": [\n'.encode()
            + ",\n ".join(lines).encode()
            + b"\n]}"
        )
    packed = gzip.compress(data) if zipped else data
    report = Recorder().load_text(tmp_path, packed, name, rejects=True, types=TYPES)
    assert report.rejects is not None
    rejected = [row for row in rows_of(report.rejects) if row["code"] != "header"]
    assert len(rejected) == 3
    for row in rejected:
        offset = int(row["offset"])
        assert data[offset:].startswith(row["raw"].encode())
        assert data.count(b"\n", 0, offset) == int(row["line"]) - 1


def test_rejects_go_where_one_works_and_not_over_those_of_others(tmp_path: Path) -> None:
    store = Recorder()
    places = []
    for folder in ("a", "b", "a"):
        (tmp_path / folder).mkdir(exist_ok=True)
        report = store.load_text(
            tmp_path / folder, "id,amount\n1,soon\n", rejects=True, types=TYPES
        )
        places.append(str(report.rejects))
    assert places == ["deals.csv.rejects.csv", "deals.csv-2.rejects.csv", "deals.csv.rejects.csv"]
    assert [rows_of(Path(place))[1]["source"] for place in places[:2]] == [
        str(tmp_path / folder / "deals.csv") for folder in ("a", "b")
    ]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["deals.csv"]


def test_no_file_of_somebody_else_is_written_over(tmp_path: Path) -> None:
    mine = Path("deals.csv.rejects.csv")
    for content in (b"my own notes", b"source,line\n", b"\xff\xfe"):
        mine.write_bytes(content)
        report = Recorder().load_text(tmp_path, "id,amount\n1,soon\n", rejects=True, types=TYPES)
        assert (report.rejects, mine.read_bytes()) == (Path("deals.csv-2.rejects.csv"), content)


def test_links_and_pipes_in_the_way_are_not_written_to(tmp_path: Path) -> None:
    Path("deals.csv.rejects.csv").symlink_to("nowhere")
    os.mkfifo("deals.csv-2.rejects.csv")
    report = Recorder().load_text(tmp_path, "id,amount\n1,soon\n", rejects=True, types=TYPES)
    assert report.rejects == Path("deals.csv-3.rejects.csv")
    assert report.rejects.stat().st_mode & 0o777 == 0o600
    assert not Path("nowhere").exists()


def test_a_link_that_was_named_for_rejects_leads_to_its_file(tmp_path: Path) -> None:
    Path("mine.csv").write_text("before")
    Path("link.csv").symlink_to("mine.csv")
    Path("dangling.csv").symlink_to("nowhere")
    text = "id,amount\n1,soon\n"
    Recorder().load_text(tmp_path, text, rejects="link.csv", types=TYPES)
    assert Path("link.csv").is_symlink()
    assert "soon" in Path("mine.csv").read_text()
    with pytest.raises(LoadError, match="a link that leads nowhere; choose another"):
        Recorder().load_text(tmp_path, text, rejects="dangling.csv", types=TYPES)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text + "a,b\n",
        lambda text: text.replace("deals.csv,2", "other.csv,2"),
        lambda text: text.encode().replace(b"soon", b"\xff"),
    ],
)
def test_a_rejects_file_that_is_none_any_more(tmp_path: Path, damage: Any) -> None:
    report = Recorder().load_text(tmp_path, "id,amount\n1,soon\n", rejects=True, types=TYPES)
    assert report.rejects is not None
    text = damage(report.rejects.read_text())
    report.rejects.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LoadError, match="rejected rows"):
        Recorder().load(report.rejects)


def test_the_log_has_how_many_were_rejected_and_none_of_their_cells(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "dealdb.loader")
    Recorder().load_text(tmp_path, "id,amount\n1,5\n2,soon\n", types=TYPES)
    Recorder().load_text(tmp_path, "id,amount\n1,5\n", types=TYPES)
    assert caplog.messages == ["load ended: 1 of 2 rows were rejected"]


@pytest.mark.parametrize("kept_bytes", [0, 10**6])
def test_repeated_ids_are_named_with_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_bytes: int
) -> None:
    monkeypatch.setattr("dealdb.loader.writing.run.KEPT_BYTES", kept_bytes)
    rows = ["1,a", '2,"two\nlines"', "1,b", "2,c", "3,d", *(f"{n % 7 + 10},x" for n in range(60))]
    report = Recorder().load_text(tmp_path, "id,name\n" + "\n".join(rows))
    assert report.duplicates == len(rows) - 10
    assert report.repeated == {
        "1": (2, 5), "2": (3, 6), "10": (8, 15, 22, 29, 36), "11": (9, 16, 23, 30, 37),
        "12": (10, 17, 24, 31, 38),
    }  # fmt: skip
    # what can be read once only can't be asked again
    assert Recorder().load(iter([{"id": 1}, {"id": 1}])).repeated == {}
    assert Recorder().load([{"id": 1}, {"id": 2}]).repeated == {}
