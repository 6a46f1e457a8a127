"""Values as texts, exact and short."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dealdb.charts.chart import Axis, Unit
from dealdb.charts.wording import exact_text, label_text, short_text, signed
from dealdb.formats.locale import Locale

EUR = Axis(title="value", unit=Unit.MONEY, currency="EUR")
DEALS = Axis(title="deals", unit=Unit.DEALS)
SHARE = Axis(title="won", unit=Unit.SHARE)


@pytest.mark.parametrize(
    ("value", "axis", "exact", "short"),
    [
        (Decimal("12345678901234567890.12"), EUR, "12,345,678,901,234,567,890.12 EUR", "1.23e+19"),
        (Decimal("0.10"), EUR, "0.10 EUR", "0.1"),
        (Decimal("-0.00"), EUR, "0.00 EUR", "0"),
        (Decimal(10) ** 15, EUR, "1,000,000,000,000,000 EUR", "1,000,000.0 bn"),
        (0.001, EUR, "0.0010 EUR", "0.001"),
        (1e-9, EUR, "1e-09 EUR", "1e\N{MINUS SIGN}09"),
        (1e300, EUR, "1e+300 EUR", "1e+300"),
        (0.1 + 0.2, EUR, "0.3000 EUR", "0.3"),
        (3536, DEALS, "3,536 deals", "3,536"),
        (1, DEALS, "1 deal", "1"),
        (1_234_567, DEALS, "1,234,567 deals", "1,234,567"),
        (Decimal("0.5"), SHARE, "50.0 %", "50.0 %"),
        (1e20, SHARE, "1e+22 %", "1e+22 %"),
        (float("nan"), SHARE, "\N{EN DASH}", "\N{EN DASH}"),
        (float("inf"), EUR, "\N{EN DASH}", "\N{EN DASH}"),
        (None, EUR, "\N{EN DASH}", "\N{EN DASH}"),
    ],
)
def test_texts_of_values(value: object, axis: Axis, exact: str, short: str) -> None:
    assert exact_text(value, axis) == exact
    assert short_text(value, axis) == short


def test_values_are_written_as_the_reader_writes_them() -> None:
    german = Locale("de-DE")
    assert exact_text(Decimal("1234.50"), EUR, german) == "1.234,50 EUR"
    assert short_text(Decimal("12500000"), EUR, german) == "12,5 Mio."
    assert signed(Decimal("-0.5"), SHARE, german) == "\N{MINUS SIGN}50,0 %"


def test_labels_are_on_one_line_and_steer_nothing() -> None:
    assert label_text("a\nb\t c\x1b[2J\u202e") == r"a b c\x1b[2J\u202e"
    assert (label_text(None), label_text(""), label_text("  "), label_text(True)) == (
        "(none)",
        '""',
        '""',
        "true",
    )
    assert label_text(2026) == "2026"
