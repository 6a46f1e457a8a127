"""Tables of the caller's own beside the deals: typed, checked by name, and all that a statement can reach."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dealdb.errors import QueryError
from dealdb.loader import read_table
from dealdb.query import QueryEngine
from dealdb.query.deal_source import FixedDeals, snapshot_of_rows

MONEY = pl.Decimal(38, 2)
DEALS = pl.DataFrame(
    {
        "id": ["1", "2", "3"],
        "owner": pl.Series(["Ann", "Bob", "Ann"], dtype=pl.Categorical),
        "amount": pl.Series([Decimal("10.10"), Decimal("0.20"), Decimal("0.01")], dtype=MONEY),
    }
)
ATTAINED = """
    SELECT owner, quota, sum(amount) AS won FROM deals JOIN quotas USING (owner)
    WHERE amount > :least GROUP BY ALL ORDER BY owner
"""


@pytest.fixture
def query() -> QueryEngine:
    return QueryEngine(FixedDeals(snapshot_of_rows(DEALS)), read_table=read_table)


def test_a_file_joins_with_the_deals_exactly(query: QueryEngine, tmp_path: Path) -> None:
    path = tmp_path / "quotas.csv"
    path.write_text("owner,quota\nAnn,100.10\nBob,5\n")
    found = query.sql(ATTAINED, params={"least": 0}, tables={"quotas": path})
    assert found.rows() == [
        ("Ann", Decimal("100.10"), Decimal("10.11")),
        ("Bob", Decimal("5.00"), Decimal("0.20")),
    ]
    assert found.dtypes == [pl.String, MONEY, MONEY]


def of_pandas(columns: dict[str, list[Any]]) -> Any:
    # not at the top: each worker imports all tests, and would take half a second for it
    import pandas as pd

    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    "table_of",
    [
        pl.DataFrame,
        lambda columns: pl.DataFrame(columns).cast({"owner": pl.Categorical}),
        pl.LazyFrame,
        lambda columns: pl.DataFrame(columns).to_arrow(),
        of_pandas,
        lambda columns: pl.DataFrame(columns).to_dicts(),
    ],
    ids=["frame", "categories", "lazy", "arrow", "pandas", "rows"],
)
def test_frames_and_rows_are_tables(
    query: QueryEngine, table_of: Callable[[dict[str, list[Any]]], Any]
) -> None:
    table = table_of({"owner": ["Ann"], "quota": [5]})
    found = query.sql(ATTAINED, params={"least": 0}, tables={"Quotas": table})
    assert found.rows() == [("Ann", 5, Decimal("10.11"))]


def test_a_table_is_seen_by_its_own_statement_only(query: QueryEngine) -> None:
    table = pl.DataFrame({"x": [1]})
    assert query.sql("SELECT x FROM t", tables={"t": table}).item() == 1
    assert query.sql("SELECT x FROM t", tables={"t": pl.DataFrame({"x": [2]})}).item() == 2
    with pytest.raises(QueryError, match="no table 't' here: the tables are deals and history"):
        query.sql("SELECT x FROM t")
    with pytest.raises(QueryError, match="no table 'u' here: the tables are deals, history and t"):
        query.sql("SELECT x FROM u", tables={"t": table})


def test_the_sandbox_is_what_it_was(query: QueryEngine, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x\n1\n")
    tables = {"t": path, "u": pl.DataFrame({"user": ["me"]})}
    assert query.sql("SELECT user FROM u", tables=tables).item() == "me"
    for statement in (
        f"SELECT * FROM '{path}'",
        f"SELECT * FROM read_csv('{path}')",
        "SELECT * FROM main.t",
        "SELECT * FROM information_schema.tables",
        "INSERT INTO t VALUES (2)",
        "DROP TABLE t",
        "SELECT user FROM t",
    ):
        with pytest.raises(QueryError):
            query.sql(statement, tables={"t": path})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"deals": DEALS}, "can't be named deals: dealdb has one of that name"),
        ({"History": DEALS}, "can't be named History"),
        ({"a b": DEALS}, "can't be named 'a b': a name has letters, digits and _"),
        ({"1a": DEALS}, "can't be named '1a'"),
        ({"": DEALS}, "can't be named ''"),
        ({5: DEALS}, "can't be named 5"),
        ({"t": DEALS, "T": DEALS}, "two tables are named T"),
        ({"t": pl.DataFrame({"x": [1], "X": [2]})}, "the table t has two columns named 'X'"),
        (
            {"t": pl.DataFrame({"x": [object()]})},
            "the table t has objects of Python in 'x'",
        ),
        ({"t": "missing.csv"}, "the table t can't be read: there is no file missing.csv"),
        ({"t": 5}, "the table t can't be read: a int can't be loaded"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused_by_name(
    query: QueryEngine, tables: dict[Any, Any], message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        query.sql("SELECT 1 AS one FROM deals", tables=tables)


def test_an_unknown_column_is_named_beside_those_of_the_tables(query: QueryEngine) -> None:
    with pytest.raises(QueryError, match="no column 'quotta'; did you mean 'quota'"):
        query.sql("SELECT quotta FROM quotas", tables={"quotas": [{"owner": "Ann", "quota": 5}]})


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        ("SELECT seq FROM history WHERE when > :day", "when"),
        ("SELECT id FROM t WHERE limit > 1", "limit"),
    ],
)
def test_a_column_that_is_a_word_of_sql_is_to_be_quoted(
    query: QueryEngine, statement: str, word: str
) -> None:
    message = f'near "{word}"; that is a word of SQL: the column stands in double quotes, "{word}"'
    with pytest.raises(QueryError, match=message):
        query.sql(statement, tables={"t": pl.DataFrame({"id": [1], "limit": [1]})})


def test_without_a_reader_a_table_is_a_frame() -> None:
    with pytest.raises(QueryError, match="the table t has to be a data frame here, not a str"):
        QueryEngine.over(DEALS).sql("SELECT 1", tables={"t": "t.csv"})


def test_fields_that_differ_only_in_case_are_told_apart_or_the_statement_is_refused() -> None:
    query = QueryEngine.over([{"id": "1", "Id": "x", "Region": "a", "region": "b", "n": 5}])
    assert query.sql('SELECT "Id" AS own, n FROM deals').rows() == [("x", 5)]
    assert query.sql("SELECT id, region FROM deals").rows() == [("1", "b")]
    assert query.sql("SELECT count(*) FROM deals WHERE \"Region\" = 'b'").item() == 0
    assert query.sql("SELECT a.n FROM deals a JOIN deals b USING (region)").item() == 5
    assert query.sql("SELECT * FROM deals").row(0) == ("1", "x", "a", "b", 5)
    for clash in ("SELECT ID FROM deals", 'SELECT "Id" AS a, id AS b FROM deals'):
        with pytest.raises(QueryError, match="SQL can't tell the fields 'id' and 'Id' apart"):
            query.sql(clash)
