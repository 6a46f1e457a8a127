"""Exporting from a real server, and loading what was exported into another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.errors import QueryError
from servers import Server


@pytest.fixture
def db(server: Server) -> Iterator[DealDatabase]:
    with DealDatabase("127.0.0.1", server.port) as database:
        database.loader.load(
            [
                {
                    "id": n,
                    "name": f"=deal {n}",
                    "amount": Decimal(n) / 8,
                    "stage": stage,
                    "tags": ["a"],
                }
                for n, stage in enumerate(["Won", "Demo", "Lost", "Won"])
            ]
        )
        yield database


def test_a_query_becomes_a_file(db: DealDatabase, tmp_path: Path) -> None:
    report = db.loader.export(
        tmp_path / "won.csv", "stage = 'Won'", columns=["id", "amount", "name"], sort="-amount"
    )
    assert (report.rows, report.escaped) == (2, 2)
    assert (
        tmp_path / "won.csv"
    ).read_text() == "\"id\",amount,name\n3,0.375,'=deal 3\n0,0.000,'=deal 0\n"
    with pytest.raises(QueryError):
        db.loader.export(tmp_path / "won.csv", "stagge = 'Won'")
    assert db.loader.export(tmp_path / "won.csv", pl.col("amount") > 0, limit=1).rows == 1


@pytest.mark.parametrize("name", ["deals.jsonl.gz", "deals.parquet", "deals.arrow", "deals.csv"])
def test_a_collection_moves_to_another_server(
    db: DealDatabase, new_server: Callable[..., Server], tmp_path: Path, name: str
) -> None:
    db.loader.export(tmp_path / name, raw=True)
    with DealDatabase("127.0.0.1", new_server().port) as other:
        types = {"tags": "list"} if name == "deals.csv" else {}
        assert other.loader.load(tmp_path / name, types=types).inserted == 4
        assert other.query.frame().equals(db.query.frame())
    assert db.loader.load(tmp_path / name).unchanged == 4
