"""
Filters, sorting and SQL over the live columns.

``filters`` turns a filter into a Polars expression, ``sorting`` orders rows, ``sql`` runs a SELECT on DuckDB,
and ``engine`` offers them as one object. The parser of SQL and DuckDB are imported at first use.
"""

from __future__ import annotations

from dealdb.query.engine import QueryEngine

__all__ = ["QueryEngine"]
