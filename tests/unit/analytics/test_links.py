"""From a number to its deals: ``count(where) == n`` for every row, over any deals."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest

import h1
from dealdb.analytics import Analytics, MetricResult
from dealdb.analytics.conversion import RATES
from dealdb.analytics.links import Links
from dealdb.errors import QueryError
from dealdb.query import QueryEngine
from dealdb.store.facts.facts import Facts
from dealdb.view import compiled
from every_metric import OF_THE_PRESENT, counts_in
from examples import given_examples

DAYS = st.none() | st.dates(date(2026, 1, 1), date(2026, 4, 30))
MOMENTS = [datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3)]
DEAL = st.fixed_dictionaries(
    {
        "stage": st.sampled_from(["Lead", "Demo", "Won", "Lost", "Old", None, "(none)"]),
        "amount": st.none() | st.sampled_from([Decimal(0), Decimal("7.50"), Decimal(100)]),
        "currency": st.sampled_from(["EUR", "EUR", "USD", None]),
        "owner": st.sampled_from(["Ann", "Bob", "(none)", None]),
        "company": st.sampled_from(["Acme", None]),
        "probability": st.sampled_from([None, Decimal("0.5")]),
        "created": DAYS,
        "closed": DAYS,
        "expected_close": DAYS,
        "tags": st.sampled_from([None, ["a", "b"], ["c"]]),
        "updated": st.none() | st.sampled_from(MOMENTS),
    }
)
SCHEMA: dict[str, Any] = {
    "id": pl.String,
    **dict.fromkeys(("stage", "currency", "owner", "company"), pl.String),
    "amount": pl.Decimal(38, 2),
    "probability": pl.Decimal(38, 2),
    **dict.fromkeys(("created", "closed", "expected_close"), pl.Date),
    "tags": pl.List(pl.String),
    "updated": pl.Datetime("us", "UTC"),
}
METRICS: list[tuple[str, dict[str, Any]]] = [
    ("summary", {}),
    ("pipeline", {}),
    ("win_rate", {}),
    ("win_rate", {"measure": "value"}),
    ("deal_size", {}),
    ("sales_cycle", {}),
    ("sales_cycle", {"outcome": "lost"}),
    ("velocity", {}),
    ("velocity", {"basis": "open"}),
    ("leaderboard", {}),
    ("concentration", {}),
    ("concentration", {"of": "open"}),
    ("trend", {}),
    ("trend", {"period": "week"}),
]
RATE = pl.DataFrame([(date(2026, 3, 1), "USD", Decimal("0.9"))], schema=RATES, orient="row")
FILTERS = [None, "amount > 5", "owner = 'Ann'", pl.col("owner").is_null()]


@given_examples(
    15,
    3000,
    deals=st.lists(DEAL, max_size=12),
    metric=st.sampled_from(METRICS),
    by=st.sampled_from([None, "owner", "currency", ["owner", "stage"], "amount", "closed", "tags"]),
    where=st.sampled_from(FILTERS),
    since=DAYS,
    to=st.sampled_from([None, "EUR"]),
)
def test_the_filter_of_a_row_keeps_the_deals_that_it_counts(
    deals: list[dict[str, Any]], metric: Any, by: Any, where: Any, since: Any, to: str | None
) -> None:
    frame = pl.DataFrame(
        [{"id": str(n), **each} for n, each in enumerate(deals)], schema=SCHEMA, orient="row"
    )
    query = QueryEngine.over(frame, pipeline=h1.PIPELINE)
    analytics = Analytics(query.select, compile=compiled, rates=lambda _: RATE)
    name, options = metric
    by = "owner" if to and by == "amount" else by
    if name not in ("sales_cycle", "win_rate") or options.get("measure") == "value":
        options = {**options, "to": to}
    if name == "pipeline":
        by = None if by == ["owner", "stage"] else by
    elif since is not None and options.get("of") != "open":
        options = {**options, "since": since}
    by = by or {"leaderboard": "owner", "concentration": "company"}.get(name)
    result: MetricResult = getattr(analytics, name)(by=by, where=where, **options)
    for row in result.to_dicts():
        assert query.count(result.where(row)) == row["n"], (row, result.where(row))
        for count in counts_in(result):
            if result.links is not None and count in result.links.columns:
                continue
            assert query.count(result.where(row, count)) == row[count], (row, count)


def of_history(facts: Facts) -> tuple[QueryEngine, Analytics]:
    """The deals that there are now, as the history has them."""
    from dealdb.analytics.history.state import last_values

    end = 2**60
    state = last_values(facts, end, [name for name in facts.schema if name != "id"])
    frame = state.filter("is_alive").drop("life", "is_alive")
    query = QueryEngine.over(frame, pipeline=facts.pipeline)
    source = lambda **_: facts  # noqa: E731 the signature is that of a protocol
    return query, Analytics(query.select, compile=compiled, facts=source)


def test_the_example_links_to_its_deals() -> None:
    query, analytics = of_history(h1.facts())
    losses = analytics.losses(as_of="2026-03-31")
    kept = losses.where(losses.to_dicts()[0])
    assert sorted(query.find(kept)["id"]) == ["B", "G"]
    deleted = analytics.waterfall(since="2026-02-01", until="2026-04-01")
    with pytest.raises(
        QueryError, match="keeps those that this row of waterfall counts: deals=True"
    ):
        deleted.where(deleted.to_dicts()[0])


def test_a_filter_as_text_is_understood_where_there_is_a_database() -> None:
    query = QueryEngine.over([{"id": "1", "stage": "Won", "owner": "Ann"}])
    for where in ("owner = 'Ann'", pl.col("owner") == "Ann"):
        found = Analytics(query.select).win_rate(where=where)
        if isinstance(where, str):
            with pytest.raises(QueryError, match="as a Polars expression"):
                found.where(found.to_dicts()[0])
        else:
            assert query.count(found.where(found.to_dicts()[0])) == 1


def test_what_is_no_row_is_refused() -> None:
    with pytest.raises(QueryError, match="this one has no 'owner'"):
        Links(columns=["owner"], find=lambda _: pl.lit(value=True))({"n": 1})
    lines = of_history(h1.facts())[1].losses(as_of="2026-03-31", deals=True)
    with pytest.raises(QueryError, match="keeps those that this row of losses counts"):
        lines.where(lines.to_dicts()[0])


def test_no_metric_of_the_present_is_missing() -> None:
    assert {name for name, _ in METRICS} - {"pipeline", "leaderboard", "trend"} <= OF_THE_PRESENT
    assert {name for name, _ in METRICS} >= OF_THE_PRESENT
