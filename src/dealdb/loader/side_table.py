"""
A table that is no deals, such as quotas by owner, read as deals are: from any source, each column of its own type.

Its columns keep their names, and none of them is taken for a field of deals.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.cells.numbers import without_noise
from dealdb.loader.chunk import Chunk, Source, telling, unmarked
from dealdb.loader.columns.encode import encode_chunk
from dealdb.loader.columns.plan import Plan
from dealdb.loader.columns.profile import Profile
from dealdb.loader.load_options import ColumnOptions
from dealdb.loader.sources.open import open_source
from dealdb.model.columns import decode_column
from dealdb.model.schema import Field, FieldType, Schema

# what each row is called while it is read; no header of a file begins like this
_ID = "\0row"
# in these, blanks around a text are no part of it, as in names of deals
_LOOSE = ("csv", "tsv", "xlsx")
# floats of a workbook that are whole numbers or amounts: a workbook has no other kind of number
_WHOLE = r"^-?[0-9]{1,15}(\.0)?$"
_PLAIN = r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"
# ids are text, as those of deals are
_ID_NAME = re.compile(r"(?:.*[_\W])?id\W*", re.IGNORECASE)


def read_table(source: Any) -> pl.DataFrame:
    """
    Rows of a table, from anything that deals are loaded from; amounts are exact decimals.

    Dates that can be read both ways are text, with a ``TextDatesWarning``.

    Parameters
    ----------
    source
        A path, a binary file, a data frame, or an iterable of mappings.

    Raises
    ------
    LoadError
        If it can't be read, has no columns, or a cell doesn't fit its column.

    Examples
    --------
    >>> rows = read_table([{"Deal ID": 7, "quota": 900}, {"Deal ID": 8, "quota": 1200}])
    >>> rows.columns, rows.rows()
    (['Deal ID', 'quota'], [('7', 900), ('8', 1200)])
    """
    if _is_iterable(source):
        # it is read twice
        source = list(source)
    with ExitStack() as keep, telling():
        opened = open_source(source, format=None, delimiter=None, id_names=None, keep=keep)
        return _Table(opened).frame()


def _is_iterable(source: Any) -> bool:
    """Whether it is one of mappings, such as a generator."""
    is_whole = isinstance(source, str | Path | pl.LazyFrame | Mapping | bytes)
    return (
        isinstance(source, Iterable)
        and not is_whole
        and not hasattr(source, "read")
        and (not hasattr(source, "__arrow_c_stream__"))
    )


class TextDatesWarning(UserWarning):
    """Dates of a table can be read both ways, so they are text."""


class _Table:
    """Rows of a source with a number each, and with what their columns are."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._headers: dict[str, None] = {}
        # columns of dates that can be read both ways
        self._unclear: list[str] = []

    def frame(self) -> pl.DataFrame:
        """All rows, each column of the type that all of its cells fit."""
        plan = self._plan()
        parts = [encode_chunk(chunk, plan, ()) for chunk in self._chunks()]
        for reject in (reject for part in parts for reject in part.rejects):
            where = f", column {reject.column!r}" if reject.column else ""
            msg = f"{self._source.name}, line {reject.line}{where}: {reject.message}"
            raise LoadError(msg)
        fields = _widest(field for part in parts for field in part.fields)
        columns = [
            pl.concat([_texts(part.columns.get(f"column_{place}"), part.ids) for part in parts])
            for place in range(len(self._headers))
        ]
        typed = [
            self._typed(texts, fields.get(f"column_{place}")) for place, texts in enumerate(columns)
        ]
        return pl.DataFrame(
            [
                column.alias(unmarked(header.strip()))
                for column, header in zip(typed, self._headers, strict=True)
            ]
        )

    def _plan(self) -> Plan:
        """Plan of the columns; dates that can be read both ways are text, with a warning that says how to read them."""
        while True:
            profile = self._profile()
            try:
                return profile.plan()
            except LoadError as problem:
                # of what could be said to a load, nothing can be said here
                what = str(problem).partition("; say ")[0]
                start = "dates in column {!r} can be read"
                found = [each for each in self._headers if what.startswith(start.format(each))]
                if not found or found[0] in self._unclear:
                    msg = f"{self._source.name}: {what}; write dates as 2026-01-31 and numbers as 1234.50"
                    raise LoadError(msg) from None
                self._unclear += found
                name = '"' + found[0].strip().replace('"', '""') + '"'
                warnings.warn(
                    f"{self._source.name}: {what}; the column is text: strptime({name}, '%d/%m/%Y') makes dates of it, "
                    "with the day first",
                    TextDatesWarning,
                    stacklevel=2,
                )

    def _profile(self) -> Profile:
        kinds: dict[str, str] = {}
        for chunk in self._chunks():
            self._headers |= dict.fromkeys(each for each in chunk.frame.columns if each != _ID)
            if self._source.format == "xlsx":
                floats = (name for name, kind in chunk.types.items() if kind is FieldType.FLOAT)
                for header in floats:
                    kinds[header] = _kind_of(
                        without_noise(chunk.frame[header]), kinds.get(header, "int")
                    )
        if not self._headers:
            msg = f"{self._source.name} has no columns"
            raise LoadError(msg)
        mapping = {header: f"column_{place}" for place, header in enumerate(self._headers)}
        kinds |= {header: "text" for header in self._headers if _ID_NAME.fullmatch(header)}
        kinds |= dict.fromkeys(self._unclear, "text")
        types = {mapping[header]: kind for header, kind in kinds.items()}
        options = ColumnOptions(mapping={**mapping, _ID: "id"}, types=types)
        delimiter = self._source.header[0] if self._source.header else ""
        profile = Profile(options, Schema(0, ()), delimiter)
        for chunk in self._chunks():
            profile.add(chunk)
        return profile

    def _chunks(self) -> Iterator[Chunk]:
        n_rows = 0
        for chunk in self._source.chunks():
            height = chunk.frame.height
            ids = pl.int_range(n_rows, n_rows + height, eager=True).cast(pl.String).alias(_ID)
            n_rows += height
            shapes = [shape | {_ID} for shape in chunk.shapes]
            frame = chunk.frame.with_columns(ids) if chunk.frame.width else chunk.frame
            yield replace(chunk, frame=frame, shapes=shapes)

    def _typed(self, texts: pl.Series, field: Field | None) -> pl.Series:
        if field is None:
            return texts
        if field.type is FieldType.TEXT and self._source.format in _LOOSE:
            texts = texts.str.strip_chars()
            return texts.set(texts == "", None)
        return decode_column(texts, field)


def _kind_of(numbers: pl.Series, before: str) -> str:
    """Narrowest type that holds these numbers too, beside those of a type."""
    if before == "int" and numbers.str.contains(_WHOLE).all():
        return "int"
    is_plain = before != "float" and numbers.str.contains(_PLAIN).all()
    return "decimal" if is_plain else "float"


def _widest(fields: Iterable[Field]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for field in fields:
        before = found.get(field.name)
        if before is None or (field.type, field.scale) != (before.type, before.scale):
            is_wider = before is None or field.type is not before.type or field.scale > before.scale
            found[field.name] = field if is_wider else found[field.name]
    return found


def _texts(column: pl.Series | None, ids: pl.Series) -> pl.Series:
    if column is None:
        return pl.repeat(None, ids.len(), dtype=pl.String, eager=True).alias("texts")
    return column.alias("texts")
