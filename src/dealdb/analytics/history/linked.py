"""From a row of a metric on history to its deals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import polars as pl

from dealdb.analytics.calendar.zone import as_moments
from dealdb.analytics.flags import UNPRICED
from dealdb.analytics.links import Links, has_values
from dealdb.analytics.options import label_of_none
from dealdb.errors import QueryError
from dealdb.model.columns import is_text

Row: TypeAlias = Mapping[str, Any]
# what a count counts: some of the lines of a metric, or from a row to lines of its own
Counted: TypeAlias = pl.Expr | Callable[[Row], pl.DataFrame]
ALL = pl.lit(value=True)


def links_of(
    name: str,
    table: pl.DataFrame,
    lines: pl.DataFrame,
    lives: pl.DataFrame,
    *,
    keys: Sequence[str],
    rows: Sequence[str],
    counts: Mapping[str, Counted],
    present: Callable[[pl.Expr], int] | None,
    is_lines: bool = False,
) -> Links | None:
    """
    How the deals of a row are found: by their ids, as the present knows nothing else of the past. None without counts.

    Parameters
    ----------
    name
        Of the metric.
    table
        Its figures, with the missing values of groups.
    lines
        By ``id`` or ``life``; of the columns that tell rows apart, those that matter.
    lives
        ``life`` and ``id``.
    keys, rows
        Columns that tell the rows apart.
    counts
        What the counts of a row are of, the first one first.
    present
        How many deals that can be queried a filter keeps; None where nobody knows.
    is_lines
        Whether the rows of the result are these lines themselves, which no filter is for.
    """
    if not counts:
        return None
    columns = (*keys, *rows)
    none = {key: label_of_none(table[key]) for key in keys if is_text(table.schema[key])}

    def of(row: Row, count: str) -> pl.DataFrame:
        counted = counts[count]
        own = _chosen(lines, counted) if isinstance(counted, pl.Expr) else counted(row)
        known = [column for column in columns if column in own.columns and column in row]
        own = own.filter(has_values(row, known, none, own.schema))
        if "at" in own.columns and own.schema["at"].is_integer():
            own = own.with_columns(as_moments(pl.col("at")))
        if "id" in own.columns:
            return own
        return own.join(lives.select("life", "id"), on="life", maintain_order="left")

    def find(row: Row, count: str) -> pl.Expr:
        own = of(row, count)
        ids = own["id"].unique(maintain_order=True)
        kept = pl.col("id").is_in(ids.implode())
        there = ids.len() if present is None else present(kept)
        # a sum says nothing of how many there are
        n = row.get(count) if table.schema[count].is_integer() else own.height
        if is_lines or not ids.len() == there == n:
            msg = f"no filter on the deals of now keeps those that this row of {name} counts: deals=True lists them"
            raise QueryError(msg)
        return kept

    first, *more = counts
    others = {each: partial(find, count=each) for each in more}
    return Links(
        columns=columns, find=partial(find, count=first), count=first, others=others, lines=of
    )


def _chosen(lines: pl.DataFrame, condition: pl.Expr) -> pl.DataFrame:
    return lines if condition is ALL else lines.filter(condition)


def usual_counts(
    table: pl.DataFrame,
    figures: Sequence[str],
    counted: Mapping[str, Counted] | None,
    *,
    unpriced: bool,
) -> dict[str, Counted]:
    """
    What the counts of a row are of: ``n`` of all lines, unless a metric says otherwise.

    Parameters
    ----------
    table, figures
        Its figures, and their names.
    counted
        What it says.
    unpriced
        Whether its lines say which could not be converted; a table that counts these has its own way.
    """
    found: dict[str, Counted] = {**({"n": ALL} if "n" in figures else {}), **(counted or {})}
    if unpriced and "unpriced" not in table.columns:
        found["unpriced"] = UNPRICED
    return found
