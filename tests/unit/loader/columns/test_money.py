"""Amounts in cents and millionths, and currencies in names."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


@pytest.mark.parametrize(
    ("value", "shown", "amount"),
    [
        (300000, "$3,000", "3000"),
        (1050, "$10.50", "10.50"),
        (123456789, "1.234.567,89 €", "1234567.89"),
        (-5000, "-$50", "-50"),
        (3000, "$3,000", "3000"),
        (50000, "$500 monthly", "500"),
    ],
)
def test_a_formatted_amount_shows_the_unit(
    store: Recorder, value: int, shown: str, amount: str
) -> None:
    store.load([{"id": 1, "value": value, "value_formatted": shown}])
    assert store.values("1")["amount"] == Decimal(amount)


def test_amounts_without_a_formatted_one_are_divided_too(store: Recorder) -> None:
    rows = [
        {"id": 1, "value": 10, "value_formatted": None},
        {"id": 2, "value": 990, "value_formatted": "$9.90"},
    ]
    report = store.load(rows)
    assert store.values("1")["amount"] == Decimal("0.10")
    assert "'value' counts cents, and was divided by 100" in report.notes


def test_a_column_of_its_own_is_divided_as_well(store: Recorder) -> None:
    row = {"id": 1, "expected_value": 990, "expected_value_formatted": "$9.90", "amount": 5}
    store.load([row])
    assert store.values("1")["expected_value"] == Decimal("9.90")


def test_millionths_are_divided_exactly(store: Recorder) -> None:
    store.load([{"id": 1, "amountMicros": 12345678901234567}, {"id": 2, "amountMicros": None}])
    assert store.values("1")["amount"] == Decimal("12345678901.234567")
    assert "amount" not in store.values("2")


def test_a_name_gives_the_currency_of_all_rows(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id;name;importe_eur\n1;A;1.234,50\n2;B;\n")
    assert store.values("1") == {"name": "A", "amount": Decimal("1234.50"), "currency": "EUR"}
    assert store.values("2") == {"name": "B", "currency": "EUR"}
    assert "currency EUR from the name of 'importe_eur'" in report.notes


def test_one_currency_is_that_of_deals_without_an_amount_too(
    store: Recorder, tmp_path: Path
) -> None:
    store.load_text(tmp_path, "id,amount\n1,€5.50\n2,\n3,N/A\n4,7\n")
    assert [store.values(each).get("currency") for each in "1234"] == ["EUR"] * 4


def test_several_currencies_say_nothing_of_a_deal_without_an_amount(
    store: Recorder, tmp_path: Path
) -> None:
    store.load_text(tmp_path, "id,amount\n1,€5.50\n2,\n3,£4.20\n")
    assert [store.values(each).get("currency") for each in "123"] == ["EUR", None, "GBP"]


@pytest.mark.parametrize(
    ("cells", "currencies"),
    [
        (["$ 5,50", "€ 4,20", "£ 1,10"], ["USD", "EUR", "GBP"]),
        (["$ 5,50", "US$ 4,20", "€ 1,10"], ["$", "USD", "EUR"]),
        (["$ 5,50", "4,20"], ["$", "$"]),
        (["$5.50", "€4.20"], ["USD", "EUR"]),
    ],
)
def test_a_dollar_beside_currencies_of_europe_is_that_of_the_us(
    store: Recorder, tmp_path: Path, cells: list[str], currencies: list[str]
) -> None:
    rows = "".join(f"{place}\t{cell}\n" for place, cell in enumerate(cells))
    store.load_text(tmp_path, f"id\tamount\n{rows}")
    found = [store.values(str(place)).get("currency") for place in range(len(cells))]
    assert found == currencies


def test_a_column_of_currencies_wins(store: Recorder, tmp_path: Path) -> None:
    report = store.load_text(tmp_path, "id,amount_usd,currency\n1,5,EUR\n2,6,\n")
    assert [store.values(each).get("currency") for each in "12"] == ["EUR", None]
    assert "currencies from 'currency', though 'amount_usd' names USD" in report.notes


def test_a_column_of_something_else_gives_way_to_the_name_of_the_amounts(
    store: Recorder, tmp_path: Path
) -> None:
    rows = "1,5,not invoiced\n2,6,not invoiced\n3,7,COP\n"
    report = store.load_text(tmp_path, f"id,amount_usd,currency\n{rows}")
    assert [store.values(each).get("currency") for each in "123"] == ["USD"] * 3
    assert "'currency' was not taken for currency: its cells don't fit" in report.notes


def test_currencies_that_nobody_knows_stay_where_there_are_no_others(
    store: Recorder, tmp_path: Path
) -> None:
    store.load_text(tmp_path, "id,amount,currency\n1,5,points\n2,6,points\n3,7,COP\n")
    assert [store.values(each).get("currency") for each in "123"] == ["points", "points", "COP"]


def test_rows_without_the_key_keep_the_currency_they_have(store: Recorder) -> None:
    store.load([{"id": 1, "amount": 5, "currency": "CHF"}])
    store.load([{"id": 1, "name": "A"}, {"id": 2, "name": "B", "amount_usd": 5}])
    assert store.values("1")["currency"] == "CHF"
    assert store.values("2")["currency"] == "USD"


def test_dates_of_won_and_lost_deals_are_one_field(store: Recorder, tmp_path: Path) -> None:
    text = "id,stage,Won time,Lost time\n1,Won,2026-03-01,2026-01-01\n2,Lost,,2026-02-01\n3,New,,\n"
    report = store.load_text(tmp_path, text, types={"closed": "date"})
    assert report.mapping == {
        "id": "id",
        "stage": "stage",
        "Won time": "closed",
        "Lost time": "closed",
    }
    days = [store.values(each).get("closed") for each in "123"]
    assert list(map(str, days)) == ["2026-03-01", "2026-02-01", "None"]
    again = store.load_text(tmp_path, text)
    assert again.unchanged == 3


@pytest.mark.parametrize(
    ("header", "cells", "dollar"),
    [
        ("Bedrag", ["$1.234,50", "$ 5,25"], "USD"),
        ("Auftragswert", ["1.234,50 $", "5,25 $"], "USD"),
        ("Valore", ["$1.234,50", "$ 5,25"], "USD"),
        # pesos, or dollars of Canada
        ("Importe", ["$1.234,50", "$ 5,25"], "$"),
        ("Valor", ["$1.234,50", "$ 5,25"], "$"),
        ("Montant", ["1 234,50 $", "5,25 $"], "$"),
        # beside money of other countries it is none of the country of the sheet
        ("Importe", ["$1.234,50", "5,25 €"], "USD"),
        ("Montant", ["$1 234,50", "£5,25"], "USD"),
        ("Importe", ["$1.234,50", "US$ 5,25"], "$"),
        ("Monto", ["$1.234,50", "MXN 5,25"], "$"),
    ],
)
def test_whose_dollar_it_is(
    store: Recorder, tmp_path: Path, header: str, cells: list[str], dollar: str
) -> None:
    text = "\n".join([f"id;{header}", *(f"{n};{cell}" for n, cell in enumerate(cells)), ""])
    report = store.load_text(tmp_path, text)
    place = next(n for n, cell in enumerate(cells) if "$" in cell and "US$" not in cell)
    assert store.values(str(place))["currency"] == dollar
    assert (f"'$' in '{header}' is taken for USD" in report.notes) is (dollar == "USD")
