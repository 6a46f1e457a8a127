"""Rates of currencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from dealdb.loader.tables.kept import KeptTable
from dealdb.loader.tables.reading import TableColumn, currencies, days, positive
from dealdb.model.schema import Field, FieldType


class Rates(KeptTable):
    """
    Rates of currencies: units of one currency, that of ``to=``, for one unit of another, from a day on.

    Columns: ``date`` (from which the rate is valid, until the next of its currency), ``currency`` and ``rate`` (up to
    12 digits after the point).
    """

    name = "rates"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("date", FieldType.DATE),
        Field("currency", FieldType.TEXT),
        Field("rate", FieldType.DECIMAL, 12),
    )

    def _columns(self) -> Sequence[TableColumn]:
        number = "a number above 0 with at most 12 digits before the point and 12 behind it"
        return (
            TableColumn("date", days, "a date such as 2026-01-31", "not-a-date"),
            TableColumn("currency", currencies, "a currency such as EUR", "not-a-currency"),
            TableColumn("rate", positive, number, "not-a-rate"),
        )
