"""
Filters, sorting and SQL over the live columns.

``filters`` turns a filter into a Polars expression, ``sorting`` orders rows, ``paging`` cuts them into pages, ``sql`` runs
a SELECT on DuckDB, and ``engine`` offers them as one object. The parser of SQL and DuckDB are imported at first use.
"""

from __future__ import annotations

from dealdb.query.engine import QueryEngine
from dealdb.query.paging import Page

__all__ = ["Page", "QueryEngine"]
