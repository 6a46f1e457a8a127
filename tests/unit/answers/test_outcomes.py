"""Sentences about what became of deals: money that is given back, owners with several currencies, other languages."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics import Basis, MetricResult
from dealdb.answers.answer import answer_of
from dealdb.answers.asked import speaking
from dealdb.formats.locale import Locale


def told_of(name: str, rows: list[dict[str, Any]], basis: Basis, **options: Any) -> str:
    result = MetricResult(name=name, frame=pl.DataFrame(rows), basis=basis)
    return answer_of(result, options) or ""


def test_wins_that_are_given_back_have_one_sign() -> None:
    values = {"then": "50", "added": "-30.00", "up": "0", "down": "0", "removed": "-5", "now": "25"}
    rows = [{"bucket": name, "value": Decimal(value)} for name, value in values.items()]
    told = told_of("hindsight", rows, Basis(n=3, currency="EUR"), known="2026-02-01")
    assert "now: -30.00 added later, +5.00 no longer won." in told


def test_an_owner_with_two_currencies_is_ramped_up_once() -> None:
    rows = [
        {
            "owner": owner,
            "currency": currency,
            "month": 0,
            "cumulative": Decimal(10),
            "active": True,
            "ramped": ramped,
        }
        for owner, currency, ramped in (("Ann", "EUR", 3), ("Ann", "USD", 5), ("Bob", "EUR", None))
    ]
    told = told_of("ramp", rows, Basis(n=3, currency="mixed"), by="owner")
    assert "1 of them has reached the level" in told


def test_groups_that_are_no_owners_are_not_called_so() -> None:
    row = {"month": 0, "cumulative": Decimal(10), "active": True, "ramped": None}
    rows = [{"source": source, **row} for source in ("Web", "Fair")]
    assert told_of("ramp", rows, Basis(n=2), by="source") == (
        "Of 2 groups, Web won most, 10.00, in the first month. From which month on one counts as ramped up is not "
        "known: it takes three groups of 12 months. 2 groups say little about others."
    )


def test_cohorts_go_from_the_first_to_the_last() -> None:
    # as texts, P10 would come before P9
    rows = [
        {
            "cohort": date(2026, month, 1),
            "label": f"FY2026-P{month}",
            "k": 0,
            "size": 1,
            "won": 0,
            "open": 1,
        }
        for month in range(9, 12)
    ]
    told = told_of("cohorts", rows, Basis(n=3))
    assert told.startswith("Of 3 deals created from FY2026-P9 to FY2026-P11, 0 were won")


def test_counts_are_written_as_the_reader_does() -> None:
    board = [{"owner": "Ann", "rank": 1, "won_value": Decimal(5), "n": 2_000, "won": 1_500}]
    months = [
        {"label": "2026-01", "created": 2_000, "won": 1_500, "lost": 1_100, "won_value": Decimal(5)}
    ]
    with speaking(Locale("de-DE")):
        leaders = told_of("leaderboard", board, Basis(n=2_000, currency="EUR"), by="owner")
        trend = told_of("trend", months, Basis(n=2_000, currency="EUR"))
    assert "1.500 of 2.000 closed deals were won" in leaders
    assert "2.000 deals were created, 1.500 won and 1.100 lost" in trend


def test_one_group_is_not_the_best_and_the_last() -> None:
    rows = [
        {"owner": "Ann", "currency": currency, "n": 2, "won": 1, "won_value": Decimal(5)}
        for currency in ("EUR", "USD")
    ]
    told = told_of("win_loss", rows, Basis(n=4, currency="mixed"), by="owner")
    assert told == "2 of 4 closed deals were won (50.0 %), worth 5.00 EUR and 5.00 USD."
