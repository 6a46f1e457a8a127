"""Money in one currency, to the cent, against products of fractions in plain Python."""

from __future__ import annotations

from datetime import date
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from dealdb.analytics import Analytics, MetricResult
from dealdb.analytics.conversion import RATES, converted, to_cents
from dealdb.errors import QueryError
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.query import QueryEngine

STAGES = Pipeline(
    (Stage("Demo", Kind.OPEN, Decimal("0.5")), Stage("Won", Kind.WON), Stage("Lost", Kind.LOST))
)
WIDE = Context(prec=60)
KNOWN = [(date(2026, 1, 1), "USD", Decimal("0.90")), (date(2026, 3, 1), "USD", Decimal("0.80"))]


def rates_of(rows: list[tuple[date, str, Decimal]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=RATES, orient="row")


def won(
    amount: str | None, currency: str | None, closed: date | None, **more: Any
) -> dict[str, Any]:
    money = None if amount is None else Decimal(amount)
    return {
        "stage": "Won",
        "amount": money,
        "currency": currency,
        "closed": closed,
        "owner": "Ann",
        **more,
    }


DEALS = [
    won("100.00", "USD", date(2026, 2, 10)),
    won("100.00", "USD", date(2026, 3, 5)),
    won("50.00", "EUR", date(2026, 3, 6)),
    won("70.00", "GBP", date(2026, 3, 7)),
]


def over(deals: list[dict[str, Any]], rows: list[tuple[date, str, Decimal]] = KNOWN) -> Analytics:
    texts = dict.fromkeys(("stage", "currency", "owner"), pl.String)
    columns: dict[str, Any] = {
        **texts,
        "amount": pl.Decimal(38, 2),
        "closed": pl.Date,
        "created": pl.Date,
    }
    frame = pl.DataFrame(deals, schema=columns)
    return Analytics(
        QueryEngine.over(frame, pipeline=STAGES).select, rates=lambda _known: rates_of(rows)
    )


def test_each_deal_has_the_rate_of_its_day() -> None:
    found = over(DEALS).summary(to="EUR", as_of="2026-03-31")
    assert (found["won_value"], found["unpriced"], found["won"]) == (Decimal("220.00"), 1, 4)
    assert (found["currency"], found["rates_until"]) == ("EUR", date(2026, 3, 1))
    assert found.frame.schema["unpriced"] == pl.UInt32
    assert "deals in GBP that have no rate to EUR, in no sum of money: 1" in found.basis.warnings
    assert found.basis.currency == "EUR"


@pytest.mark.parametrize("rate_day", ["as_of", "2026-03-31", date(2026, 3, 31)])
def test_one_day_for_all(rate_day: Any) -> None:
    found = over(DEALS).summary(to="EUR", as_of="2026-03-31", rate_day=rate_day)
    assert (found["won_value"], found["unpriced"]) == (Decimal("210.00"), 1)


@pytest.mark.parametrize(("as_of", "value"), [("2026-02-15", "90.00"), ("2026-03-15", "80.00")])
def test_open_deals_have_the_rate_of_the_day_on_which_they_are_judged(
    as_of: str, value: str
) -> None:
    deal = {**won("100.00", "USD", None), "stage": "Demo"}
    found = over([deal]).summary(to="EUR", as_of=as_of)
    assert (found["pipeline_value"], found["weighted"]) == (Decimal(value), Decimal(value) / 2)


def test_the_sum_is_rounded_once() -> None:
    found = over([won("0.05", "USD", date(2026, 2, 1))] * 3).deal_size(to="EUR")
    assert (found["value"], found["mean"]) == (Decimal("0.14"), 0.045)


CALLS: dict[str, dict[str, Any]] = {
    "summary": {}, "pipeline": {}, "deal_size": {}, "velocity": {}, "leaderboard": {}, "trend": {},
    "concentration": {"by": "owner"}, "win_rate": {"measure": "value"},
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_every_metric_of_money_converts(name: str) -> None:
    analytics = over(DEALS)
    found: MetricResult = getattr(analytics, name)(**CALLS[name], to="EUR", rate_day="2026-03-31")
    assert found.frame.columns[-3:] == ["currency", "unpriced", "rates_until"]
    assert found.frame["unpriced"].sum() == 1
    money = {"summary": "won_value", "pipeline": "value", "deal_size": "value", "leaderboard": "won_value",
             "trend": "won_value", "concentration": "value", "win_rate": "won_value"}  # fmt: skip
    if name in money:
        assert found.frame[money[name]].sum() == Decimal("210.00")
        assert found.frame.schema[money[name]] == pl.Decimal(38, 2)
    # without to=, each currency has rows of its own, as ever
    apart: MetricResult = getattr(analytics, name)(**CALLS[name])
    assert apart.basis.currency == "mixed"
    assert not {"unpriced", "rates_until"} & set(apart.frame.columns)


def test_an_unpriced_deal_is_not_one_without_an_amount() -> None:
    deals = [
        won("70.00", "GBP", date(2026, 3, 7)),
        won(None, "GBP", date(2026, 3, 7)),
        won("0", "EUR", None),
    ]
    size = over(deals).deal_size(to="EUR")
    assert (size["n"], size["blank"], size["zero"], size["unpriced"]) == (0, 1, 1, 1)
    open_deals = [{**deal, "stage": "Demo"} for deal in deals]
    found = over(open_deals).summary(to="EUR")
    assert (found["open"], found["blank"], found["unweighted"], found["unpriced"]) == (3, 1, 1, 1)
    stage = over(open_deals).pipeline(to="EUR").frame.row(0, named=True)
    assert (stage["n"], stage["blank"], stage["unweighted"], stage["unpriced"]) == (3, 1, 1, 1)


def test_what_has_no_rate() -> None:
    deals = [
        won("1.00", "USD", date(2025, 12, 31)),
        won("1.00", "USD", None),
        won("1.00", None, date(2026, 2, 1)),
        # the currency itself needs no day
        won("1.00", "EUR", None),
    ]
    found = over(deals).summary(to="EUR")
    assert (found["won_value"], found["unpriced"]) == (Decimal("1.00"), 3)
    assert (
        "deals without a currency that have no rate to EUR, in no sum of money: 1"
        in found.basis.warnings
    )
    nothing = over(deals, []).summary(to="EUR")
    assert (nothing["won_value"], nothing["rates_until"]) == (Decimal("1.00"), None)


def test_groups_by_the_currency_of_the_deals_keep_it() -> None:
    rows = over(DEALS).deal_size(to="EUR", by="currency").frame.select("currency", "value").rows()
    assert rows == [("EUR", Decimal("50.00")), ("GBP", Decimal("0.00")), ("USD", Decimal("170.00"))]


def test_a_leaderboard_ranks_what_it_shows() -> None:
    # 0.135 and 0.14 are the same to the cent
    deals = [won("0.15", "USD", date(2026, 2, 1)), won("0.14", "EUR", None, owner="Bob")]
    assert over(deals).leaderboard(to="EUR").frame["rank"].to_list() == [1, 1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"to": ""}, "to is a currency such as EUR"),
        ({"to": 3}, "to is a currency such as EUR"),
        ({"to": "USD"}, "the rates are to another currency than USD"),
        (
            {"to": "EUR", "rate_day": "closing"},
            "rate_day='closing' is not a choice: use event, as_of or a date",
        ),
        ({"to": "EUR", "rate_day": "2026-13-01"}, "rate_day: '2026-13-01' is not a date"),
        ({"rate_day": "as_of"}, "rate_day and rates_known are of a conversion"),
        ({"to": "EUR", "by": "unpriced"}, "by: "),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(QueryError, match=says):
        over(DEALS).summary(**options)
    with pytest.raises(QueryError, match="a win rate by count has no money in it"):
        over(DEALS).win_rate(to="EUR")
    with pytest.raises(QueryError, match="these deals come without rates"):
        Analytics(QueryEngine.over(pl.DataFrame(DEALS)).select).summary(to="EUR")


def test_products_that_could_overflow_are_refused() -> None:
    deals = pl.DataFrame(
        {"amount": [Decimal(10) ** 34], "currency": ["USD"], "day": [date(2026, 1, 1)]}
    )
    with pytest.raises(QueryError, match="more than 38 digits"):
        converted(
            deals, rates_of([(date(2026, 1, 1), "USD", Decimal("12345.678901234567"))]), "EUR"
        )


DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 20))
CURRENCIES = st.sampled_from(["EUR", "USD", "GBP", None])
MONEY = st.none() | st.decimals(-1000, 1000, places=2)
ROWS = st.lists(st.tuples(st.none() | MONEY, CURRENCIES, st.none() | DAYS), max_size=12)
TABLES = st.dictionaries(
    st.tuples(DAYS, st.sampled_from(["USD", "GBP"])),
    st.decimals("0.000001", 300, places=6),
    max_size=6,
)


