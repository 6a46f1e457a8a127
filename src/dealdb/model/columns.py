"""
A whole column as Polars holds it, as text, and back: ``dealdb.model.values`` at the speed of a data frame.

Both modules give each value the same text; a test holds them to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import cast

import polars as pl

from dealdb.errors import SchemaError
from dealdb.model.schema import MAX_DECIMAL_DIGITS, Field, FieldType, Schema
from dealdb.model.values import Value, decode, encode

_LIST = Field("list", FieldType.LIST)
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)

# by name, not by what a column holds: a type that changes with the data would break the code that reads it
CATEGORIES = frozenset(("owner", "stage", "currency", "source", "loss_reason"))

# of a text in a column, and what of the text is in it where it is short
_VIEW_BYTES = 16
_IN_A_VIEW = 12

# of so few days each is written quicker than a list of all of them is made
_FEW_DAYS = 4_000
_SHORT = pl.all().cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")

_DTYPES: dict[FieldType, pl.DataType] = {
    FieldType.TEXT: pl.String(),
    FieldType.INT: pl.Int64(),
    FieldType.FLOAT: pl.Float64(),
    FieldType.BOOL: pl.Boolean(),
    FieldType.DATE: pl.Date(),
    FieldType.DATETIME: pl.Datetime("us", "UTC"),
    FieldType.LIST: pl.List(pl.String),
}


def dtype_of(field: Field) -> pl.DataType:
    """
    Polars type of a field's column.

    The texts that deals are grouped by (``CATEGORIES``) are categories: numbers of texts, which compare and group
    two to five times as fast.

    Examples
    --------
    >>> dtype_of(Schema.standard()["amount"])
    Decimal(precision=38, scale=2)
    >>> dtype_of(Schema.standard()["stage"])
    Categorical
    """
    if field.type is FieldType.DECIMAL:
        return pl.Decimal(MAX_DECIMAL_DIGITS, field.scale)
    if field.type is FieldType.TEXT and field.name in CATEGORIES:
        return pl.Categorical()
    return _DTYPES[field.type]


def nulls(field: Field, height: int) -> pl.Series:
    """
    A field's column in which nothing is given.

    Examples
    --------
    >>> nulls(Schema.standard()["amount"], 2).to_list()
    [None, None]
    """
    return pl.Series(field.name, [None], dtype=dtype_of(field)).new_from_index(0, height)


def is_text(dtype: pl.DataType) -> bool:
    """
    Whether a Polars type is text, as categories or not.

    Examples
    --------
    >>> is_text(pl.Categorical()), is_text(pl.Int64())
    (True, False)
    """
    return dtype in (pl.String, pl.Categorical, pl.Enum)


def bytes_of(column: pl.Series) -> int:
    """
    Memory of a column.

    Polars' own estimate counts the letters of texts alone: each has a view of 16 bytes as well, in which those of 12
    bytes or fewer are. Texts of which there is one copy for several rows count for each.

    Examples
    --------
    >>> bytes_of(pl.Series(["short", "longer than a view"])), bytes_of(pl.Series([1, 2]))
    (50, 16)
    """
    found = int(column.estimated_size())
    if column.dtype == pl.String:
        lengths = column.str.len_bytes()
        return found + _VIEW_BYTES * len(column) - int(lengths.filter(lengths <= _IN_A_VIEW).sum())
    if column.dtype == pl.List(pl.String):
        return found + _VIEW_BYTES * int(column.list.len().sum())
    return found


def spelled_out(frame: pl.DataFrame) -> pl.DataFrame:
    """
    Frame whose categories are texts of their own, so that it joins with any other.

    Examples
    --------
    >>> spelled_out(pl.DataFrame({"stage": pl.Series(["won"], dtype=pl.Categorical)})).dtypes
    [String]
    """
    kinds = (pl.Categorical, pl.Enum)
    if not any(dtype in kinds for dtype in frame.dtypes):
        return frame.clone()
    # column by column: for the few rows of a result, a query takes longer than all the rest
    return pl.DataFrame([each.cast(pl.String) if each.dtype in kinds else each for each in frame])


def empty_frame(schema: Schema) -> pl.DataFrame:
    """Frame with every column of the schema and no rows."""
    return pl.DataFrame(schema={field.name: dtype_of(field) for field in schema.fields})


def field_of(name: str, dtype: pl.DataType) -> Field | None:
    """
    Field that holds a Polars column exactly, or None where there is no such type.

    Examples
    --------
    >>> field_of("seats", pl.UInt8()).describe()
    'int'
    """
    if dtype.is_integer():
        exact = dtype not in (pl.UInt64, pl.Int128, pl.UInt128)
        return Field(name, FieldType.INT) if exact else Field(name, FieldType.DECIMAL)
    if isinstance(dtype, pl.Decimal):
        return Field(name, FieldType.DECIMAL, dtype.scale or 0)
    if is_text(dtype) or dtype == pl.Null:
        return Field(name, FieldType.TEXT)
    if dtype.is_float():
        return Field(name, FieldType.FLOAT)
    if dtype == pl.List(pl.String):
        return Field(name, FieldType.LIST)
    simple = {pl.Boolean: FieldType.BOOL, pl.Date: FieldType.DATE, pl.Datetime: FieldType.DATETIME}
    kind = simple.get(type(dtype))
    return Field(name, kind) if kind else None


def encode_column(column: pl.Series, field: Field) -> pl.Series:
    """
    Texts of a column that has its field's Polars type; nulls stay null.

    Examples
    --------
    >>> from decimal import Decimal
    >>> amounts = pl.Series("amount", [Decimal("20.10"), None], dtype=pl.Decimal(38, 2))
    >>> encode_column(amounts, Schema.standard()["amount"]).to_list()
    ['20.1', None]
    """
    match field.type:
        case FieldType.DECIMAL if field.scale:
            return decimal_texts([column])[0]
        case FieldType.FLOAT:
            # as Python writes them: Polars has exponents of its own (1e-7)
            numbers = readable(column).to_list()
            texts = [None if number is None else repr(number) for number in numbers]
            return pl.Series(column.name, texts, dtype=pl.String)
        case FieldType.LIST:
            # Polars has no JSON writer for lists
            texts = [_text_or_none(value, field) for value in column.to_list()]
            return pl.Series(column.name, texts, dtype=pl.String)
        case FieldType.BOOL:
            return column.cast(pl.String)
        case FieldType.DATE:
            return _date_texts(column)
        case FieldType.DATETIME:
            moments = column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
            return moments.str.strip_chars_end("0").str.strip_chars_end(".") + "Z"
    return column.cast(pl.String)


def decimal_texts(columns: Sequence[pl.Series]) -> list[pl.Series]:
    """
    Texts of some columns of decimals with digits behind the point, as ``encode_column`` gives them.

    In one query: each takes longer than the work on some hundred numbers.
    """
    if not columns:
        return []
    frame = pl.DataFrame([column.alias(str(n)) for n, column in enumerate(columns)])
    found = frame.select(_SHORT)
    return [texts.alias(each.name) for each, texts in zip(columns, found, strict=True)]


def decode_column(texts: pl.Series, field: Field) -> pl.Series:
    """
    Column from texts that ``encode_column`` or ``values.encode`` made.

    A text that this type doesn't have (another program wrote it) becomes null.

    Examples
    --------
    >>> decode_column(pl.Series("amount", ["20.1", None]), Schema.standard()["amount"]).to_list()
    [Decimal('20.10'), None]
    """
    match field.type:
        case FieldType.TEXT:
            return texts.cast(dtype_of(field))
        case FieldType.BOOL:
            return _bools(texts)
        case FieldType.LIST:
            return pl.Series(texts.name, map(_list_or_none, texts), dtype=pl.List(pl.String))
        case FieldType.DATE:
            return readable(texts.str.to_date("%Y-%m-%d", strict=False))
        case FieldType.DATETIME:
            moments = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
            return readable(moments.dt.replace_time_zone("UTC"))
        case FieldType.DECIMAL:
            return _decimals(texts, field)
    return readable(texts.cast(dtype_of(field), strict=False))


def _decimals(texts: pl.Series, field: Field) -> pl.Series:
    numbers = texts.cast(dtype_of(field), strict=False)
    lowest = cast("Decimal | None", numbers.min())
    if lowest is None or lowest > 0:
        return numbers
    # Polars takes 1E-99999999 for 0
    odd = (numbers == 0) & (texts != "0")
    if not odd.any():
        return numbers
    places = odd.arg_true()
    values = [_value_or_none(text, field) for text in texts.gather(places)]
    return numbers.scatter(places, pl.Series(values, dtype=numbers.dtype, strict=False))


def readable(column: pl.Series) -> pl.Series:
    """
    The same column, with null for what no text stands for: a day that Python's calendar lacks, infinity and NaN.

    Examples
    --------
    >>> readable(pl.Series([0, 10**8]).cast(pl.Int32).cast(pl.Date)).to_list()
    [datetime.date(1970, 1, 1), None]
    """
    # a look is cheap, above all at few values: most methods of a Series are expressions, which take far longer
    if column.dtype.is_float():
        if not math.isfinite(column.sum()):
            return column.set(~column.is_finite().fill_null(value=True), None)
    elif isinstance(column.dtype, pl.Date | pl.Datetime):
        # not ``to_physical``, which is a query; to the same width, so that nothing is copied
        numbers = column.cast(pl.Int32 if column.dtype == pl.Date else pl.Int64)
        first, last = _calendar_of(column.dtype)
        lowest, highest = cast("int | None", numbers.min()), cast("int | None", numbers.max())
        if lowest is not None and highest is not None and not first <= lowest <= highest <= last:
            return column.set(~numbers.is_between(first, last).fill_null(value=True), None)
    return column


@cache
def _calendar_of(dtype: pl.DataType) -> tuple[int, int]:
    """Numbers of the first and the last moment that Python's calendar has."""
    ends = (date.min, date.max) if dtype == pl.Date else (_FIRST_MOMENT, _LAST_MOMENT)
    first, last = pl.Series(ends, dtype=dtype).to_physical()
    return first, last


