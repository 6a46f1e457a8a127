"""
Facts in their plain form: a row each, with ``id``, ``at``, ``field`` and ``value``.

``op``, ``who``, ``source`` and ``key`` may be there, too. A row without a value clears its field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from dealdb.errors import LoadError, SchemaError
from dealdb.loader.sources.open import open_source
from dealdb.model.moments import EPOCH, PLAIN_DATE
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.model.values import encode, widened

_NEEDED = ("id", "at", "field", "value")
_MORE = ("op", "who", "source", "key")
_OPS = ("set", "clear", "unknown", "delete", "merge", "retract")
_WHOLE_DEALS = ("delete", "merge", "retract")
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
# digits of a moment as a number: seconds, or milliseconds
_SECONDS, _MILLISECONDS = (9, 10), (12, 13)


class NotPlain(LoadError):  # readers of other forms take it then
    """The headers are not those of the plain form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainFacts:
    """
    Facts that were read.

    Attributes
    ----------
    frame
        ``id``, ``at`` (milliseconds since 1970, UTC), ``precision`` (``ms`` or ``day``), ``field``, ``value`` (the text
        that the store keeps), ``op``, ``who``, ``source``, ``key`` and ``place``.
    fields
        Fields that the values need.
    reasons
        Rows that were rejected, by code.
    """

    frame: pl.DataFrame
    fields: list[Field]
    reasons: Mapping[str, int]


