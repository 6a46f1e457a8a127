"""Rows of a small table: each cell is checked, and a bad row is told with its place."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb.errors import LoadError
from dealdb.loader.tables.rates import Rates
from dealdb.loader.tables.reading import TableRows, read_rows


def read(source: Any) -> TableRows:
    rates = Rates(lambda: None, lambda _when: 0)  # type: ignore[arg-type, return-value]  # nothing is kept
    return read_rows(source, rates._columns(), rates._check)


def test_cells_of_python() -> None:
    rows = [
        {"date": date(2026, 1, 1), "currency": "USD", "rate": 0.1},
        {
            "Date": datetime.fromisoformat("2026-01-02T00:00:00"),
            "Currency": " eur ",
            "RATE": Decimal("1.50"),
        },
        {"date": "2026-01-03", "currency": "€", "rate": "1e-12", "note": "ignored"},
    ]
    assert read(rows).rows.rows() == [
        ("2026-01-01", "USD", "0.1"),
        ("2026-01-02", "EUR", "1.5"),
        ("2026-01-03", "EUR", "0.000000000001"),
    ]


def test_bad_rows_are_told_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(
        "currency,date,rate\nUSD,2026-01-01,0.9\nUSD,1.2.2026,0.9\nUSD,2026-02-30,0.9\n,2026-01-01,1\n"
        "GBP,2026-01-01,0\nGBP,2026-01-01,-1\nGBP,2026-01-01,1.0000000000001\nGBP,soon,nan\nGBP,2026-01-01,1.1\n"
    )
    found = read(file)
    assert (found.read, found.rows.height) == (9, 2)
    assert [(r.line, r.column, r.code, r.value) for r in found.rejects] == [
        (3, "date", "not-a-date", "1.2.2026"),
        (4, "date", "not-a-date", "2026-02-30"),
        (5, "currency", "not-a-currency", ""),
        (6, "rate", "not-a-rate", "0"),
        (7, "rate", "not-a-rate", "-1"),
        (8, "rate", "not-a-rate", "1.0000000000001"),
        (9, "date", "not-a-date", "soon"),
    ]
    assert found.rejects[-1].others == ("rate",)


@pytest.mark.parametrize("form", ["parquet", "json", "csv"])
def test_any_form_of_file(tmp_path: Path, form: str) -> None:
    frame = pl.DataFrame({"date": ["2026-01-01"], "currency": ["USD"], "rate": ["0.90"]})
    file = tmp_path / f"rates.{form}"
    getattr(frame, f"write_{form}")(file)
    assert read(file).rows.rows() == [("2026-01-01", "USD", "0.9")]


def test_a_source_without_a_column_is_refused() -> None:
    with pytest.raises(
        LoadError,
        match="no column currency and no column rate; it has date, price, and is to have date",
    ):
        read([{"date": "2026-01-01", "price": 1}])
