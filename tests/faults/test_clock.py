"""The server under another clock, and under the right one again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dealdb import DealDatabase
from servers import DURABLE, Server

YEAR = timedelta(days=365)


def now_of(server: Server) -> datetime:
    with server.client() as client:
        seconds, micros = client.time()
    return datetime.fromtimestamp(seconds + micros / 1e6, UTC)


def test_a_clock_that_is_a_year_ahead_and_right_again(
    new_server: Callable[..., Server], faketime: Path
) -> None:
    server = new_server(*DURABLE)
    with DealDatabase(port=server.port, retry_deadline_s=20) as db:
        db.save_deal({"id": 1, "n": 1})
        server.stop()
        server.env = {"LD_PRELOAD": str(faketime), "FAKETIME": "+365d"}
        server.start()
        db.save_deal({"id": 1, "n": 2})
        db.save_deal({"id": 2, "n": 2})
        server.stop()
        server.env = {}
        server.start()
        db.save_deal({"id": 1, "n": 3})
        db.save_deal({"id": 3, "n": 3})
        now = now_of(server)
        present = sorted(zip(*db.query.frame().select("id", "n").get_columns(), strict=True))
        assert present == [("1", 3), ("2", 2), ("3", 3)]
        for when in (now + timedelta(seconds=1), now + 2 * YEAR):
            then = db.as_of(when).query.frame().select("id", "n")
            assert sorted(zip(*then.get_columns(), strict=True)) == present
        deal = db.get_deal(1)
        assert deal is not None
        updated = deal["updated"]
        assert isinstance(updated, datetime)
        assert abs(updated - now) < timedelta(minutes=1)
        assert db.deal_history(1)["when"][-1] <= now
        with db.changes(since=now + timedelta(seconds=1), timeout_s=0) as feed:
            assert list(feed) == []
        assert any("times in the future" in warning for warning in db.health().warnings)
        assert db.check().ok
