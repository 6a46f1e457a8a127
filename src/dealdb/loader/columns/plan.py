"""How a source is read: what was decided for each column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from dealdb.loader.cells.column_profile import DAYS
from dealdb.loader.cells.currencies import DOLLAR
from dealdb.loader.cells.numbers import scales_of_texts
from dealdb.loader.chunk import Chunk
from dealdb.loader.columns.deal_ids import id_texts
from dealdb.loader.columns.headers import CLOSE_DATE
from dealdb.model.schema import DEFAULT_SCALE, NUMBER_TYPES, Field, FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """
    How one column is read.

    Attributes
    ----------
    header
        Name in the source.
    field
        Field that it becomes; for a close date that is to be split, a date named ``close_date``.
    order
        ``us`` or ``eu``; for dates.
    point
        Decimal point; for numbers.
    of_hundred
        Whether a probability counts to 100.
    strict
        Whether the caller chose the type, so that integers don't widen to decimals.
    minor_digits
        Digits by which the point of its numbers is moved: 2 for cents.
    seconds
        Whether dates are seconds since 1970.
    named_currency
        Whether amounts name their currencies, which then become those of the deals.
    currency
        Currency of the rows whose amounts name none; None for no currency.
    dollar
        What a ``$`` without a country stands for.
    whole
        Whether ids lose the decimal 0 that all of them have.
    is_shown
        Whether cells of the column showed its order of dates or its decimal point.
    collapsed
        Ids that a spreadsheet has rounded, so that several deals have the same.
    """

    header: str
    field: Field
    order: str = "us"
    point: str = "."
    of_hundred: bool = False
    strict: bool = False
    minor_digits: int = 0
    seconds: bool = False
    named_currency: bool = False
    currency: str | None = None
    dollar: str = DOLLAR
    whole: bool = False
    is_shown: bool = False
    collapsed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NamedCurrency:
    """
    A currency that the name of a column says, as that of ``amount_usd`` does.

    Attributes
    ----------
    amounts
        Header of the column.
    code
        The currency.
    """

    amounts: str
    code: str

    @property
    def header(self) -> str:
        """What the column of currencies is called, which the source doesn't have."""
        return f"currency of {self.amounts!r}"

    def added(self, chunk: Chunk) -> Chunk:
        """A chunk in which each row has the currency, also one that has no amount yet."""
        if self.amounts not in chunk.frame.columns:
            return chunk
        currency = pl.lit(self.code).alias(self.header)
        shapes = [
            shape | {self.header} if self.amounts in shape else shape for shape in chunk.shapes
        ]
        return replace(chunk, frame=chunk.frame.with_columns(currency), shapes=shapes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How a source is read.

    Attributes
    ----------
    columns
        In the order of the source; without those that hold nothing or are left out.
    mapping
        Field by header, None for a column that is left out.
    notes
        What was decided on the way.
    currency
        Currency that the name of the column of amounts says, where no column does.
    joined
        The one spelling of each name that has another, by field.
    """

    columns: tuple[ColumnPlan, ...]
    mapping: Mapping[str, str | None]
    notes: tuple[str, ...]
    currency: NamedCurrency | None = None
    joined: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def spelled(self, name: str) -> str:
        """The stage of a name, however it is spelled."""
        return self.joined.get("stage", {}).get(name, name)

    def decided(self) -> dict[str, str]:
        """The order of dates and the decimal point, where cells showed one, by their options."""
        shown = [column for column in self.columns if column.is_shown]
        orders = {each.order for each in shown if each.field.type in DAYS}
        points = {each.point for each in shown if each.field.type in NUMBER_TYPES}
        found = {"dates": orders, "decimal_point": points}
        return {name: next(iter(each)) for name, each in found.items() if len(each) == 1}

    def joins(self) -> list[str]:
        """Notes on the names that are joined."""
        return [
            f"names of {name!r} joined with others that differ only in case or blanks: {len(spellings)}"
            for name, spellings in self.joined.items()
            if spellings
        ]

    def respell(self, texts: dict[str, pl.Series]) -> None:
        """Give names by field their one spelling."""
        for name, spellings in self.joined.items():
            if name in texts and spellings:
                texts[name] = texts[name].replace(spellings)

    def completed(self, chunk: Chunk) -> Chunk:
        """A chunk with the column that the plan adds to it."""
        return self.currency.added(chunk) if self.currency else chunk

    def fields(self) -> list[Field]:
        """Fields that must exist before the rows are written."""
        fields = [plan.field for plan in self.columns if plan.field.name != CLOSE_DATE]
        # two columns may be one field, as the dates of won and of lost deals are
        return list({each.name: each for each in fields if each.name != "id"}.values())

    def ids_of(self, chunk: Chunk) -> pl.Series:
        """Ids of a chunk's rows; null where a row has none."""
        for column in self.columns:
            if column.field.name == "id" and column.header in chunk.frame.columns:
                return id_texts(chunk, column.header, whole=column.whole)
        return pl.repeat(None, chunk.frame.height, dtype=pl.String, eager=True)


def text_cells(cells: pl.Series, source_type: FieldType | None) -> pl.Series:
    """Cells of a column that becomes text."""
    # integers next to nulls are floats in pandas: the id 7.0 is 7
    return cells.str.replace(r"^(-?[0-9]+)\.0$", "$1") if source_type is FieldType.FLOAT else cells


def wide_enough(field: Field, texts: pl.Series) -> Field:
    """The field, with room for numbers as the store keeps them."""
    return all_wide_enough([field], {field.name: texts})[0]


def all_wide_enough(fields: Iterable[Field], texts: Mapping[str, pl.Series]) -> list[Field]:
    """The fields, each with room for its texts."""
    fields = list(fields)
    numbers = [each.name for each in fields if each.type in (FieldType.INT, FieldType.DECIMAL)]
    scales = scales_of_texts([texts[name] for name in numbers])
    needed = dict(zip(numbers, scales, strict=True))
    return [
        _with_scale(each, needed[each.name]) if each.name in needed else each for each in fields
    ]


def _with_scale(field: Field, scale: int) -> Field:
    if field.type is FieldType.INT and scale == 0:
        return field
    least = DEFAULT_SCALE if field.type is FieldType.INT else field.scale
    return Field(field.name, FieldType.DECIMAL, max(least, scale))
