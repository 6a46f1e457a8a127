"""Metrics on history of a database and of its past, in one currency or several."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import h1
from dealdb import DealDatabase, QueryError
from servers import Server

RATES = [
    {"date": "2026-01-01", "currency": "USD", "rate": "0.90"},
    {"date": "2026-03-01", "currency": "USD", "rate": "0.80"},
]
QUARTER: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}
# every metric of money, with what it needs
OF_MONEY: list[tuple[str, dict[str, Any]]] = [
    ("waterfall", {"since": "2026-02-01", "until": "2026-03-01"}),
    ("slippage", {"since": "2026-02-01", "until": "2026-03-01"}),
    ("coverage", {**QUARTER, "target": 1000}),
    ("forecast", QUARTER),
    ("cohorts", {}),
    ("losses", {}),
    ("win_loss", {}),
    ("ramp", {}),
    ("leaderboard", {"at": "closing"}),
    ("trend", {"events": True}),
    ("attainment", {"period": "2026-Q1"}),
    ("hindsight", {"known": "2999-12-31"}),
    ("late_entry", {}),
    ("funnel", {}),
    ("ageing", {}),
    ("rotting", {}),
    ("simulate", {"until": "2026-07-01", "chances": "own"}),
    ("forecast_error", {"period": "month", "days_before": [10]}),
    ("calibration", {"since": "2026-02-01"}),
]


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        db.set_pipeline(h1.PIPELINE)
        for id, currency, won in (("1", "USD", 10), ("2", "EUR", 20), ("3", "GBP", None)):
            deal = {"id": id, "stage": "Lead", "amount": 100, "currency": currency, "owner": "Ann"}
            dates = {"created": date(2026, 1, 5), "expected_close": date(2026, 2, 20)}
            db.save_deal({**deal, **dates}, at=datetime(2026, 1, 5, tzinfo=UTC))
            if won:
                closed: dict[str, Any] = {"stage": "Won", "closed": date(2026, 2, won)}
                db.update_deal(id, at=datetime(2026, 2, won, 12, tzinfo=UTC), **closed)
        db.rates.load(RATES)
        yield db


@pytest.mark.parametrize(("metric", "options"), OF_MONEY)
def test_every_metric_of_money_has_one_currency(
    db: DealDatabase, metric: str, options: dict[str, Any]
) -> None:
    as_of = {} if metric in ("waterfall", "slippage") else {"as_of": "2026-03-31"}
    apart = getattr(db.analytics, metric)(**options, **as_of)
    assert apart.basis.currency in ("mixed", "GBP", None if metric == "losses" else "GBP")
    found = getattr(db.analytics, metric)(**options, **as_of, to="EUR")
    assert found.frame.columns[-3:] == ["currency", "unpriced", "rates_until"]
    assert set(found.frame["currency"]) <= {"EUR"}
    assert found.basis.currency == "EUR"
    money = [name for name, dtype in found.frame.schema.items() if dtype.is_decimal()]
    assert {found.frame.schema[name].scale for name in money} <= {2}
    of_gbp = any("in GBP that have no rate to EUR" in text for text in found.basis.warnings)
    # pounds are only open here
    assert of_gbp == (found.frame["unpriced"].fill_null(0).sum() > 0)


def test_the_rate_is_that_of_the_closing_day(db: DealDatabase) -> None:
    board = db.analytics.leaderboard(at="closing", to="EUR", as_of="2026-03-31")
    assert board["won_value"] == Decimal("190.00")
    later = db.analytics.leaderboard(at="closing", to="EUR", as_of="2026-03-31", rate_day="as_of")
    assert later["won_value"] == Decimal("180.00")
    lines = db.analytics.leaderboard(at="closing", to="EUR", as_of="2026-03-31", deals=True)
    assert sum(lines.frame["value"]) == Decimal("190.00")


def test_options_that_mean_nothing_are_refused(db: DealDatabase) -> None:
    with pytest.raises(QueryError, match="this metric has none"):
        db.analytics.time_in_stage(to="EUR")
    with pytest.raises(QueryError, match="say to= which currency"):
        db.analytics.losses(rate_day="as_of")
    with pytest.raises(QueryError, match="ask for at='closing'"):
        db.analytics.leaderboard(deals=True)
    with pytest.raises(QueryError, match="ask for events=True"):
        db.analytics.trend(as_of="2026-03-31")
    with pytest.raises(QueryError, match="by_at is of the history: ask for events=True"):
        db.analytics.trend(by_at="now")


def test_rates_that_were_known(db: DealDatabase) -> None:
    found = db.analytics.win_loss(to="EUR", rates_known="2020-01-01")
    assert (found["won_value"], found["unpriced"]) == (Decimal("100.00"), 1)


def test_a_view_of_what_happened_answers_as_of_its_day(db: DealDatabase) -> None:
    then = db.as_of("2026-02-15", time="event").analytics
    assert then.win_loss(to="EUR").frame.select("won", "won_value").rows() == [
        (1, Decimal("90.00"))
    ]
    assert then.funnel().basis.as_of == date(2026, 2, 15)
    assert then.forecast(**QUARTER, to="EUR", as_of="2026-01-31").totals["low"] == 0
    with pytest.raises(QueryError, match="is after 2026-02-15, the moment of these deals"):
        then.win_loss(as_of="2026-03-31")
    with pytest.raises(QueryError, match="is before the first fact, which is of 2026-01-05"):
        then.win_loss(as_of="2026-01-01")


def test_a_view_of_what_was_recorded_knows_no_more(db: DealDatabase) -> None:
    recorded = datetime.now(UTC)
    view = db.as_of(recorded)
    assert len(view) == 3
    db.update_deal("3", at=datetime(2026, 3, 1, tzinfo=UTC), stage="Lost")
    assert db.analytics.win_loss(as_of="2026-03-31").frame["lost"].sum() == 1
    assert view.analytics.win_loss().frame["n"].sum() == 2
    assert view.analytics.win_loss(time="recorded").frame["n"].sum() == 2
    before = db.as_of(recorded - timedelta(days=400))
    assert before.analytics.win_loss().frame["n"].to_list() == [0]


def test_the_commit_of_the_moment_of_a_view_counts(db: DealDatabase) -> None:
    saved = db.save_deal({"id": "9", "stage": "Won", "closed": date(2026, 2, 1)})
    (commit,) = {each["when"] for each in db.deal_history("9").to_dicts()}
    assert saved is not None
    assert db.as_of(commit).analytics.win_loss().frame["won"].sum() == 3


def test_numbers_link_to_their_deals(db: DealDatabase) -> None:
    rates = db.analytics.win_rate(by="currency", where="amount > 5")
    assert {row["currency"]: db.query.count(rates.where(row)) for row in rates} == {
        "EUR": 1,
        "USD": 1,
    }
    funnel = db.analytics.funnel(to="EUR", as_of="2026-03-31")
    for row in funnel:
        assert db.query.count(funnel.where(row)) == row["n"]
    board = db.analytics.leaderboard(at="closing")
    assert sorted(db.query.find(board.where(board.to_dicts()[0]))["id"]) in (["1"], ["2"])
    losses = db.analytics.waterfall(since="2026-02-01", until="2026-03-01", to="EUR")
    (won,) = [row for row in losses if row["bucket"] == "won"]
    assert sorted(db.query.find(losses.where(won))["id"]) == ["1", "2"]
    db.delete_deal("1")
    with pytest.raises(QueryError, match="deals=True lists them"):
        losses.where(won)
    then = db.as_of("2026-02-15", time="event")
    early = then.analytics.win_loss()
    assert [then.query.count(early.where(row)) for row in early] == [1]


def test_an_option_that_does_not_exist_is_refused(db: DealDatabase) -> None:
    options: dict[str, Any] = {"asof": "2026-02-28"}
    with pytest.raises(QueryError, match=r"'asof'.*as_of"):
        db.analytics.funnel(**options)


def test_outlooks_of_groups(db: DealDatabase) -> None:
    quarter: dict[str, Any] = {"until": "2026-04-01", "as_of": "2026-02-28", "to": "EUR"}
    found = db.analytics.simulate(**quarter, by="owner", chances="own", n=100)
    assert found.frame["owner"].to_list() == ["Ann"]
