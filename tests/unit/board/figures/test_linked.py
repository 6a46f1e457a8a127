"""From a count to its deals, on a short history in which deals came back, were deleted and changed hands."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from dealdb.analytics import Analytics
from dealdb.analytics.history.state import last_values
from dealdb.board.figures.linked import deals_of, key_columns
from dealdb.errors import NotYetKnown
from dealdb.query import QueryEngine
from dealdb.view import compiled
from every_metric import PAST, QUOTAS, counts_in
from histories.written import facts_of, read

# what changes which deals a count is of, besides the options with which each metric is asked elsewhere
MORE: dict[str, list[dict[str, Any]]] = {
    "ageing": [{"basis": "update"}],
    "forecast": [{"since": "2026-01-01", "until": "2026-04-30", "period": "week"}],
    "trend": [{"events": True, "by": "owner"}],
    "losses": [{"events": True, "by": "owner", "to": None}],
    "cohorts": [{"periods": 3, "measure": "won_n"}],
}
HISTORY = read(
    "A 01-05 stage=Lead amount=10.00 currency=EUR owner=Ann created=2026-01-05 expected_close=2026-02-20",
    "A 01-20 stage=Lost closed=2026-01-20 loss_reason=price",
    "A 02-02 stage=Demo closed=",
    "A 02-10 stage=Won closed=2026-02-10 owner=Bob",
    "A 02-20 stage=Demo closed=",
    "A 02-25 stage=Won closed=2026-02-25",
    "B 01-06 stage=Lead amount=20.00 currency=EUR owner=Ann created=2026-01-06 expected_close=2026-03-01",
    "B 02-11 stage=Won closed=2026-02-11",
    "B 02-26 *",
    "C 01-07 stage=Lead currency=EUR owner=Bob created=2026-01-07",
    "C 02-12 stage=Lost closed=2026-02-12 loss_reason=price",
    "C 02-13 stage=Lead closed=",
    "C 03-02 stage=Demo expected_close=2026-03-20",
    "D 02-03 stage=Demo amount=40.00 currency=EUR created=2026-02-03 expected_close=2026-02-15",
    "D 02-14 amount=45.00 expected_close=2026-03-15",
)


def asked() -> Iterator[tuple[str, dict[str, Any]]]:
    for metric, each in PAST.items():
        for options in (*each.options, *MORE.get(metric, ())):
            yield (
                metric,
                {"by": each.groups[0], **options} if metric != "simulate" else dict(options),
            )


def test_each_count_leads_to_as_many_deals_or_lines_whatever_the_options() -> None:
    facts = facts_of(HISTORY)
    state = last_values(facts, 2**60, [name for name in facts.schema if name != "id"])
    query = QueryEngine.over(
        state.filter("is_alive").drop("life", "is_alive"), pipeline=facts.pipeline
    )
    analytics = Analytics(
        query.select, compile=compiled, facts=lambda **_: facts, quotas=lambda: QUOTAS
    )
    db: Any = SimpleNamespace(query=query)
    wrong, seen = [], set()
    for metric, options in asked():
        if metric not in ("waterfall", "slippage"):
            options.setdefault("as_of", "2026-04-30")
        ask = getattr(analytics, metric)
        try:
            result = ask(**options)
        except NotYetKnown:
            # the history is too short for some
            continue
        for row in result.to_dicts():
            for count in counts_in(result):
                if row[count] is None or count in key_columns(result):
                    continue
                where, lines = deals_of(db, result, row, count, partial(ask, **options, deals=True))
                found = (
                    query.count(where)
                    if where is not None
                    else -1
                    if lines is None
                    else lines.height
                )
                seen.add(metric)
                if found != row[count]:
                    wrong.append((metric, options, count, row[count], found))
    assert wrong == []
    assert seen >= {"trend", "losses", "leaderboard", "waterfall", "funnel", "cohorts", "activity"}


@pytest.mark.parametrize("count", ["created", "n", "won", "lost"])
def test_what_happened_twice_has_two_lines(count: str) -> None:
    facts = facts_of(HISTORY)
    query = QueryEngine.over([{"id": "A", "stage": "Won"}], pipeline=facts.pipeline)
    analytics = Analytics(query.select, compile=compiled, facts=lambda **_: facts)
    result = analytics.trend(events=True)
    row = result.to_dicts()[1]
    db: Any = SimpleNamespace(query=query)
    where, lines = deals_of(
        db, result, row, count, lambda: analytics.trend(events=True, deals=True)
    )
    expected = {
        "created": ["D"], "n": ["A", "B", "C", "A"], "won": ["A", "B", "A"], "lost": ["C"],
    }[count]  # fmt: skip
    assert where is None
    assert lines is not None
    assert lines["id"].to_list() == expected
