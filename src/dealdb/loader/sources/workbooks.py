"""XLSX workbooks: the sheet with the deals, and what its cells are beyond their values."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from html import unescape
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

import polars as pl

from dealdb.errors import LoadError, MissingExtra
from dealdb.formats.formulas import OWN_SHEET
from dealdb.loader.chunk import Chunk, marked
from dealdb.loader.load_options import MAX_EXPANSION
from dealdb.loader.sources.bounds.cells import check_cells
from dealdb.loader.sources.bounds.workbook_parts import check_workbook
from dealdb.loader.sources.frames import FrameSource
from dealdb.loader.sources.table_start import MOST_ABOVE, has_id, header_place
from dealdb.model.schema import FieldType

# what its library says of columns without a value is of no use to anybody who loads them
logging.getLogger("fastexcel").addHandler(logging.NullHandler())

_SHORT_NUMBER = r"^-?[0-9]+(?:\.[0-9]{1,9})?$"
_COLUMN_AT_FAULT = re.compile(r"for column (.+)")
# other sheets that a note names
_MOST_NAMED = 5
# and an error
_MOST_LISTED = 50


class WorkbookSource(FrameSource):
    """
    Rows of one sheet of an XLSX workbook, which is held as a whole.

    Parameters
    ----------
    path
        The file.
    name
        What messages call it.
    max_expansion
        Times its size that it may have unpacked.
    sheet
        Its name; None for the first visible one with an id.
    id_names
        Headers that are ids besides the usual ones; None where rows need no id.

    Raises
    ------
    LoadError
        If the file is not a workbook, unpacks to more than ``max_expansion`` times its size, or no sheet has an id.
    MissingExtra
        If fastexcel is not installed.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        max_expansion: int = MAX_EXPANSION,
        sheet: str | None = None,
        id_names: Collection[str] | None = (),
    ) -> None:
        try:
            import fastexcel
        except ImportError:
            msg = (
                "XLSX needs the extra 'xlsx': pip install 'dealdb[xlsx]'; or save the sheet as CSV"
            )
            raise MissingExtra(msg) from None
        check_workbook(path, name, max_expansion)
        try:
            workbook = fastexcel.read_excel(path)
            chosen = _chosen(workbook, name, sheet, id_names)
            rows = _first_rows(workbook, chosen)
            place = header_place(rows, id_names)
            frame = _loaded(workbook, chosen, _header_row(workbook, chosen, rows, place))
        except (fastexcel.FastExcelError, OSError) as problem:
            msg = f"{name} can't be read as an XLSX workbook: {_first_line(problem)}"
            raise LoadError(msg) from problem
        check_cells(frame, name)
        self._cells = _cells_of(path, chosen, place + 1)
        super().__init__(self._filled(frame, id_names))
        self.name, self.format = name, "xlsx"
        self._is_own = chosen == OWN_SHEET
        others = [repr(each) for each in workbook.sheet_names if each != chosen]
        self.notes = [f"sheet {chosen!r}"]
        if others:
            more = ", ..." if len(others) > _MOST_NAMED else ""
            self.notes.append(f"other sheets left out: {', '.join(others[:_MOST_NAMED])}{more}")
        if place:
            self.notes.append(f"lines above the names of the columns left out: {place}")
        self.notes += self._cells.notes

    def chunks(self) -> Iterator[Chunk]:
        """Rows of the sheet; one whose formula has no value leaves its field alone."""
        start = 0
        for chunk in map(self._with_own_ids, super().chunks()):
            if not self._cells.absent:
                yield chunk
                continue
            rows = range(start, start + chunk.frame.height)
            start = rows.stop
            absent = [self._cells.absent.get(row, frozenset()) for row in rows]
            if not any(absent):
                yield chunk
                continue
            kinds = {lacking: number for number, lacking in enumerate(dict.fromkeys(absent))}
            yield replace(
                chunk,
                shape=pl.Series([kinds[lacking] for lacking in absent], dtype=pl.Int32),
                shapes=[frozenset(chunk.frame.columns) - lacking for lacking in kinds],
            )

    def _with_own_ids(self, chunk: Chunk) -> Chunk:
        """Ids that dealdb wrote are ids already, whatever they look like."""
        if not self._is_own or "id" not in chunk.frame.columns:
            return chunk
        types = {**chunk.types, "id": FieldType.TEXT}
        return replace(chunk, types=types, encoded={*chunk.encoded, "id"})

    def _filled(self, frame: pl.DataFrame, id_names: Collection[str] | None) -> pl.DataFrame:
        """The sheet with the values of merged cells in all of their rows; what can be added up stays as it is."""
        cells = self._cells
        cells.named(frame.columns, frame.height)
        for header, spans in cells.merged.items():
            column = frame[header]
            if column.dtype.is_numeric() or has_id([header], id_names):
                cells.notes.append(f"merged cells in {header!r}: the first row has the value")
                continue
            source = list(range(frame.height))
            if sum(last + 1 - first for first, last in spans) > 2 * frame.height:
                cells.notes.append(
                    f"merged cells in {header!r} lie over one another: they stay as they are"
                )
                continue
            for first, last in spans:
                source[first : last + 1] = [first] * (last + 1 - first)
            # without its name, which may be a pattern
            filled = column.alias("").gather(source)
            frame = frame.with_columns(filled.alias(header))
            cells.notes.append(f"merged cells in {header!r}: each row has the value")
        return frame


