"""Waterfalls in one currency: the rates that count, the bucket of rates, and cents that balance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

import h1
from dealdb.analytics.conversion import RATES, Conversion
from dealdb.analytics.history.money import balanced
from dealdb.analytics.history.movement.buckets import ADDS
from dealdb.analytics.history.movement.waterfall import waterfall
from dealdb.errors import QueryError
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from pasts import past_of

RATE_ROWS = [
    (date(2026, 1, 1), "USD", Decimal("0.90")),
    (date(2026, 3, 1), "USD", Decimal("0.80")),
]
# deal, day of 2026, field, value: one in dollars that stays open, one that is won, one without a rate
MADE = """
1 01-05 stage Lead
1 01-05 amount 100.00
1 01-05 currency USD
2 01-06 stage Lead
2 01-06 amount 100.00
2 01-06 currency USD
2 02-10 stage Won
2 02-10 closed 2026-02-10
3 01-07 stage Lead
3 01-07 amount 70.00
3 01-07 currency GBP
4 03-07 stage Lead
4 03-07 amount 50.00
4 03-07 currency EUR
5 01-08 stage Lead
5 01-08 amount 10.00
5 01-08 currency USD
5 03-02 currency EUR
"""
WINDOW: dict[str, Any] = {"since": "2026-02-01", "until": "2026-04-01"}


def made(text: str = MADE) -> Facts:
    rows = [line.split() for line in text.strip().splitlines()]
    told = [(id, h1.moment(f"2026-{day}", 12), field, value) for id, day, field, value in rows]
    table = pl.DataFrame(told, schema=["id", "at", "field", "value"], orient="row")
    return folded(table, Schema.standard(), h1.PIPELINE)


def in_euros(rate_day: Any = "event", rows: Sequence[Any] = RATE_ROWS) -> Conversion:
    rates = pl.DataFrame(rows, schema=RATES, orient="row")
    return Conversion(to="EUR", rates=rates, rate_day=rate_day, as_of=date(2026, 4, 1))


def told(**options: Any) -> dict[str, tuple[str, int, int]]:
    past = past_of(made(), convert=options.pop("convert", in_euros()))
    frame = waterfall(past, **WINDOW, **options).frame
    rows = frame.select("bucket", "value", "n", "unpriced").rows()
    return {bucket: (str(value), n, without) for bucket, value, n, without in rows}


def test_each_deal_has_the_rate_of_the_end() -> None:
    found = told()
    # 1: 100 x 0.80, 2 was won: 100 x 0.90, 3 has no rate, 5: 10 x 0.80 and then 10.00 euros
    assert found["start"] == ("178.00", 4, 1)
    assert found["won"] == ("90.00", 1, 0)
    assert found["created"] == ("50.00", 1, 0)
    assert found["up"] == ("2.00", 1, 0)
    assert found["end"] == ("140.00", 4, 1)
    assert "fx" not in found


def test_fx_is_what_rates_alone_moved() -> None:
    found = told(fx=True)
    # of 31 January 1 and 5 had 0.90: 90.00 + 90.00 + 9.00
    assert found["start"] == ("189.00", 4, 1)
    assert found["fx"] == ("-11.00", 2, 0)
    assert found["end"] == ("140.00", 4, 1)
    assert told(fx=True, net=False) == found


def test_one_day_for_all_has_no_fx() -> None:
    found = told(fx=True, convert=in_euros("2026-03-01"))
    assert found["fx"] == ("0.00", 0, 0)
    assert found["won"] == ("80.00", 1, 0)


def test_the_result_says_its_currency_and_what_has_no_rate() -> None:
    found = waterfall(past_of(made(), convert=in_euros()), **WINDOW)
    assert found.frame.columns[-3:] == ["currency", "unpriced", "rates_until"]
    assert found.frame["currency"].unique().to_list() == ["EUR"]
    assert found.basis.currency == "EUR"
    assert "deals in GBP that have no rate to EUR, in no sum of money: 1" in found.basis.warnings
    lines = waterfall(past_of(made(), convert=in_euros(), deals=True), **WINDOW).frame
    assert lines.filter(bucket="start", unpriced=1)["id"].to_list() == ["3"]


def test_groups_by_the_own_currencies_of_deals() -> None:
    past = past_of(made(), convert=in_euros(), by="currency")
    frame = waterfall(past, **WINDOW).frame
    moved = frame.filter(pl.col("bucket").str.starts_with("transferred"), pl.col("n") > 0)
    assert moved.select("currency", "bucket", "value").rows() == [
        ("EUR", "transferred_in", Decimal("8.00")),
        ("USD", "transferred_out", Decimal("8.00")),
    ]
    assert all(is_balanced(group) for _, group in frame.group_by("currency"))


def test_fx_needs_a_currency() -> None:
    with pytest.raises(QueryError, match="say to= which"):
        waterfall(past_of(made()), **WINDOW, fx=True)


def test_amounts_are_groups_as_they_were_entered() -> None:
    frame = waterfall(past_of(made(), convert=in_euros(), by="amount"), **WINDOW).frame
    assert set(frame["amount"]) == {Decimal(x) for x in ("10.00", "50.00", "70.00", "100.00")}


def is_balanced(table: pl.DataFrame) -> bool:
    pairs = zip(table["bucket"], table["value"], strict=True)
    return sum((v if bucket in ADDS else -v for bucket, v in pairs), Decimal(0)) == 0


@given(
    flows=st.lists(
        st.tuples(
            st.sampled_from(["created", "up", "won", "lost", "down", "fx"]),
            st.integers(-30_000, 30_000),
        ),
        max_size=6,
        unique_by=lambda each: each[0],
    ),
    start=st.integers(0, 30_000),
)
def test_cents_balance_and_are_off_by_one_at_most(flows: list[tuple[str, int]], start: int) -> None:
    found = {"start": start, **dict(flows)}
    end = sum(value if name in ADDS else -value for name, value in found.items())
    found["end"] = end
    values = [Decimal(value).scaleb(-4) for value in found.values()]
    table = pl.DataFrame(
        {"bucket": list(found), "value": values},
        schema={"bucket": pl.String, "value": pl.Decimal(38, 4)},
    )
    cents = balanced(table, [], ADDS)
    assert is_balanced(cents)
    off = {
        name: abs(ours - exact)
        for name, ours, exact in zip(found, cents["value"], values, strict=True)
    }
    assert max(off[name] for name in ("start", "end")) <= Decimal("0.005")
    # without fx each bucket is the next cent above or below; fx takes what all others leave
    assert all(
        each < Decimal("0.01") + Decimal("0.0001") for name, each in off.items() if name != "fx"
    )
