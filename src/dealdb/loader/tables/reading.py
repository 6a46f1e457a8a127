"""Rows of a small table, from any source: each cell checked, bad rows told with their place, the rest taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.cells.currencies import currency_name
from dealdb.loader.cells.dates import dates
from dealdb.loader.cells.numbers import by_unique
from dealdb.loader.chunk import Chunk, Reject, Source, telling
from dealdb.loader.sources.open import open_source
from dealdb.model.decimals import number_of, scale_of

# a source may say the same again; this much is a mistake
_MOST_READ = 1_000_000
_MOST_TEXT = 200
_DIGITS = 12
_CENTS = 2


@dataclass(frozen=True, slots=True)
class TableColumn:
    """
    A column of a small table.

    Attributes
    ----------
    name
        Header, in any case.
    read
        Texts as they are kept, null for what is none.
    expected
        What a cell is to be, for the message of a reject.
    code
        The reject's.
    may_lack
        Whether a source needs no such column, and a cell may be empty.
    """

    name: str
    read: Callable[[pl.Series], pl.Series]
    expected: str
    code: str
    may_lack: bool = False


def days(texts: pl.Series) -> pl.Series:
    """
    Dates as 2026-01-31, at the start of whatever stands there.

    Examples
    --------
    >>> days(pl.Series(["2026-01-31", "2026-01-31 00:00:00", "31.1.2026", "2026-02-30"])).to_list()
    ['2026-01-31', '2026-01-31', None, None]
    """
    iso = texts.str.contains(r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)").fill_null(value=False)
    found, _ = dates(texts.filter(iso), "us")
    return pl.repeat(None, texts.len(), dtype=pl.String, eager=True).scatter(iso.arg_true(), found)


def currencies(texts: pl.Series) -> pl.Series:
    """
    Currencies as deals have them.

    Examples
    --------
    >>> currencies(pl.Series(["eur", "US$", " "])).to_list()
    ['EUR', 'USD', None]
    """
    return by_unique(texts, currency_name)


def positive(texts: pl.Series) -> pl.Series:
    """
    Numbers above 0 with at most 12 digits before the point and 12 behind it.

    Examples
    --------
    >>> positive(pl.Series(["0.90", "1e-3", "0", "-1", "0,9"])).to_list()
    ['0.9', '0.001', None, None, None]
    """
    return by_unique(texts, lambda text: _number(text, _DIGITS, above_zero=True))


def amounts(texts: pl.Series) -> pl.Series:
    """
    Numbers with at most 12 digits before the point and 2 behind it.

    Examples
    --------
    >>> amounts(pl.Series(["2000.00", "-1.5", "soon", "0.001"])).to_list()
    ['2000', '-1.5', None, None]
    """
    return by_unique(texts, lambda text: _number(text, _CENTS))


def _number(text: str, most_digits: int, *, above_zero: bool = False) -> str | None:
    number = number_of(text.strip())
    if number is None or (above_zero and number <= 0):
        return None
    if scale_of(number) > most_digits or abs(number) >= Decimal(10) ** _DIGITS:
        return None
    return f"{number.normalize():f}"


def names(texts: pl.Series) -> pl.Series:
    """Texts without blanks around them; null for none."""
    return by_unique(texts, lambda text: text.strip()[:_MOST_TEXT] or None)


@dataclass(frozen=True, slots=True)
class TableRows:
    """
    What a source has.

    Attributes
    ----------
    source, format
        What was read, and as what.
    read
        Rows of it.
    rows
        Those that can be taken, a text a cell.
    rejects
        The others.
    """

    source: str
    format: str
    read: int
    rows: pl.DataFrame
    rejects: Sequence[Reject]


def read_rows(
    source: Any, columns: Sequence[TableColumn], check: Callable[[pl.DataFrame], pl.Series]
) -> TableRows:
    """
    Rows of a source.

    Parameters
    ----------
    source
        A path, a binary file, a data frame, or an iterable of mappings.
    columns
        What it is to have.
    check
        Says of rows as texts what is wrong with them as a whole, null for nothing.

    Raises
    ------
    LoadError
        If it can't be read, or lacks a column.
    """
    with ExitStack() as keep, telling():
        opened = open_source(source, format=None, delimiter=None, id_names=None, keep=keep)
        parts, rejects, read = [], [], 0
        for chunk in opened.chunks():
            texts, found = _checked(chunk, opened, columns, check)
            parts.append(texts)
            rejects += found
            read += chunk.frame.height + len(chunk.rejects)
            if read > _MOST_READ:
                msg = f"{opened.name} has more than {_MOST_READ:,} rows: that is no such table"
                raise LoadError(msg)
        schema: dict[str, Any] = {column.name: pl.String for column in columns}
        rows = pl.concat([pl.DataFrame(schema=schema), *parts])
        return TableRows(opened.name, opened.format, read, rows, rejects)


def _checked(
    chunk: Chunk,
    source: Source,
    columns: Sequence[TableColumn],
    check: Callable[[pl.DataFrame], pl.Series],
) -> tuple[pl.DataFrame, list[Reject]]:
    headers = _headers(chunk.frame.columns, source, columns)
    nothing = pl.repeat(None, chunk.frame.height, dtype=pl.String, eager=True)
    given = {
        column.name: chunk.frame[headers[column.name]].cast(pl.String).str.strip_chars()
        if column.name in headers
        else nothing
        for column in columns
    }
    texts = pl.DataFrame({column.name: column.read(given[column.name]) for column in columns})
    is_bad = {column.name: _is_bad(column, given, texts) for column in columns}
    wrong = check(texts)
    good = ~pl.DataFrame(is_bad).select(pl.any_horizontal(pl.all())).to_series() & wrong.is_null()
    rejects = list(
        _rejects(chunk, (~good).arg_true().to_list(), columns, given, is_bad, wrong, headers)
    )
    return texts.filter(good), [*chunk.rejects, *rejects]


def _is_bad(column: TableColumn, given: Mapping[str, pl.Series], texts: pl.DataFrame) -> pl.Series:
    missing = texts[column.name].is_null()
    if not column.may_lack:
        return missing
    cells = given[column.name]
    return missing & cells.is_not_null() & (cells != "").fill_null(value=False)


def _headers(
    found: Sequence[str], source: Source, columns: Sequence[TableColumn]
) -> dict[str, str]:
    by_name = {header.strip().casefold(): header for header in found}
    lacking = [c.name for c in columns if not c.may_lack and c.name not in by_name]
    if lacking:
        msg = (
            f"{source.name} has no column {' and no column '.join(lacking)}; it has {', '.join(found) or 'none'}, and "
            f"is to have {', '.join(column.name for column in columns)}"
        )
        raise LoadError(msg)
    return {c.name: by_name[c.name] for c in columns if c.name in by_name}


def _rejects(
    chunk: Chunk,
    numbers: Sequence[int],
    columns: Sequence[TableColumn],
    given: Mapping[str, pl.Series],
    is_bad: Mapping[str, pl.Series],
    wrong: pl.Series,
    headers: Mapping[str, str],
) -> Iterator[Reject]:
    places = chunk.locate(numbers) if numbers else []
    for number, place in zip(numbers, places, strict=True):
        at = {"line": place.line, "raw": place.raw, "offset": place.offset}
        bad = [column for column in columns if is_bad[column.name][number]]
        if not bad:
            yield Reject(code="not-a-row", message=str(wrong[number]), **at)  # type: ignore[arg-type]
            continue
        first, *others = bad
        yield Reject(
            column=headers.get(first.name, first.name),
            value=given[first.name][number] or "",
            code=first.code,
            message=f"expected {first.expected}",
            others=tuple(headers.get(other.name, other.name) for other in others),
            **at,  # type: ignore[arg-type]
        )
