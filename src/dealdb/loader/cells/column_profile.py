"""What the cells of one column say: of which type they are, and how they write numbers, dates and currencies."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from dealdb.loader.cells.date_order import OrderEvidence
from dealdb.loader.cells.dates import date_readings, is_zero_date
from dealdb.loader.cells.decimal_point import PointEvidence
from dealdb.loader.cells.numbers import (
    SCALE,
    currencies_of,
    decimals,
    plain_characters,
    short,
    simple,
)
from dealdb.model.schema import NUMBER_TYPES, FieldType

DAYS = frozenset({FieldType.DATE, FieldType.DATETIME})

# what exports write for "nothing" in columns that are not text, whatever the case
_NOTHING = ("", "null", "none", "n/a", "na", "#n/a", "-", "--", "–", "—", "nan", "nat", r"\n")  # noqa: RUF001
_MOST_OF_NOTHING = max(map(len, _NOTHING))
_SAMPLE_ROWS = 100
_BOOL = r"^\s*(?i:true|false)\s*$"
_INT = r"^\s*(?:0|-?[1-9][0-9]{0,17})\s*$"
_BARE = r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?$"
_BARE_GROUP = r"^-?(?:[0-9]+|[1-9][0-9]{0,2}\.[0-9]{3})$"
# what is a number in a column of numbers, and a code or a text elsewhere: 007, 1e5, +49 170, 5-, 1., R5, 5k
_CODE_LIKE = (
    r"^[^0-9]*0[0-9]|[0-9][eE][+-]?[0-9]|^\+|[0-9]-$|[0-9]\.$|[0-9]{19}|^-?R ?M?[0-9]"
    rf"|^[-(]?[0-9][0-9.,' ]* ?{SCALE}\.?$"
)
# a currency has few letters, and is all that has some before the digits; what has no digits has a dash
_MAY_BE_NUMBER = (
    r"^\P{L}*(?:\p{L}{1,4}\P{L}+){0,2}(?:\p{L}{1,4})?[0-9\x{ff10}-\x{ff19}]|\p{Pd}|\x{2212}"
)
_TELEPHONE = r"^[0-9]{3}(?: [0-9]{3}){2,}$"


@dataclass(slots=True)
class ColumnProfile:
    """
    What the rows seen so far say about one column.

    Attributes
    ----------
    n_values
        Cells that are not empty.
    types
        Types that its chunks have.
    greatest
        Greatest number in it; only kept for probabilities.
    points, orders
        Decimal points and orders of dates with which all cells of a column that nobody declared can be read.
    currencies
        Currencies that its amounts name, None for those that name none.
    """

    n_values: int = 0
    types: set[FieldType] = field(default_factory=set)
    point: PointEvidence = field(default_factory=PointEvidence)
    order: OrderEvidence = field(default_factory=OrderEvidence)
    greatest: float = 0.0
    points: frozenset[str] = frozenset(".,")
    orders: frozenset[str] = frozenset(("us", "eu"))
    currencies: dict[str | None, None] = field(default_factory=dict)

    @property
    def is_shown(self) -> bool:
        """Whether a cell has an order of dates or a decimal point in it."""
        order, point = self.order, self.point
        numbers = (point.point, point.comma, point.either_point, point.either_comma)
        return any((order.us, order.eu, order.either, order.slashed, *numbers))

    def take_text(
        self, texts: pl.Series, kind: FieldType | None, declared: FieldType | None
    ) -> bool:
        """
        Note some more rows of a column of texts.

        Parameters
        ----------
        texts
            Cells; null for those that are empty.
        kind
            Type of the column where that is known.
        declared
            That which the source says.

        Returns
        -------
        bool
            Whether it is one; else nothing was noted.
        """
        n_values = texts.len() - texts.null_count()
        if kind is FieldType.TEXT or (not kind and FieldType.TEXT in self.types):
            self.n_values += n_values
            return True
        if kind or declared is not FieldType.TEXT:
            return False
        # what the source says is text is that, if there is any
        if has_values(texts):
            self.n_values += n_values
            self.types.add(FieldType.TEXT)
        return True

    def take_plain(self, texts: pl.Series, form: FieldType, kind: FieldType | None) -> bool:
        """
        Note some more rows if all cells have the plainest form of the column's type, which needs no look at them.

        Parameters
        ----------
        texts
            Cells; null for those that are empty.
        form
            Their ``plain_type``.
        kind
            Type of the column where that is known.

        Returns
        -------
        bool
            Whether they have; else nothing was noted.
        """
        numbers = form in NUMBER_TYPES and (kind is None or kind in NUMBER_TYPES)
        days = form is FieldType.DATE and (kind is None or kind in DAYS)
        if not (numbers or days or kind in (None, form)):
            return False
        n_values = texts.len() - texts.null_count()
        self.n_values += n_values
        self.types.add(kind or form)
        if numbers:
            self.point.point += int(texts.str.contains(".", literal=True).sum())
            self.currencies.setdefault(None)
            if kind is None and form is FieldType.DECIMAL:
                self.points &= frozenset(".")
        elif days:
            self.order.n_values += n_values
        return True

    def look(self, values: pl.Series, kind: FieldType, *, is_number: bool, grouped: bool) -> None:
        """
        Note how the cells of some more rows write numbers, dates and currencies.

        Parameters
        ----------
        values
            Cells that are not empty.
        kind
            Type that they have.
        is_number
            Whether they were numbers in the source already.
        grouped
            Whether numbers can be large enough to have groups of digits.
        """
        if kind in DAYS:
            self.order.add(values)
        elif kind in NUMBER_TYPES and not is_number:
            plain = plain_characters(values)
            self.point.add(plain, grouped=grouped)
            self.currencies |= dict.fromkeys(currencies_of(plain).unique(maintain_order=True))

    def shape_of(self, values: pl.Series) -> FieldType:
        """Narrowest type that holds every cell; in which ways they can be read is kept."""
        sample = values.head(_SAMPLE_ROWS)
        for kind, pattern in ((FieldType.BOOL, _BOOL), (FieldType.INT, _INT)):
            if sample.str.contains(pattern).all() and values.str.contains(pattern).all():
                return kind
        if (points := readings(sample)) and (points := readings(values, points)):
            self.points &= points
            return FieldType.DECIMAL
        for kind in (FieldType.DATE, FieldType.DATETIME):
            timed = kind is FieldType.DATETIME
            if date_readings(sample, timed=timed) and (
                orders := date_readings(values, timed=timed)
            ):
                self.orders &= orders
                return kind
        return FieldType.TEXT

    def holds(self, kind: FieldType, point: str | None, order: str | None) -> bool:
        """
        Whether a type that nobody declared fits all cells.

        Parameters
        ----------
        kind
            The type.
        point, order
            Decimal point and order of dates that are settled, or None.
        """
        if kind in DAYS:
            return order in self.orders if order else bool(self.orders)
        if kind not in NUMBER_TYPES:
            return True
        # amounts in several currencies must not be added up
        return len(self.named()) <= 1 and (point in self.points if point else bool(self.points))

    def named(self) -> list[str]:
        """Currencies that its amounts name."""
        return sorted(each for each in self.currencies if each is not None)


class View(NamedTuple):
    """A column, seen as one of the fields that it could become: what counts is the type of that field."""

    header: str
    type: FieldType | None
    is_probability: bool


class SeenColumns:
    """
    What is known of the columns of a source, each seen as the fields that it could become.

    Examples
    --------
    >>> columns = SeenColumns()
    >>> columns.of(View("Amount", None, False)).n_values = 3
    >>> columns.of(View("Amount", FieldType.TEXT, False)).n_values, columns.filled()
    (3, {'Amount'})
    """

    def __init__(self) -> None:
        self._seen: dict[View, ColumnProfile] = {}
        self._last: dict[str, View] = {}

    def of(self, view: View) -> ColumnProfile:
        """What is known of a column, seen as what it would become."""
        if view not in self._seen:
            # a field that has come to exist, or a column that has come, takes nothing away that was seen before
            before = self._last.get(view.header)
            self._seen[view] = deepcopy(self._seen[before]) if before else ColumnProfile()
            self._last[view.header] = view
        return self._seen[view]

    def all(self) -> Collection[ColumnProfile]:
        """What is known of each."""
        return self._seen.values()

    def filled(self) -> set[str]:
        """Headers of the columns that have a value in some row."""
        return {view.header for view, seen in self._seen.items() if seen.n_values}


def without_nothing(texts: pl.Series) -> pl.Series:
    """
    Column with null for each cell that stands for nothing in a column that is not text.

    Examples
    --------
    >>> without_nothing(pl.Series(["12", "N/A", " - ", "NaN"])).to_list()
    ['12', None, None, None]
    """
    # most cells begin as neither a word nor the date 0000-00-00 does
    odd = texts.filter(~texts.str.contains(r"^-?(?:[1-9]|0(?:[.,]|$))"))
    text = pl.col("text")
    # one query: each takes longer than the work on some hundred cells
    nothing = text.str.strip_chars().str.to_lowercase().is_in(_NOTHING) | is_zero_date(text)
    if odd.is_empty() or not odd.to_frame("text").select(nothing.any()).item():
        return texts
    some = pl.when(~nothing).then(text).alias(texts.name)
    return texts.to_frame("text").select(some).to_series()


def has_values(texts: pl.Series) -> bool:
    """
    Whether some cell doesn't stand for nothing.

    Examples
    --------
    >>> has_values(pl.Series(["-", "EMEA"])), has_values(pl.Series(["-", None]))
    (True, False)
    """
    # nearly every column of texts shows it in its first cells
    if any(map(_is_something, texts.head(_SAMPLE_ROWS).to_list())):
        return True
    return without_nothing(texts).null_count() < texts.len()


def _is_something(text: str | None) -> bool:
    """Whether a cell certainly doesn't stand for nothing."""
    bare = (text or "").strip()
    # what stands for nothing is short, but for dates of zeros; of other letters Polars has other small ones
    is_known = bare.isascii() or len(bare) > _MOST_OF_NOTHING
    return is_known and not bare.startswith("0") and bare.lower() not in _NOTHING


