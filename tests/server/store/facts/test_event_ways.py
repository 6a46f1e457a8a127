"""The example history gives the same tables, however it came: by saves, as plain facts, or as states of a CRM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

import h1
from dealdb import DealDatabase
from dealdb.analytics.result import MetricResult
from dealdb.model.pipeline import Pipeline
from dealdb.store.facts.state import state_before
from servers import Server

CATEGORIES = {"Lead": "pipeline", "Demo": "bestcase", "Offer": "commit"}
Q1: dict[str, Any] = {"since": "2026-01-01", "until": "2026-04-01"}
FEBRUARY: dict[str, Any] = {"as_of": "2026-02-28"}
MARCH: dict[str, Any] = {"as_of": "2026-03-31"}
DAY = 86_400_000


def moment(at: object) -> datetime:
    return datetime.fromtimestamp(int(str(at)) / 1000, UTC)


def delete(db: DealDatabase) -> None:
    """H is deleted by a fact."""
    rows = h1.rows().filter(op="delete")
    db.history.load(
        [{"id": id, "at": moment(at), "op": "delete"} for id, at in rows.select("id", "at").rows()]
    )


def by_saves(db: DealDatabase) -> None:
    for key, rows in h1.rows().filter(op="set").group_by("at", "id", maintain_order=True):
        values = dict(rows.select("field", "value").iter_rows())
        db.save_deal({"id": key[1], **values}, at=moment(key[0]))
    delete(db)


def export(*without: str) -> pl.DataFrame:
    """The state of today."""
    return state_before(h1.facts(), h1.moment("2026-04-02")).drop(*without)


def as_plain_facts(db: DealDatabase) -> None:
    db.loader.load(export(), bar=False)
    rows = h1.rows().filter(pl.col("field").ne_missing("currency"))
    db.history.load(rows.drop("seq").with_columns(pl.col("at").cast(pl.String)))


def as_states(db: DealDatabase) -> None:
    """Rows of ``OpportunityHistory``, which have neither owners nor currencies nor reasons; the export has some."""
    db.loader.load(export("currency"), bar=False)
    found: list[dict[str, Any]] = []
    known: dict[str, dict[str, Any]] = {}
    for key, rows in h1.rows().filter(op="set").group_by("at", "id", maintain_order=True):
        deal = known.setdefault(str(key[1]), {})
        deal.update(rows.select("field", "value").iter_rows())
        found.append(
            {
                "Id": f"008{len(found):015}",
                "OpportunityId": key[1],
                "CreatedDate": moment(key[0]).isoformat(),
                "StageName": deal["stage"],
                "Amount": deal.get("amount"),
                # one date: of the closing once it is closed, and before of when it is expected
                "CloseDate": deal.get("closed") or deal["expected_close"],
            }
        )
    db.history.load(found[::-1])
    delete(db)


@pytest.fixture(
    scope="module", params=[by_saves, as_plain_facts, as_states], ids=lambda fill: fill.__name__
)
def db(shared_server: Server, request: pytest.FixtureRequest) -> Iterator[DealDatabase]:
    """The history, as it came one way; no test changes a deal."""
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(f"unix://{shared_server.socket}") as db:
        stages = (replace(each, category=CATEGORIES.get(each.name)) for each in h1.PIPELINE)
        db.set_pipeline(Pipeline(tuple(stages)))
        request.param(db)
        yield db


def column(result: MetricResult, name: str) -> list[Any]:
    return result.frame[name].to_list()


def money(text: str) -> list[Decimal]:
    return [Decimal(each) for each in text.split()]


def test_states_of_each_day(db: DealDatabase) -> None:
    shown = ["id", "stage", "amount", "expected_close", "closed", "created"]
    facts, own = h1.facts(), db._store.event_facts()
    for t in range(h1.moment("2026-01-02"), h1.moment("2026-04-02"), DAY):
        expected = sorted(state_before(facts, t, shown).rows())
        assert sorted(state_before(own, t, shown).rows()) == expected, moment(t)


def test_tables_of_stages(db: DealDatabase) -> None:
    ask = db.analytics
    steps = {mode: ask.funnel(mode=mode, **Q1, **MARCH) for mode in ("reached", "any", "ordered")}
    assert {mode: column(each, "n") for mode, each in steps.items()} == {
        "reached": [7, 5, 5, 2],
        "any": [6, 3, 3, 2],
        "ordered": [6, 2, 1, 1],
    }
    assert column(steps["reached"], "next") == [0.7142857142857143, 1.0, 0.4, None]
    assert column(steps["reached"], "lost") == [2, 0, 1, 0]
    assert column(steps["any"], "cumulative") == [1.0, 0.5, 0.5, 0.3333333333333333]
    assert column(steps["ordered"], "next") == [0.3333333333333333, 0.5, 1.0, None]
    deals = ask.time_in_stage(**MARCH)
    names = ("n", "mean_days", "median_days", "open_n", "open_mean_days", "deleted")
    assert [deals.frame[name].to_list() for name in names] == [
        [6, 3, 1],
        [26.5, 24.666666666666668, 15.0],
        [27.0, 23.0, 15.0],
        [0, 0, 2],
        [None, None, 24.5],
        [1, 0, 0],
    ]
    visits = ask.time_in_stage(unit="visit", **MARCH)
    assert column(visits, "n") == [6, 4, 2]
    assert column(visits, "mean_days") == [26.5, 18.5, 14.5]
    ages = ask.ageing(**FEBRUARY)
    assert column(ages, "n") == [0, 3, 2, 0, 0, 0]
    assert column(ages, "value") == money("0 3100.00 800.50 0 0 0")
    born = ask.ageing(basis="created", **FEBRUARY)
    assert column(born, "value") == money("0 700.00 800.50 2400.00 0 0")
    rot = {basis: ask.rotting(basis=basis, **FEBRUARY) for basis in ("stage", "update", "created")}
    assert {basis: sum(column(each, "rotting")) for basis, each in rot.items()} == {
        "stage": 2,
        "update": 1,
        "created": 4,
    }
    assert sum(column(rot["created"], "value")) == Decimal("3200.50")


def test_tables_of_movement(db: DealDatabase) -> None:
    ask = db.analytics
    [slip] = ask.slippage(since="2026-03-01", until="2026-04-01").to_dicts()
    assert [slip[name] for name in ("n", "value", "blank", "won", "slipped", "moved")] == [
        *(3, Decimal("2800.50"), 1, 1, 2, 2)
    ]
    assert (slip["share_n"], slip["pushes"], slip["mean_days_pushed"]) == (2 / 3, 2, 25.5)
    [enough] = ask.coverage(target="3000.00", **Q1, **FEBRUARY).to_dicts()
    assert (enough["coverage"], enough["required"]) == (1.7780555555555555, 2.0)
    assert (enough["gap"], enough["overdue"], enough["blank"]) == (Decimal("399.50"), 1, 1)
    forecast = ask.forecast(**Q1, **FEBRUARY)
    assert forecast.totals == {
        "low": Decimal("1200.00"),
        "base": Decimal("2000.05"),
        "high": Decimal("4400.50"),
    }
    assert [sum(column(forecast, name)) for name in ("commit", "best", "pipeline")] == money(
        "0.00 2400.00 800.50"
    )
    due = ("2026-01-01", "2026-04-01")
    for since, options, expected in (
        ("2026-02-01", {"due": due}, "3050 1000.25 0 400 200 1500.25 1100 2000 0 50 0"),
        ("2026-02-01", {}, "3050 1800.75 0 400 200 1500.25 1100 0 0 50 2800.50"),
        (
            "2026-02-01",
            {"due": due, "net": False},
            "3050 800.50 700 400 500.25 1500.25 1100 2800.50 0 50 0",
        ),
        ("2026-03-01", {"due": due}, "3200.50 0 700 0 300.25 300.25 1100 2800.50 0 0 0"),
    ):
        found = ask.waterfall(since=since, until="2026-04-01", **options)
        assert column(found, "value") == money(expected)


def test_tables_of_outcomes(db: DealDatabase) -> None:
    ask = db.analytics
    cohorts = ask.cohorts(periods=3, measure="win_rate", **MARCH)
    assert column(cohorts, "won") == [0, 1, 1, 0, 1, None]
    assert column(cohorts, "rate") == [0.0, 0.25, 0.25, 0.0, 0.3333333333333333, None]
    losses = ask.losses(**Q1)
    assert losses.frame.select("loss_reason", "n", "value", "share_value").rows() == [
        ("Price", 2, Decimal("900.00"), 0.5625),
        ("(none)", 1, Decimal("700.00"), 0.4375),
    ]
    before = ask.losses(by="from_stage", **Q1).frame.select("from_stage", "n").rows()
    assert sorted(before) == [("Demo", 1), ("Lead", 2)]
    owners = ask.win_loss(by="owner", **Q1)
    assert owners.frame.select("owner", "won", "n").rows() == [
        ("Ann", 2, 3),
        ("Bob", 0, 1),
        ("(none)", 0, 1),
    ]
    ramp = ask.ramp(months=3, **MARCH).frame.filter(owner="Ann")
    assert ramp["value"].to_list() == money("0.00 1200.00 300.25")
    quota = {"period_start": "2026-01-01", "period": "quarter", "currency": "EUR"}
    db.quotas.load([{**quota, "key": k, "amount": a} for k, a in (("Ann", 2000), ("Bob", 1000))])
    shares = dict(ask.attainment("2026-Q1", **MARCH).frame.select("key", "attainment").rows())
    assert (shares["Ann"], shares["Bob"]) == (0.750125, 0.0)
    activity = ask.activity(by="owner", **Q1)
    assert sum(column(activity, "created")) == 8
    assert dict(activity.frame.select("owner", "pushes").rows())["Bob"] == 3
    trend = ask.trend(period="quarter", events=True, **Q1)
    assert [sum(column(trend, name)) for name in ("created", "won")] == [8, 3]


def test_tables_of_what_will_come(db: DealDatabase) -> None:
    ask = db.analytics
    [brier, _] = column(ask.calibration(since="2026-03-01", horizon_days=31, **MARCH), "brier")
    assert brier == pytest.approx(0.202)
    [row] = ask.forecast_error(
        period="quarter", days_before=(31,), since="2026-01-01", until="2026-04-01"
    ).to_dicts()
    assert (row["base_error"], row["commit_error"]) == (Decimal("499.80"), Decimal("-300.25"))
    closed = ask.stage_chances(method="closed", **MARCH)
    assert closed.frame.select("won", "n").rows() == [(2, 5), (1, 2), (1, 1)]
    left = ask.survival("Lead", **MARCH).frame.filter(pl.col("events") > 0)
    assert left["days"].to_list() == [7.0, 14.0, 15.0, 39.0, 45.0]
    assert left["s"].to_list() == pytest.approx([6 / 7, 5 / 7, 4 / 7, 4 / 21, 0.0])
