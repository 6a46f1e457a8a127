"""
Sales metrics: pure functions from deals and a pipeline to tables, and ``Analytics`` over them.

``flags`` says which deals are open, won and lost, ``exact`` sums without an error of rounding, ``scope`` chooses the
deals that a metric counts, ``metrics`` has one file for each, and ``drawing`` makes charts of their tables.

The order of the parts; nothing imports from a part behind it:
options, links, basis → drawing → result → calendar → flags, doubts → exact → weights, conversion → scope,
shared_sums → metrics → history → estimates → prediction → methods → analytics.
"""

from __future__ import annotations

from dealdb.analytics.analytics import Analytics
from dealdb.analytics.basis import Basis
from dealdb.analytics.result import MetricResult

__all__ = ["Analytics", "Basis", "MetricResult"]
