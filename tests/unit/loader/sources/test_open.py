"""Which reader a source gets, and what is said of one that gets none."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb.errors import LoadError
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


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


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"<!DOCTYPE html><html>Log in</html>", "an HTML page, not a table"),
        (b"\n <table border=1><tr><td>id</td>", "an HTML page"),
        (b'<?xml version="1.0"?><deals/>', "is XML"),
        (b"BZh91AY&SY", "packed by bzip2"),
        (b"\xfd7zXZ\x00", "packed by xz"),
        (b"%PDF-1.7", "a PDF"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, start: bytes, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        Recorder().load_text(tmp_path, start)


def test_an_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "deals.csv", "w") as archive:
        archive.writestr("deals.csv", "id\n1\n")
    with pytest.raises(LoadError, match="is a zip archive: unpack it"):
        Recorder().load(tmp_path / "deals.csv")
