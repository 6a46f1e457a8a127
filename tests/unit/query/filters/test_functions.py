"""Arithmetic and functions of filters: constants, the limit of 38 digits, and arguments of another type."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from dealdb.errors import QueryError
from dealdb.query import QueryEngine

QUERY = QueryEngine.over(
    [
        {
            "id": str(n),
            "n": n,
            "name": "x",
            "won": True,
            "rate": float(n),
            "amount": Decimal(n) + Decimal("0.25"),
            "created": date(2026, 1, n),
            "updated": datetime(2026, 1, n, 9, tzinfo=UTC),
            "tags": ["a"],
        }
        for n in range(1, 10)
    ]
)
ALL = "123456789"
# the largest number and the smallest fraction that a filter knows beside a whole digit, of 38 digits
NINES = "9" * 38
TINY = f"0.{'0' * 36}1"


def kept(where: str) -> str:
    return "".join(QUERY.find(where)["id"])


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("n > 1 + 5", "789"),
        ("n > 10 - 2 * 2", "789"),
        ("n > (10 - 8) * 4", "9"),
        ("n * 2 = 2 * 3 + 2", "4"),
        ("n = 1.5 * 2", "3"),
        ("1 + 1 = 2", ALL),
        ("n > -(-8)", "9"),
        ("-n < -8", "9"),
        ("-rate > -2", "1"),
        ("amount = 0.1 + 0.15 + 1", "1"),
        ("amount * 0.1 > 0.9", "9"),
        # a quotient is a float, of constants as well
        ("n > 1 / 2 + 7", "89"),
        ("n > 7 / 0", ""),
        ("n > 1 + NULL", ""),
        ("n > NULL * 2", ""),
    ],
)
def test_arithmetic_of_constants(where: str, ids: str) -> None:
    assert kept(where) == ids


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (f"n < {NINES}", ALL),
        (f"n > -{NINES}", ALL),
        (f"n < {NINES[1:]} * 10", ALL),
        (f"n > {TINY}", ALL),
        (f"n < {NINES} - {NINES}", ""),
        # the digits count, not the way to write them
        (f"n < 1{'0' * 36} * 10", ALL),
        # compared with a float, a constant may be as large as one
        ("rate < 1e307 * 10", ALL),
    ],
)
def test_numbers_of_38_digits_are_exact(where: str, ids: str) -> None:
    assert kept(where) == ids


@pytest.mark.parametrize(
    "where",
    [
        "amount = -123456789012345678901234567890.55",
        "-amount = 123456789012345678901234567890.55",
        "amount = -(123456789012345678901234567890 + 0.55)",
        "abs(amount) = abs(-123456789012345678901234567890.55)",
        "amount + 1 = -123456789012345678901234567889.55",
        "amount IN (1, -123456789012345678901234567890.55)",
    ],
)
def test_a_sign_rounds_no_digit_away(where: str) -> None:
    query = QueryEngine.over([{"id": "1", "amount": Decimal("-123456789012345678901234567890.55")}])
    assert query.count(where) == 1


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (f"n < {NINES}9", "a number has at most 38 digits"),
        (f"n < {NINES} + 1", "a number has at most 38 digits"),
        (f"n < {NINES} * 11", "a number has at most 38 digits"),
        (f"n > -{NINES} - 1", "a number has at most 38 digits"),
        (f"n > {TINY} * 0.1", "a number has at most 38 digits"),
        (f"n < {NINES} + {TINY}", "a number has at most 38 digits"),
        # more digits than the exact context holds
        ("n < 1e300 + 1e-300", "a number has at most 38 digits"),
        (f"amount * {TINY} > 1", "the product has more than 38 digits after the point"),
        (f"amount * {NINES} > 1", "a sum or product in the filter has more than 38 digits"),
    ],
)
def test_what_has_more_than_38_digits_is_refused(where: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        kept(where)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("where", "position", "message"),
    [
        ("n > 'a' + 1", 4, "this is text; + is for numbers"),
        ("n > 2 * won", 8, "won is true or false; * is for numbers"),
        ("-name = n", 1, "name is text; - is for numbers"),
        ("created > '2026-01-10' - 3d", 10, "this is text; - is for numbers"),
    ],
)
def test_arithmetic_of_what_is_no_number(where: str, position: int, message: str) -> None:
    assert refusal(where) == (position, message)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("date('2026-01-03') = created", "3"),
        ("date(created) = '2026-01-03'", "3"),
        ("date(updated) = '2026-01-03'", "3"),
        ("date(now) > created", ALL),
        ("date(today) > created", ALL),
        ("date(NULL) = created", ""),
        ("CAST('2026-01-03' AS DATE) = created", "3"),
        ("CAST('2026-01-03 09:00' AS TIMESTAMP) = updated", "3"),
        ("CAST(created AS TIMESTAMP) = '2026-01-03'", "3"),
        ("CAST(NULL AS TIMESTAMP) = updated", ""),
        ("created > date('2026-01-10') - 3", "89"),
        ("created > date('2026-01-10') + -3d", "89"),
        ("date('2026-01-10') - created < 3", "89"),
    ],
)
def test_dates_of_constants_and_columns(where: str, ids: str) -> None:
    assert kept(where) == ids


NOT_A_DATE = "a date is made of a date, a time, or text such as '2026-01-31'"
NOT_A_TIME = "a time is made of a date, a time, or text such as '2026-01-31 09:30'"


@pytest.mark.parametrize(
    ("where", "position", "message"),
    [
        ("date(n) = created", 5, f"n is a number; {NOT_A_DATE}"),
        ("date(1) = created", 5, f"this is a number; {NOT_A_DATE}"),
        ("date(won) = created", 5, f"won is true or false; {NOT_A_DATE}"),
        ("date(name) = created", 5, f"name is text; {NOT_A_DATE}"),
        ("date(tags) = created", 5, f"tags is a list of texts; {NOT_A_DATE}"),
        ("date(30d) = created", 5, f"this is a span of time; {NOT_A_DATE}"),
        ("date('soon') = created", 5, "write a date such as '2026-01-31'"),
        (
            "date('2026-02-30') = created",
            5,
            "there is no such day; write a date such as '2026-01-31'",
        ),
        ("CAST(n AS TIMESTAMP) = updated", 5, f"n is a number; {NOT_A_TIME}"),
        (
            "date('2026-01-10') - 1.5 < created",
            0,
            "this is a date; add or subtract a span such as 30d or INTERVAL 3 MONTH",
        ),
        (
            "created + 10000000 > created",
            0,
            "created is a date; add or subtract a span such as 30d or INTERVAL 3 MONTH",
        ),
    ],
)
def test_dates_of_what_is_no_date(where: str, position: int, message: str) -> None:
    assert refusal(where) == (position, message)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("n > abs(-7)", "89"),
        ("n > abs(7)", "89"),
        ("n = abs(2 - 9)", "7"),
        ("abs(-n) > 7", "89"),
        ("abs(3 - n) > 4", "89"),
        ("abs(rate - 9) > 6", "12"),
        ("abs(amount - 9) > 6", "12"),
    ],
)
def test_absolute_values(where: str, ids: str) -> None:
    assert kept(where) == ids


@pytest.mark.parametrize(
    ("where", "position", "message"),
    [
        ("abs('a') = n", 4, "this is text; abs() is for numbers"),
        ("abs(created) = n", 4, "created is a date; abs() is for numbers"),
        ("abs(won) = n", 4, "won is true or false; abs() is for numbers"),
        ("abs(30d) = n", 4, "this is a span of time; abs() is for numbers"),
        ("length(n) = 1", 7, "n is a number; length() is for text"),
        ("quarter(name) = 1", 8, "name is text; quarter() is for dates"),
        (
            "coalesce(30d, 30d) = n",
            0,
            "coalesce() is for text, numbers, dates, and true or false",
        ),
    ],
)
def test_functions_of_what_they_are_not_for(where: str, position: int, message: str) -> None:
    assert refusal(where) == (position, message)


def refusal(where: str) -> tuple[int | None, str]:
    """Where a filter is at fault, and what is said of it."""
    with pytest.raises(QueryError) as caught:
        kept(where)
    return caught.value.position, str(caught.value).splitlines()[0]


@pytest.mark.parametrize(
    "call",
    [
        "abs(NULL) > 1", "abs(-NULL) > 1", "abs(:nothing) > 1", "lower(NULL) = 'a'", "length(NULL) > 0",
        "contains(name, NULL)", "contains(NULL, 'a')", "starts_with(name, NULL)", "year(NULL) = 2026",
        "date(NULL) = '2026-01-31'",
    ],
)  # fmt: skip
def test_of_null_nothing_is_known(call: str) -> None:
    query = QueryEngine.over(pl.DataFrame({"id": ["1"], "name": ["a"]}))
    counts = [
        query.count(f"{words}({call}){rest}", params={"nothing": None} if ":" in call else None)
        for words, rest in (("", ""), ("NOT ", ""), ("", " IS NULL"))
    ]
    assert counts == [0, 0, 1]
