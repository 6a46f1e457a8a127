"""Reading the tables that are kept on the server with a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from functools import partial

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.pipeline import Pipeline
from dealdb.store.archive.chunk_cache import CachedChunks
from dealdb.store.archive.manifest import Generation
from dealdb.store.bounds.wall import LAST_MS, Reading
from dealdb.store.encoding import FACT_COLUMNS, checked_facts
from dealdb.store.keys import Keys
from dealdb.store.ledger.ledger import Beginning
from dealdb.store.ledger.tables import TABLES, field_of, schema_of

logger = logging.getLogger(__name__)


def has_facts(generation: Generation) -> bool:
    """Whether the whole history up to a checkpoint is kept as tables that this program knows."""
    facts = generation.facts
    return (
        facts is not None
        and all(name in TABLES or field_of(name) is not None for name in facts.tables)
        and facts.rows_of("commits") == generation.position.seq
    )


def read_tables(
    link: Link,
    keys: Keys,
    generation: Generation,
    names: Collection[str],
    cache: CachedChunks | None = None,
) -> dict[str, pl.DataFrame] | None:
    """
    Some tables as of a checkpoint, or None where a piece is missing or not what dealdb wrote.

    Cost
    ----
    One round trip, however many; none where the cache has all of them.
    """
    facts = generation.facts
    if facts is None:
        return None
    found = facts.read(link, keys, {name: schema_of(name) for name in names}, cache)
    try:
        with Reading(f"the facts in {keys.checkpoint!r}"):
            for name, table in (found or {}).items():
                _check(name, table, generation)
    except StoreDamaged as problem:
        logger.warning("%s: %s", problem, problem.__cause__)
        return None
    return found


def beginning_of(
    generation: Generation, load: Callable[[Collection[str]], Mapping[str, pl.DataFrame]]
) -> Beginning:
    """What a ledger begins with; only where ``has_facts`` says so."""
    return Beginning(
        position=generation.position,
        schema=generation.schema,
        tables=tuple(generation.facts.tables) if generation.facts else (),
        load=load,
    )


def _check(name: str, table: pl.DataFrame, generation: Generation) -> None:
    """
    Compare a table with what a collection can have.

    Raises
    ------
    ValueError
        If it has something else.
    """
    _must = partial(_must_be, table)
    if "seq" in table.columns:
        _must(pl.col("seq").is_between(1, generation.position.seq))
    if "row" in table.columns:
        _must(pl.col("row") < generation.height)
    match name:
        case "commits":
            _must(pl.col("who").is_not_null() & pl.col("kind").is_not_null())
            _must(pl.col("time_ms").is_between(0, LAST_MS))
        case "pipelines":
            for text in table["value"]:
                Pipeline.from_json(text)
        case "ids" | "gone":
            _must(pl.col("id").is_not_null())
        case "touches":
            _must(pl.col("at").is_null() | pl.col("at").is_between(0, LAST_MS))
            _must(pl.col("stamped").is_not_null())
        case "imported":
            _must(pl.col("place").is_not_null())
            checked_facts(table.select(FACT_COLUMNS.keys()))


def _must_be(table: pl.DataFrame, right: pl.Expr) -> None:
    if not table.select(right.fill_null(value=False).all()).item():
        msg = "not what a commit can have said"
        raise ValueError(msg)
