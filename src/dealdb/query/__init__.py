"""
Filters, sorting and SQL over the live columns.

``engine`` offers all of it as one object. ``filters`` turns a filter into a Polars expression, ``sorting`` orders rows,
``paging`` cuts them into pages, ``faceting`` counts them, ``explaining`` tells what was done, ``saved`` keeps them
by name, and ``sql`` runs a SELECT on DuckDB. The parser of SQL and DuckDB are imported at first use.
"""

from __future__ import annotations

from dealdb.query.engine import QueryEngine
from dealdb.query.results.explain import Explanation
from dealdb.query.results.facets import Facet
from dealdb.query.results.paging import Page
from dealdb.query.results.saved import SavedQuery

__all__ = ["Explanation", "Facet", "Page", "QueryEngine", "SavedQuery"]
