"""Numbers and amounts in the ways that people, programs and spreadsheets write them."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.loader.cells.numbers import currencies_of, decimals


@pytest.mark.parametrize(
    ("cell", "point", "number", "currency"),
    [
        ("1\u00a0750,00 €", ",", "1750", "EUR"),
        ("1\u202f750,00\u202f€", ",", "1750", "EUR"),
        ("1\u2009750.5", ".", "1750.5", None),
        ("1 234 567", ".", "1234567", None),
        ("1\u2019750.50 CHF", ".", "1750.5", "CHF"),
        ("CHF 1'750.50", ".", "1750.5", "CHF"),
        ("R$ 1.750,00", ",", "1750", "BRL"),
        ("R$1.750,00", ",", "1750", "BRL"),
        ("A$5", ".", "5", "AUD"),
        ("A$ 5", ".", "5", "AUD"),
        ("CA$5", ".", "5", "CAD"),
        ("$5 CAD", ".", "5", "CAD"),
        ("USD$ 5", ".", "5", "USD"),
        ("1.750,-", ",", "1750", None),
        ("€ 1.750,\u2013", ",", "1750", "EUR"),
        ("1'750.-", ".", "1750", None),
        ("$1.5M", ".", "1500000", "$"),
        ("5k", ".", "5000", None),
        ("€ 1,2 Mio.", ",", "1200000", "EUR"),
        ("1,2 Mrd. €", ",", "1200000000", "EUR"),
        ("$2bn", ".", "2000000000", "$"),
        ("$(1,234.00)", ".", "-1234", "$"),
        ("($1,234.00)", ".", "-1234", "$"),
        ("(1.234,50 €)", ",", "-1234.5", "EUR"),
        ("(1.234,50) €", ",", "-1234.5", "EUR"),
        ("$ -", ".", "0", "$"),
        ("- €", ",", "0", "EUR"),
        ("1 234,50 Kč", ",", "1234.5", "CZK"),
        ("12 000 Ft", ",", "12000", "HUF"),
        ("Rp 10.000", ",", "10000", "IDR"),
        ("R 1 234,50", ",", "1234.5", "ZAR"),
        ("₦5", ".", "5", "NGN"),
        ("US$1,750", ".", "1750", "USD"),
        ("USD 1,750.00", ".", "1750", "USD"),
        ("usd 5", ".", "5", "USD"),
        ("1750 kr", ".", "1750", "kr"),
        ("\uff11\uff12\uff0c\uff13\uff14\uff15", ".", "12345", None),
        ("\uffe5\uff15", ".", "5", "¥"),
        ("\u20135", ".", "-5", None),
        ("\u200e-$5", ".", "-5", "$"),
        ("1\u00a0234,56\u00a0$US", ",", "1234.56", "USD"),
        ("1\u00a0234,56\u00a0$\u00a0CA", ",", "1234.56", "CAD"),
        (" 1750 ", ".", "1750", None),
        ("(12", ".", None, None),
        ("12)", ".", None, None),
        ("5 marbles", ".", None, None),
        ("5\u00b2", ".", None, None),
        ("--", ".", None, None),
        ("$", ".", None, None),
        ("1 75", ".", None, None),
    ],
)
def test_ways_to_write_an_amount(
    cell: str, point: str, number: str | None, currency: str | None
) -> None:
    cells = pl.Series([cell, "1"])
    assert decimals(cells, point).to_list() == [number, "1"]
    if number is not None:
        assert currencies_of(cells).to_list() == [currency, None]


@pytest.mark.parametrize("text", [".0", "-.0", ".00", "+.0", "(.00)", ".00 EUR", ".0-", "$.0"])
@pytest.mark.parametrize("point", [".", ","])
def test_a_zero_without_a_digit_before_its_point(text: str, point: str) -> None:
    numbers = decimals(pl.Series([text.replace(".", point), "5"]), point)
    assert numbers.to_list() == ["0", "5"]
