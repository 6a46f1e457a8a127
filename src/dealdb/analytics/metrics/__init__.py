"""
One metric a file, each a pure function of deals and a pipeline.

Examples
--------
>>> import polars as pl
>>> from dealdb.analytics.metrics import win_rate
>>> from dealdb.model.pipeline import Pipeline
>>> deals = pl.DataFrame({"stage": ["Won", "Lost"]})
>>> win_rate(deals, Pipeline().covering(["Won", "Lost"]))["win_rate"]
0.5
"""

from __future__ import annotations

from dealdb.analytics.metrics.concentration import concentration
from dealdb.analytics.metrics.deal_size import deal_size
from dealdb.analytics.metrics.leaderboard import leaderboard
from dealdb.analytics.metrics.pipeline import pipeline_by_stage
from dealdb.analytics.metrics.sales_cycle import sales_cycle
from dealdb.analytics.metrics.summary import summary
from dealdb.analytics.metrics.trend import trend
from dealdb.analytics.metrics.velocity import velocity
from dealdb.analytics.metrics.win_rate import win_rate

__all__ = [
    "concentration",
    "deal_size",
    "leaderboard",
    "pipeline_by_stage",
    "sales_cycle",
    "summary",
    "trend",
    "velocity",
    "win_rate",
]
