"""The table that a result has, and several tables as one."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dealdb.formats.text_form import texts_of

# columns of facets that have another type for each column that is counted
_BOUNDS = ("value", "from", "below", "to")


def table_of(result: object) -> pl.DataFrame | None:
    """
    Table of whatever a query or a metric gives: a frame, a metric, a page, a facet or several; None for anything else.

    Parameters
    ----------
    result
        The result.

    Examples
    --------
    >>> table_of(pl.DataFrame({"n": [1]})).columns, table_of("n > 1")
    (['n'], None)
    """
    if isinstance(result, pl.DataFrame):
        return result
    if isinstance(result, pl.LazyFrame):
        return result.collect()
    if isinstance(result, Mapping):
        tables = {str(name): table_of(each) for name, each in result.items()}
        found = {name: table for name, table in tables.items() if table is not None}
        return one_table(found) if found and len(found) == len(tables) else None
    # of a metric, a facet and a page
    named = (getattr(result, name, None) for name in ("frame", "table", "items"))
    return next((table for table in named if isinstance(table, pl.DataFrame)), None)


def one_table(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """
    Tables of several facets as one, each row with the column that it is of; bounds of several are texts.

    Examples
    --------
    >>> stages = pl.DataFrame({"value": ["won"], "deals": [2]})
    >>> one_table({"stage": stages, "seats": pl.DataFrame({"value": [5], "deals": [1]})}).rows()
    [('stage', 'won', 2), ('seats', '5', 1)]
    """
    parts = [table.select(pl.lit(name).alias("column"), pl.all()) for name, table in tables.items()]
    if len(parts) == 1:
        return parts[0]
    return pl.concat(
        [
            part.with_columns(
                texts_of(part[name]).alias(name) for name in _BOUNDS if name in part.columns
            )
            for part in parts
        ],
        how="diagonal",
    )
