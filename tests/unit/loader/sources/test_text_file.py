"""Small files that unpack to endless ones, and rows without an end, stop before they fill anything."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

import pytest

from dealdb.errors import LoadError
from dealdb.formats.zstd import zstd_writer
from dealdb.loader.sources import text_file
from recorder import Recorder

ROWS = b"id,name\n" + b"".join(b"%d,%s\n" % (n, b"a" * 10_000) for n in range(400))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "_HARMLESS_BYTES", 1024 * 1024)
    monkeypatch.setattr(text_file, "MAX_ROW_BYTES", 4 * 1024 * 1024)


def zipped(path: Path, name: str) -> Path:
    """The rows as a file that is some hundred times smaller."""
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(ROWS))
    elif name.endswith("zst"):
        with path.open("wb") as file, zstd_writer(file) as stream:
            stream.write(ROWS)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", ROWS)
    return path


@pytest.mark.parametrize("name", ["deals.csv.gz", "deals.csv.zst", "deals.xlsx"])
def test_what_unpacks_to_far_more_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / name, name)
    assert len(ROWS) > 200 * path.stat().st_size
    store = Recorder()
    with pytest.raises(LoadError, match=r"more than 200 times its size.*raise max_expansion"):
        store.load(path)
    assert store.batches == []


def test_a_workbook_that_lies_of_its_size_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "deals.xlsx", "deals.xlsx")
    data, size = path.read_bytes(), len(ROWS).to_bytes(4, "little")
    assert data.count(size) == 2
    path.write_bytes(data.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(LoadError, match="can't be read as an XLSX workbook: Bad CRC-32"):
        Recorder().load(path)


def test_who_trusts_the_file_raises_the_limit(tmp_path: Path) -> None:
    path = zipped(tmp_path / "deals.csv.gz", "deals.csv.gz")
    assert Recorder().load(path, max_expansion=2000).read == 400


@pytest.mark.parametrize("name", ["deals.csv", "deals.jsonl", "deals.json"])
def test_a_row_without_an_end_is_refused(tmp_path: Path, name: str) -> None:
    begins = {"deals.csv": "id,name\n1,", "deals.jsonl": '{"id": 1}\n{"id": "'}
    text = begins.get(name, '[{"id": 1},\n{"id": "') + "x" * (8 * 1024 * 1024)
    with pytest.raises(LoadError, match=r"line 2: the row is longer than 4 MB"):
        Recorder().load_text(tmp_path, text, name)


def test_the_limit_is_one_of_ratio_not_of_size(tmp_path: Path) -> None:
    rows = b"id,name\n" + b"".join(b"%d,%x\n" % (n, zlib.crc32(b"%d" % n)) for n in range(200_000))
    (tmp_path / "deals.csv.gz").write_bytes(gzip.compress(rows))
    assert Recorder().load(tmp_path / "deals.csv.gz").read == 200_000


@pytest.mark.parametrize("place", [12, 40, 200, -12, -6])
def test_a_packed_file_that_is_damaged_is_an_error(tmp_path: Path, place: int) -> None:
    rows = "".join(f"{n},{n * 7919 % 1000}\n" for n in range(2_000))
    packed = bytearray(gzip.compress(b"id,seats\n" + rows.encode()))
    packed[place] ^= 0xFF
    path = tmp_path / "deals.csv.gz"
    path.write_bytes(packed)
    with pytest.raises(LoadError, match=r"deals.csv.gz"):
        Recorder().load(path)