def decode_frame(columns: dict[str, list[str | None]], fields: Iterable[Field]) -> pl.DataFrame:
    """
    Frame of typed columns from lists of texts.

    Parameters
    ----------
    columns
        Texts by column name, all of one length.
    fields
        Fields of the frame, in order; one that has no texts becomes a column of nulls.
    """
    height = len(next(iter(columns.values()), []))
    series = [
        decode_column(pl.Series(f.name, columns[f.name], dtype=pl.String), f)
        if f.name in columns
        else pl.Series(f.name, [None], dtype=dtype_of(f)).new_from_index(0, height)
        for f in fields
    ]
    return pl.DataFrame(series)


def _text_or_none(value: object, field: Field) -> str | None:
    try:
        return None if value is None else encode(value, field)
    except SchemaError:
        # what a chunk of another program holds
        return None


def _list_or_none(text: str | None) -> list[str] | None:
    return None if text is None else cast("list[str] | None", _value_or_none(text, _LIST))


def _value_or_none(text: str, field: Field) -> Value:
    try:
        return decode(text, field)
    except ValueError:
        return None


def _date_texts(column: pl.Series) -> pl.Series:
    if len(column) <= _FEW_DAYS:
        return column.cast(pl.String)
    days = column.to_physical()
    first, last = cast("int | None", days.min()), cast("int | None", days.max())
    if first is None or last is None or last - first >= len(column):
        return column.cast(pl.String)
    # most days come often: to write each of them once takes a fifth of the time
    every = pl.int_range(first, last + 1, eager=True).cast(pl.Int32)
    texts = every.cast(pl.Date).cast(pl.String)
    return texts.gather((days - first).cast(pl.UInt32)).alias(column.name)


def _bools(texts: pl.Series) -> pl.Series:
    frame = texts.to_frame("text")
    value = (
        pl.when(pl.col("text") == "true").then(pl.lit(value=True)).when(pl.col("text") == "false")
    )
    return frame.select(value.then(pl.lit(value=False)).alias(texts.name)).to_series()
