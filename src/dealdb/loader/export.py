"""Exporting: a data frame of deals written as a file, in any of the forms that people ask for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from dealdb.errors import LoadError
from dealdb.formats.output_file import STDOUT, Counted, compressed, copied, name_of, opened
from dealdb.formats.text_form import FORMS, TextForm
from dealdb.model.columns import spelled_out
from dealdb.model.notebook import InNotebook

EXPORT_FORMATS = (*FORMS, "parquet", "arrow", "xlsx")

_SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".md": "md", ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow",
    ".ipc": "arrow", ".xlsx": "xlsx",
}  # fmt: skip
_COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
_ROW_GROUP = 100_000
# writes a frame to a file; gives how many cells became texts, where that can happen
_Writer: TypeAlias = Callable[[pl.DataFrame, Any], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport(InNotebook):
    """
    What an export wrote.

    Attributes
    ----------
    target
        Path, ``stdout`` or name of the stream.
    format
        One of ``csv``, ``tsv``, ``jsonl``, ``json``, ``md``, ``parquet``, ``arrow``, ``xlsx``.
    rows
        Deals.
    bytes
        Bytes of the file, compressed where it is.
    seconds
        Time from first to last.
    escaped
        Texts that got a leading apostrophe, so that no spreadsheet runs them.
    as_text
        Numbers and times that a cell of XLSX can't hold, and that are texts in it: those of more than 15 digits, for
        example.

    Examples
    --------
    >>> ExportReport(target="deals.csv", format="csv", rows=2, bytes=40, seconds=0.1).escaped
    0
    """

    target: str
    format: str
    rows: int
    bytes: int
    seconds: float
    escaped: int = 0
    as_text: int = 0


def write_frame(
    frame: pl.DataFrame,
    target: str | Path | Any,
    *,
    format: str | None = None,
    raw: bool = False,
    null: str = "",
) -> ExportReport:
    r"""
    Write a data frame to a file or stream; see ``DataLoader.export``.

    Raises
    ------
    LoadError
        If the format is not known, the target can't be written, or a text equals ``null``.
    MissingExtra
        If the target ends in ``.zst`` and PyArrow is not installed, or in ``.xlsx`` and XlsxWriter is not.

    Examples
    --------
    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> write_frame(pl.DataFrame({"id": ["1"], "name": ["=1+1"]}), file).escaped
    1
    >>> file.getvalue()
    b'"id",name\n1,\'=1+1\n'
    """
    begun = time.perf_counter()
    chosen, compression = form_of(target, format)
    text = TextForm(frame, raw=raw, null=null)
    as_text = 0
    write = None if chosen in FORMS else _writer(chosen)
    with opened(target) as file:
        if write is None:
            with compressed(file, compression) as stream:
                for piece in FORMS[chosen](text):
                    stream.write(piece.encode())
        else:
            as_text = _write_binary(frame, write, file)
    return ExportReport(
        target=name_of(target),
        format=chosen,
        rows=frame.height,
        bytes=file.n_bytes,
        seconds=time.perf_counter() - begun,
        escaped=text.escaped,
        as_text=as_text,
    )


def form_of(target: object, format: str | None) -> tuple[str, str]:
    """
    Format and compression that a target asks for; a stream is CSV unless said otherwise.

    Raises
    ------
    LoadError
        If there is no such format, or the name doesn't show it.

    Examples
    --------
    >>> form_of("deals.jsonl.gz", None)
    ('jsonl', 'gz')
    """
    suffixes: list[str] = []
    if target != STDOUT and isinstance(target, str | Path):
        suffixes = [suffix.lower() for suffix in Path(target).suffixes]
    compression = _COMPRESSIONS.get(suffixes[-1], "") if suffixes else ""
    named = suffixes[:-1] if compression else suffixes
    by_name = _SUFFIXES.get(named[-1]) if named else None
    is_stream = target == STDOUT or not isinstance(target, str | Path)
    chosen = format or by_name or ("csv" if is_stream else None)
    formats = ", ".join(EXPORT_FORMATS)
    if chosen is None:
        msg = f"the name {target} doesn't show the format; give format= with one of {formats}"
        raise LoadError(msg)
    if chosen not in EXPORT_FORMATS:
        msg = f"there is no format {chosen!r} to export to; the formats are {formats}"
        raise LoadError(msg)
    if compression and chosen not in FORMS:
        msg = f"{chosen} is already compressed: drop the .{compression}"
        raise LoadError(msg)
    return chosen, compression


def _writer(format: str) -> _Writer:
    """What writes a binary format."""
    if format != "xlsx":
        return _BINARY[format]
    # not at the top: it needs an extra
    from dealdb.formats.workbook import write_workbook

    return write_workbook


def _write_binary(frame: pl.DataFrame, write: _Writer, file: Counted) -> int:
    # texts as texts: what other programs make of categories differs
    return copied(file, lambda whole: write(spelled_out(frame), whole)) or 0


def _write_parquet(frame: pl.DataFrame, file: Any) -> None:
    frame.write_parquet(file, row_group_size=_ROW_GROUP)


def _write_arrow(frame: pl.DataFrame, file: Any) -> None:
    # the oldest layout of texts is the one that every reader knows
    frame.write_ipc(
        file, compression="zstd", compat_level=pl.CompatLevel.oldest(), record_batch_size=_ROW_GROUP
    )


_BINARY: dict[str, _Writer] = {"parquet": _write_parquet, "arrow": _write_arrow}
