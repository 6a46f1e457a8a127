"""The golden figures of a real export, from the file as it is to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from dealdb import DealDatabase
from servers import Server


@pytest.fixture
def db(server: Server, shared_data: Path) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        report = db.loader.load(
            shared_data / "crm_sales_opportunities" / "sales_pipeline.csv", bar=False
        )
        assert (report.read, report.inserted, report.rejected) == (8800, 8800, 0)
        yield db


def test_golden_figures(db: DealDatabase, shared_data: Path) -> None:
    find = db.query.find
    assert dict(find().group_by("stage").len().rows()) == {
        "Won": 4238,
        "Lost": 2473,
        "Engaging": 1589,
        "Prospecting": 500,
    }
    assert db.query.count("company IS NULL") == 1425
    assert db.query.count("company IS NULL AND stage IN ('Won', 'Lost')") == 0
    assert (
        db.query.count("created IS NULL AND stage = 'Prospecting'")
        == db.query.count(created=None)
        == 500
    )
    assert db.query.count("closed IS NULL AND amount IS NULL") == 2089
    assert db.query.count("product = 'GTXPro'") == 1480
    assert db.query.count("expected_close IS NOT NULL") == 0

    rate = db.analytics.win_rate()
    assert (rate["won"], rate["lost"], rate["win_rate"]) == (4238, 2473, 0.6315005215318135)

    size = db.analytics.deal_size()
    assert (size["value"], size["median"]) == (Decimal(10005534), 1117)
    # the nearest float to the exact ratio; the figure handed down is its first 16 digits, cut off
    assert size["mean"] == float(Fraction(10005534, 4238))
    assert str(size["mean"]).startswith("2360.909391222274")

    won = db.analytics.sales_cycle()
    assert (won["mean_days"], won["median_days"]) == (51.781972628598396, 57)
    assert (won["min_days"], won["max_days"]) == (1, 138)
    lost = db.analytics.sales_cycle(outcome="lost")
    assert (lost["mean_days"], lost["median_days"]) == (41.479175090982615, 14)

    quarters = db.analytics.trend(
        period="quarter", since="2017-01-01", until="2018-01-01"
    ).to_dicts()
    assert [(q["won"], q["lost"], q["won_value"]) for q in quarters] == [
        (531, 647 - 531, Decimal(1134672)),
        (1254, 2032 - 1254, Decimal(3086111)),
        (1257, 2047 - 1257, Decimal(2982255)),
        (1196, 1985 - 1196, Decimal(2802496)),
    ]
    assert [round(q["win_rate"], 4) for q in quarters] == [0.8207, 0.6171, 0.6141, 0.6025]

    leaders = db.analytics.leaderboard().to_dicts()[:3]
    assert [(row["owner"], row["won"], row["lost"], row["won_value"]) for row in leaders] == [
        ("Darcel Schlecht", 349, 204, Decimal(1153214)),
        ("Vicki Laflamme", 221, 126, Decimal(478396)),
        ("Kary Hendrixson", 209, 126, Decimal(454298)),
    ]

    concentration = db.analytics.concentration()
    assert concentration["top_share"] == 0.12094177082402599
    assert concentration["hhi"] == pytest.approx(0.01358098987193041, rel=1e-15)
    assert concentration["top"][:2] == ["Kan-code", "Konex"]
    by_company = dict(
        db.query.sql(
            "SELECT company, sum(amount) FROM deals WHERE stage = 'Won' GROUP BY company"
        ).rows()
    )
    assert (by_company["Kan-code"], by_company["Konex"]) == (Decimal(341455), Decimal(269245))

    assert round(db.analytics.velocity(basis="closed")["velocity"], 2) == 193_224.27

    value = db.analytics.win_rate(measure="value")
    assert value["value_win_rate"] == 1.0
    assert any("not meaningful" in warning for warning in value.basis.warnings)


def test_loading_again_changes_nothing(db: DealDatabase, shared_data: Path, server: Server) -> None:
    with server.client() as client:
        before = client.hgetall("deals:meta")
        report = db.loader.load(
            shared_data / "crm_sales_opportunities" / "sales_pipeline.csv", bar=False
        )
        assert (report.unchanged, report.inserted, report.updated) == (8800, 0, 0)
        assert client.hgetall("deals:meta") == before
    assert db.check().ok
