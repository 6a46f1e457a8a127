"""Lines of deals add up to the figures, exactly, in one currency and in several."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import hypothesis.strategies as st
import polars as pl

import h1
from dealdb.analytics import Analytics
from dealdb.analytics.conversion import RATES
from dealdb.query import QueryEngine
from dealdb.view import compiled
from examples import given_examples
from histories.drawn import History
from histories.drawn import history as drawn
from histories.written import day
from oracle.engine import facts_of

# metric, its options, what tells its rows apart, and the figure that its lines add to
FIGURES: list[tuple[str, dict[str, Any], tuple[str, ...], str]] = [
    ("funnel", {}, ("stage",), "value"),
    ("funnel", {"mode": "ordered"}, ("stage",), "value"),
    ("ageing", {}, ("bucket",), "value"),
    ("rotting", {"rot_days": 1}, ("stage",), "value"),
    ("waterfall", {"since": day(3), "until": "2026-03-12"}, ("bucket",), "value"),
    ("waterfall", {"since": day(3), "until": "2026-03-12", "net": False}, ("bucket",), "value"),
    ("slippage", {"since": day(3), "until": "2026-03-12"}, (), "value"),
    ("losses", {}, (), "value"),
    ("ramp", {"months": 3}, ("month",), "value"),
    ("trend", {"events": True}, ("period",), "won_value"),
    ("leaderboard", {"at": "closing"}, (), "won_value"),
    ("late_entry", {}, (), "value"),
    ("hindsight", {"known": "2999-12-31"}, ("bucket",), "value"),
]
RATE_ROWS = [
    (date(2026, 1, 1), "USD", Decimal("0.90")),
    (date(2026, 1, 9), "USD", Decimal("0.812345")),
]
CENT = Decimal("0.01")


def analytics_of(history: History) -> Analytics:
    facts = facts_of(history)
    rates = pl.DataFrame(RATE_ROWS, schema=RATES, orient="row")
    return Analytics(
        QueryEngine.over([]).select,
        compile=compiled,
        facts=lambda **_: facts,
        rates=lambda _: rates,
    )


@given_examples(
    20,
    3000,
    history=st.integers(0, 10**6).map(drawn),
    figure=st.sampled_from(FIGURES),
    by=st.sampled_from([None, "owner", "currency"]),
    to=st.sampled_from([None, "EUR"]),
)
def test_lines_add_up_to_the_figures(
    history: History, figure: Any, by: Any, to: str | None
) -> None:
    facts = facts_of(history)
    if facts.first is None or facts.first >= h1.moment("2026-03-12"):
        return
    metric, options, rows, name = figure
    by = by or {"ramp": "owner", "leaderboard": "owner"}.get(metric)
    method = getattr(analytics_of(history), metric)
    table, lines = (
        method(by=by, to=to, deals=deals, **options).frame.to_dicts() for deals in (False, True)
    )
    own = [*([by] if by else []), *(["currency"] if table and "currency" in table[0] else [])]
    keys = list(dict.fromkeys((*own, *rows)))
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[tuple(line[key] for key in keys)] += line["value"] or 0
    for row in table:
        found = sums.pop(tuple(row[key] for key in keys), Decimal(0))
        shown = row[name] if row[name] is not None else Decimal(0)
        if to is None:
            assert shown == found
        elif metric in ("waterfall", "hindsight"):
            # a cent goes where the buckets would not add up otherwise
            assert abs(shown - found) < CENT * 2
        else:
            assert shown == found.quantize(CENT, rounding=ROUND_HALF_EVEN)
    assert not any(sums.values())


@given_examples(
    10, 2000, history=st.integers(0, 10**6).map(drawn), by=st.sampled_from([None, "owner"])
)
def test_lines_of_a_forecast_and_of_coverage_add_up(history: History, by: str | None) -> None:
    facts = facts_of(history)
    if facts.first is None:
        return
    analytics = analytics_of(history)
    window: dict[str, Any] = {"since": day(1), "until": "2026-04-30", "by": by}
    found = analytics.forecast(**window, to="EUR")
    lines = analytics.forecast(**window, to="EUR", deals=True).frame
    for figure in ("won", "weighted", "commit", "best", "pipeline", "omitted"):
        shown = found.frame[figure].sum()
        exact = sum((value for value in lines.filter(figure=figure)["value"] if value), Decimal(0))
        assert abs(Decimal(shown or 0) - exact) <= CENT / 2 * max(1, found.frame.height)
    covered = analytics.coverage(**window, target=100)
    deals = analytics.coverage(**window, target=100, deals=True).frame
    for figure in ("won", "open"):
        exact = sum((value for value in deals.filter(figure=figure)["value"] if value), Decimal(0))
        assert covered.frame[figure].sum() == exact
