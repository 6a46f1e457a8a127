"""Cells in the plainest form of their type: most columns have no others, and these leave no question open."""

from __future__ import annotations

import re

import polars as pl

from dealdb.loader.cells.dates import ISO_DATE, real_dates
from dealdb.loader.cells.numbers import CANONICAL_INT
from dealdb.model.schema import FieldType

_WITH_FRACTION = r"-?(?:0|[1-9][0-9]{0,17})\.(?:[0-9]{1,2}|[0-9]{4,15})"
_PATTERNS = {
    FieldType.BOOL: r"^(?:true|false)$",
    FieldType.INT: CANONICAL_INT,
    # three digits behind a point may be a group of thousands
    FieldType.DECIMAL: rf"{CANONICAL_INT}|^{_WITH_FRACTION}$",
    FieldType.DATE: ISO_DATE,
}
_TYPES = {re.compile(pattern): kind for kind, pattern in _PATTERNS.items()}
_SAMPLE_ROWS = 100


def plain_type(texts: pl.Series) -> FieldType | None:
    """
    Type of a column if all of its cells have the plainest form of it: bool, int, decimal or date; else None.

    No such cell stands for nothing, or is read in another way with another decimal point, currency or order of dates.

    Examples
    --------
    >>> [str(plain_type(pl.Series(cells))) for cells in (["12.50", "3", None], ["2026-01-31"])]
    ['decimal', 'date']
    >>> [plain_type(pl.Series(cells)) for cells in (["1.234"], ["1", " 2"], ["2026-02-30"], ["-"])]
    [None, None, None, None]
    """
    first = texts.first(ignore_nulls=True)
    kind = next((kind for pattern, kind in _TYPES.items() if pattern.match(str(first))), None)
    if kind is FieldType.INT and not _all(texts, kind):
        kind = FieldType.DECIMAL
    if kind is None or not _all(texts, kind):
        return None
    # days that no calendar has
    if kind is FieldType.DATE and real_dates(texts).null_count() > texts.null_count():
        return None
    return kind


def _all(texts: pl.Series, kind: FieldType) -> bool:
    pattern = _PATTERNS[kind]
    # most columns that are not of this form show it in their first rows
    fits = re.compile(pattern).search
    some = texts.head(_SAMPLE_ROWS).to_list()
    return all(text is None or fits(text) for text in some) and texts.str.contains(pattern).all()
