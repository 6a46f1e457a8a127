"""The past of a history, for tests of its metrics."""

from __future__ import annotations

from typing import Any

import polars as pl

import h1
from dealdb.analytics.history.past import Past, Where
from dealdb.query.filters.where import compile_where
from dealdb.store.facts.facts import Facts


def compiled(where: Where, schema: pl.Schema, zone: str) -> pl.Expr | None:
    """A filter as the facade compiles it."""
    return compile_where(where, schema, {}, zone=zone)


def past_of(facts: Facts | None = None, **options: Any) -> Past:
    """The past of the example history, or of another."""
    return Past(facts=h1.facts() if facts is None else facts, compile=compiled, **options)
