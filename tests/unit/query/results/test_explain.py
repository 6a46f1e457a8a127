"""explain: the filter in normal form keeps the same deals, and the counts are those of the query."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck

from dealdb.errors import QueryError
from dealdb.query.deal_source import FixedDeals
from dealdb.query.engine import QueryEngine
from dealdb.store.replica.snapshot import Snapshot
from examples import given_examples
from filter_cases import filters, mixed_frame
from query_cases import engine_of, snapshot_of

FRAME = mixed_frame()
QUERY = engine_of(FRAME)


@given_examples(20, 150, unless=[HealthCheck.too_slow], where=filters())
def test_the_normal_form_keeps_the_same_deals_and_is_its_own_normal_form(where: str) -> None:
    done = QUERY.explain(where)
    assert done.filter is not None
    assert QUERY.find(done.filter).equals(QUERY.find(where))
    assert QUERY.explain(done.filter).filter == done.filter
    assert done.kept == done.returned == QUERY.count(where)


@pytest.mark.parametrize(
    ("where", "equals", "text"),
    [
        (None, {}, None),
        (
            "Amount>5 and not (name='a' or OWNER is null)",
            {},
            "amount > 5 AND NOT (name = 'a' OR owner IS NULL)",
        ),
        ("won or active", {"name": "it's"}, "(won OR active) AND name = 'it''s'"),
        (None, {"SEATS": [1, 2], "owner": None}, "seats IN (1, 2) AND owner IS NULL"),
        ("created > today - 30d", {}, "created > today - INTERVAL '30' DAY"),
        (pl.col("won"), {"active": True}, f"({pl.col('won')}) AND active = TRUE"),
        (None, {"created": date(2026, 1, 31)}, "created = '2026-01-31'"),
    ],
)
def test_normal_forms(where: Any, equals: dict[str, Any], text: str | None) -> None:
    done = QUERY.explain(where, **equals)
    assert done.filter == text
    if text is not None and isinstance(where, str | None):
        assert QUERY.count(text) == QUERY.count(where, **equals)


def test_what_was_read_kept_and_returned() -> None:
    done = QUERY.explain(
        "rate > 0", sort=["-seats", "name"], limit=5, offset=2, columns=["id"], won=True
    )
    assert done.columns == ("name", "rate", "seats", "won")
    assert done.order == ("-seats", "name")
    assert done.scanned == FRAME.height
    assert done.kept == QUERY.count("rate > 0", won=True) > 7
    assert done.returned == 5
    assert list(done.steps_ms) == ["sync", "parse", "scan", "sort"]
    assert done.total_ms == sum(done.steps_ms.values()) > 0


def test_without_filter_and_order_no_column_is_read() -> None:
    done = QUERY.explain()
    assert (done.filter, done.order, done.columns, done.kept) == (None, (), (), FRAME.height)
    assert "no column" in repr(done)


class Distant(FixedDeals):
    """Deals that are three round trips away."""

    made = 10

    def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
        self.made += 3
        return super().snapshot(names)

    def round_trips(self) -> int:
        return self.made


def test_round_trips_are_those_of_the_snapshot() -> None:
    assert QueryEngine(Distant(snapshot_of(FRAME))).explain().round_trips == 3
    assert QUERY.explain().round_trips == 0


def test_the_account_can_be_read() -> None:
    lines = repr(QUERY.explain("won", sort="-amount", limit=3)).splitlines()
    kept = QUERY.count("won")
    assert lines[:5] == [
        "filter       won",
        "order        -amount",
        "reads        amount, won",
        f"deals        150 scanned, {kept} kept, 3 returned",
        "round trips  0",
    ]
    assert lines[5].startswith("time ")


def test_what_find_refuses_is_refused() -> None:
    with pytest.raises(QueryError, match="no column 'wom'"):
        QUERY.explain("wom")