@given(ROWS, TABLES)
def test_sums_are_those_of_fractions(
    rows: list[tuple[Decimal | None, str | None, date | None]],
    table: dict[tuple[date, str], Decimal],
) -> None:
    schema: dict[str, Any] = {"amount": pl.Decimal(38, 2), "currency": pl.String, "day": pl.Date}
    deals = pl.DataFrame(rows, schema=schema, orient="row")
    found = converted(deals, rates_of([(d, c, r) for (d, c), r in table.items()]), "EUR")

    def rate(currency: str | None, day: date | None) -> Decimal | None:
        if currency == "EUR":
            return Decimal(1)
        before = [d for d, c in table if day and c == currency and d <= day]
        return table[max(before), str(currency)] if before else None

    expected = [
        None
        if amount is None or (r := rate(currency, day)) is None
        else Fraction(amount) * Fraction(r)
        for amount, currency, day in rows
    ]
    assert [None if v is None else Fraction(v) for v in found["value"]] == expected
    unpriced = [a is not None and v is None for (a, _, _), v in zip(rows, expected, strict=True)]
    assert found["unpriced"].to_list() == unpriced
    total = to_cents(found.select(pl.col("value").sum())).item()
    assert Fraction(total) * 100 == round(sum(v for v in expected if v is not None) * 100)


@given(st.lists(st.integers(-(10**30), 10**30), min_size=1), st.integers(0, 8))
def test_cents_are_rounded_half_to_even(units: list[int], scale: int) -> None:
    decimals = pl.Series(
        [Decimal(unit).scaleb(-scale, WIDE) for unit in units], dtype=pl.Decimal(38, scale)
    )
    found = to_cents(pl.DataFrame({"value": decimals}))["value"]
    assert [Fraction(v) * 100 for v in found] == [
        round(Fraction(u, 10**scale) * 100) for u in units
    ]
