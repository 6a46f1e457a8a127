"""Currencies have one name each."""

from __future__ import annotations

import pytest

from dealdb.loader.cells.currencies import currency_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("EUR", "EUR"), (" eur ", "EUR"), ("€", "EUR"), ("Euro", "EUR"), ("EUR - Euro", "EUR"), ("US Dollar", "USD"),
        ("$", "$"), ("US$", "USD"), ("R$", "BRL"), ("r$", "BRL"), ("Pesos", "Pesos"), ("XYZ", "XYZ"),
        ("USD or CAD, NOK", "USD or CAD, NOK"),
        ("", None), (" ", None), ("Beyond USD", "USD"),
    ],
)  # fmt: skip
def test_names_of_currencies(text: str, name: str | None) -> None:
    assert currency_name(text) == name
