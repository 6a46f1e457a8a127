"""Sentences for results with groups, several currencies, and nothing in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb.analytics import Basis, MetricResult
from dealdb.analytics.basis import in_words, note_in_words
from dealdb.analytics.conversion import RATES, Conversion
from dealdb.analytics.history.movement.coverage import coverage
from dealdb.analytics.history.movement.forecast import forecast
from dealdb.analytics.history.movement.slippage import slippage
from dealdb.analytics.history.movement.waterfall import waterfall
from dealdb.analytics.history.outcomes.cohorts import cohorts
from dealdb.analytics.history.outcomes.losses import losses
from dealdb.analytics.history.outcomes.ramp import ramp
from dealdb.analytics.history.outcomes.win_loss import win_loss
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.stages.funnel import funnel
from dealdb.analytics.history.stages.time_in_stage import time_in_stage
from dealdb.analytics.prediction.calibration import calibration
from dealdb.analytics.prediction.forecast_error import forecast_error
from dealdb.analytics.prediction.simulate import simulate
from dealdb.analytics.prediction.stage_chances import stage_chances
from dealdb.answers.answer import answer_of
from dealdb.answers.people import form_of, sheet_of
from dealdb.formats.cells import AS_IS, to_cell
from dealdb.model.schema import Schema
from dealdb.store.facts.fold import folded
from histories.written import facts_of, read
from pasts import past_of

Q1: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}


def past(*, dollars: str = "", **options: Any) -> Past:
    """The example history, deals of which may be in dollars."""
    rows = h1.rows().with_columns(
        value=pl.when((pl.col("field") == "currency") & pl.col("id").is_in([*dollars]))
        .then(pl.lit("USD"))
        .otherwise("value")
    )
    facts = folded(rows, Schema.standard(), h1.PIPELINE)
    return Past(facts=facts, compile=lambda where, schema, zone: None, **options)


def test_money_of_two_currencies_is_never_added() -> None:
    asked: dict[str, Any] = {"since": "2026-02-01", "until": "2026-04-01"}
    told = answer_of(waterfall(past(dollars="D"), **asked), asked)
    assert told is not None
    assert "by 1,050.00 EUR" in told
    assert "grew by 800.50 USD" in told
    assert "2,800.50" not in told
    due = answer_of(forecast(past(dollars="D", as_of="2026-02-28"), **Q1), Q1)
    assert due is not None
    assert "likely to close at 1,920.00 EUR" in due
    assert "likely to close at 80.05 USD" in due
    lost = answer_of(losses(past(dollars="G", by="loss_reason")), {})
    assert lost is not None
    assert lost.startswith(
        "3 deals were lost, worth 1,200.00 EUR and 400.00 USD. The first reason is Price: 2"
    )


def test_a_group_is_named() -> None:
    asked = {**Q1, "by": ["owner"]}
    told = answer_of(losses(past(by="owner")), {"by": ["owner"]})
    assert told is not None
    assert "The largest group: Ann: 1 deal" in told or "The largest group: Bob: 1 deal" in told
    assert answer_of(waterfall(past(by="owner"), since="2026-02-01"), asked)


def test_lines_of_deals_and_metrics_of_the_present() -> None:
    lines = waterfall(past(deals=True), since="2026-02-01")
    assert (answer_of(lines, {"deals": True}) or "").startswith("A line for each deal")
    none = MetricResult(name="summary", frame=pl.DataFrame({"n": [1]}), basis=Basis(n=1))
    assert answer_of(none, {}) is None


def test_columns_of_one_name_keep_their_keys() -> None:
    frame = pl.DataFrame(
        {"what": ["a"], "bucket": ["up"], "n": [1], "value": [Decimal(1)], "blank": [0]}
    )
    sheet = sheet_of(MetricResult(name="waterfall", frame=frame, basis=Basis(n=1)))
    assert list(sheet.columns) == ["what", "bucket", "deals", "value", "no amount"]
    assert sheet.columns["bucket"] == ["amount raised"]


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (
            "cohort entered:Demo, mode any",
            "from their first entry into Demo; only stages they were in",
        ),
        ("basis update, respite next_step", "days since the last change, respite next_step"),
        (
            "30 days before: MAPE 0.238 WAPE 0.212",
            "30 days before: off by 23.8 % on average, and by 21.2 % of all money",
        ),
        (
            "90 days before, EUR: MAPE 1e+03 WAPE 12",
            "90 days before, EUR: off by 100,000.0 % on average, and by 1,200.0 % of all money",
        ),
        (
            "values before their record assumed of 3 deals",
            "values before their record assumed of 3 deals",
        ),
    ],
)
def test_notes_in_words(note: str, words: str) -> None:
    assert note_in_words(note) == words


def test_closed_deals_wait_for_nothing() -> None:
    asked = {"by": ["owner"], "closed": True, "unit": "visit"}
    told = answer_of(time_in_stage(past(by="owner"), closed=True, unit="visit"), asked)
    assert (
        told
        == "Deals stay longest in Lead (none): 39 days on average, half of them 39 days or less (1 stay that ended)."
    )


def past_of_changes(*changes: str, zone: str = "UTC", **options: Any) -> Past:
    """A past of lines like ``A 01-05 stage=Lead amount=10.00``; an asterisk deletes."""
    rows = []
    for seq, line in enumerate(changes, 1):
        deal, day, *parts = line.split()
        at = h1.moment(f"2026-{day}", 12)
        for part in parts:
            name, _, text = part.partition("=")
            gone = part == "*"
            rows.append(
                (deal, at, seq, None if gone else name, text or None, "delete" if gone else "set")
            )
    frame = pl.DataFrame(rows, schema=["id", "at", "seq", "field", "value", "op"], orient="row")
    facts = folded(frame, Schema.standard(), replace(h1.PIPELINE, zone=zone))
    return Past(facts=facts, compile=lambda where, schema, zone: None, **options)


def told_of(metric: Any, of: Past, **options: Any) -> str:
    shown = {**options, **({"by": [of.by]} if of.by else {})}
    return answer_of(metric(of, **options), shown) or ""


def test_a_funnel_says_which_deals_are_in_no_step() -> None:
    lost = [f"L{n} 01-0{n} stage=Lost created=2026-01-0{n} owner=Zoe" for n in (1, 2)]
    some = ["A 01-05 stage=Lead created=2026-01-05 owner=Ann", "A 01-06 stage=Won"]
    told = told_of(funnel, past_of_changes(*lost, *some))
    assert told.startswith(
        "Of 3 deals created, 1 is won (33.3 %). Of those that ever stood in an open stage, 0 are still open and 0 "
        "were lost. 2 others never stood in an open stage, as far as is known, and are in no line"
    )
    # not one of them is in any step
    assert told_of(funnel, past_of_changes(*lost, by="owner")).startswith(
        "Of 2 deals created, 0 are won (0.0 %). Of those that ever stood in an open stage, 0 are still open and 0 "
        "were lost. 2 others"
    )
    # more deals may come to a stage than stood in the one before
    assert "weakest" not in told_of(
        funnel, past_of_changes("A 01-05 stage=Won created=2026-01-05"), mode="any"
    )


def test_nobody_has_left_a_stage() -> None:
    told = told_of(time_in_stage, past_of_changes("A 01-05 stage=Lead", as_of="2026-01-08"))
    assert told == (
        "No deal has left an open stage. Of those that stand in one, the one in Lead has waited longest: 1 deal, 3.5 "
        "days on average so far."
    )


def test_a_period_that_is_not_over() -> None:
    changes = [
        f"{deal} 01-05 stage=Lead amount=10.00 expected_close=2026-0{n}-20"
        for n, deal in enumerate("ABC", 1)
    ]
    of = past_of_changes(
        *changes,
        "D 01-05 stage=Demo expected_close=2026-02-01",
        "D 02-01 stage=Won",
        as_of="2026-02-28",
    )
    asked = {"since": "2026-01-06", "until": "2026-04-01"}
    assert told_of(slippage, of, **asked) == (
        "Of 4 deals (30.00) that were due from 2026-01-06 to 2026-03-31, 1 is not due yet, as the period is not over; "
        "they count as slipped in the table. The others: 2 slipped, 1 won and 0 lost. 1 deal has no amount and counts "
        "as 0."
    )
    # on the last day of February nothing is to come any more
    over = slippage(of, since="2026-01-06", until="2026-03-01")
    assert "not_due" not in over.totals
    told = told_of(forecast, of, since="2026-01-01", until="2026-03-01")
    assert told.startswith(
        "The period from 2026-01-01 to 2026-02-28 is over and closed at 0.00. 2 deals that were"
    )
    assert "likely" not in told


def test_what_has_no_value_is_told_beside_what_has() -> None:
    of = past_of_changes(
        *(
            "A 01-05 stage=Lead amount=10.00",
            "B 01-05 stage=Lead amount=0.00",
            "C 01-05 stage=Lead",
        ),
        *("A 02-05 stage=Won", "B 02-05 stage=Lost", "C 02-05 stage=Lost"),
        as_of="2026-02-28",
    )
    told = told_of(waterfall, of, since="2026-02-01")
    assert told.endswith("-10.00 won, 2 deals lost with amounts that add up to 0.00.")


def test_outlooks_of_groups_are_told_by_group() -> None:
    asked: dict[str, Any] = {"until": "2026-04-01", "chances": "own"}
    told = told_of(simulate, past(as_of="2026-02-28", by="owner"), **asked)
    assert told.startswith("Ann: by the end of 2026-03-31, some 1,200.00 EUR will be won")
    assert (
        "in 8 of 10 just that. 1,200.00 EUR is won since 2026-01-01; no open deal can add to it. Bob: by"
        in told
    )
    none = told_of(simulate, past_of_changes("A 01-05 stage=Lead", as_of="2026-02-28"), **asked)
    assert none == (
        "Nothing is won since 2026-01-01, and no open deal that has an amount and a chance can add to it by 2026-03-31."
    )
    # a correlation has a second row, of the same wins
    closed = past_of_changes(
        "A 01-05 stage=Lead amount=10.00", "A 02-05 stage=Won closed=2026-02-05", as_of="2026-02-28"
    )
    assert told_of(simulate, closed, **asked, rho=0.3).startswith("10.00 is won since")


def test_a_number_to_group_by_is_a_name() -> None:
    """A year has no thousands, and a rate of tax of 19.5 is no 1,950 %."""
    row = {"year": 2026, "tax_rate": 19.5, "n": 6_000, "won": 1_500, "win_rate": 0.25}
    frame = pl.DataFrame([row])
    sheet = sheet_of(MetricResult(name="win_rate", frame=frame, basis=Basis(n=1_500)))
    cells = [
        to_cell(values[0], sheet.forms.get(name, AS_IS)) for name, values in sheet.columns.items()
    ]
    assert cells == ["2026", "19.5000", "6,000", "1,500", "25.0 %"]
    assert not form_of("deals", "tax_rate").percent


def test_nothing_can_be_learned_where_all_are_open() -> None:
    told = told_of(stage_chances, past_of_changes("A 01-05 stage=Lead", as_of="2026-02-28"))
    assert told.startswith("No deal that stood in an open stage is known to have been won or lost")


def test_rows_of_currencies_are_no_groups() -> None:
    closed = [
        "A 01-05 stage=Lead amount=10.00 currency=EUR owner=Ann created=2026-01-05",
        "A 02-05 stage=Won closed=2026-02-05",
        "B 01-05 stage=Lead amount=20.00 currency=USD owner=Bob created=2026-01-05",
        "B 02-05 stage=Won closed=2026-02-05",
        "C 01-05 stage=Lead amount=30.00 currency=USD owner=Ann created=2026-01-05",
        "C 02-05 stage=Lost closed=2026-02-05",
    ]
    of = past_of_changes(*closed, as_of="2026-03-31")
    assert told_of(win_loss, of) == (
        "2 of 3 closed deals were won (66.7 %), worth 10.00 EUR and 20.00 USD."
    )
    assert "Best: Bob with 100.0 % of 1; last: Ann with 50.0 % of 2." in told_of(
        win_loss, past_of_changes(*closed, by="owner", as_of="2026-03-31")
    )
    assert told_of(cohorts, of).startswith("Of 3 deals created in 2026-01, 2 were won")
    owners = past_of_changes(*closed, by="owner", as_of="2026-03-31")
    assert (
        "Of 2 owners, Ann won most, 10.00 EUR and Bob won most, 20.00 USD, in the first 3 months."
        in told_of(ramp, owners)
    )
    missing = told_of(coverage, of, **Q1, target=100, win_rate="0.5")
    assert missing == (
        "0 of 2 targets are met. 2 are short of open deals, 180.00 EUR and 160.00 USD missing. The "
        "target counts for each currency by itself; --to CURRENCY takes all together."
    )
    looked = told_of(calibration, of, since="2026-02-01", every="month")
    assert looked.startswith("Open deals were looked at 3 times")


def test_open_deals_without_a_rate_of_success_are_not_enough() -> None:
    of = past_of_changes(
        "A 01-05 stage=Lead amount=10.00 owner=Ann", by="owner", as_of="2026-03-31"
    )
    told = told_of(coverage, of, **Q1, target={"Ann": 50, "Bob": 50})
    assert told == (
        "0 of 2 targets are met. How many open deals 2 need is not known, as none of their deals was won in the last "
        "365 days."
    )


def test_calibration_of_deals_without_a_history_begins_with_a_warning() -> None:
    of = past_of_changes("A 01-05 stage=Lead probability=0.5", as_of="2026-03-31")
    of.notes.append("values before their record assumed of 1,600 deals")
    told = told_of(calibration, of, since="2026-02-01", every="month")
    assert told.startswith("This may mislead: 1,600 deals came without a history")


def test_losses_without_any_reason() -> None:
    of = past_of_changes("A 01-05 stage=Lost", "B 01-06 stage=Lost", by="loss_reason")
    assert (
        told_of(losses, of)
        == "2 deals were lost. None of them has a reason. 2 deals have no amount and count as 0."
    )


def test_a_window_that_is_not_over_is_told_up_to_the_last_day_that_is() -> None:
    of = past(as_of="2026-03-31")
    told = told_of(waterfall, of, since="2026-02-01", until="2026-07-01")
    assert told.startswith(
        "The open pipeline fell by 249.50 EUR from 2026-02-01 to 2026-03-31, from"
    )


def test_a_forecast_far_too_low_is_told_in_times() -> None:
    won = [f"{n} 01-05 stage=Lead amount=10.00 owner=O{n}" for n in range(7)]
    won += [f"{n} 03-05 stage=Won closed=2026-03-05" for n in range(7)]
    won += ["S 01-05 stage=Lead amount=10.00 expected_close=2026-03-20", "S 03-06 stage=Lost"]
    told = told_of(forecast_error, past_of_changes(*won, as_of="2026-03-31"), days_before=(60, 7))
    assert told.startswith(
        "2026-Q1 closed at 70.00. That is 70.0 times the forecast of 60 days before its end (1.00) and 100.0 % of that"
    )
    owners = past_of_changes(*won, by="owner", as_of="2026-03-31")
    assert "3 more groups in the table." in told_of(forecast_error, owners, days_before=(60, 7))


def test_errors_in_several_currencies_are_of_each_by_itself() -> None:
    deals = []
    for month in ("01", "02", "03"):
        for currency, amount in (("EUR", "100.00"), ("JPY", "90000.00"), ("", "1.00")):
            stage = "Demo" if currency == "EUR" else "Offer"
            deal, money = f"{currency}{month}", f"currency={currency} amount={amount}"
            deals += [
                f"{deal} {month}-05 stage={stage} {money} expected_close=2026-{month}-20",
                f"{deal} {month}-20 stage=Won closed=2026-{month}-20",
            ]
    of = past_of_changes(*deals, as_of="2026-03-31")
    asked: dict[str, Any] = {"period": "month", "days_before": (14,)}
    told = told_of(forecast_error, of, **asked)
    assert told.endswith(
        "Over 3 periods, forecasts in EUR were off by 70.0 % 14 days before the end, on average. Over 3 periods, "
        "forecasts in JPY were off by 40.0 % 14 days before the end, on average. Over 3 periods, forecasts without a "
        "currency were off by 40.0 % 14 days before the end, on average."
    )
    assert [note for note in of.notes if "MAPE" in note] == [
        "14 days before, EUR: MAPE 0.7 WAPE 0.7",
        "14 days before, JPY: MAPE 0.4 WAPE 0.4",
        "14 days before, no currency: MAPE 0.4 WAPE 0.4",
    ]
    for by in ("currency", ["currency"]):
        again = past_of_changes(*deals, as_of="2026-03-31", by=by)
        forecast_error(again, **asked)
        assert again.notes == of.notes


def test_a_quiet_period_has_a_forecast_as_well() -> None:
    of = past_of_changes("A 01-05 stage=Lead amount=10.00", as_of="2026-06-30")
    told = told_of(forecast_error, of, since="2026-04-01", days_before=(30,))
    assert told.startswith("2026-Q2 closed at 0.00, and no forecast expected more.")


def test_seasons_of_several_currencies_are_told_by_currency() -> None:
    rows = [
        {"currency": currency, "month": month, "factor": factor, "n": 2}
        for currency, month, factor in (("EUR", 12, 1.5), ("EUR", 1, 0.5), ("USD", 3, 2.0))
    ]
    basis = Basis(n=9, currency="mixed")
    result = MetricResult(name="seasonality", frame=pl.DataFrame(rows), basis=basis)
    assert answer_of(result, {}) == (
        "December is the best: 1.50 times the won value in EUR of the year around it, by 2 years; January the "
        "weakest: 0.50 times, by 2 years. March is the best: 2.00 times the won value in USD of the year around it, "
        "by 2 years; March the weakest: 2.00 times, by 2 years."
    )


def test_where_nobody_stands_is_said_of_the_day() -> None:
    changes = ("A 01-05 stage=Lead", "A 01-06 stage=Won")
    told = told_of(time_in_stage, past_of_changes(*changes, as_of="2026-01-31"))
    assert told.endswith("No deal stands in an open stage as of 2026-01-31.")


def test_nothing_is_before_the_first_day_that_there_is() -> None:
    assert in_words(Basis(n=0, until=date.min)) == "0 deals"
    assert told_of(losses, past_of_changes(by="loss_reason"), until=date.min) == "No deal was lost."


def in_euros(**options: Any) -> Past:
    """The example history, all of it in dollars, whose rate leaves parts of cents in every amount."""
    rates = pl.DataFrame(
        {"date": [date(2026, 1, 1)], "currency": ["USD"], "rate": [Decimal("0.853208")]},
        schema=RATES,
    )
    found = past(dollars="ABCDEFGH", **options)
    return replace(
        found, convert=Conversion(to="EUR", rates=rates, rate_day="as_of", as_of=found.day)
    )


def test_sums_of_converted_money_are_rounded_once() -> None:
    alone = answer_of(forecast(in_euros(as_of="2026-02-28"), **Q1), Q1)
    by: dict[str, Any] = {"by": "owner"}
    # rows of owners are rounded by themselves, and miss the sum by a cent
    assert answer_of(forecast(in_euros(as_of="2026-02-28", **by), **Q1), Q1 | by) == alone
    asked: dict[str, Any] = {"since": "2026-02-01", "until": "2026-04-01"}
    whole = answer_of(waterfall(in_euros(), **asked), asked)
    parts = answer_of(waterfall(in_euros(**by), **asked), asked | by)
    assert whole
    assert parts
    assert parts.partition(":")[0] == whole.partition(":")[0]


def test_sums_of_long_amounts_keep_all_digits() -> None:
    row = {"n": 1, "blank": 0, "bucket": "start", "value": Decimal("1" * 31 + ".05")}
    end = row | {"bucket": "end", "value": Decimal("1" * 31 + ".07")}
    up = row | {"bucket": "up", "value": Decimal("0.02")}
    frame = pl.DataFrame([row, up, end], schema_overrides={"value": pl.Decimal(38, 2)})
    result = MetricResult(name="waterfall", frame=frame, basis=Basis(n=1))
    told = answer_of(result, {})
    assert told
    assert "grew by 0.02" in told


def test_a_funnel_tells_deals_that_are_in_no_step() -> None:
    def told(*lines: str) -> str | None:
        return answer_of(funnel(past_of(facts_of(read(*lines)))), {})

    nowhere = told("A 01-05 created=2026-01-05 amount=5")
    assert nowhere is not None
    # it is open, and in no stage
    assert "Of those that ever stood in an open stage, 0 are still open" in nowhere
    assert "1 other never stood in an open stage" in nowhere
    gone = told("A 01-05 created=2026-01-05 stage=Lead", "A 01-07 *")
    assert gone == "The one deal created was deleted since."
    assert told("A 01-05 stage=Lead") == "No deal was created."
