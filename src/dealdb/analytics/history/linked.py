"""From a row of a metric on history to its deals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from dealdb.analytics.links import Links, has_values
from dealdb.analytics.options import label_of_none
from dealdb.errors import QueryError
from dealdb.model.columns import is_text


def links_of(
    name: str,
    table: pl.DataFrame,
    lines: pl.DataFrame,
    lives: pl.DataFrame,
    *,
    keys: Sequence[str],
    rows: Sequence[str],
    count: str,
    present: Callable[[pl.Expr], int] | None,
) -> Links:
    """
    How the deals of a row are found: by their ids, as the present knows nothing else of the past.

    Parameters
    ----------
    name
        Of the metric.
    table
        Its figures, with the missing values of groups.
    lines
        What ``count`` counts, by ``id`` or ``life``; of the columns that tell rows apart, those that matter.
    lives
        ``life`` and ``id``.
    keys, rows
        Columns that tell the rows apart.
    count
        The count whose deals these are.
    present
        How many deals that can be queried a filter keeps; None where nobody knows.
    """
    columns = (*keys, *rows)
    none = {key: label_of_none(table[key]) for key in keys if is_text(table.schema[key])}

    def find(row: Mapping[str, Any]) -> pl.Expr:
        known = [column for column in columns if column in lines.columns]
        own = lines.filter(has_values(row, known, none, lines.schema))
        if "id" not in own.columns:
            own = own.join(lives.select("life", "id"), on="life")
        ids = own["id"].unique(maintain_order=True)
        kept = pl.col("id").is_in(ids.implode())
        there = ids.len() if present is None else present(kept)
        if not ids.len() == there == row.get(count):
            msg = f"no filter on the deals of now keeps those that this row of {name} counts: deals=True lists them"
            raise QueryError(msg)
        return kept

    return Links(columns=columns, find=find, count=count)
