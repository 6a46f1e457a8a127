"""Rows of facts, put in order: which life of a deal each belongs to, and which of them changed anything."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dealdb.model.columns import decode_column
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import FieldType, Schema
from dealdb.store.facts.facts import COMMITS_SCHEMA, LIVES_SCHEMA, Facts, field_schema

# what ends a life
ENDS = ("delete", "merge")
_DEFAULTS: dict[str, pl.Expr] = {
    "seq": pl.lit(0, pl.UInt32),
    "op": pl.lit("set"),
    "field": pl.lit(None, pl.String),
    "value": pl.lit(None, pl.String),
}


def folded(
    rows: pl.DataFrame,
    schema: Schema,
    pipeline: Pipeline,
    *,
    commits: pl.DataFrame | None = None,
    pipelines: Sequence[tuple[int, Pipeline]] = (),
) -> Facts:
    """
    Facts from rows in any order.

    Parameters
    ----------
    rows
        ``id``, ``at``, ``field`` and ``value`` (the text that the store keeps, null to clear); where they are there,
        ``seq`` and the order of the rows decide between facts of one moment, and ``op`` may be ``"delete"``, or
        ``"merge"`` with the survivor as value. A row without a field says only that the deal exists.
    schema, pipeline
        As they are now.
    commits, pipelines
        As ``Facts`` has them.

    Examples
    --------
    >>> rows = pl.DataFrame(
    ...     {
    ...         "id": ["1", "1", "1"],
    ...         "at": [5, 9, 12],
    ...         "field": ["stage", None, "stage"],
    ...         "value": ["Lead", None, "Demo"],
    ...         "op": ["set", "delete", "set"],
    ...     }
    ... )
    >>> folded(rows, Schema.standard(), Pipeline()).lives.rows()
    [(0, '1', 5, 9, None), (1, '1', 12, None, None)]
    """
    given = rows.with_columns(
        default.alias(name) for name, default in _DEFAULTS.items() if name not in rows.columns
    ).with_columns(
        pl.col("seq").cast(pl.UInt32),
        pl.col("at").cast(pl.Int64),
        # a column of nothing but nulls has no type of its own
        pl.col("field", "value").cast(pl.String),
    )
    ordered = given.sort("id", "at", "seq", maintain_order=True)
    ends = pl.col("op").is_in(ENDS)
    numbered = ordered.with_columns(_end=ends).with_columns(
        _nth=pl.col("_end").cast(pl.UInt32).cum_sum().over("id") - pl.col("_end").cast(pl.UInt32)
    )
    lives = _lives(numbered)
    facts = numbered.filter(~pl.col("_end") & pl.col("field").is_not_null()).join(
        lives.select("id", "_nth", "life"), on=["id", "_nth"], how="inner", maintain_order="left"
    )

    def read(name: str) -> pl.DataFrame | None:
        own = facts.filter(pl.col("field") == name)
        return None if own.is_empty() else changes_of_field(own, name, schema)

    return Facts(
        schema=schema,
        pipeline=pipeline,
        lives=lives.select(LIVES_SCHEMA.keys()),
        read=read,
        commits=pl.DataFrame(schema=COMMITS_SCHEMA) if commits is None else commits,
        pipelines=pipelines,
    )


def _lives(numbered: pl.DataFrame) -> pl.DataFrame:
    """Lives that have a fact, the earliest first; what was deleted without one never was."""
    is_end = pl.col("_end")
    found = numbered.group_by("id", "_nth", maintain_order=True).agg(
        begin=pl.col("at").filter(~is_end).min(),
        end=pl.col("at").filter(is_end).first(),
        survivor=pl.when(pl.col("op") == "merge").then("value").drop_nulls().first(),
    )
    kept = found.filter(pl.col("begin").is_not_null()).sort("begin", "id", maintain_order=True)
    return kept.with_row_index("life").with_columns(pl.col("life").cast(pl.UInt32))


def changes_of_field(cells: pl.DataFrame, name: str, schema: Schema) -> pl.DataFrame:
    """
    Typed facts of one field, the last of each moment, without those that repeat what was so.

    Parameters
    ----------
    cells
        ``life``, ``at``, ``seq`` and ``value`` (a text, null where it was cleared).

    Examples
    --------
    >>> cells = pl.DataFrame(
    ...     {"life": [0, 0, 0], "at": [5, 7, 9], "seq": [1, 2, 3], "value": ["1", "1", None]}
    ... )
    >>> changes_of_field(cells, "amount", Schema.standard()).select("at", "value").rows()
    [(5, Decimal('1.00')), (9, None)]
    """
    table = cells.select("life", "at", "seq", "value").sort(
        "life", "at", "seq", maintain_order=True
    )
    of_next = (pl.col("life") == pl.col("life").shift(-1)) & (
        pl.col("at") == pl.col("at").shift(-1)
    )
    table = table.filter(~of_next.fill_null(value=False)).pipe(_without_repeats)
    field = schema[name]
    values = decode_column(table["value"], field)
    typed = table.with_columns(values.alias("value")).cast(field_schema(field))  # type: ignore[arg-type]
    # texts of before a change of type may be one value; lists have one text each
    return typed if field.type is FieldType.LIST else typed.pipe(_without_repeats)


def _without_repeats(table: pl.DataFrame) -> pl.DataFrame:
    # sorted by life: a shift is all that a window would be, and null before the first is what a deal begins with
    same_life = (pl.col("life") == pl.col("life").shift(1)).fill_null(value=False)
    before = pl.when(same_life).then(pl.col("value").shift(1))
    return table.filter(pl.col("value").ne_missing(before))
