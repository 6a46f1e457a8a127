"""One day counts everywhere: filters, SQL and metrics mean the same by today, whatever the zone of the pipeline."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dealdb import DealDatabase
from servers import Server


# at any moment one of them has another day than UTC
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("isolated", [False, True])
def test_today_is_the_day_of_the_pipeline(server: Server, zone: str, isolated: bool) -> None:
    url = f"unix://{server.socket}"
    with DealDatabase.from_url(url, sql_isolated=isolated) as db:
        db.save_deal({"id": "x", "stage": "Lead"})
        db.set_pipeline(replace(db.pipeline, zone=zone))
        today = datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
        for days in (-1, 0, 1):
            due = today + timedelta(days=days)
            db.save_deal({"id": str(days), "stage": "Lead", "expected_close": due})
        overdue = db.analytics.summary()["overdue"]
        found = [
            db.query.count("expected_close < today"),
            db.query.count("expected_close = today()"),
            db.query.count("expected_close > current_date"),
            db.query.explain("expected_close < today").kept,
            db.analytics.summary(where="expected_close < today")["open"],
            db.analytics.ageing(where="expected_close < today").frame["n"].sum(),
            db.as_of(datetime.now(UTC)).query.count("expected_close < today"),
        ]
        for sign, word in (("<", "today()"), ("=", "current_date"), (">", "CURRENT_DATE")):
            rows = db.query.sql(
                f"SELECT count(*) AS n FROM deals WHERE expected_close {sign} {word}"
            )
            found.append(rows["n"][0])
        assert (overdue, found) == (1, [1] * len(found))
