"""
Rows of a data frame as an XLSX workbook, each cell of its own type.

A spreadsheet keeps 15 digits of a number and milliseconds of a time, and knows no day before March 1900 (its February
of that year has 29 days). Whatever has more is written as text, so that no digit is lost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.errors import LoadError, MissingExtra
from dealdb.formats.formulas import OWN_SHEET
from dealdb.formats.text_form import looks_odd, texts_of
from dealdb.model.columns import field_of
from dealdb.model.schema import NUMBER_TYPES, FieldType

try:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet
except ImportError:
    _MSG = "XLSX needs the extra 'xlsx': pip install 'dealdb[xlsx]'; or export CSV"
    raise MissingExtra(_MSG) from None

# what a sheet can hold, the row with the names of the columns included
MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
MOST_CHARACTERS = 32_767

_SHEET = "Deals"
_MOST_DIGITS = 15
_FIRST_DAY, _LAST_DAY = date(1900, 3, 1), date(9999, 12, 31)
# magnitudes between which a spreadsheet keeps a float as it is
_LEAST, _GREATEST = 2.2250738585072014e-308, 9.99999999999999e307
_SLICE_ROWS = 20_000
# rows whose texts decide how wide a column is, and the bounds of that, in characters
_MEASURED_ROWS = 1_000
_NARROWEST, _WIDEST = 8, 60
# digits after the point that are shown in every row; beyond that, those that a number has
_MOST_SHOWN = 6


class _Sheet(Worksheet):
    """A sheet that keeps every digit of its numbers, and every character of its texts."""

    def _xml_number_element(self, number: float | Decimal, attributes: Any = ()) -> None:
        # the library writes 16 digits, of which some floats need 17
        text = repr(number).removesuffix(".0") if isinstance(number, float) else str(number)
        pairs = "".join(f' {key}="{value}"' for key, value in attributes)
        self.fh.write(f"<c{pairs}><v>{text}</v></c>")  # type: ignore[attr-defined]  # open by now

    def _xml_inline_string(self, string: str, preserve: bool, attributes: Any = ()) -> None:  # noqa: FBT001
        # readers take a bare carriage return for the end of a line
        super()._xml_inline_string(string.replace("\r", "_x000D_"), preserve, attributes)

    def _xml_rich_inline_string(self, string: str, attributes: Any = ()) -> None:
        # a text that looks like the library's own markup is a text
        self._xml_inline_string(string, True, attributes)  # noqa: FBT003


@dataclass(slots=True)
class _Column:
    """Cells of one column, some thousand at a time."""

    name: str
    field_type: FieldType | None
    cell_format: Any = None
    formats: Mapping[int | None, Any] = field(default_factory=dict)
    n_texts: int = 0

    def cells(self, column: pl.Series) -> list[Any]:
        """Values as the sheet takes them; texts where it can't hold the value."""
        # nothing goes by its name, which may be a pattern of names
        column = column.alias("")
        match self.field_type:
            case FieldType.BOOL:
                return column.to_list()
            case FieldType.FLOAT:
                return self._with_texts(column, _fitting_floats(column))
            case FieldType.INT | FieldType.DECIMAL:
                return self._with_texts(column, _fitting_numbers(column))
            case FieldType.DATE | FieldType.DATETIME:
                return self._with_texts(column, _fitting_times(column))
        if column.dtype == pl.Object:
            return self._with_texts(column, _fitting_mixed(column))
        return texts_of(column).to_list()

    def format_of(self, value: Any) -> Any:
        """How a cell is shown; None for as it is."""
        return self.formats.get(_scale_of(value)) if self.formats else self.cell_format

    def _with_texts(self, column: pl.Series, cells: list[Any]) -> list[Any]:
        """Cells with a text for each value that has none."""
        lacking = [row for row, cell in enumerate(cells) if cell is None]
        if len(lacking) == column.null_count():
            return cells
        for row, text in zip(lacking, texts_of(column.gather(lacking)), strict=True):
            cells[row] = text
            self.n_texts += text is not None
        return cells


