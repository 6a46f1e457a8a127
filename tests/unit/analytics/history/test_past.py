"""What all metrics on history share: lines that add up to the figures, to the cent."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import polars as pl
import pytest

import h1
from dealdb.analytics import Analytics, MetricResult
from dealdb.analytics.conversion import RATES
from dealdb.analytics.history.state import last_values
from dealdb.errors import NotYetKnown, QueryError
from dealdb.query import QueryEngine
from dealdb.store.facts.facts import Facts
from dealdb.view import compiled
from every_metric import OF_THE_PRESENT, PAST, QUOTAS, Row, counts_in, metrics
from examples import given_examples
from histories.drawn import History
from histories.drawn import history as drawn
from oracle.engine import facts_of
from pasts import past_of

RATE = pl.DataFrame(
    [(date(2026, 1, 1), "USD", Decimal("0.9")), (date(2026, 3, 1), "USD", Decimal("0.333"))],
    schema=RATES,
    orient="row",
)  # fmt: skip
CENT = Decimal("0.01")
# whose rounded parts are made to add up
BALANCED = ("waterfall", "hindsight")


def asking(history: History) -> tuple[Facts, QueryEngine, Analytics]:
    """The history, and the deals that there are now."""
    facts = facts_of(history)

    def known(**given: Any) -> Facts:
        if given.get("known") is None:
            return facts
        rows = [row for row in history.rows if row.seq % 3]
        return facts_of(History(rows, history.pipeline, history.actors, history.kinds))

    state = last_values(facts, 2**60, [name for name in facts.schema if name != "id"])
    frame = state.filter("is_alive").drop("life", "is_alive")
    query = QueryEngine.over(frame, pipeline=facts.pipeline)
    analytics = Analytics(
        query.select, compile=compiled, facts=known, quotas=lambda: QUOTAS, rates=lambda _: RATE
    )
    return facts, query, analytics


@given_examples(
    5,
    2500,
    seed=st.integers(0, 10**6),
    metric=st.sampled_from(list(PAST)),
    at=st.integers(0, 11),
    where=st.sampled_from([None, None, "owner = 'Ann'", "amount > 100"]),
    as_of=st.sampled_from([None, "2026-03-12", "2026-04-30"]),
    to=st.sampled_from([None, "EUR"]),
)
def test_lines_add_up_to_the_figures(
    seed: int, metric: str, at: int, where: Any, as_of: Any, to: str | None
) -> None:
    asked = PAST[metric]
    facts, query, analytics = asking(drawn(seed))
    if facts.first is None or facts.first >= h1.moment("2026-02-01"):
        return
    by = asked.groups[at % len(asked.groups)]
    options: dict[str, Any] = {**asked.options[at % len(asked.options)], "where": where}
    if metric == "simulate":
        # it looks ahead to a day that is over by now
        options["as_of"] = as_of or "2026-03-31"
    elif metric not in ("waterfall", "slippage"):
        options["as_of"] = as_of
    if asked.money and to:
        options["to"] = to
    if metric != "simulate":
        options["by"] = by
    ask = getattr(analytics, metric)
    try:
        result: MetricResult = ask(**options)
    except NotYetKnown:
        # for some the history is too short
        return
    lines = ask(**options, deals=True).to_dicts()
    groups = [*([by] if isinstance(by, str) else by or ()), "currency", *asked.rows]
    shared = {*result.frame.columns} & {*(lines[0] if lines else ())}
    place = [name for name in dict.fromkeys(groups) if name in shared]
    n_seen = 0
    for row in result.to_dicts():
        own = [line for line in lines if all(line[name] == row[name] for name in place)]
        n_seen += len(own)
        for figure, found in asked.sums(row, own):
            assert is_same(figure, found, metric, to), (metric, options, row, own)
        check_link(query, result, row, asked.first)
        check_counts(result, ask(**options, deals=True), row)
    # no line is of a row that isn't there
    assert n_seen >= len(lines), (metric, options, lines)


def is_same(figure: Any, found: Any, metric: str, to: str | None) -> bool:
    if isinstance(figure, float):
        return math.isclose(figure, found, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(figure, Decimal) and (to or metric == "simulate"):
        if metric in BALANCED:
            return bool(abs(figure - found) <= CENT * 3 / 2)
        return bool(Decimal(found).quantize(CENT, rounding=ROUND_HALF_EVEN) == figure)
    return bool(figure == found)


def check_link(query: QueryEngine, result: MetricResult, row: Row, first: str) -> None:
    """A row has a filter that keeps the deals that it counts, or it says where they are."""
    try:
        kept = result.where(row)
    except QueryError as refused:
        assert "deals=True" in str(refused)  # noqa: PT017
        return
    assert result.links is not None
    assert result.links.count == first or first not in row
    # money leads to the deals that it is of
    number = row[result.links.count]
    assert query.count(kept) == number or isinstance(number, Decimal)


def check_counts(result: MetricResult, told: MetricResult, row: Row) -> None:
    """Every whole number of a row that counts something has as many lines, with or without what they say of it."""
    keys = result.links.columns if result.links is not None else ()
    for name in counts_in(result):
        if name in keys or row[name] is None:
            continue
        assert result.links is not None, name
        for links in (result.links, told.links):
            if links is None or name not in (links.count, *links.others):
                assert links is not result.links, name
                continue
            assert links.lines is not None
            assert links.lines(row, name).height == row[name], (result.name, name, row)


def test_every_metric_is_among_them() -> None:
    assert metrics() == {*PAST, *OF_THE_PRESENT}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_without_a_day_all_go_by_the_end_of_today(zone: str) -> None:
    facts = replace(h1.facts(), pipeline=replace(h1.facts().pipeline, zone=zone))
    # midnight may come between the two
    days = [datetime.now(ZoneInfo(zone)).date(), None, datetime.now(ZoneInfo(zone)).date()]
    first, found, last = (past_of(facts, as_of=day).moment for day in days)
    assert found in (first, last)
