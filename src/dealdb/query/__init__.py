"""
Filters, sorting and SQL over the live columns.

``engine`` offers all of it as one object. ``filters`` turns a filter into a Polars expression, ``results`` has what a
query gives back, ``index`` the words of all texts for ``search``, and ``sql`` runs a SELECT on DuckDB. The parser of
SQL and DuckDB are imported at first use.

The order of the parts; nothing imports from a part behind it:
messages, limits, deal_source → filters → results, sql → index → engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dealdb.query.deal_source import DealSource, FixedDeals
    from dealdb.query.engine import QueryEngine
    from dealdb.query.results.explain import Explanation
    from dealdb.query.results.facets import Facet
    from dealdb.query.results.paging import Page
    from dealdb.query.results.saved import SavedQuery

__all__ = ["DealSource", "Explanation", "Facet", "FixedDeals", "Page", "QueryEngine", "SavedQuery"]

# a name is imported at its first use: the process of DuckDB waits for no Polars
_MODULES = {
    **dict.fromkeys(("DealSource", "FixedDeals"), "deal_source"),
    "Explanation": "results.explain",
    "Facet": "results.facets",
    "Page": "results.paging",
    "QueryEngine": "engine",
    "SavedQuery": "results.saved",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dealdb.query.{_MODULES[name]}"), name)
