"""Floats become decimals without the noise of arithmetic, and without losing a cent."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.model.decimals import encode_decimal, number_of
from dealdb.model.schema import Field, FieldType
from dealdb.model.values import encode, widened

AMOUNT = Field("amount", FieldType.DECIMAL, 2)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (-0.1 - 0.2, "-0.3"),
        (1.1 * 3, "3.3"),
        (4.35 * 100, "435"),
        (1e6 + 0.1 + 0.2, "1000000.3"),
        (12345678901234.1 + 0.2, "12345678901234.3"),
        # two digits after the point are kept, however many stand before it
        (90071992547409.94, "90071992547409.94"),
        (9007199254740993.0, "9007199254740992"),
        (0.1, "0.1"),
        (1234.5678, "1234.5678"),
        (1 / 3, "0.333333333333333"),
        (2 / 3, "0.666666666666667"),
        (1e19, "10000000000000000000"),
    ],
)
def test_a_float_is_saved_without_noise(number: float, text: str) -> None:
    assert encode_decimal(number) == text
    assert encode(number, AMOUNT) == text
    # the caller's context rounds nothing
    with localcontext() as context:
        context.prec = 3
        assert encode_decimal(number) == text


def test_noise_widens_no_field() -> None:
    assert widened(AMOUNT, 0.1 + 0.2) == AMOUNT
    assert widened(Field("seats", FieldType.INT), 0.1 + 0.2).scale == 2
    assert widened(Field("seats", FieldType.INT), float("nan")).type is FieldType.INT
    # what is written in digits is meant
    assert widened(AMOUNT, "0.30000000000000004").scale == 17
    assert widened(AMOUNT, Decimal("0.30000000000000004")).scale == 17


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 12))
def test_fifteen_digits_come_back(units: int, scale: int) -> None:
    exact = Fraction(units, 10**scale)
    found = number_of(float(exact))
    assert found is not None
    assert Fraction(found) == exact