def read_plain(source: Any, schema: Schema, zone: str = "UTC") -> PlainFacts:
    """
    Facts of a file or of rows in Python.

    Parameters
    ----------
    source
        Anything that deals are loaded from: a path, a binary file, a data frame, or an iterable of mappings.
    schema
        Types of the fields that there are; a field that is not in it becomes a text.
    zone
        Of moments that say none, such as ``"Europe/Berlin"``.

    Raises
    ------
    LoadError
        If it can't be read, or lacks a column.

    Examples
    --------
    >>> rows = [{"id": 1, "at": "2026-01-12T09:30Z", "field": "amount", "value": "7.50"}]
    >>> read_plain(rows, Schema.standard()).frame.select("id", "at", "value").rows()
    [('1', 1768210200000, '7.5')]
    """
    table = _texts(source).with_row_index("place")
    op = pl.coalesce(pl.col("op").str.strip_chars().str.to_lowercase(), pl.lit("set"))
    clears = (op == "set") & pl.col("value").is_null()
    table = table.with_columns(op=pl.when(clears).then(pl.lit("clear")).otherwise(op))
    moments = _moments(table["at"], ZoneInfo(zone))
    values, fields = fitted_values(table, schema)
    now = datetime.now(UTC) + timedelta(days=1)
    read = table.join(moments, on="at", how="left", maintain_order="left").join(
        values, on=["field", "value"], how="left", nulls_equal=True, maintain_order="left"
    )
    about_deal = pl.col("op").is_in(_WHOLE_DEALS) & pl.col("field").is_null()
    has_text = ~pl.col("op").is_in(["clear", "unknown", "delete"])
    reason = (
        pl.when(pl.col("id").is_null())
        .then(pl.lit("no-id"))
        .when(~pl.col("op").is_in(_OPS))
        .then(pl.lit("not-an-op"))
        .when(pl.col("ms").is_null())
        .then(pl.lit("not-a-moment"))
        .when(pl.col("ms") < (_EARLIEST - EPOCH) // _MS)
        .then(pl.lit("before-1990"))
        .when(pl.col("ms") > (now - EPOCH) // _MS)
        .then(pl.lit("still-to-come"))
        .when((pl.col("field").is_null() | (pl.col("field") == "id")) & ~about_deal)
        .then(pl.lit("no-field"))
        .when((pl.col("op") == "merge") & pl.col("value").is_null())
        .then(pl.lit("no-value"))
        .when(
            pl.col("field").is_not_null() & pl.col("value").is_not_null() & pl.col("text").is_null()
        )
        .then(pl.lit("does-not-fit"))
    )
    read = read.with_columns(reason=reason)
    reasons = dict(read["reason"].drop_nulls().value_counts(sort=True).iter_rows())
    of_field = pl.when(pl.col("field").is_not_null()).then("text").otherwise("value")
    kept = read.filter(pl.col("reason").is_null()).select(
        "id",
        pl.col("ms").alias("at"),
        "precision",
        "field",
        pl.when(has_text).then(of_field).alias("value"),
        *("op", "who", "source", "key", "place"),
    )
    # a merge is one of deals, whatever field it names
    whole = pl.col("op").is_in(["delete", "merge"])
    kept = kept.with_columns(field=pl.when(~whole).then("field"))
    return PlainFacts(frame=kept, fields=fields, reasons=reasons)


def _texts(source: Any) -> pl.DataFrame:
    """Cells as they are, with all columns that facts can have."""
    if isinstance(source, Iterable) and not isinstance(
        source, str | Path | Mapping | bytes | pl.DataFrame
    ):
        source = source if hasattr(source, "read") else [_plain_row(row) for row in source]
    with ExitStack() as keep:
        opened = open_source(source, format=None, delimiter=None, keep=keep)
        frames = [chunk.frame for chunk in opened.chunks()]
        name = opened.name
    table = pl.concat(frames, how="diagonal") if frames else pl.DataFrame()
    known = {header.strip().lower(): header for header in table.columns}
    missing = [
        each for each in _NEEDED if each not in known and not (frames == [] or each == "value")
    ]
    if missing:
        msg = (
            f"{name}: history has the columns {', '.join(_NEEDED)}, and may have {', '.join(_MORE)}; "
            f"{', '.join(missing)} is missing, and there are {', '.join(table.columns)[:200]}"
        )
        raise NotPlain(msg)
    columns = [
        (pl.col(known[each]) if each in known else pl.lit(None)).cast(pl.String).alias(each)
        for each in (*_NEEDED, *_MORE)
    ]
    found = (
        table.select(columns)
        if known
        else pl.DataFrame(schema=dict.fromkeys((*_NEEDED, *_MORE), pl.String))
    )
    blank = [pl.when(pl.col(each).str.strip_chars() != "").then(each) for each in found.columns]
    return found.with_columns(blank).with_columns(pl.col("id", "at", "field").str.strip_chars())


def _plain_row(row: Any) -> Any:
    """A row whose moment is a text, whatever it was."""
    at = row.get("at") if isinstance(row, Mapping) else None
    return {**row, "at": at.isoformat()} if isinstance(at, date) else row


def _moments(texts: pl.Series, zone: ZoneInfo) -> pl.DataFrame:
    """Of each text: the moment in milliseconds and its precision, null where it is none."""
    every = texts.drop_nulls().unique()
    found = [_moment(text, zone) for text in every]
    return pl.DataFrame(
        {"at": every, "ms": [ms for ms, _ in found], "precision": [unit for _, unit in found]},
        schema={"at": pl.String, "ms": pl.Int64, "precision": pl.String},
    )


def _moment(text: str, zone: ZoneInfo) -> tuple[int | None, str | None]:
    if text.isascii() and text.isdigit():
        if len(text) in _SECONDS:
            return int(text) * 1000, "s"
        return (int(text), "ms") if len(text) in _MILLISECONDS else (None, None)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None, None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - EPOCH) // _MS, "day" if PLAIN_DATE.fullmatch(text) else "ms"


def fitted_values(table: pl.DataFrame, schema: Schema) -> tuple[pl.DataFrame, list[Field]]:
    """The text that the store keeps for each value of a field, null where it doesn't fit; and the fields needed."""
    fields: dict[str, Field] = {}
    texts: list[str | None] = []
    of_field = pl.col("field").is_not_null() & pl.col("value").is_not_null()
    pairs = table.filter(of_field).select("field", "value").unique(maintain_order=True)
    for name, value in pairs.iter_rows():
        try:
            field = fields.get(name) or schema.get(name) or Field(name, FieldType.TEXT)
            wide = widened(field, value)
            texts.append(encode(value, wide))
            fields[name] = wide
        except SchemaError:
            texts.append(None)
    found = pairs.with_columns(pl.Series("text", texts, dtype=pl.String))
    return found, list(fields.values())
