"""Quotas: what each owner, or another group, is to win in a period."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import ClassVar

import polars as pl

from dealdb.errors import QueryError
from dealdb.loader.cells.numbers import by_unique
from dealdb.loader.tables.kept import KeepsTable, KeptTable
from dealdb.loader.tables.reading import TableColumn, amounts, currencies, days, names
from dealdb.model.schema import Field, FieldType

KINDS = ("day", "week", "month", "quarter", "year")


class Quotas(KeptTable):
    """
    Quotas: what each owner, or another group, is to win in a period.

    Columns: ``period_start`` (its first day), ``period`` (day, week, month, quarter or year), ``key`` (the owner or
    other value of a group), ``currency`` (may be missing) and ``amount``. A load may also name a period by its label,
    such as 2026-Q1 or FY2027-Q1, with or without ``period_start``.

    Parameters
    ----------
    table, end_ms
        As for ``KeptTable``.
    calendar
        Gives what says which period a label means, and with which day it begins.
    """

    name = "quotas"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("period_start", FieldType.DATE),
        Field("period", FieldType.TEXT),
        Field("key", FieldType.TEXT),
        Field("currency", FieldType.TEXT),
        Field("amount", FieldType.DECIMAL, 2),
    )

    def __init__(
        self,
        table: Callable[[], KeepsTable],
        end_ms: Callable[[date | datetime | str], int],
        calendar: Callable[[], Callable[[str], tuple[str, date]]],
    ) -> None:
        super().__init__(table, end_ms)
        self._calendar = calendar

    def _columns(self) -> Sequence[TableColumn]:
        period = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}, or the label of one, such as 2026-Q1"
        return (
            TableColumn(
                "period_start", days, "a date such as 2026-01-31", "not-a-date", may_lack=True
            ),
            TableColumn("period", self._periods, period, "not-a-period"),
            TableColumn("key", names, "a text: whose quota it is", "no-key"),
            TableColumn(
                "currency", currencies, "a currency such as EUR", "not-a-currency", may_lack=True
            ),
            TableColumn("amount", amounts, "a number such as 2000.00", "not-an-amount"),
        )

    def _periods(self, texts: pl.Series) -> pl.Series:
        """Kinds of periods, or labels as ``kind start``."""
        kinds = texts.str.to_lowercase()
        if kinds.drop_nulls().is_in(KINDS).all():
            return kinds
        called = self._calendar()
        return by_unique(texts, lambda text: _period(text, called))

    def _check(self, rows: pl.DataFrame) -> pl.Series:
        labelled = rows["period"].str.extract(r" (.*)$")
        start = rows["period_start"]
        has_none = start.is_null() & labelled.is_null() & rows["period"].is_not_null()
        differs = (start != labelled).fill_null(value=False)
        none, other = (
            pl.lit("expected a period_start, the first day of the period"),
            pl.lit("period_start is not the first day of the period that the label names"),
        )
        return pl.select(pl.when(has_none).then(none).when(differs).then(other)).to_series()

    def _completed(self, rows: pl.DataFrame) -> pl.DataFrame:
        label = pl.col("period").str.split_exact(" ", 1).struct
        return rows.with_columns(
            period_start=pl.coalesce("period_start", label.field("field_1")),
            period=label.field("field_0"),
        )

    def frame(self, as_of: date | datetime | str | None = None) -> pl.DataFrame:
        """
        The quotas in order of period and key; see ``KeptTable.frame``.

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.quotas.load(
        ...         [{"period": "2026-Q1", "key": "Ann", "amount": 2000, "currency": "EUR"}]
        ...     )
        ...     db.quotas.frame().select("period_start", "period", "key", "amount").rows()
        [(datetime.date(2026, 1, 1), 'quarter', 'Ann', Decimal('2000.00'))]
        """
        return super().frame(as_of).select("period_start", "period", "key", "amount", "currency")


def _period(text: str, called: Callable[[str], tuple[str, date]]) -> str | None:
    kind = text.casefold()
    if kind in KINDS:
        return kind
    try:
        kind, start = called(text)
    except QueryError:
        return None
    return f"{kind} {start}"
