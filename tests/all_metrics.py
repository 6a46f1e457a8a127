"""Every metric of the eight-deal example, without a server: what tests of charts draw."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl

import h1
from dealdb.analytics import Analytics, MetricResult
from dealdb.analytics.basis import Basis
from dealdb.analytics.history.state import last_values
from dealdb.query import QueryEngine
from dealdb.store.facts.facts import Facts
from dealdb.view import compiled

_AS_OF = {"as_of": "2026-03-31"}
_QUARTER = {"since": "2026-01-01", "until": "2026-04-01"}
QUOTAS = pl.DataFrame(
    {
        "period_start": [date(2026, 1, 1)] * 2,
        "period": ["quarter"] * 2,
        "key": ["Ann", "Bob"],
        "amount": [Decimal(2000), Decimal(1000)],
        "currency": ["EUR"] * 2,
    }
)
# what each metric is asked; seasonality needs two years, and is made up below
CALLS: dict[str, dict[str, Any]] = {
    "summary": {},
    "pipeline": {},
    "win_rate": {"by": "owner"},
    "deal_size": {"by": "owner"},
    "sales_cycle": {"by": "owner"},
    "velocity": {"by": "owner"},
    "leaderboard": {},
    "concentration": {"by": "owner"},
    "trend": {},
    "funnel": _AS_OF,
    "time_in_stage": _AS_OF,
    "ageing": _AS_OF,
    "rotting": _AS_OF,
    "waterfall": {"since": "2026-01-31", **_AS_OF},
    "slippage": {"since": "2026-02-01", "until": "2026-04-01", "as_of": "2026-03-31"},
    "coverage": {"since": "2026-04-01", "until": "2026-07-01", "target": 5000, **_AS_OF},
    "forecast": {"since": "2026-01-01", "until": "2026-07-01", "as_of": "2026-02-28"},
    "cohorts": {"measure": "win_rate", **_AS_OF},
    "losses": _AS_OF,
    "win_loss": {"by": "owner", **_AS_OF},
    "ramp": _AS_OF,
    "attainment": {"period": "2026-Q1", **_AS_OF},
    "activity": _AS_OF,
    "late_entry": {"by": "owner", **_AS_OF},
    "hindsight": {**_QUARTER, "known": "2026-03-01"},
    "stage_chances": _AS_OF,
    "survival": {"stage": "Lead", **_AS_OF},
    "time_to_close": {"by": "stage", **_AS_OF},
    "simulate": {"until": "2026-07-01", "n": 2000, **_AS_OF},
    "calibration": {"since": "2026-02-01", **_AS_OF},
    "forecast_error": {**_QUARTER, **_AS_OF},
}


def analytics_of(facts: Facts) -> Analytics:
    """All metrics of a history."""
    state = last_values(facts, 2**60, [name for name in facts.schema if name != "id"])
    frame = state.filter("is_alive").drop("life", "is_alive")
    query = QueryEngine.over(frame, pipeline=facts.pipeline)
    return Analytics(
        query.select,
        compile=compiled,
        facts=lambda **_: facts,
        quotas=lambda: QUOTAS,
        today=date(2026, 3, 31),
    )


@cache
def results() -> dict[str, MetricResult]:
    """A result of every metric."""
    analytics = analytics_of(h1.facts())
    found = {name: getattr(analytics, name)(**options) for name, options in CALLS.items()}
    factors = pl.DataFrame(
        {"month": range(1, 13), "factor": [0.5 + n / 12 for n in range(12)], "n": [3] * 12}
    )
    found["seasonality"] = MetricResult(
        name="seasonality",
        frame=factors.with_columns(lo=pl.lit(None, pl.Float64), hi=pl.lit(None, pl.Float64)),
        basis=Basis(n=40, notes=("36 full months",)),
    )
    return found
