"""The commands of metrics on history, on the example history imported into a server."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import h1
from cli_runs import Fill, Run, db_fixture, run_fixture  # noqa: F401 fixtures
from dealdb import DealDatabase
from dealdb.cli.registry import COMMANDS

Q1 = ("--since", "2026-01-01", "--until", "2026-04-01")
MARCH = ("--as-of", "2026-03-31")


@pytest.fixture
def history(db: DealDatabase, filled: Fill) -> DealDatabase:
    """The present, and behind it the history that led to it."""
    filled(lambda: h1.load_into(db))
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
def test_who_won_what_and_when(run: Run, history: DealDatabase) -> None:
    """Wins of those who had the deal then, and events that were undone later."""
    assert column(run, "won_value", "leaderboard", *Q1, *MARCH) == ["1500.25", "0.00", "0.00"]
    history.update_deal("A", owner="Bob")
    assert column(run, "owner", "leaderboard", *Q1) == ["Ann", "Bob", "(none)"]
    assert column(run, "owner", "leaderboard", *Q1, "--by-at", "now")[0] == "Bob"
    told = " ".join(run("leaderboard", *Q1).out.split())
    assert told.startswith(
        "Ann won most from 2026-01-01 to 2026-03-31: 1,500.25 EUR. 2 of 5 closed deals were won "
        "(40.0 %). A deal counts for the owner that it had when it was closed."
    )
    quarter = ("trend", "--period", "quarter", *Q1)
    assert [column(run, name, *quarter) for name in ("created", "won", "lost")] == [[8], [3], [3]]
    told = " ".join(run(*quarter).out.split())
    assert told.startswith("8 deals were created, 3 won and 3 lost from 2026-01-01 to 2026-03-31;")
    assert "Most was won in 2026-Q1 (1,900.25 EUR)." in told
    assert len(run(*quarter, "--deals", "--json").json["rows"]) == 8 + 3 + 3
    assert "No deal was created, won or lost" in run("trend", "--since", "2026-09-01", *MARCH).out
    assert "No deal was won or lost" in run("leaderboard", "--since", "2026-09-01").out
    refused = run("stats", "trend", "--as-of", "2026-03-31")
    assert (refused.code, refused.out) == (2, "")
    assert "dealdb trend does, which goes by the history" in refused.err


@pytest.mark.usefixtures("history")
def test_every_metric_has_lines_and_forms(run: Run) -> None:
    lines = run("funnel", *Q1, *MARCH, "--deals", "--by", "owner").out.splitlines()
    head = ["owner", "stage", "deal", "adds", "from", "to", "when"]
    assert lines[2].split() == head
    assert len(lines) == 3 + 7 + 5 + 5 + 2
    assert "120,000.0 %" not in run("ramp", "--months", "3", *MARCH).out
    answered = {command[0] for command in ANSWERS}
    for name, entry in COMMANDS.items():
        if entry.module.startswith("past.") and name not in answered:
            told = run(*entry.example.split()[1:])
            assert told.code == 0 or "Traceback" not in told.err, name
    totals = run("forecast", *Q1, "--as-of", "2026-02-28", "--csv").err
    assert "in all: low 1,200.00, base 2,000.05, high 4,400.50" in totals


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


@pytest.mark.usefixtures("history")
def test_errors_say_what_to_do(run: Run) -> None:
    refused = {
        ("coverage", *Q1): "coverage needs --target AMOUNT",
        ("coverage", *Q1, "--target", "much"): "--target takes a number, not 'much'",
        ("funnel", "--as-of", "2026-01-01"): "--as-of 2026-01-01 is before the first fact",
        ("funnel", "--since", "May"): "--since 'May' is not a day: write 2026-10-01, today",
        ("funnel", "--mode", "x"): "--mode 'x' is not a choice",
        ("funnel", "--in", "Q4"): "'Q4' is not a period: write this-quarter",
        (
            "funnel",
            "--in",
            "2026-Q1",
            "--until",
            "2026-04-01",
        ): "--in is short for --since and --until",
        ("slippage", "--since", "2026-01-01"): "--since needs --until here; --in PERIOD is both",
        ("rotting", "--days", "-3"): "--days is a whole number",
        ("hindsight",): "hindsight needs --known DATE",
        ("calibration",): "calibration needs --since DATE",
    }
    for command, message in refused.items():
        told = run(*command)
        assert (told.code, told.out) == (2, ""), command
        assert message in told.err
        assert "_" not in told.err


# of each metric, the first lines for people: what a sales manager asked
ANSWERS = {
    ("funnel", *Q1, *MARCH): (
        "Of 7 deals created from 2026-01-01 to 2026-03-31, 2 are won (28.6 %), 2 are still open and 3 were lost. "
        "The weakest step is Offer: of those that came there 40.0 % were won."
    ),
    ("time-in-stage", *MARCH): (
        "Deals stay longest in Lead: 26.5 days on average, half of them 27 days or less (6 deals that left). Of those "
        "that are still there, the ones in Offer have waited longest: 2 deals, 24.5 days on average so far."
    ),
    ("ageing", "--as-of", "2026-02-28"): (
        "5 deals are open, worth 3,900.50 EUR. The oldest have been in their stage for 15 to 30 days: 2 deals, 800.50 "
        "EUR. 1 open deal has no amount and counts as 0."
    ),
    ("rotting", "--as-of", "2026-02-28", "--basis", "stage"): (
        "2 of 5 open deals (40.0 %) are rotting, that is in their stage for more days than the stage allows; worth "
        "800.50 EUR. The longest: 27 days, in Lead. --deals lists them."
    ),
    ("changed", "--since", "2026-02-01", "--until", "2026-04-01"): (
        "The open pipeline fell by 249.50 EUR from 2026-02-01 to 2026-03-31, from 3,050.00 EUR (3 deals) to 2,800.50 "
        "EUR (2 deals): +1,800.75 created, +400.00 reopened, +200.00 from higher amounts, -1,500.25 won, -1,100.00 "
        "lost, -50.00 deleted. Of the deals that stayed open, 1 moved to a later stage."
    ),
    ("slippage", "--in", "2026-03"): (
        "Of 3 deals (2,800.50 EUR) that were due from 2026-03-01 to 2026-03-31, 2 slipped (66.7 %, 100.0 % of the "
        "value). The others: 1 won and 0 lost. Of those that slipped, 2 moved out of the period and 0 are overdue in "
        "it. Dates were pushed 2 times, by 25.5 days on average. 1 deal has no amount and counts as 0."
    ),
    ("coverage", *Q1, "--target", "3000", "--as-of", "2026-02-28"): (
        "Of the target of 3,000.00 EUR, 1,200.00 EUR is won and 1,800.00 EUR is left; open deals of 3,200.50 EUR due "
        "from 2026-01-01 to 2026-03-31 cover that 1.78 times. At the win rate of the last 365 days, 50.0 %, it takes "
        "2.00 times: 399.50 EUR of open deals are missing. 1 deal has no amount and counts as 0."
    ),
    ("forecast", "--in", "this-quarter", "--as-of", "2026-02-28"): (
        "The period from 2026-01-01 to 2026-03-31 is likely to close at 2,000.05 EUR: 1,200.00 EUR won so far and "
        "800.05 EUR expected of 4 open deals, each by its chance. At least 1,200.00 EUR, which is won or committed; at "
        "most 4,400.50 EUR, if every open deal is won. 1 of these deals is overdue. 1 open deal has no amount and "
        "counts as 0."
    ),
    ("cohorts", *MARCH): (
        "Of 7 deals created from 2026-01 to 2026-02, 2 were won within 12 months (28.6 %), and 2 are still open. "
        "Column 0 is the month of creation itself; a column counts all that was won by then, and the last cell of a "
        "line may still grow."
    ),
    ("losses", *Q1): (
        "3 deals were lost from 2026-01-01 to 2026-03-31, worth 1,600.00 EUR. The first reason is Price: 2 deals, "
        "66.7 %. 1 of them has no reason."
    ),
    ("win-loss", "--by", "owner"): (
        "2 of 5 closed deals were won (40.0 %), worth 1,500.25 EUR. Best: Ann with 66.7 % of 3; last: Bob with 0.0 % "
        "of 1. Where the ranges of two groups overlap, they may be alike."
    ),
    ("attainment", "2026-Q1", *MARCH): (
        "The team has won 1,500.25 EUR of its quota of 3,000.00 EUR in 2026-Q1 (50.0 %)."
    ),
    ("attainment", "this-quarter", "--as-of", "2026-02-28"): (
        "The team has won 1,200.00 EUR of its quota of 3,000.00 EUR in 2026-Q1 (40.0 %). That is 39.0 % less than "
        "the days gone by ask for. 58.06 EUR a day are needed in the 31 days left."
    ),
    ("stage-chances", "--method", "closed", *MARCH): (
        "A deal that comes into Lead is won in the end in 40.0 % of the cases (11.8 % to 76.9 %, by 5 deals). A deal "
        "that comes into Offer is won in the end in 100.0 % of the cases (20.7 % to 100.0 %, by 1 deal). 3 lines rest "
        "on fewer than 20 deals, and tell little."
    ),
    ("survival", "Lead", *MARCH): (
        "Half of the deals have left Lead within 39 days (by 7 stays, those that still go on among them)."
    ),
    ("simulate", "--in", "2026-Q1", "--as-of", "2026-02-28", "--chances", "own"): (
        "By the end of 2026-03-31, some 1,600.00 EUR will be won: in half of the outcomes it is no more, and in 8 of "
        "10 between 1,200.00 EUR and 3,600.00 EUR. 1,200.00 EUR is won since 2026-01-01; more can come from 4 open "
        "deals. Deals that are created later are not in it."
    ),
    ("forecast-error", "--in", "2026-Q1", "--days-before", "31,7"): (
        "2026-Q1 closed at 1,500.25 EUR. That is 75.0 % of the forecast of 31 days before its end (2,000.05 EUR) and "
        "95.5 % of that of 7 days before (1,570.25 EUR). The forecast is what was won by then, and open deals by their "
        "chances. One period says little about forecasts in general."
    ),
}


# a table, a grid, a list and figures of one line: the forms know no other
IN_EVERY_FORM = {"funnel", "cohorts", "changed", "simulate"}


def test_the_first_lines_answer_the_question(run: Run, history: DealDatabase) -> None:
    for key, amount in (("Ann", "2000.00"), ("Bob", "1000.00")):
        quota = {"period_start": "2026-01-01", "period": "quarter", "key": key, "amount": amount}
        history.quotas.load([{**quota, "currency": "EUR"}])
    for command, answer in ANSWERS.items():
        told = run(*command)
        assert told.code == 0, command
        first, _, rest = told.out.partition("\n\n")
        assert " ".join(first.split()) == answer
        assert max(map(len, first.splitlines())) <= 100
        # neither keys nor codes reach people
        assert "_" not in rest + told.err, command
        assert not {"true", "false"} & {*rest.split()}
        if command[0] not in IN_EVERY_FORM:
            continue
        page = run(*command, "--md").out
        assert " ".join(page.partition("\n\n")[0].split()) == answer
        # programs get what they always got
        assert run(*command, "--csv").out.splitlines()[0] == ",".join(
            run(*command, "--json").json["rows"][0]
        )


@pytest.mark.usefixtures("history")
def test_grids_for_people_and_rows_for_programs(run: Run) -> None:
    grid = run("cohorts", *MARCH).out.partition("\n\n")[2].splitlines()
    assert grid[0].split() == ["created", "in", "deals", "0", "1", "2", "still", "open", "deleted"]
    assert [line.split() for line in grid[1:]] == [
        ["2026-01", "4", "0", "1", "1", "1", "1"],
        ["2026-02", "3", "0", "1", "-", "1", "0"],
    ]
    assert len(run("cohorts", *MARCH, "--limit", "5").out.partition("\n\n")[2].splitlines()) == 6
    by_owner = ("changed", "--since", "2026-02-01", "--until", "2026-04-01", "--by", "owner")
    moved = run(*by_owner).out.partition("\n\n")[2].splitlines()
    assert moved[0].split() == ["what", "Ann", "Bob", "(none)"]
    assert moved[-1].split("  ")[-3:] == ["    0.00", "2,800.50", "0.00"] or "2,800.50" in moved[-1]
    assert len(run(*by_owner, "--csv").out.splitlines()) == 1 + 3 * 13


def test_a_collection_without_deals(run: Run) -> None:
    for name, entry in COMMANDS.items():
        if not entry.module.startswith("past."):
            continue
        told = run(*entry.example.split()[1:])
        assert "Traceback" not in told.err
        assert "unexpected" not in told.err, name
        if told.code:
            assert told.err.startswith("error: "), name
            continue
        # a sentence says that there is nothing
        answer = " ".join(told.out.partition("\n\n")[0].split())
        assert answer.endswith("."), name
        assert re.search(r"(?i)\bno(ne|body|thing)?\b|\b0(\.00)?\b", answer), name


def test_lines_of_deals_say_what_people_call_them(run: Run, history: DealDatabase) -> None:
    history.update_deal("C", name="Acme renewal", owner="Zoe")
    window = ("changed", "--since", "2026-02-01", "--until", "2026-04-01", "--deals")
    shown = run(*window).out.splitlines()
    [line] = [line for line in shown if "open at the end" in line and "Acme renewal" in line]
    assert line.split()[4:8] == ["C", "Acme", "renewal", "Zoe"]
    assert "owner now" in shown[2]
    # programs get the fixed columns
    assert run(*window, "--csv").out.splitlines()[0] == "bucket,id,value,from,to,at"
    assert "owner now" not in run("losses", "--by", "owner", "--deals", "--csv").out


def test_deals_without_an_amount_move_too(db: DealDatabase, run: Run) -> None:
    db.loader.load([{"id": n, "stage": "Lead"} for n in range(5)], bar=False)
    told = run("changed", "--since", "monday")
    assert "nothing moved" not in told.out
    assert "5 deals created without an amount" in " ".join(told.out.split())
    # what is remarked is said once
    assert told.err.count("were loaded without 'created'") == 1
