"""Sales metrics: pure functions from deals and a pipeline to tables, and ``Analytics`` over them."""

from __future__ import annotations

from dealdb.analytics.analytics import Analytics
from dealdb.analytics.result import Basis, MetricResult

__all__ = ["Analytics", "Basis", "MetricResult"]
