"""Engines in the process: SQLite and DuckDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import duckdb
import polars as pl

GROUP_BY_STAGE = "SELECT stage, sum(amount) AS amount, count(*) AS n FROM deals GROUP BY stage"
TOP_WON = "SELECT * FROM deals WHERE stage = 'Won' AND amount > 50000 ORDER BY amount DESC LIMIT 20"
_REAL = ("amount",)


def sqlite_rows(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Rows as SQLite takes them: it has neither decimals nor dates."""
    return frame.with_columns(
        pl.col(*_REAL).cast(pl.Float64), pl.col(pl.Date).cast(pl.String)
    ).rows()


def sqlite_loaded(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> sqlite3.Connection:
    """A table in memory, filled in one transaction."""
    connection = sqlite3.connect(":memory:")
    types = ["REAL" if name in _REAL else "TEXT" for name in names]
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True))
    connection.execute(f"CREATE TABLE deals ({columns}, PRIMARY KEY (id)) WITHOUT ROWID")
    with connection:
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO deals VALUES ({marks})", rows)
    return connection


def duckdb_loaded(frame: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    """A table in memory, made of a frame."""
    connection = duckdb_on(frame, "given")
    connection.execute("CREATE TABLE deals AS SELECT * FROM given")
    return connection


def duckdb_on(frame: pl.DataFrame, name: str = "deals") -> duckdb.DuckDBPyConnection:
    """A frame under a name, not copied."""
    connection = duckdb.connect()
    connection.register(name, frame.to_arrow())
    return connection