@dataclass(slots=True)
class _Cells:
    """
    What is special about some cells of a sheet.

    Attributes
    ----------
    empty_formulas
        Row and column of the formulas that have no value, from the first row below the header.
    spans
        First and last row, and column, of the cells that were merged.
    """

    empty_formulas: list[tuple[int, int]] = field(default_factory=list)
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    absent: dict[int, frozenset[str]] = field(default_factory=dict)
    merged: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def named(self, headers: list[str], height: int) -> None:
        """Say it by headers and rows of a frame."""
        counts: dict[str, int] = {}
        for row, column in self.empty_formulas:
            if 0 <= row < height and 0 <= column < len(headers):
                header = headers[column]
                self.absent[row] = self.absent.get(row, frozenset()) | {marked(header)}
                counts[header] = counts.get(header, 0) + 1
        self.notes += [
            f"formulas without a value in {header!r}: {n}; their fields stay as they are: open and save the "
            "workbook in a spreadsheet, which computes them"
            for header, n in counts.items()
        ]
        for first, last, column in self.spans:
            if 0 <= first < height and 0 <= column < len(headers):
                self.merged.setdefault(headers[column], []).append((first, min(last, height - 1)))


def _chosen(workbook: Any, name: str, sheet: str | None, id_names: Collection[str] | None) -> str:
    """Name of the sheet that is loaded."""
    names: list[str] = list(workbook.sheet_names)
    if not names:
        msg = f"{name} is a workbook without a sheet"
        raise LoadError(msg)
    more = ", ..." if len(names) > _MOST_LISTED else ""
    listed = ", ".join(map(repr, names[:_MOST_LISTED])) + more
    if sheet is not None:
        same = [each for each in names if each.strip().casefold() == sheet.strip().casefold()]
        if sheet in names or len(same) == 1:
            return sheet if sheet in names else same[0]
        msg = f"{name} has no sheet {sheet!r}; its sheets are {listed}"
        raise LoadError(msg)
    visible = [each for each in names if _is_visible(workbook, each)] or names
    filled = [each for each in visible if _first_rows(workbook, each)]
    for each in filled:
        if id_names is None or any(has_id(row, id_names) for row in _first_rows(workbook, each)):
            return each
    if len(filled) > 1:
        msg = (
            f"no visible sheet of {name} has a column that is the id of the deals; its sheets are {listed}: name one "
            "with sheet='<name>', and its id with mapping={'<column>': 'id'}, or what makes one with id_from"
        )
        raise LoadError(msg)
    return (filled or visible)[0]


def _is_visible(workbook: Any, name: str) -> bool:
    with suppress(Exception):
        return bool(workbook.load_sheet(name, header_row=None, n_rows=1).visible == "visible")
    return False


def _first_rows(workbook: Any, name: str) -> list[list[str]]:
    """Cells of the first rows of a sheet; none where it isn't one of cells."""
    import fastexcel

    try:
        sheet = workbook.load_sheet(
            name, header_row=None, n_rows=MOST_ABOVE + 1, dtypes="string"
        ).to_polars()
    except fastexcel.FastExcelError:
        return []
    return [[cell or "" for cell in row] for row in sheet.iter_rows()]


def _header_row(workbook: Any, name: str, rows: list[list[str]], place: int) -> int:
    """Number of the row with the names of columns as the library counts: blank rows above the first one may count."""
    if place == 0:
        return 0
    names = {cell for cell in rows[place] if cell}
    for number in range(place, place + MOST_ABOVE):
        sheet = workbook.load_sheet(name, header_row=number, n_rows=1)
        if names <= {column.name for column in sheet.available_columns()}:
            return number
    return place


