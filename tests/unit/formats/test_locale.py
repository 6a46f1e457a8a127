"""Numbers, money and days as readers of four languages write them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.formats.cells import Form, to_cell
from dealdb.formats.locale import PLAIN, Locale, locale_for

DAY = date(2026, 1, 31)
AMOUNT = Decimal("1234567.80")


@pytest.mark.parametrize(
    ("tag", "amount", "day", "share", "short"),
    [
        ("", "1,234,567.80 EUR", "2026-01-31", "12.5 %", "1.2 m"),
        ("en-US", "1,234,567.80 EUR", "1/31/2026", "12.5 %", "1.2M"),
        ("de-DE", "1.234.567,80 EUR", "31.1.2026", "12,5 %", "1,2 Mio."),
        ("fr-FR", "1\u202f234\u202f567,80 EUR", "31/01/2026", "12,5 %", "1,2 M"),
        ("hi-IN", "12,34,567.80 EUR", "31/1/2026", "12.5 %", "12.3 लाख"),
    ],
)
def test_each_reader_has_their_own_form(
    tag: str, amount: str, day: str, share: str, short: str
) -> None:
    reader = Locale(tag)
    assert reader.money(AMOUNT, "EUR") == amount
    assert reader.day(DAY) == day
    assert reader.share(Decimal("0.125")) == share
    assert reader.short(AMOUNT) == short


def test_what_is_read_from_the_left_has_no_marks_of_direction() -> None:
    """The sentences around are English: a mark within a date would move its parts."""
    reader = Locale("ar")
    assert (reader.day(DAY), reader.month(DAY)) == ("31/1/2026", "1/2026")
    assert "\u200f" not in Locale("he").short(AMOUNT)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_no_digit_is_lost(value: Decimal) -> None:
    for tag in ("en-US", "de-DE", "fr-FR"):
        shown = Locale(tag).number(value)
        assert [c for c in shown if c.isdigit()] == [c for c in f"{value:f}" if c.isdigit()]


def test_a_browser_gets_the_first_language_that_is_known() -> None:
    assert locale_for("tlh, de-AT;q=0.8, en;q=0.9").tag == "en"
    assert locale_for("de-AT,en;q=0.9").tag == "de-AT"
    for odd in (None, "", "*", "de;q=x", ";;;,,,", "\x00", "x" * 100_000, "de_DE@x=1"):
        assert locale_for(odd) == PLAIN


def test_a_language_without_a_short_word_for_thousands_groups_them() -> None:
    assert Locale("de-DE").short(Decimal("983500.50")) == "983.500"
    assert Locale("de-CH").short(-760_000) == "-760'000"
    assert Locale("fr-FR").short(760_000) == "760 k"


def test_small_numbers_are_short_already() -> None:
    assert PLAIN.short(9_999) == "9,999"
    assert PLAIN.short(Decimal("-12500000")) == "-12.5 m"
    assert PLAIN.short(Decimal("2500000000")) == "2.5 bn"
    assert PLAIN.short(999_949) == "999.9 k"
    # not a thousand thousands
    assert PLAIN.short(Decimal("-999950")) == "-1.0 m"
    assert PLAIN.short(999_999_999) == "1.0 bn"


@pytest.mark.parametrize("tag", ["", "de-DE"])
def test_the_largest_amount_is_rounded_like_any_other(tag: str) -> None:
    """Amounts have up to 38 digits, and a context of Python's 28."""
    shown = Locale(tag).number(Decimal("9" * 36 + ".99"), 1)
    assert [c for c in shown if c.isdigit()] == ["1", *"0" * 37]
    assert Locale(tag).share(Decimal("9" * 36)).replace(" %", "")[-1] == "0"


def test_nothing_has_no_sign() -> None:
    assert PLAIN.number(Decimal("-0.001"), 2) == "0.00"
    assert PLAIN.share(-0.0001) == "0.0 %"
    assert to_cell(Decimal("-0.001"), Form(digits=2)) == "0.00"
    assert to_cell(-0.0001, Form(percent=True, digits=1)) == "0.0 %"
