"""Moments on the board: by the clocks of the pipeline's zone, as in reports, and each says of which."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from boards import Browser
from dealdb import DealDatabase, Kind, Pipeline, Stage

ZONE = "Pacific/Auckland"
# the evening in UTC is the next day there
MOMENT = datetime(2026, 1, 31, 20, 30, tzinfo=UTC)


@pytest.fixture
def elsewhere(db: DealDatabase, carry: Callable[..., Browser]) -> Browser:
    db.set_pipeline(Pipeline((Stage("Lead", Kind.OPEN),), zone=ZONE))
    db.save_deal({"id": "1", "name": "Acme", "stage": "Lead", "called": MOMENT})
    return carry(db)


def test_each_page_tells_moments_by_the_clocks_of_the_zone(
    db: DealDatabase, elsewhere: Browser
) -> None:
    for path in ("/deals?columns=id,called", "/deals/1", "/?fields=called", "/feed"):
        text = elsewhere.ask(path)[1]
        assert f"2026-02-01 09:30 {ZONE}" in text, path
    when = db.deal_history("1")["when"][0].astimezone(ZoneInfo(ZONE))
    assert f"{when:%Y-%m-%d %H:%M} {ZONE}" in elsewhere.ask("/deals/1")[1]
    # what is typed in has the zone in which it is kept
    assert "called</bdi> (UTC)" in elsewhere.ask("/deals/1")[1]
    since = elsewhere.ask(f"/changes?since={quote(MOMENT.isoformat())}")[1]
    assert f"since 2026-02-01 09:30 {ZONE}" in since


def test_a_question_says_no_zone_of_what_has_none(elsewhere: Browser) -> None:
    statement = "SELECT called, TIMESTAMP '2026-01-31 20:30' AS bare FROM deals"
    text = elsewhere.ask(f"/sql?q={quote(statement)}")[1]
    assert f"<bdi>2026-02-01 09:30 {ZONE}</bdi>" in text
    assert "<bdi>2026-01-31 20:30</bdi>" in text