def _loaded(workbook: Any, name: str, header_row: int) -> pl.DataFrame:
    """The sheet; a column of values that have no type in common is text."""
    import fastexcel

    dtypes: dict[str, str] = {}
    while True:
        try:
            sheet = workbook.load_sheet(
                name, header_row=header_row, schema_sample_rows=None, dtypes=dtypes or None
            )
            frame = pl.DataFrame(sheet.to_polars())
            mixed = [each.name for each in frame if _has_short_numbers(each)]
            if not mixed:
                return frame
            kinds = {**dtypes, **dict.fromkeys(mixed, "float")}
            numbers = workbook.load_sheet(
                name, header_row=header_row, schema_sample_rows=None, dtypes=kinds
            ).to_polars()
            return frame.with_columns(_with_all_digits(frame[n], numbers[n]) for n in mixed)
        except fastexcel.UnsupportedColumnTypeCombinationError as problem:
            found = _COLUMN_AT_FAULT.search(str(problem))
            if found is None or found[1] in dtypes:
                raise
            dtypes[found[1]] = "string"


def _has_short_numbers(column: pl.Series) -> bool:
    """Whether a column has numbers among texts: the library writes these with nine decimals only."""
    return column.dtype == pl.String and bool(column.alias("").str.contains(_SHORT_NUMBER).any())


def _with_all_digits(texts: pl.Series, numbers: pl.Series) -> pl.Series:
    """Texts of a column in which the cells that are numbers have all of their digits."""
    return pl.Series(
        texts.name,
        [
            f"{Decimal(repr(number)):f}" if number and text == _short(number) else text
            for text, number in zip(texts, numbers, strict=True)
        ],
        dtype=pl.String,
    )


def _short(number: float) -> str:
    """Number as the library writes it among texts; nothing for a whole one, of which it writes all digits."""
    return "" if number.is_integer() else f"{number:.9f}".rstrip("0").rstrip(".")


# the parts are read as text: only a few attributes of them matter
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b([^>]*)>")
_LINK = re.compile(rb"<(?:\w+:)?Relationship\b([^>]*)>")
_ATTRIBUTE = re.compile(rb'([\w:]+)\s*=\s*"([^"]*)"')
_CELL = re.compile(
    rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})([0-9]+)"[^>/]*>(.*?)</(?:\w+:)?c>', re.DOTALL
)
_HAS_VALUE = re.compile(rb"<(?:\w+:)?(?:v\b[^>/]*>[^<]|is\b)")
_EMPTY_FORMULA = re.compile(
    rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_MERGED = re.compile(
    rb'<(?:\w+:)?mergeCell\b[^>]*?\bref="([A-Z]{1,3})([0-9]+):([A-Z]{1,3})([0-9]+)"'
)


def _cells_of(path: Path, sheet: str, n_above: int) -> _Cells:
    """Formulas without a value and merged cells of a sheet, below so many rows of its range."""
    cells = _Cells()
    text = _part_of(path, sheet)
    # to look for a word is much faster than to look for a tag
    merged = [
        (_number(column), int(first), int(last))
        for column, first, _, last in (_MERGED.findall(text) if b"mergeCell" in text else ())
        if first != last
    ]
    has_formulas = b"<f" in text or b":f" in text
    if not merged and not (has_formulas and _EMPTY_FORMULA.search(text)):
        return cells
    found = [
        (int(row), _number(column), bool(_HAS_VALUE.search(content)), bool(_EMPTY_FORMULA.match(content + b"</c>")))
        for column, row, content in _CELL.findall(text)
    ]  # fmt: skip
    filled = [(row, column) for row, column, has_value, _ in found if has_value]
    if not filled:
        return cells
    top = min(row for row, _ in filled) + n_above
    left = min(column for _, column in filled)
    cells.empty_formulas = [
        (row - top, column - left) for row, column, _, is_empty in found if is_empty
    ]
    cells.spans = [(first - top, last - top, column - left) for column, first, last in merged]
    return cells


def _part_of(path: Path, sheet: str) -> bytes:
    """Text of a sheet; empty where the workbook is of another kind."""
    with suppress(KeyError), ZipFile(path) as archive:
        sheets = {
            unescape(each.get("name", "")): each.get("id", "")
            for each in _attributes(_SHEET, archive.read("xl/workbook.xml"))
        }
        links = {
            each.get("Id"): each.get("Target", "")
            for each in _attributes(_LINK, archive.read("xl/_rels/workbook.xml.rels"))
        }
        part = PurePosixPath("/xl") / links[sheets[sheet]]
        return archive.read(str(part).lstrip("/"))
    return b""


def _attributes(tag: re.Pattern[bytes], text: bytes) -> Iterator[dict[str, str]]:
    for found in tag.findall(text):
        yield {
            key.decode().rpartition(":")[2] if key.startswith(b"r:") else key.decode(): value.decode()
            for key, value in _ATTRIBUTE.findall(found)
        }  # fmt: skip


def _number(column: bytes) -> int:
    """Number of a column that is named by letters."""
    number = 0
    for letter in column:
        number = number * 26 + letter - ord("A") + 1
    return number


def _first_line(problem: Exception) -> str:
    return str(problem).split("\n", 1)[0]