def write_workbook(frame: pl.DataFrame, file: Any) -> int:
    """
    Write the rows of a frame as the only sheet of a workbook; memory stays the same whatever their number.

    Parameters
    ----------
    frame
        Rows, of any Polars types; a column of objects has numbers of several kinds, or nothing.
    file
        Binary file, open for writing.

    Returns
    -------
    int
        Numbers and times that a cell can't hold, and that are texts therefore.

    Raises
    ------
    LoadError
        If a sheet can't hold so many rows or columns, or so long a text; nothing is written then.

    Examples
    --------
    >>> from io import BytesIO
    >>> write_workbook(pl.DataFrame({"n": [12345678901234567, 5]}), BytesIO())
    1
    """
    return write_sheets({OWN_SHEET if looks_odd(frame) else _SHEET: frame}, file)


def write_sheets(sheets: Mapping[str, pl.DataFrame], file: Any) -> int:
    """
    Write frames as the sheets of a workbook; otherwise as ``write_workbook``.

    Parameters
    ----------
    sheets
        Rows by the name of their sheet, at most 31 characters of it.
    file
        Binary file, open for writing.

    Examples
    --------
    >>> from io import BytesIO
    >>> write_sheets({"One": pl.DataFrame({"n": [5]}), "Two": pl.DataFrame({"n": [7]})}, BytesIO())
    0
    """
    for frame in sheets.values():
        check_size(frame)
    n_texts = 0
    # its own folder, so that nothing is left of a sheet that was never finished
    with tempfile.TemporaryDirectory() as folder:
        book = Workbook(file, {"constant_memory": True, "tmpdir": folder})
        # a sheet may well have more than 2 GB of text
        book.use_zip64()
        begun = []
        try:
            for name, frame in sheets.items():
                begun.append(book.add_worksheet(name, worksheet_class=_Sheet))
                n_texts += _write_sheet(book, begun[-1], frame)
            book.close()
        finally:
            for sheet in begun:
                sheet._opt_close()
    return n_texts


def _write_sheet(book: Workbook, sheet: Any, frame: pl.DataFrame) -> int:
    columns = [
        _Column(each.name, _type_of(each), _format_of(book, each), _formats_of(book, each))
        for each in frame
    ]
    _lay_out(book, sheet, frame)
    _write_rows(sheet, frame, columns)
    return sum(column.n_texts for column in columns)


def texts_in(sheets: Mapping[str, pl.DataFrame]) -> int:
    """
    Numbers and times of sheets that their cells can't hold, and that are texts therefore.

    Examples
    --------
    >>> texts_in({"One": pl.DataFrame({"n": [12345678901234567, 5]})})
    1
    """
    columns = [
        (each, _Column(each.name, _type_of(each))) for frame in sheets.values() for each in frame
    ]
    for cells, column in columns:
        column.cells(cells)
    return sum(column.n_texts for _, column in columns)


def check_size(frame: pl.DataFrame) -> None:
    """
    Whether a sheet can hold a frame.

    Raises
    ------
    LoadError
        If it can't; the error names the limit.

    Examples
    --------
    >>> check_size(pl.DataFrame({"n": [1]}))
    """
    if frame.height >= MOST_ROWS:
        msg = f"a sheet of XLSX has at most {MOST_ROWS - 1:,} rows below the names of its columns, not {frame.height:,}"
        raise LoadError(msg + "; export a part of them, or another format such as csv or parquet")
    if frame.width > MOST_COLUMNS:
        msg = f"a sheet of XLSX has at most {MOST_COLUMNS:,} columns, not {frame.width:,}; name those to export"
        raise LoadError(msg)
    for column in frame:
        # a character takes one unit of 16 bits, or two where UTF-8 has 4 bytes
        if _is_texts(column) and _longest(column) > MOST_CHARACTERS:
            msg = (
                f"column {column.name!r} has a text of more than {MOST_CHARACTERS:,} characters, the most that a cell "
                "of XLSX holds; leave that column out, or export another format such as csv"
            )
            raise LoadError(msg)


