"""How a source is read: what was decided for each column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from dealdb.loader.chunk import Chunk
from dealdb.loader.columns.deal_ids import id_texts
from dealdb.loader.columns.headers import CLOSE_DATE
from dealdb.model.schema import Field, FieldType


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
    whole
        Whether ids lose the decimal 0 that all of them have.
    collapsed
        Ids that a spreadsheet has rounded, so that several deals have the same.
    """

    header: str
    field: Field
    order: str = "us"
    point: str = "."
    of_hundred: bool = False
    strict: bool = False
    whole: bool = False
    collapsed: frozenset[str] = frozenset()


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
    """

    columns: tuple[ColumnPlan, ...]
    mapping: Mapping[str, str | None]
    notes: tuple[str, ...]

    def fields(self) -> list[Field]:
        """Fields that must exist before the rows are written."""
        fields = [plan.field for plan in self.columns if plan.field.name != CLOSE_DATE]
        return [each for each in fields if each.name != "id"]

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
