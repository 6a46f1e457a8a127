"""A view of the past: queries and metrics over a snapshot, judged on its day, without a server."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from dealdb.model.columns import empty_frame
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.query.deal_source import snapshot_of_rows
from dealdb.store.replica.snapshot import Snapshot
from dealdb.view import DealView

ROWS = [
    {"id": "1", "stage": "Demo", "created": date(2026, 1, 1)},
    {"id": "2", "stage": "Won", "created": date(2026, 1, 5)},
]


def view(when: datetime | date) -> DealView:
    return DealView(when, snapshot_of_rows(ROWS))


def test_its_deals_are_asked_like_those_of_now() -> None:
    past = view(date(2026, 1, 31))
    assert past.query.find(stage="Won")["id"].to_list() == ["2"]
    assert past.query.explain().round_trips == 0
    assert [stage.name for stage in past.pipeline] == ["Demo", "Won"]
    assert past.schema is past.snapshot.schema
    assert past.get_deal(1) == {"id": "1", "stage": "Demo", "created": date(2026, 1, 1)}
    assert past.get_deal("3") is None
    assert "2" in past
    assert None not in past


@pytest.mark.parametrize(
    ("when", "days"),
    [
        (date(2026, 1, 31), 30),
        (datetime(2026, 1, 31, 23, tzinfo=UTC), 30),
        # the day in UTC, whatever zone the moment is written in
        (datetime(2026, 1, 31, 23, tzinfo=timezone(timedelta(hours=-5))), 31),
        # without a zone it is UTC
        (datetime(2026, 1, 31, 23), 30),  # noqa: DTZ001
    ],
)
def test_open_deals_are_judged_on_its_day(when: datetime | date, days: int) -> None:
    ages = dict(view(when).analytics.pipeline().frame.select("stage", "mean_age_days").rows())
    assert ages["Demo"] == days


def test_it_can_be_read() -> None:
    past = view(date(2026, 1, 31))
    assert repr(past) == "<DealView of 2026-01-31: 2 deals, commit 1>"
    assert len(past) == 2
    assert past
    # a moment before the first deal is one, too
    assert DealView(date(2025, 1, 1), snapshot_of_rows([]))


def test_a_moment_before_the_first_commit_says_so() -> None:
    nothing = Snapshot(
        frame=empty_frame(Schema.standard()), schema=Schema.standard(), pipeline=Pipeline(), seq=0
    )
    before = DealView(date(2000, 1, 1), nothing)
    said = "2000-01-01 is before the first commit: there were no deals"
    assert before.notice == said
    assert repr(before) == "<DealView of 2000-01-01: 0 deals, before the first commit>"
    for metric in ("summary", "pipeline", "win_rate", "leaderboard", "concentration", "trend"):
        assert getattr(before.analytics, metric)().basis.warnings[0] == said
    past = view(date(2026, 1, 31))
    assert past.notice is None
    assert said not in past.analytics.summary().basis.warnings