def readings(texts: pl.Series, among: Collection[str] = ".,") -> frozenset[str]:
    """
    Decimal points with which all cells of a column that nobody declared are numbers; none for a column of texts.

    Parameters
    ----------
    texts
        Cells.
    among
        Those that are left to be tried.

    Examples
    --------
    >>> sorted(readings(pl.Series(["1.234", "17"]))), sorted(readings(pl.Series(["17,50 €"])))
    ([',', '.'], [','])
    >>> readings(pl.Series(["007", "1"]))
    frozenset()
    """
    if not texts.str.contains(_MAY_BE_NUMBER).all():
        return frozenset()
    odd = plain_characters(texts.filter(~texts.str.contains(_BARE)))
    if odd.is_empty():
        both = texts.str.contains(_BARE_GROUP).all()
        return frozenset(among) if both else frozenset(".").intersection(among)
    percent = odd.str.contains("%", literal=True)
    if (
        odd.str.contains(_CODE_LIKE).any()
        or (percent.any() and not (percent.all() and odd.len() == texts.len()))
        or (odd.len() == texts.len() and odd.str.contains(_TELEPHONE).all())
    ):
        return frozenset()
    return frozenset(
        point for point in among if _all_numbers(odd if point == "." else texts, point)
    )


def _all_numbers(texts: pl.Series, point: str) -> bool:
    rest = texts.filter(~texts.str.contains(simple(point)))
    return not short(decimals(rest, point, percent=True)).null_count()
