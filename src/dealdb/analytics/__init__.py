"""
Sales metrics: pure functions from deals and a pipeline to tables, and ``Analytics`` over them.

In order, from the bottom up; none imports from one that stands later:

- ``options``: groups, windows, choices; ``result``: what a metric gives.
- ``flags``: which deals are open, won and lost; ``periods``: days, weeks, months and so on.
- ``exact``: sums and ratios without an error of rounding.
- ``scope``: the deals that a metric counts; ``shared_sums``: what several metrics add up.
- ``metrics``: one a file.
- ``analytics``: all of them as one object.
"""

from __future__ import annotations

from dealdb.analytics.analytics import Analytics
from dealdb.analytics.result import Basis, MetricResult

__all__ = ["Analytics", "Basis", "MetricResult"]
