"""What a query or a metric works on: the deals at one commit, and what their columns and stages mean."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dealdb.pipeline import Pipeline
from dealdb.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """
    All deals as they were at one commit; never changes afterwards.

    Attributes
    ----------
    frame
        One row a deal, one column a field of the schema, in the order of first saving.
    schema
        Fields of the columns.
    pipeline
        Stages of the deals; has every stage that occurs in ``frame``.
    seq
        Number of the last commit that is in it; 0 for none.
    """

    frame: pl.DataFrame
    schema: Schema
    pipeline: Pipeline
    seq: int
