"""What sentences about changes say adds up, whatever the history is."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import strategies as st

import h1
from dealdb.analytics.conversion import RATES, Conversion
from dealdb.analytics.history.movement.waterfall import waterfall
from dealdb.answers.answer import answer_of
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from examples import given_examples
from histories.drawn import history as drawn
from oracle.engine import facts_of
from pasts import past_of

MONEY = r"(-?[\d,]+\.\d\d)"
WENT = re.compile(
    rf"(?:(fell|grew) by {MONEY}|worth as much as before)[^:]*?: (.*?)\.(?= (?:The open|Of the|\d)|$)"
)
ENDS = re.compile(rf"from {MONEY}[^(]*\(\d+ deals?\) to {MONEY}")
PART = re.compile(rf"([+-]){MONEY} ")
# rates of which sums end between two cents
RATE_ROWS = [
    (date(2025, 1, 1), "USD", Decimal("0.853217")),
    (date(2026, 2, 1), "USD", Decimal("0.915")),
]


def number(text: str | None) -> Decimal:
    return Decimal((text or "0").replace(",", ""))


def in_euros() -> Conversion:
    rates = pl.DataFrame(RATE_ROWS, schema=RATES, orient="row")
    return Conversion(to="EUR", rates=rates, rate_day="event", as_of=date(2026, 4, 1))


def facts_of_lines(text: str) -> Facts:
    """Facts of lines such as ``1 01-05 stage Lead``."""
    told: list[tuple[str | int | None, ...]] = []
    for line in text.strip().splitlines():
        deal, day, *pair = line.split()
        what: list[str | None] = [*pair, "set"] if pair else [None, None, "delete"]
        told.append((deal, h1.moment(f"2026-{day}", 12), *what))
    table = pl.DataFrame(told, schema=["id", "at", "field", "value", "op"], orient="row")
    return folded(table, Schema.standard(), h1.PIPELINE)


def check_sums(told: str) -> int:
    """The parts of each sentence add up to the change, and the change to the ends."""
    found = WENT.findall(told)
    for went, size, parts in found:
        change = number(size) * (-1 if went == "fell" else 1)
        signed = [number(sign + value) for sign, value in PART.findall(parts)]
        assert sum(signed) == change, told
        assert change or not signed or len(signed) > 1, told
        assert not change or "nothing moved" not in parts, told
    for before, after in ENDS.findall(told):
        assert number(after) - number(before) in {
            number(size) * (-1 if went == "fell" else 1) for went, size, _ in found
        }, told
    return len(found)


def drawn_facts(seed: int) -> Facts:
    """A random history in which deals change their currency often."""
    found = drawn(seed)
    for place, row in enumerate(found.rows):
        if row.field in ("owner", "probability", "created", "loss_reason"):
            currency = ("EUR", "USD", None)[(row.seq + seed) % 3]
            found.rows[place] = row._replace(field="currency", value=currency)
    return facts_of(found)


DAYS = st.dates(date(2025, 12, 30), date(2026, 4, 12))


@given_examples(
    12,
    3_000,
    seed=st.integers(0, 100_000),
    days=st.tuples(DAYS, DAYS),
    due=st.none() | st.tuples(DAYS, DAYS),
    by=st.sampled_from(["", "currency", "stage"]),
    net=st.booleans(),
    converted=st.booleans(),
)
def test_the_parts_of_a_change_add_up_to_it(
    seed: int,
    days: tuple[date, date],
    due: tuple[date, date] | None,
    by: str,
    *,
    net: bool,
    converted: bool,
) -> None:
    facts = drawn_facts(seed)
    since, until = sorted(days)
    if facts.first is None or facts.first >= h1.moment(str(until)):
        return
    past: dict[str, Any] = {"by": by} if by else {}
    options: dict[str, Any] = {"since": since, "until": until, "net": net}
    options["due"] = due and sorted(due)
    convert = in_euros() if converted else None
    result = waterfall(past_of(facts, convert=convert, **past), **options)
    told = answer_of(result, {**options, **past}) or ""
    # of nothing there is one sentence without figures
    assert check_sums(told) or not result.basis.n, told


CURRENCY_CHANGES = """
1 01-05 stage Lead
1 01-05 amount 100.00
1 01-05 currency EUR
2 01-05 stage Lead
2 01-05 amount 30.00
2 01-05 currency GBP
1 02-10 currency GBP
"""


def test_a_deal_that_changes_its_currency_is_told_in_both() -> None:
    facts = facts_of_lines(CURRENCY_CHANGES)
    told = answer_of(waterfall(past_of(facts), since="2026-02-01"), {}) or ""
    assert "fell by 100.00 EUR" in told
    assert "to 0.00 EUR (0 deals): -100.00 handed over to another currency." in told
    assert "to 130.00 GBP (2 deals): +100.00 taken over from another currency." in told
    owned = answer_of(waterfall(past_of(facts, by="owner"), since="2026-02-01"), {"by": "owner"})
    assert "-100.00 handed over to another currency" in (owned or "")


GONE = """
1 01-05 stage Lead
1 01-05 amount 100.00
1 01-05 currency {currency}
2 01-05 stage Lead
2 01-05 amount 50.00
2 01-05 currency EUR
1 02-10
"""


@pytest.mark.parametrize(
    ("currency", "words"),
    [("CHF", "1 deal deleted without a rate."), ("USD", "-85.32 deleted.")],
)
def test_what_has_no_rate_is_not_worth_nothing(currency: str, words: str) -> None:
    facts = facts_of_lines(GONE.format(currency=currency))
    rates = pl.DataFrame(RATE_ROWS[:1], schema=RATES, orient="row")
    convert = Conversion(to="EUR", rates=rates, rate_day="event", as_of=date(2026, 4, 1))
    told = answer_of(waterfall(past_of(facts, convert=convert), since="2026-02-01"), {}) or ""
    assert words in told
    assert "worth 0.00" not in told
