"""Short histories that are written down in tests: a line a change, or rows by the days of January."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from h1 import PIPELINE, moment

# id, milliseconds, field, value, "set" or "delete"; a place is the number of the commit
Row = tuple[str, int, str | None, str | None, str]
# id, day of January 2026 and hour, field and value
JanuaryRow = tuple[str, int, int, str | None, str | None]
COLUMNS = ["id", "at", "field", "value", "op"]
_START = moment("2026-01-01")


def read(*lines: str) -> list[Row]:
    """Rows of lines like ``"A 01-05 stage=Lead amount=10.00 closed="``; an asterisk deletes; all at 12:00 UTC."""
    found: list[Row] = []
    for line in lines:
        deal, day, *changes = line.split()
        at = moment(f"2026-{day}", 12)
        for change in changes:
            name, _, text = change.partition("=")
            row = (
                (deal, at, None, None, "delete")
                if change == "*"
                else (deal, at, name, text or None, "set")
            )
            found.append(row)
    return found


def facts_of(
    rows: Sequence[Row],
    *,
    pipeline: Pipeline = PIPELINE,
    who: str | None = "sync",
    kind: str = "set",
) -> Facts:
    """Facts of rows, each of a deal and a moment one commit that was recorded when it happened."""
    schema = {
        "id": pl.String,
        "at": pl.Int64,
        "field": pl.String,
        "value": pl.String,
        "op": pl.String,
    }
    frame = pl.DataFrame(list(rows), schema=schema, orient="row").with_columns(
        seq=pl.struct("at", "id").rank("dense").cast(pl.UInt32)
    )
    commits = (
        frame.group_by("seq")
        .agg(pl.col("at").first())
        .sort("seq")
        .with_columns(who=pl.lit(who, pl.String), kind=pl.lit(kind))
    )
    return folded(
        frame, Schema.standard(), pipeline, commits=commits, pipelines=[(_START, pipeline)]
    )


def day(number: int) -> str:
    """A day of January 2026."""
    return f"2026-01-{number:02}"


def in_january(*rows: JanuaryRow, pipeline: Pipeline = PIPELINE) -> Facts:
    """Facts of rows in the order in which they were saved, each a commit; without a field it is a deletion."""
    table = [
        (deal, moment(day(number), hour), seq, field, text, "set" if field else "delete")
        for seq, (deal, number, hour, field, text) in enumerate(rows)
    ]
    columns = ["id", "at", "seq", "field", "value", "op"]
    frame = pl.DataFrame(table, schema=columns, orient="row")
    return folded(frame, Schema.standard(), pipeline)


def history(*lines: str) -> Facts:
    """Facts of lines as ``read`` takes them."""
    return facts_of(read(*lines))


def empty() -> Facts:
    """Facts of a collection without a deal."""
    return facts_of([])
