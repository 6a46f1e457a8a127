"""
Filters, sorting and SQL over the live columns.

``engine`` offers all of it as one object. ``filters`` turns a filter into a Polars expression, ``results`` has what a
query gives back, and ``sql`` runs a SELECT on DuckDB. The parser of SQL and DuckDB are imported at first use.

The order of the parts; nothing imports from a part behind it:
messages, deal_source → filters → results, sql → engine.
"""

from __future__ import annotations

from dealdb.query.deal_source import DealSource, FixedDeals
from dealdb.query.engine import QueryEngine
from dealdb.query.results.explain import Explanation
from dealdb.query.results.facets import Facet
from dealdb.query.results.paging import Page
from dealdb.query.results.saved import SavedQuery

__all__ = ["DealSource", "Explanation", "Facet", "FixedDeals", "Page", "QueryEngine", "SavedQuery"]
