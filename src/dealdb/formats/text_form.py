"""Rows of a data frame as CSV, JSON or Markdown text, with every digit that they have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import datetime

import polars as pl

from dealdb.errors import LoadError
from dealdb.formats.controls import STEERING, in_json, visible
from dealdb.formats.exact_json import as_json
from dealdb.formats.formulas import (
    ODD_ID,
    ODD_NAME,
    WriterMark,
    defused,
    defused_name,
    marked,
    needs_mark,
)
from dealdb.formats.markdown import ESCAPES, NUMBER_EDGE, TEXT_EDGE, markdown_cell
from dealdb.model.columns import encode_column, field_of
from dealdb.model.schema import NUMBER_TYPES, Field, FieldType
from dealdb.model.values import encode

_BARE_IN_JSON = NUMBER_TYPES | {FieldType.BOOL, FieldType.LIST}
_MOMENT = Field("moment", FieldType.DATETIME)
_SLICE_ROWS = 20_000
# what a loader changes in the files of other programs, or takes for a line of text or a total
_TIDIED = {
    "id": ODD_ID + r"|\s|^\P{Nd}+$",
    "name": ODD_NAME,
    "stage": ODD_NAME,
    "owner": ODD_NAME,
    "company": ODD_NAME,
}
_TEXTS = (pl.String, pl.Categorical, pl.Enum)


class TextForm:
    """
    A frame as pieces of text, some thousand rows at a time.

    Parameters
    ----------
    frame
        Rows, of any Polars types.
    raw
        Whether texts that a spreadsheet would run are left as they are; only delimited text changes them.
    null
        What stands for nothing in delimited text.

    Attributes
    ----------
    escaped
        Texts changed so far.
    """

    def __init__(self, frame: pl.DataFrame, *, raw: bool = False, null: str = "") -> None:
        self.escaped = 0
        self._frame = frame
        self._raw = raw
        self._null = null

    def csv(self) -> Iterator[str]:
        """Comma between the cells."""
        return self._delimited(",")

    def tsv(self) -> Iterator[str]:
        """Tab between the cells."""
        return self._delimited("\t")

    def jsonl(self) -> Iterator[str]:
        """One object a line."""
        for rows in self._objects():
            yield "\n".join(rows) + "\n"

    def json(self) -> Iterator[str]:
        """One array of objects, an object a line."""
        lead = "[\n"
        for rows in self._objects():
            yield lead + ",\n".join(rows)
            lead = ",\n"
        yield "[]\n" if self._frame.is_empty() else "\n]\n"

    def md(self) -> Iterator[str]:
        """A Markdown table, numbers to the right."""
        names = map(markdown_cell, self._frame.columns)
        edges = [NUMBER_EDGE if _is_number(column) else TEXT_EDGE for column in self._frame]
        yield f"| {' | '.join(names)} |\n| {' | '.join(edges)} |\n"
        for part in self._slices():
            cells = [_for_markdown(texts_of(column)).fill_null("") for column in part]
            rows = pl.DataFrame(_numbered(cells)).select(pl.concat_str(pl.all(), separator=" | "))
            yield "".join(f"| {row} |\n" for row in rows.to_series())

    def _slices(self) -> Iterator[pl.DataFrame]:
        return self._frame.iter_slices(_SLICE_ROWS)

    def _delimited(self, separator: str) -> Iterator[str]:
        names = self._frame.columns
        header = names if self._raw else [defused_name(name) for name in names]
        line = pl.DataFrame(_numbered([pl.Series([name]) for name in header])).write_csv(
            include_header=False, separator=separator
        )
        mark = self._mark()
        yield marked(line, separator, mark) if mark else line
        for part in self._slices():
            cells = pl.DataFrame(_numbered([self._cell_texts(column) for column in part]))
            # Polars leaves a lone carriage return bare, and some readers take it for the end of the line
            returns = cells.select(pl.any_horizontal(pl.all().str.contains("\r", literal=True)))
            yield cells.write_csv(
                include_header=False,
                separator=separator,
                null_value=self._null,
                quote_style="always" if returns.to_series().any() else "necessary",
            )

    def _mark(self) -> WriterMark | None:
        """What tells a loader to take off apostrophes, and to leave ids as they are; nothing where there is none."""
        columns = [each for each in self._frame if each.dtype in _TEXTS]
        odd = looks_odd(self._frame)
        if self._raw:
            return WriterMark.RAW if odd else None
        changed = odd or any(
            needs_mark(each.alias("").unique().cast(pl.String)) for each in columns
        )
        return WriterMark.GUARDED if changed else None

    def _cell_texts(self, column: pl.Series) -> pl.Series:
        texts = texts_of(column)
        if column.dtype not in _TEXTS:
            return texts
        if self._null and (texts == self._null).any():
            msg = f"column {column.name!r} has the text {self._null!r}, which stands for nothing; choose another null"
            raise LoadError(msg)
        if not self._raw:
            texts, changed = defused(texts)
            self.escaped += changed
        return texts

    def _objects(self) -> Iterator[list[str]]:
        for part in self._slices():
            pairs = [
                pl.Series(["," if place else "{"]) + _json_key(column.name) + _json_values(column)
                for place, column in enumerate(part)
            ]
            rows = pl.DataFrame(_numbered(pairs)).select(pl.concat_str(pl.all()) + "}")
            yield rows.to_series().to_list()


FORMS: dict[str, Callable[[TextForm], Iterator[str]]] = {
    "csv": TextForm.csv,
    "tsv": TextForm.tsv,
    "jsonl": TextForm.jsonl,
    "json": TextForm.json,
    "md": TextForm.md,
}


def looks_odd(frame: pl.DataFrame) -> bool:
    """
    Whether a loader would change an id or a name in it, or take a deal for a line of text.

    Examples
    --------
    >>> looks_odd(pl.DataFrame({"id": ["1.0"]})), looks_odd(pl.DataFrame({"id": ["D-1"]}))
    (True, False)
    """
    return any(
        bool(each.unique().cast(pl.String).str.contains(_TIDIED[each.name]).any())
        for each in frame
        if each.name in _TIDIED and each.dtype in _TEXTS
    )


def texts_of(column: pl.Series) -> pl.Series:
    """
    Texts of a column of any type, without its name: those that the store keeps, wherever it could keep the values.

    Only decimals differ: they have as many digits after the point as their column, which shows programs and people what
    it is.

    Examples
    --------
    >>> texts_of(pl.Series([0.1, float("nan"), None])).to_list()
    ['0.1', None, None]
    >>> texts_of(pl.Series(["5"]).cast(pl.Decimal(38, 2))).to_list()
    ['5.00']
    """
    # of another table than the deals it may be a pattern of names, by which Polars would find other columns
    column = column.alias("")
    field = _field_of(column)
    if field is None:
        cells = [
            as_json(cell) if isinstance(cell, dict | list) else None if cell is None else str(cell)
            for cell in map(_plain, column.to_list())
        ]
        return pl.Series(column.name, cells, dtype=pl.String)
    if field.type is FieldType.DECIMAL:
        return column.cast(pl.String)
    if field.type is FieldType.FLOAT:
        column = column.cast(pl.Float64)
        column = column.set(~column.is_finite().fill_null(value=True), None)
    if isinstance(column.dtype, pl.Datetime):
        column = column.dt.cast_time_unit("us")
        column = column.dt.convert_time_zone("UTC") if column.dtype.time_zone else column  # type: ignore[attr-defined]  # still a Datetime
    return encode_column(column, field)


def _plain(value: object) -> object:
    """Value of a column that no field could keep; what JSON has no form for as its text, or null."""
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case float() if not math.isfinite(value):
            return None
        case bytes():
            return value.hex()
        case datetime():
            return encode(value, _MOMENT)
    return value


def _field_of(column: pl.Series) -> Field | None:
    return field_of("column", column.dtype)


def _is_number(column: pl.Series) -> bool:
    field = _field_of(column)
    return field is not None and field.type in NUMBER_TYPES


def _json_key(name: str) -> str:
    return in_json(json.dumps(name, ensure_ascii=False)) + ":"


def _json_values(column: pl.Series) -> pl.Series:
    field, texts = _field_of(column), texts_of(column)
    if isinstance(column.dtype, pl.List | pl.Array | pl.Struct) or (
        field and field.type in _BARE_IN_JSON
    ):
        return _changed(texts.fill_null("null"), in_json)
    quoted = texts.alias("v").to_frame().to_struct("v").struct.json_encode()
    return _changed(quoted.str.strip_prefix('{"v":').str.strip_suffix("}"), in_json)


def _for_markdown(texts: pl.Series) -> pl.Series:
    for found, replacement in ESCAPES:
        texts = texts.str.replace_all(found, replacement, literal=True)
    return _changed(texts, visible)


def _changed(texts: pl.Series, change: Callable[[str], str]) -> pl.Series:
    """Texts without characters that steer a terminal; few columns have any."""
    steers = texts.str.contains(f"[{STEERING}]").fill_null(value=False)
    if not steers.any():
        return texts
    changed = [
        change(text) if steered else text for text, steered in zip(texts, steers, strict=True)
    ]
    return pl.Series(texts.name, changed, dtype=pl.String)


def _numbered(columns: list[pl.Series]) -> list[pl.Series]:
    # two headers may have become one
    return [column.alias(str(place)) for place, column in enumerate(columns)]
