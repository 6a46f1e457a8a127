"""What can be loaded, and how the kinds are told apart."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from io import TextIOBase
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Source
from dealdb.loader.load_options import MAX_EXPANSION
from dealdb.loader.objects.answers import is_answer, rows_of_object
from dealdb.loader.rejects import is_rejects_file, restored
from dealdb.loader.sources.bounds.spool import spool
from dealdb.loader.sources.csv_files import DelimitedSource
from dealdb.loader.sources.frames import ColumnarSource, FrameSource
from dealdb.loader.sources.json_files import (
    JsonArraySource,
    JsonLinesSource,
    MappingsSource,
)
from dealdb.loader.sources.table_start import DELIMITERS
from dealdb.loader.sources.text_file import ByteStream, Tell
from dealdb.loader.sources.workbooks import WorkbookSource

FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "arrow", "xlsx")

_SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".txt": "csv", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".json": "json", ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".xlsx": "xlsx", ".xlsm": "xlsx",
}  # fmt: skip
# of those that are compressed as a whole
COMPRESSED_SUFFIXES = (".gz", ".zst")
_COLUMNAR = {b"PAR1": "parquet", b"ARROW1": "arrow"}
_ZIP = b"PK\x03\x04"
_UNREADABLE = {
    b"\xd0\xcf\x11\xe0": "an XLS workbook: save it as CSV first",
    b"SQLite format 3": "an SQLite database: export a table of it first",
    b"BZh": "packed by bzip2: unpack it first",
    b"\xfd7zXZ\0": "packed by xz: unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!\x1a": "a RAR archive: unpack it first",
    b"%PDF-": "a PDF: export the table in another format",
    b"{\\rtf": "an RTF text: export the table in another format",
}
_MARKUP = re.compile(
    rb"\s*<(?:(\?xml)|!doctype|!--|html|head|body|table|script|div|meta|title|center)[\s>]",
    re.IGNORECASE,
)


def open_source(
    source: Any,
    *,
    format: str | None,
    delimiter: str | None,
    null: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    id_names: Collection[str] | None = (),
    max_expansion: int = MAX_EXPANSION,
    tell: Tell = lambda _done, _total: None,
    keep: ExitStack,
) -> Source:
    """
    Reader for whatever was given.

    Parameters
    ----------
    source
        A path, a binary file object, a data frame with an Arrow stream, or an iterable of mappings.
    format
        One of ``FORMATS``, or None to find it out by suffix and content.
    delimiter
        Character between cells of delimited text, or None to find it out.
    null
        Cell of delimited text that stands for nothing, or None for the usual ones.
    encoding
        Of text; None to find it out.
    sheet
        Of a workbook; None for the first visible one with an id.
    id_names
        Headers that are ids besides the usual ones; None where rows need no id.
    max_expansion
        Times its size that a compressed file may have unpacked.
    tell
        Hears how much was read before the rows are.
    keep
        Holds what has to be tidied up after the load.

    Raises
    ------
    LoadError
        If it doesn't exist, can't be read, or is of no known format.
    """
    if format is not None and format not in FORMATS:
        msg = f"there is no format {format!r}; the formats are {', '.join(FORMATS)}"
        raise LoadError(msg)
    if delimiter is not None and delimiter not in DELIMITERS:
        msg = f"a delimiter is one of {', '.join(map(repr, DELIMITERS))}, not {delimiter!r}"
        raise LoadError(msg)
    if isinstance(source, str | Path) or hasattr(source, "read"):
        path, name = _on_disk(source, keep, tell)
        wanted = _Wanted(format, delimiter, null, encoding, sheet, id_names, max_expansion)
        return _open_path(path, name, wanted, tell, keep)
    if isinstance(source, pl.LazyFrame) or hasattr(source, "__arrow_c_stream__"):
        return FrameSource(source)
    if isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        return MappingsSource(source)
    msg = (
        f"a {type(source).__name__} can't be loaded: give a path, a binary file, a data frame "
        "or an iterable of mappings"
    )
    raise LoadError(msg)


def _on_disk(source: Any, keep: ExitStack, tell: Tell) -> tuple[Path, str]:
    """Where the bytes of a source can be read as often as it takes, and what messages call it."""
    if hasattr(source, "read"):
        return spool(_binary(source), keep, tell), "stdin"
    path = Path(source)
    if not is_pipe(path):
        return path, str(source)
    try:
        with path.open("rb") as pipe:
            return spool(pipe, keep, tell), str(source)
    except OSError as problem:
        msg = f"{source} can't be read: {problem.strerror or problem}"
        raise LoadError(msg) from problem


def is_pipe(path: Path) -> bool:
    """Whether what goes by this name can be read once only, as a shell's ``<(...)``."""
    return path.is_fifo() or path.is_char_device()


