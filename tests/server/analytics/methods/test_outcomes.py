"""Metrics of outcomes on deals that were loaded and saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dealdb import DealDatabase, QueryError
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase.from_url(f"unix://{server.socket}") as db:
        yield db


def test_changes_of_loads_and_of_people_are_told_apart(db: DealDatabase) -> None:
    rows = [{"id": str(n), "stage": "Lead", "amount": n, "owner": "Ann"} for n in range(3)]
    db.loader.load(rows, bar=False)
    assert (db.analytics.activity()["changes"], db.analytics.activity()["bulk"]) == (9, 9)
    db.save_deal({"id": "0", "stage": "Demo"})
    found = db.analytics.activity()
    assert (found["changes"], found["bulk"]) == (10, 9)
    # a load that changes deals is one of several in one commit, too
    db.loader.load([row | {"amount": 7} for row in rows], bar=False)
    found = db.analytics.activity()
    assert found["bulk"] == found["changes"] - 1
    # what the filter leaves out was in the same load all the same
    one = db.analytics.activity(where="id = '1'")
    assert one["bulk"] == one["changes"] == 4


@pytest.mark.parametrize(
    ("metric", "options", "name"),
    [
        ("activity", {}, "at"),
        ("simulate", {"until": "2030-01-01"}, "cause"),
        ("simulate", {"until": "2030-01-01"}, "age_days"),
        ("simulate", {"until": "2030-01-01"}, "is_alive"),
        ("cohorts", {}, "outcome"),
        ("waterfall", {"since": "2026-01-31"}, "life"),
        ("waterfall", {"since": "2026-01-31"}, "unpriced"),
    ],
)
def test_no_group_is_what_a_metric_calls_otherwise(
    db: DealDatabase, metric: str, options: dict[str, Any], name: str
) -> None:
    deal = {"stage": "Lead", "amount": 5, "created": "2026-01-05"}
    rows = [deal | {"id": letter, name: letter, "region": letter} for letter in "abc"]
    db.loader.load(rows, bar=False)
    ask = getattr(db.analytics, metric)
    if metric != "waterfall":
        assert set(ask(**options, by="region").frame["region"]) >= {"a", "b", "c"}
    with pytest.raises(
        QueryError, match=f"by='{name}' (is also what the metric calls|has the name of a figure)"
    ):
        ask(**options, by=name)