def _longest(column: pl.Series) -> int:
    texts = texts_of(column)
    long = texts.filter(texts.str.len_chars() > MOST_CHARACTERS // 2)
    return max((len(text.encode("utf-16-le")) // 2 for text in long), default=0)


def _is_texts(column: pl.Series) -> bool:
    return _type_of(column) in (FieldType.TEXT, FieldType.LIST, None)


def _type_of(column: pl.Series) -> FieldType | None:
    field = field_of("column", column.dtype)
    return field.type if field else None


def _format_of(book: Workbook, column: pl.Series) -> Any:
    """How a column is shown; None for as it is."""
    match _type_of(column):
        case FieldType.DATE:
            shown = "yyyy-mm-dd"
        case FieldType.DATETIME:
            shown = "yyyy-mm-dd hh:mm:ss"
        case FieldType.DECIMAL if isinstance(column.dtype, pl.Decimal):
            shown = _shown(column.dtype.scale or 0)
        case _:
            return None
    return book.add_format({"num_format": shown})


def _formats_of(book: Workbook, column: pl.Series) -> dict[int | None, Any]:
    """How numbers of a column are shown where they are of several kinds, by their digits after the point."""
    if column.dtype != pl.Object:
        return {}
    scales = {_scale_of(value) for value in column.to_list()}
    return {
        scale: book.add_format({"num_format": _shown(scale)})
        for scale in scales
        if scale is not None
    }


def _scale_of(value: Any) -> int | None:
    """Digits after the point of a number that is exact; None for any other."""
    if isinstance(value, Decimal):
        return max(-int(value.as_tuple().exponent), 0)
    return 0 if isinstance(value, int) else None


def _shown(scale: int) -> str:
    return f"#,##0.{'0' * scale}".rstrip(".") if scale <= _MOST_SHOWN else "General"


def _lay_out(book: Workbook, sheet: Any, frame: pl.DataFrame) -> None:
    """Names of the columns in a row that stays, and columns as wide as what is in them."""
    bold = book.add_format({"bold": True})
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(frame):
        texts = texts_of(column.head(_MEASURED_ROWS)).drop_nulls()
        widest = max(len(column.name), *map(len, texts), 0)
        # a separator of thousands takes room, as does the edge of a cell
        room = widest // 4 if _type_of(column) in NUMBER_TYPES else 0
        sheet.set_column(place, place, min(max(widest + room + 2, _NARROWEST), _WIDEST))
        sheet.write_string(0, place, column.name, bold)


def _write_rows(sheet: Any, frame: pl.DataFrame, columns: list[_Column]) -> None:
    # each cell by the method of its type: the general one makes formulas and links of texts
    write = {
        str: sheet.write_string, bool: sheet.write_boolean, int: sheet.write_number,
        float: sheet.write_number, Decimal: sheet.write_number,
        date: sheet.write_datetime, datetime: sheet.write_datetime,
    }  # fmt: skip
    row = 0
    for part in frame.iter_slices(_SLICE_ROWS):
        cells = [each.cells(column) for each, column in zip(columns, part, strict=True)]
        for values in zip(*cells, strict=True):
            row += 1
            for place, value in enumerate(values):
                if value is not None:
                    write[type(value)](row, place, value, columns[place].format_of(value))


def _fitting_floats(column: pl.Series) -> list[float | None]:
    """Floats that a spreadsheet keeps; None for the others."""
    return [
        value if value is not None and _fits_float(value) else None
        for value in column.cast(pl.Float64).to_list()
    ]


def _fits_float(value: float) -> bool:
    return value == 0 or _LEAST <= abs(value) <= _GREATEST


def _fitting_numbers(column: pl.Series) -> list[int | Decimal | None]:
    """Numbers of so many digits that a spreadsheet keeps; None for the others."""
    return [value if value is not None and _fits(value) else None for value in column.to_list()]


def _fitting_mixed(column: pl.Series) -> list[int | float | Decimal | None]:
    """Numbers of several kinds that a spreadsheet keeps; None for the others."""
    return [
        value
        if value is not None and (_fits_float(value) if isinstance(value, float) else _fits(value))
        else None
        for value in column.to_list()
    ]


def _fits(value: int | Decimal) -> bool:
    digits = (
        str(abs(value)) if isinstance(value, int) else "".join(map(str, value.as_tuple().digits))
    )
    return len(digits) <= _MOST_DIGITS or len(digits.strip("0")) <= _MOST_DIGITS


def _fitting_times(column: pl.Series) -> list[date | None]:
    """Days and moments that a spreadsheet has; None for the others."""
    if isinstance(column.dtype, pl.Datetime):
        column = column.dt.cast_time_unit("us")
        zone = column.dt.convert_time_zone("UTC") if column.dtype.time_zone else column  # type: ignore[attr-defined]  # still a Datetime
        column = zone.dt.replace_time_zone(None)
        whole = (column.dt.microsecond() % 1000 == 0).fill_null(value=False)
    else:
        whole = column.is_not_null()
    days = column.cast(pl.Date)
    fits = whole & days.is_between(_FIRST_DAY, _LAST_DAY).fill_null(value=False)
    return column.zip_with(fits, column.clear(len(column))).to_list()
