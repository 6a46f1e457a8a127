"""Files to load, and files in the way of those that are written."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dealdb import DealDatabase, DealDBError, LoadError
from hostile.case import World, case
from hostile.evil_files import EvilFile, evil_files
from hostile.evil_tables import MB, parquet
from hostile.evil_workbooks import text_cell, workbook
from hostile.watched import python, watched

_MOST_S = 10
_FILES = list(evil_files())


def _load(db: DealDatabase, file: EvilFile) -> str:
    """How the load of a file ends: its error, or how many rows it had."""
    path = Path(file.name)
    if not path.exists():
        path.write_bytes(file.make())
    begun = time.process_time()
    try:
        report = db.loader.load(path, dry_run=True, rejects="rejects.csv", bar=False)
    except DealDBError as error:
        ended = str(error)
        assert ended, file.name
        assert len(ended) < 2_000, file.name
    else:
        ended = f"read {report.read}"
    path.unlink()
    assert time.process_time() - begun < _MOST_S, file.name
    return ended


def _make(files: list[EvilFile]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        for file in files:
            (folder / file.name).write_bytes(file.make())

    return prepare


def _each(files: list[EvilFile]) -> Callable[[World], None]:
    def attack(world: World) -> None:
        db = world.database()
        for file in files:
            print(file.name, flush=True)
            _load(db, file)
        assert db.get_deals([]) == []

    return attack


def _register() -> None:
    """Each evil file as a slow case."""
    for file in _FILES:
        case(f"load {file.name}", seconds=30, slow=True, prepare=_make([file]))(_each([file]))


_register()
_NAMED = {file.name: file for file in _FILES}
_QUICK = (
    "a far cell with a prefix.xlsx", "ods of repeats.xlsx", "delta of one text.parquet", "many rows said.parquet",
    "20 million nulls of no type.arrow", "20,000 columns.csv", "pages 990 deep.json", "a packed size of 4 GB.xlsx",
    "empty objects.json",
)  # fmt: skip


_SAMPLE = [_NAMED[name] for name in _QUICK]
case(
    "two far cells, long texts in dictionaries, deep and wide records",
    seconds=90,
    prepare=_make(_SAMPLE),
)(_each(_SAMPLE))


@case("a workbook of two cells that spans a sheet", seconds=30)
def corner(world: World) -> None:
    ended = _load(world.database(), _NAMED["a cell at XFD1048576.xlsx"])
    assert "16,384 columns from its first cell to its last; a table has at most 4,096" in ended


@case("a text that 3,000 cells of a workbook share", seconds=30)
def shared_text(world: World) -> None:
    ended = _load(world.database(), _NAMED["a text of 1 MB in 3,000 cells.xlsx"])
    assert "shows its texts so often" in ended


@case("a workbook with format and nothing far from its table", seconds=30)
def far_format(world: World) -> None:
    row = "".join(
        text_cell(f"{column}{n}", name) for n, column, name in ((1, "A", "id"), (1, "B", "name"))
    )
    far = '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    deal = f'<row r="2">{text_cell("A2", "7")}{text_cell("B2", "x")}</row>'
    data = workbook(f'<sheetData><row r="1">{row}</row>{deal}{far}</sheetData>')
    assert _load(world.database(), EvilFile("far format.xlsx", lambda: data)) == "read 1"


@case("a text of 5 MB that 2,000 rows of a Parquet file share", seconds=30)
def dictionary(world: World) -> None:
    ended = _load(world.database(), _NAMED["2,000 rows of 5 MB.parquet"])
    assert re.search(
        r"row 1: column 'name' has a cell of 5,242,880 bytes; a cell has at most 1 MB", ended
    )


@case("an ordinary Parquet file with a text in a dictionary", seconds=30)
def ordinary(world: World) -> None:
    import pyarrow as pa

    rows = pa.table(
        {"id": list(map(str, range(5_000))), "stage": pa.array(["Won"] * 5_000).dictionary_encode()}
    )
    assert _load(world.database(), EvilFile("stages.parquet", lambda: parquet(rows))) == "read 5000"


@case("a header of ten million names", seconds=30)
def header(world: World) -> None:
    begun = time.process_time()
    ended = _load(world.database(), _NAMED["ten million empty names.csv"])
    assert "names of the columns can't be read" in ended or "a table has at most 4,096" in ended
    assert time.process_time() - begun < _MOST_S


@case("a record that is 900 lists deep", seconds=30)
def deep(world: World) -> None:
    db = world.database()
    Path("deep.jsonl").write_bytes(_NAMED["lists 900 deep.jsonl"].make())
    report = db.loader.load("deep.jsonl", rejects="rejects.csv", bar=False)
    assert (report.inserted, dict(report.reasons)) == (1, {"type": 1})


@case("amounts that begin or end with their point", seconds=30)
def bare_points(world: World) -> None:
    texts = (".0", "-.0", ".00", "0.", "+.0", ".", "-", "(.00)", ".00 EUR", "5.5")
    rows = "".join(f'{n},"{text}"\n' for n, text in enumerate(texts))
    Path("points.csv").write_text(f"id,amount\n{rows}")
    report = world.database().loader.load(
        "points.csv", rejects=False, types={"amount": "decimal(2)"}, bar=False
    )
    assert report.read == len(texts)
    commas = "".join(f'{n};"{text.replace(".", ",")}"\n' for n, text in enumerate(texts))
    Path("commas.csv").write_text(f"id;amount\n{commas}")
    report = world.database().loader.load(
        "commas.csv",
        rejects=False,
        types={"amount": "decimal(2)"},
        decimal_point=",",
        bar=False,
    )
    assert report.read == len(texts)


@case("links and pipes where rejects and exports go", seconds=30)
def in_the_way(world: World) -> None:
    db = world.database()
    Path("deals.csv").write_text("id,amount\n1,5\n2,soon\n")
    Path("deals.csv.rejects.csv").symlink_to("planted")
    os.mkfifo("deals.csv-2.rejects.csv")
    report = db.loader.load("deals.csv", types={"amount": "decimal"}, bar=False)
    assert report.rejects == Path("deals.csv-3.rejects.csv")
    assert report.rejects.stat().st_mode & 0o777 == 0o600
    assert not Path("planted").exists()
    db.loader.export("out.parquet")
    assert Path("out.parquet").stat().st_mode & 0o777 == 0o600
    Path("link.csv").symlink_to("planted")
    with pytest.raises(LoadError, match="leads nowhere"):
        db.loader.export("link.csv")
    assert not Path("planted").exists()


@case("a device without an end", seconds=30)
def endless(world: World) -> None:
    before = set(Path("/tmp").glob("dealdb-*"))
    outcome = watched(
        python("-m", "dealdb", "--url", world.url, "load", "/dev/zero", "--dry-run"),
        memory_mb=300,
        seconds=20,
        folder=world.folder,
    )
    assert outcome.ended == "failed", outcome
    assert "is neither text nor Parquet" in outcome.output
    assert set(Path("/tmp").glob("dealdb-*")) <= before


@case("lines without an end through a pipe", seconds=30, slow=True)
def endless_line(world: World) -> None:
    outcome = watched(
        python("-m", "dealdb", "--url", world.url, "load", "-", "--dry-run"),
        memory_mb=300,
        seconds=20,
        folder=world.folder,
        stdin=b"id,name\n1," + b"x" * (70 * MB),
    )
    assert outcome.ended == "failed", outcome
    assert "longer than 32 MB" in outcome.output