def _binary(file: Any) -> BinaryIO:
    # sys.stdin is text around bytes; its encoding is for us to find out
    binary = getattr(file, "buffer", file)
    if isinstance(binary, TextIOBase):
        msg = "a file object must be binary: open it with 'rb', or give sys.stdin.buffer"
        raise LoadError(msg)
    return cast("BinaryIO", binary)


class _Wanted(NamedTuple):
    """What the caller of a load said about a file; see ``open_source``."""

    format: str | None
    delimiter: str | None
    null: str | None
    encoding: str | None
    sheet: str | None
    id_names: Collection[str] | None
    max_expansion: int


def _open_path(path: Path, name: str, wanted: _Wanted, tell: Tell, keep: ExitStack) -> Source:
    if not path.exists():
        msg = f"there is no file {name}"
        raise LoadError(msg)
    if path.is_dir():
        msg = f"{name} is a folder; give one file of it"
        raise LoadError(msg)
    try:
        with path.open("rb") as file:
            start = file.read(16)
        found = wanted.format or format_by_name(name) or ""
        columnar = next(
            (kind for magic, kind in _COLUMNAR.items() if start.startswith(magic)), found
        )
        if columnar in _COLUMNAR.values():
            return ColumnarSource(path, name, columnar, wanted.max_expansion)
        _check_readable(name, start)
        if found == "xlsx" or start.startswith(_ZIP):
            return WorkbookSource(path, name, wanted.max_expansion, wanted.sheet, wanted.id_names)
        if found in ("csv", "") and is_rejects_file(path):
            folder = keep.enter_context(tempfile.TemporaryDirectory(prefix="dealdb-"))
            path, found, between = restored(path, Path(folder))
            wanted = wanted._replace(
                format=found, delimiter=wanted.delimiter or between, encoding=None
            )
        stream = ByteStream(path, name, wanted.max_expansion, tell, wanted.encoding)
    except OSError as problem:
        msg = f"{name} can't be read: {problem.strerror or problem}"
        raise LoadError(msg) from problem
    return _open_text(stream, found or _sniffed(stream, name), wanted)


def _check_readable(name: str, start: bytes) -> None:
    for magic, what in _UNREADABLE.items():
        if start.startswith(magic):
            msg = f"{name} is {what}; what can be loaded is {', '.join(FORMATS)}"
            raise LoadError(msg)


def _check_no_page(name: str, start: bytes) -> None:
    """Refuse what a server sends in place of a file."""
    found = _MARKUP.match(start)
    if found:
        kind = "XML" if found[1] else "an HTML page"
        msg = (
            f"{name} is {kind}, not a table: look at it in a browser, it may be a login page or an error "
            f"in place of the export; what can be loaded is {', '.join(FORMATS)}"
        )
        raise LoadError(msg)


def format_by_name(name: str) -> str | None:
    """
    Format that the ending of a file's name stands for, compressed or not; None where it stands for none.

    Examples
    --------
    >>> format_by_name("deals.CSV.gz"), format_by_name("deals")
    ('csv', None)
    """
    suffixes = [
        suffix.lower()
        for suffix in Path(name).suffixes
        if suffix.lower() not in COMPRESSED_SUFFIXES
    ]
    return _SUFFIXES.get(suffixes[-1]) if suffixes else None


def _open_text(stream: ByteStream, found: str, wanted: _Wanted) -> Source:
    _check_no_page(stream.name, stream.sample())
    if found in ("json", "jsonl"):
        return _json_source(stream, found, wanted.format)
    delimiter = wanted.delimiter
    if found == "tsv" and delimiter is None and b"\t" in stream.sample().split(b"\n", 1)[0]:
        delimiter = "\t"
    return DelimitedSource(stream, delimiter, wanted.null, wanted.id_names)


def _sniffed(stream: ByteStream, name: str) -> str:
    start = stream.sample().lstrip()
    if start.startswith((b"[", b"{")):
        return "json"
    if b"\0" in start:
        msg = f"{name} is neither text nor Parquet; what can be loaded is {', '.join(FORMATS)}"
        raise LoadError(msg)
    return "csv"


def _json_source(stream: ByteStream, found: str, chosen: str | None) -> Source:
    """Reader for JSON: many programs call lines of it .json, and pages of answers .jsonl."""
    first = stream.sample().lstrip().split(b"\n", 1)[0]
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        row = None
    lines = found == "jsonl"
    if chosen is None and isinstance(row, dict):
        lines = not is_answer(row) and (lines or rows_of_object(row) == [row])
    return JsonLinesSource(stream) if lines else JsonArraySource(stream)
