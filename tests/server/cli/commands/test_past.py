"""The commands of metrics on history, on the example history imported into a server."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import h1
from cli_runs import Run, db_fixture, run_fixture  # noqa: F401 fixtures
from dealdb import DealDatabase
from dealdb.cli.registry import COMMANDS

Q1 = ("--since", "2026-01-01", "--until", "2026-04-01")
MARCH = ("--as-of", "2026-03-31")


@pytest.fixture
def history(db: DealDatabase) -> DealDatabase:
    """The present, and behind it the history that led to it."""
    present: dict[str, dict[str, Any]] = {}
    facts: list[dict[str, Any]] = []
    for row in h1.rows().iter_rows(named=True):
        at = datetime.fromtimestamp(row["at"] / 1000, UTC).isoformat()
        op = "clear" if row["op"] == "set" and row["value"] is None else row["op"]
        fact = {"id": row["id"], "at": at, "field": row["field"], "value": row["value"], "op": op}
        facts.append({name: value for name, value in fact.items() if value is not None})
        if row["op"] == "delete":
            del present[row["id"]]
            continue
        present.setdefault(row["id"], {"id": row["id"]})[row["field"]] = row["value"]
    db.set_pipeline(h1.PIPELINE)
    db.loader.load(list(present.values()), bar=False)
    assert db.history.load(facts).new == len(facts)
    return db


def column(run: Run, name: str, *command: str) -> list[Any]:
    found = [row[name] for row in run(*command, "--json").json["rows"]]
    return [str(value) if isinstance(value, Decimal) else value for value in found]


@pytest.mark.usefixtures("history")
def test_the_example_history(run: Run) -> None:
    assert column(run, "n", "funnel", *Q1, *MARCH) == [7, 5, 5, 2]
    assert column(run, "n", "time-in-stage", *MARCH) == [6, 3, 1]
    assert column(run, "n", "ageing", "--as-of", "2026-02-28") == [0, 3, 2, 0, 0, 0]
    assert column(run, "rotting", "rotting", "--as-of", "2026-02-28") == [1, 0, 0]
    since = ("--since", "2026-02-01", "--until", "2026-04-01", "--due", "2026-01-01,2026-04-01")
    net = ["3050.00", "1000.25", "0.00", "400.00", "200.00", "1500.25", "1100.00", "2000.00"]
    assert column(run, "value", "waterfall", *since) == [*net, "0.00", "50.00", "0.00"]
    gross = ["3050.00", "800.50", "700.00", "400.00", "500.25", "1500.25", "1100.00", "2800.50"]
    assert column(run, "value", "waterfall", *since, "--gross") == [*gross, "0.00", "50.00", "0.00"]
    assert column(run, "slipped", "slippage", "--since", "2026-03-01", "--until", "2026-04-01") == [
        2
    ]
    enough = ("coverage", *Q1, "--target", "3000", "--as-of", "2026-02-28")
    assert column(run, "gap", *enough) == ["399.50"]
    assert column(run, "won", "forecast", *Q1, "--as-of", "2026-02-28")[2] == "1200.00"
    assert column(run, "n", "losses", *Q1) == [2, 1]
    assert column(run, "won", "win-loss", "--by", "owner") == [2, 0, 0]
    assert column(run, "won", "stage-chances", "--method", "closed", *MARCH) == [2, 1, 1]
    assert float(column(run, "s", "survival", "Lead", *MARCH)[0]) == pytest.approx(6 / 7)
    exact = ("simulate", "--until", "2026-04-01", "--as-of", "2026-02-28", "--chances", "own")
    assert column(run, "p10", *exact) == ["1200.00"]
    kept = ("calibration", "--since", "2026-03-01", "--horizon", "31", *MARCH)
    assert float(column(run, "brier", *kept)[0]) == pytest.approx(0.202)


@pytest.mark.usefixtures("history")
def test_every_metric_has_lines_and_forms(run: Run) -> None:
    lines = run("funnel", *Q1, *MARCH, "--deals", "--by", "owner").out.splitlines()
    assert lines[0].split() == ["owner", "stage", "id", "value", "from", "to", "at"]
    assert len(lines) == 1 + 7 + 5 + 5 + 2
    assert "120,000.0 %" not in run("ramp", "--months", "3", *MARCH).out
    for name, entry in COMMANDS.items():
        if entry.module.startswith("past."):
            told = run(*entry.example.split()[1:])
            assert told.code == 0 or "Traceback" not in told.err, name
    totals = run("forecast", *Q1, "--as-of", "2026-02-28").err
    assert "in all: low 1,200.00, base 2,000.05, high 4,400.50" in totals
    assert run("coverage", *Q1).code == 2
    assert run("coverage", *Q1, "--target", "much").code == 2
    assert "before the first fact" in run("funnel", "--as-of", "2026-01-01").err


@pytest.mark.usefixtures("history")
def test_money_in_one_currency(run: Run, history: DealDatabase) -> None:
    history.rates.load([{"date": "2026-01-01", "currency": "EUR", "rate": "1.10"}])
    history.rates.load([{"date": "2026-03-15", "currency": "EUR", "rate": "1.20"}])
    window = ("--since", "2026-02-01", "--until", "2026-04-01", "--to", "USD")
    found = run("waterfall", *window, "--fx", "--json").json["rows"]
    buckets = {row["bucket"]: str(row["value"]) for row in found}
    # A, C and H at 1.10; C at 1.20 at the end, and of those closed the rate of the day
    assert (buckets["start"], buckets["fx"]) == ("3355.00", "205.00")
    assert {row["currency"] for row in found} == {"USD"}
    lines = run("losses", *MARCH, "--to", "USD", "--rate-day", "as-of", "--deals", "--json")
    assert {row["unpriced"] for row in lines.json["rows"]} == {0}
    refused = run("time-in-stage", "--to", "USD")
    assert refused.code
    assert "this metric has none" in refused.err


def test_what_is_assumed_of_loaded_deals_is_said(db: DealDatabase, run: Run) -> None:
    """A new user's first look at an export: nothing that is assumed stands there as a fact."""
    old = [{"id": n, "stage": "Lead", "amount": 10, "created": "2017-03-01"} for n in range(3)]
    undated = [{"id": f"u{n}", "stage": "Lead", "amount": 100} for n in range(5)]
    db.loader.load([*old, *undated], bar=False)
    result = db.analytics.waterfall(since=datetime.now(UTC).date())
    created = result.frame.filter(bucket="created").row(0, named=True)
    assert created["n"] == 5
    assumed, loaded = result.basis.remarks
    assert assumed.startswith("3 deals have values from before they came here")
    assert loaded.startswith("5 deals were loaded without 'created'")
    assert not any("came here" in part for part in result.basis.describe().split(", "))
    shown = run("waterfall", "--since", "monday")
    assert f"note: {assumed}" in shown.err
    assert f"note: {loaded}" in shown.err
    # each of the ways out that they name
    ages = run("ageing", "--assume", "none")
    assert "came here" not in ages.err
    assert run("waterfall", "--since", "today", "--assume", "backfill").err.count("note: ") == 1
    recorded = db.analytics.ageing(time="recorded")
    assert recorded.basis.remarks == ()
    db.loader.load([{**deal, "created": "2020-01-01"} for deal in undated], bar=False)
    assert len(db.analytics.ageing().basis.remarks) == 1


def test_deals_that_people_save_are_no_load(db: DealDatabase) -> None:
    for n in range(3):
        db.save_deal({"id": n, "stage": "Lead"})
    assert db.analytics.ageing().basis.remarks == ()


def test_days_can_be_named_and_what_is_needed_is_said(
    history: DealDatabase,
    run: Run,
) -> None:
    for day in ("monday", "Yesterday", "today"):
        assert run("waterfall", "--since", day).code == 0
    found = run("forecast")
    assert found.code == 2
    assert "forecast needs --since and --until" in found.err
    assert "waterfall needs --since" in run("waterfall").err
    assert "not a date" in run("waterfall", "--since", "mondays").err
