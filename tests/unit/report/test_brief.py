"""Sentences of a report about deals that are won and have no amount."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.report.brief import outlook_sentence
from dealdb.report.evidence import Evidence
from dealdb.report.sections import _first


def evidence(name: str, *rows: dict[str, Any]) -> Evidence:
    return Evidence(name=name, command=(name,), frame=pl.DataFrame(rows))


def test_wins_without_an_amount_are_not_nothing() -> None:
    simulated = evidence("simulate", dict.fromkeys(("won", "p10", "p90"), Decimal(0)))
    asked = ("2026-Q1", evidence("forecast"), simulated, None)
    assert outlook_sentence(*asked, is_over=True) == "No money was won in 2026-Q1."
    told = outlook_sentence(*asked) or ""
    assert told.startswith("In 2026-Q1, no money is won yet, and no open deal with an amount")
    row = {"owner": "Ann", "rank": 1, "won_value": Decimal(0), "won": 2}
    assert _first(evidence("leaderboard", row), ["owner"]) == (
        "2 deals were won, worth nothing that is known."
    )
    nobody = {**row, "won": 0}
    assert _first(evidence("leaderboard", nobody), ["owner"]) == "Nobody has won anything yet."
