"""
The figures of the real export in ../shared/data, as they were computed once in plain Python.

Two of them were published with 16 digits, cut off: 2360.909391222274 (mean deal size) and 0.01358098987193041
(concentration). The nearest floats to the true ratios go on with a 7 and a 3.
"""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest

from dealdb.analytics import Analytics
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import Schema
from dealdb.store.replica.snapshot import Snapshot

NAMES = {
    "opportunity_id": "id",
    "sales_agent": "owner",
    "account": "company",
    "deal_stage": "stage",
    "engage_date": "created",
    "close_date": "closed",
    "close_value": "amount",
}
TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "engage_date": pl.Date,
    "close_date": pl.Date,
    "close_value": pl.Decimal(38, 2),
}


@pytest.fixture
def source(shared_data: Path) -> Path:
    return shared_data / "crm_sales_opportunities" / "sales_pipeline.csv"


@pytest.fixture
def analytics(source: Path) -> Analytics:
    frame = pl.read_csv(source, schema_overrides=TYPES).rename(NAMES)
    pipeline = Pipeline().covering(frame["stage"].unique())
    snapshot = Snapshot(frame=frame, schema=Schema.standard(), pipeline=pipeline, seq=1)

    def select(where: str | pl.Expr | None) -> Snapshot:
        chosen = frame.filter(where) if isinstance(where, pl.Expr) else frame
        return Snapshot(frame=chosen, schema=snapshot.schema, pipeline=pipeline, seq=1)

    return Analytics(select)


def test_summary(analytics: Analytics) -> None:
    figures = analytics.summary(as_of=date(2018, 1, 1))
    assert figures.to_dicts() == [
        {
            "deals": 8800,
            "open": 2089,
            "n": 6711,
            "won": 4238,
            "lost": 2473,
            "pipeline_value": Decimal(0),
            "blank": 2089,
            "weighted": Decimal(0),
            "unweighted": 2089,
            "overdue": 0,
            "won_value": Decimal(10_005_534),
            "win_rate": 0.6315005215318135,
            "mean_size": 2360.9093912222747,
            "median_size": 1117.0,
            "sized_n": 4238,
            "mean_cycle_days": 51.781972628598396,
            "median_cycle_days": 57.0,
            "cycle_n": 4238,
            "velocity": pytest.approx(193_224.27, abs=0.005),
            "first_created": date(2016, 10, 20),
            "last_created": date(2017, 12, 27),
            "first_closed": date(2017, 3, 1),
            "last_closed": date(2017, 12, 31),
        }
    ]


def test_win_rate(analytics: Analytics) -> None:
    result = analytics.win_rate()
    assert result.rows() == [(6711, 4238, 2473, 0.6315005215318135)]
    assert result.basis.n == 6711


def test_value_win_rate_says_that_it_means_nothing(analytics: Analytics) -> None:
    result = analytics.win_rate(measure="value")
    assert (result["value_win_rate"], result["lost_blank_or_zero"]) == (1.0, 2473)
    [warning] = result.basis.warnings
    assert "in 100 % of cases: value win rate is not meaningful" in warning


def test_deal_size(analytics: Analytics) -> None:
    result = analytics.deal_size()
    assert result.rows() == [(4238, Decimal(10_005_534), 10_005_534 / 4238, 1117.0, 0, 0)]
    assert str(result["mean"]).startswith("2360.909391222274")


def test_sales_cycle(analytics: Analytics) -> None:
    won, lost = analytics.sales_cycle(), analytics.sales_cycle(outcome="lost")
    assert won.rows() == [(4238, 51.781972628598396, 57.0, 1, 138, 0, 0)]
    assert (lost["n"], lost["mean_days"], lost["median_days"]) == (2473, 41.479175090982615, 14.0)


def test_velocity(analytics: Analytics) -> None:
    result = analytics.velocity()
    assert result["velocity"] == pytest.approx(193_224.27, abs=0.005)
    assert result["velocity"] == 6711 * (4238 / 6711) * (10_005_534 / 4238) / 51.781972628598396
    assert analytics.velocity(basis="open")["n"] == 2089


def test_pipeline(analytics: Analytics) -> None:
    result = analytics.pipeline(as_of="2018-01-01")
    stages = result.frame.select("stage", "kind", "n", "value", "blank").rows()
    assert stages == [
        ("Prospecting", "open", 500, Decimal(0), 500),
        ("Engaging", "open", 1589, Decimal(0), 1589),
        ("Won", "won", 4238, Decimal(10_005_534), 0),
        ("Lost", "lost", 2473, Decimal(0), 0),
    ]


def test_trend_by_closing_quarter(analytics: Analytics) -> None:
    result = analytics.trend(period="quarter", since="2017-01-01", until="2018-01-01")
    columns = ["label", "won", "won_value", "n", "win_rate"]
    assert result.frame.select(columns).rows() == [
        ("2017-Q1", 531, Decimal(1_134_672), 647, 531 / 647),
        ("2017-Q2", 1254, Decimal(3_086_111), 2032, 1254 / 2032),
        ("2017-Q3", 1257, Decimal(2_982_255), 2047, 1257 / 2047),
        ("2017-Q4", 1196, Decimal(2_802_496), 1985, 1196 / 1985),
    ]
    assert [round(rate, 4) for rate in result.frame["win_rate"]] == [0.8207, 0.6171, 0.6141, 0.6025]


def test_leaderboard(analytics: Analytics) -> None:
    top = analytics.leaderboard().frame.head(3)
    assert top.select("rank", "owner", "won", "lost", "won_value").rows() == [
        (1, "Darcel Schlecht", 349, 204, Decimal(1_153_214)),
        (2, "Vicki Laflamme", 221, 126, Decimal(478_396)),
        (3, "Kary Hendrixson", 209, 126, Decimal(454_298)),
    ]
    companies = analytics.leaderboard("company").frame.head(2)
    assert companies.select("company", "won_value").rows() == [
        ("Kan-code", Decimal(341_455)),
        ("Konex", Decimal(269_245)),
    ]


def test_concentration(analytics: Analytics, source: Path) -> None:
    result = analytics.concentration()
    assert result["top_share"] == 0.12094177082402599
    assert result["top"][:2] == ["Kan-code", "Konex"]
    assert str(result["hhi"]).startswith("0.01358098987193041")
    won: Counter[str] = Counter()
    with source.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["deal_stage"] == "Won":
                won[row["account"]] += int(row["close_value"])
    total = sum(won.values())
    assert result["hhi"] == float(sum(Fraction(value, total) ** 2 for value in won.values()))


def test_totals_match_whatever_the_group(analytics: Analytics) -> None:
    for by in ("company", "owner", "product", ["owner", "product"]):
        result = analytics.summary(by)
        assert result.frame["deals"].sum() == 8800
        assert result.frame["won_value"].sum() == Decimal(10_005_534)
    nameless = analytics.summary("company").frame.filter(company="(none)")
    assert nameless.select("deals", "open").rows() == [(1425, 1425)]


def test_a_filter_narrows_every_metric(analytics: Analytics) -> None:
    darcel = pl.col("owner") == "Darcel Schlecht"
    assert analytics.win_rate(where=darcel)["won"] == 349
    assert analytics.summary(where=darcel)["won_value"] == Decimal(1_153_214)
    open_stages = analytics.pipeline(where=darcel).frame.filter(kind=Kind.OPEN.value)
    assert open_stages.height == 2
