"""The unit of a column of amounts, by its header."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from dealdb.loader.columns.headers import currency_of
from dealdb.loader.columns.units import minor_digits
from recorder import Recorder


def test_parts_of_a_unit_in_names() -> None:
    found = [
        minor_digits(name)
        for name in ("valueCents", "price_in_cents", "amountMicros", "percents", "scent")
    ]
    assert found == [2, 2, 6, 2, 0]


@pytest.mark.parametrize(
    ("header", "digits", "currency"),
    [
        ("Umsatz in T€", -3, "EUR"),
        ("Umsatz (TEUR)", -3, "EUR"),
        ("Betrag (Tsd. €)", -3, "EUR"),
        ("Value ($K)", -3, None),
        ("Amount k€", -3, "EUR"),
        ("Amount (in thousands)", -3, None),
        ("Amount ('000s)", -3, None),
        ("Montant (milliers d'€)", -3, "EUR"),
        ("Volumen Mio. €", -6, "EUR"),
        ("Amount (€M)", -6, "EUR"),
        ("Amount (USD)", 0, "USD"),
        ("Market value", 0, None),
        ("Task", 0, None),
        ("Value 2000", 0, None),
    ],
)
def test_multiples_in_names(header: str, digits: int, currency: str | None) -> None:
    assert (minor_digits(header), currency_of(header)) == (digits, currency)


def test_thousands_are_multiplied(tmp_path: Path) -> None:
    store = Recorder()
    report = store.load_text(tmp_path, "id;Umsatz in T€\n1;12,5\n2;3\n3;\n")
    amounts = [store.values(each).get("amount") for each in "123"]
    assert amounts == [Decimal(12_500), Decimal(3_000), None]
    assert store.values("1")["currency"] == "EUR"
    assert "'Umsatz in T€' counts thousands, and was multiplied by 1,000" in report.notes


def test_a_column_that_the_caller_names_is_multiplied_too(tmp_path: Path) -> None:
    store = Recorder()
    store.load_text(tmp_path, "id,Size in M€\n1,1.5\n", mapping={"Size in M€": "amount"})
    assert store.values("1")["amount"] == Decimal(1_500_000)
