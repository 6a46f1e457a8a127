"""
Filters, sorting and SQL over the live columns.

In order, from the bottom up; none imports from one that stands later:

- ``messages``: what is wrong with a query, and where; ``deal_source``: where the deals come from.
- ``filters``: a filter becomes a Polars expression.
- ``results``: rows sorted, cut into pages, counted, searched, explained, and queries saved by name; ``sql``: a SELECT
  on DuckDB.
- ``engine``: all of it as one object.

The parser of SQL and DuckDB are imported at first use.
"""

from __future__ import annotations

from dealdb.query.deal_source import DealSource, FixedDeals
from dealdb.query.engine import QueryEngine
from dealdb.query.results.explain import Explanation
from dealdb.query.results.facets import Facet
from dealdb.query.results.paging import Page
from dealdb.query.results.saved import SavedQuery

__all__ = ["DealSource", "Explanation", "Facet", "FixedDeals", "Page", "QueryEngine", "SavedQuery"]
