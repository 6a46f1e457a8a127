"""The table of a result: words in place of codes, numbers as the reader writes them, each a link to its deals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.drawing.figures import group_columns
from dealdb.answers.labels import labels_of
from dealdb.answers.people import form_of, shown_keys, words_of
from dealdb.board.figures.linked import is_linked, key_columns
from dealdb.board.parts.cells import in_table
from dealdb.formats.cells import is_number

if TYPE_CHECKING:
    from dealdb.analytics import MetricResult
    from dealdb.formats.locale import Locale

NONE = "\N{EN DASH}"
MOST_ROWS = 200
# of a table that fits on paper
_MOST_COLUMNS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetCell:
    """Text of a number or name, where it leads, and the class of its cell."""

    text: str
    link: str | None
    style: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSheet:
    """
    A table for people.

    Attributes
    ----------
    heads
        Names of the columns and the classes of their cells.
    rows
        The cells.
    left_out
        Rows that are not shown.
    untold
        Of each row, whether it has none of the figures but counts; such a row is not printed, but as a column it is.
    """

    heads: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[SheetCell]]
    left_out: int
    untold: Sequence[bool] = ()

    @property
    def is_turned(self) -> bool:
        """Whether each row is shown as a column, because there are so many figures of each."""
        return len(self.heads) > _MOST_COLUMNS


def figure_sheet(
    result: MetricResult, locale: Locale, link: Callable[[Mapping[str, Any], str], str]
) -> FigureSheet:
    """
    The table of a result.

    Parameters
    ----------
    result
        The figures.
    locale
        How the reader writes numbers and days.
    link
        Address of the deals behind a number, by its row and column.
    """
    keys, schema = shown_keys(result), result.frame.schema
    groups = group_columns(result.name, result.frame.columns)
    labels, currency = labels_of(result.name, keys), result.basis.currency
    styles = {key: _style(schema[key]) for key in keys}
    heads = [(_head(labels[key], schema[key], currency), styles[key]) for key in keys]
    linked = {key for key in keys if is_linked(result, key)}
    told: Sequence[str] = _told(result, keys) if len(keys) <= _MOST_COLUMNS else ()
    rows, untold = [], []
    for row in result.frame.head(MOST_ROWS).iter_rows(named=True):
        cells = []
        for key in keys:
            has_link = row[key] is not None and key in linked
            cells.append(
                SheetCell(
                    text=(
                        locale.name(row[key])
                        if key in groups and is_number(row[key])
                        else figure_text(row[key], result.name, key, locale)
                    ),
                    link=link(row, key) if has_link else None,
                    style=styles[key],
                )
            )
        rows.append(cells)
        untold.append(bool(told) and all(row[key] is None for key in told))
    left_out = max(0, len(result) - MOST_ROWS)
    return FigureSheet(heads=heads, rows=rows, left_out=left_out, untold=untold)


def _told(result: MetricResult, keys: Sequence[str]) -> Sequence[str]:
    """The figures of a row that are no counts, and no names of it."""
    named, schema = key_columns(result), result.frame.schema
    own = named if result.links is None else result.links.columns
    return [
        key
        for key in keys
        if key not in own and (schema[key].is_float() or schema[key].is_decimal())
    ]


def figure_text(value: Any, metric: str, key: str, locale: Locale) -> str:
    """
    A figure as the reader writes it, rounded as the command line's tables round it.

    Examples
    --------
    >>> from dealdb.formats.locale import Locale
    >>> german = Locale("de-DE")
    >>> figure_text(0.25, "win_rate", "win_rate", german)
    '25,0 %'
    >>> figure_text("start", "waterfall", "bucket", german)
    'open at the start'
    """
    match value:
        case None:
            return NONE
        case bool() | datetime() | date() | list():
            return in_table(value, locale)
        case str():
            return in_table(words_of(metric, key, value), locale)
        case float() if not math.isfinite(value):
            return str(value)
        case int() if key == "rank" or not form_of(metric, key).percent:
            return locale.number(value)
    form = form_of(metric, key, is_money=isinstance(value, Decimal))
    return locale.share(value) if form.percent else locale.number(value, form.digits)


def _head(label: str, dtype: pl.DataType, currency: str | None) -> str:
    has_money = dtype.is_decimal() and currency not in (None, MIXED)
    return f"{label}, {currency}" if has_money else label


def _style(dtype: pl.DataType) -> str:
    if dtype.is_numeric():
        return "number"
    return "day" if dtype.is_temporal() else ""
