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
    ids: pl.Series | None = None,
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
    ids
        The ids of the deals, where ``id`` has their numbers in this column.
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
    if ids is None:
        # numbers are found, sorted and grouped in a fraction of the time that texts take
        ids = given["id"].cast(pl.String).unique()
        given = given.with_columns(numbers_of(given["id"].cast(pl.String), ids).alias("id"))
    numbered = _numbered(given, ids.len())
    lives = _lives(numbered, ids)
    facts = _with_life(
        numbered.filter(~pl.col("_end") & pl.col("field").is_not_null()), lives, ids.len()
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


def numbers_of(texts: pl.Series, names: pl.Series) -> pl.Series:
    """
    The place of each text among names, all of which are different.

    Examples
    --------
    >>> numbers_of(pl.Series(["b", "a", "b"]), pl.Series(["a", "b"])).to_list()
    [1, 0, 1]
    """
    if names.is_empty():
        return pl.repeat(None, texts.len(), dtype=pl.UInt32, eager=True)
    return texts.cast(pl.Enum(names)).to_physical().cast(pl.UInt32)


def holds_of(numbers: pl.Series, n: int) -> pl.Series:
    """
    For each number below ``n``, whether it is among some.

    Examples
    --------
    >>> holds_of(pl.Series([2, 0, 2]), 4).to_list()
    [True, False, True, False]
    """
    return pl.repeat(False, n, eager=True).scatter(numbers, True)  # noqa: FBT003  # values


def _numbered(given: pl.DataFrame, n_ids: int) -> pl.DataFrame:
    """Rows with ``_end``, whether they end a life, and ``_nth``, which life of the deal they are of."""
    marked = given.with_columns(_end=pl.col("op").is_in(ENDS).fill_null(value=False))
    ends = marked.filter("_end")["id"]
    if ends.is_empty():
        return marked.with_columns(_nth=pl.lit(0, pl.UInt32))
    # only deals that ended can have a second life: only these need an order to tell
    has_end = holds_of(ends.unique(), n_ids).gather(marked["id"])
    end = pl.col("_end").cast(pl.UInt32)
    ordered = marked.filter(has_end).sort("id", "at", "seq", maintain_order=True)
    some = ordered.with_columns(_nth=(end.cum_sum().over("id") - end).cast(pl.UInt32))
    return pl.concat([marked.filter(~has_end).with_columns(_nth=pl.lit(0, pl.UInt32)), some])


def _lives(numbered: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Lives that have a fact, the earliest first; what was deleted without one never was."""
    of_life = ["id", "_nth"]
    rows = numbered.filter(~pl.col("_end"))
    # most deals have one life: those are found by one number
    parts = [
        rows.filter(pl.col("_nth") == 0)
        .group_by("id")
        .agg(begin=pl.col("at").min())
        .with_columns(_nth=pl.lit(0, pl.UInt32)),
        rows.filter(pl.col("_nth") > 0).group_by("id", "_nth").agg(begin=pl.col("at").min()),
    ]
    ends = (
        numbered.filter("_end")
        .group_by(of_life, maintain_order=True)
        .agg(
            end=pl.col("at").first(),
            survivor=pl.when(pl.col("op") == "merge").then("value").drop_nulls().first(),
        )
    )
    found = pl.concat([part.select(*of_life, "begin") for part in parts]).join(
        ends, on=of_life, how="left"
    )
    named = found.rename({"id": "_number"}).with_columns(ids.gather(found["id"]).alias("id"))
    kept = named.sort("begin", "id", "_nth")
    return kept.with_row_index("life").with_columns(pl.col("life").cast(pl.UInt32))


def _with_life(facts: pl.DataFrame, lives: pl.DataFrame, n_ids: int) -> pl.DataFrame:
    """Facts with the life that each is of, instead of the deal."""
    first = lives.filter(pl.col("_nth") == 0)
    none = pl.repeat(None, n_ids, dtype=pl.UInt32, eager=True)
    of_first = none.scatter(first["_number"], first["life"]) if first.height else none
    early = facts.filter(pl.col("_nth") == 0)
    parts = [early.with_columns(of_first.gather(early["id"]).alias("life"))]
    if early.height < facts.height:
        later = lives.select("life", "_nth", id="_number")
        parts.append(
            facts.filter(pl.col("_nth") > 0).join(
                later, on=["id", "_nth"], how="inner", maintain_order="left"
            )
        )
    wanted = ("life", "at", "seq", "field", "value")
    return pl.concat([part.select(wanted) for part in parts]).filter(pl.col("life").is_not_null())


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
