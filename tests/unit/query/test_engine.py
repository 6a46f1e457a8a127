"""find, count, frame and select: order, pages, projections, against plain Python."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.model.columns import spelled_out
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.query.deal_source import FixedDeals
from dealdb.query.engine import QueryEngine
from dealdb.query.sql.isolated.engine import isolated_engine
from dealdb.store.replica.snapshot import Snapshot
from filter_cases import mixed_frame
from query_cases import Frames, engine_of, in_order, snapshot_of

FRAME = mixed_frame()
SORTABLE = [name for name in FRAME.columns if name not in ("id", "tags")]


@pytest.fixture
def query() -> QueryEngine:
    return engine_of(FRAME)


keys = st.lists(st.sampled_from(SORTABLE), max_size=4, unique=True).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names)).map(list)
)


@given(
    sort=keys,
    limit=st.one_of(st.none(), st.integers(0, 160)),
    offset=st.integers(0, 40),
    where=st.sampled_from([None, "won", "amount > 1", "name IS NULL", "seats > 1e9", "FALSE"]),
)
def test_order_limit_and_offset(
    sort: list[str], limit: int | None, offset: int, where: str | None
) -> None:
    engine = engine_of(FRAME)
    kept = set(engine.find(where)["id"])
    rows = [row for row in FRAME.iter_rows(named=True) if row["id"] in kept]
    expected = in_order(rows, sort)[offset:][:limit]
    found = engine.find(where, sort=sort, limit=limit, offset=offset)
    assert found["id"].to_list() == expected


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_ties_at_the_limit_come_by_id(limit: int) -> None:
    frame = pl.DataFrame({"id": list("abcdefghij"), "n": [1, 2, 2, 1, 2, None, 2, 1, None, 2]})
    engine = engine_of(frame[[7, 3, 9, 0, 1, 5, 8, 2, 6, 4]])
    assert engine.find(sort="-n", limit=limit)["id"].to_list() == list("bcegjadhfi")[:limit]
    assert engine.find(sort="n", limit=limit)["id"].to_list() == list("adhbcegjfi")[:limit]


def test_pages_joined_are_the_whole(query: QueryEngine) -> None:
    whole = query.find("won", sort=["-name", "seats"])
    pages = [
        query.find("won", sort=["-name", "seats"], limit=7, offset=at) for at in range(0, 60, 7)
    ]
    assert pl.concat(pages).equals(whole[:63])


def test_a_find_returns_whole_deals_with_exact_amounts(query: QueryEngine) -> None:
    found = query.find("amount = 1.25", limit=1)
    assert found.columns == FRAME.columns
    assert found["amount"].dtype == pl.Decimal(38, 2)
    assert found["amount"].item() == Decimal("1.25")


def test_columns_are_chosen_and_ordered(query: QueryEngine) -> None:
    found = query.find("won", sort="-seats", columns=["amount", "ID"], limit=3)
    assert found.columns == ["amount", "id"]
    whole = query.find("won", sort="-seats", limit=3)
    assert found.equals(whole.select("amount", "id"))


def test_keywords_reach_the_filter(query: QueryEngine) -> None:
    assert query.find(name="a", won=True).equals(query.find("name = 'a' AND won"))
    assert query.count(name="a") == query.find("name = 'a'").height > 0


@pytest.mark.parametrize("where", ["won", "FALSE", "TRUE", "NULL", "1 = 1", "amount > 1", None])
def test_counts_agree_with_finds(query: QueryEngine, where: str | None) -> None:
    assert query.count(where) == query.find(where).height
    assert query.select(where).frame.equals(query.find(where))


def test_expressions_that_give_one_value_count_for_every_deal(query: QueryEngine) -> None:
    assert query.count(pl.lit(value=True)) == FRAME.height
    assert query.count(pl.col("won").any()) == FRAME.height
    assert query.find(pl.col("won").all(), limit=3).height == 0


def test_a_select_keeps_the_rest_of_the_snapshot() -> None:
    snapshot = snapshot_of(FRAME)
    engine = QueryEngine(FixedDeals(snapshot))
    assert engine.select() is snapshot
    chosen = engine.select("won")
    assert (chosen.seq, chosen.schema, chosen.pipeline) == (1, snapshot.schema, snapshot.pipeline)


def test_rows_that_do_not_count_are_nowhere() -> None:
    """Nulls where deals were deleted, in columns and in what an expression looks at."""
    gone = pl.int_range(pl.len()) % 3 == 1
    rows = FRAME.with_columns(pl.when(~gone).then(pl.all()))
    holes = Snapshot(
        frame=rows,
        kept=rows["id"].is_not_null(),
        schema=Schema.standard(),
        pipeline=Pipeline(),
        seq=1,
    )
    engine, plain = QueryEngine(FixedDeals(holes)), engine_of(FRAME.filter(~gone))
    filters: list[str | pl.Expr | None] = [None, "won", "name IS NULL", "TRUE", "FALSE"]
    filters += [pl.lit(value=True), pl.len() == FRAME.height - 50, pl.col("seats").shift(1) == 1]
    for where in filters:
        for options in ({}, {"limit": 7}, {"sort": ["name", "-seats"]}):
            assert engine.find(where, **options).equals(plain.find(where, **options))
        assert engine.count(where) == plain.count(where)
        assert engine.page(where, sort="owner").items.equals(plain.page(where, sort="owner").items)
        assert engine.page(where).total == plain.page(where).total
        assert engine.select(where).frame.equals(plain.select(where).frame)
        assert engine.explain(where, limit=3).scanned == FRAME.height - 50
        for name, facet in engine.facets(["owner", "created"], where).items():
            assert facet.table.equals(plain.facets(name, where)[name].table)
        assert engine.search("ab", where=where).equals(plain.search("ab", where=where))
    assert engine.frame().equals(plain.frame())
    for either in (engine, plain):
        assert either.frame(["Seats", "name"]).equals(plain.frame().select("seats", "name"))
    statement = "SELECT owner, count(*), count(name) FROM deals GROUP BY owner ORDER BY ALL"
    assert engine.sql(statement).equals(plain.sql(statement))


def test_no_deals(query: QueryEngine) -> None:
    engine = engine_of(FRAME.clear())
    assert engine.count() == engine.count("won") == engine.count("1 = 1") == 0
    assert engine.find("amount > 1", sort=["-amount", "name"], limit=5).schema == (
        spelled_out(FRAME).schema
    )
    assert engine.find(sort="name").height == 0


def test_what_is_handed_out_is_the_callers_own() -> None:
    frame = pl.DataFrame({"id": ["1", "2"]})
    engine = engine_of(frame)
    for own in (engine.frame(), engine.find(), engine.find("TRUE"), engine.find(columns=["id"])):
        own.insert_column(0, pl.Series("mine", [1, 2]))
    assert frame.columns == ["id"]


def test_every_query_asks_for_a_fresh_snapshot() -> None:
    frames = iter([FRAME[:n] for n in range(1, 6)])
    engine = QueryEngine(Frames(lambda: next(frames)))
    sizes = [engine.count(), engine.find().height, engine.frame().height]
    sizes += [engine.select().frame.height, engine.sql("SELECT count(*) FROM deals").item()]
    assert sizes == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sort": "-amonut"}, "no column 'amonut'; did you mean 'amount'?"),
        ({"sort": ["name", "-name"]}, "'name' is sorted by twice"),
        ({"sort": ["name", 3]}, "not a value of type int"),
        ({"sort": ""}, "no column ''"),
        ({"columns": ["id", "nam"]}, "no column 'nam'; did you mean 'name'?"),
        ({"columns": ["id", "ID"]}, "columns has 'id' twice"),
        ({"columns": "id"}, "columns is a list of names: ['id']"),
        ({"columns": 5}, "columns is a list of names such as ['id', 'name']"),
        ({"columns": [None]}, "columns is a list of names such as ['id', 'name']"),
        ({"sort": 5}, "sort is a column name such as '-amount' or a list of them, not of type int"),
        (
            {"sort": ["id", 5]},
            "a sort key is a column name such as '-amount', not a value of type int",
        ),
        ({"limit": -1}, "limit is a whole number from 0 up, not -1"),
        ({"limit": 2.5}, "limit is a whole number from 0 up, not 2.5"),
        ({"limit": True}, "limit is a whole number"),
        ({"offset": -3}, "offset is a whole number from 0 up, not -3"),
        ({"offset": None}, "offset is a whole number from 0 up, not None"),
        ({"nme": "a"}, "no column 'nme'; did you mean 'name'?"),
    ],
    ids=str,
)
def test_options_that_cant_be_understood(
    query: QueryEngine, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueryError) as caught:
        query.find(**options)
    assert message in str(caught.value)


def test_facets_are_divided_by_a_mapping(query: QueryEngine) -> None:
    with pytest.raises(QueryError, match="by says of columns how to divide them"):
        query.facets("id", by=5)  # type: ignore[arg-type]


def test_names_that_can_be_read_but_once_are_not_used_up(query: QueryEngine) -> None:
    with pytest.raises(QueryError, match="columns is a list of names such as"):
        query.find(columns=(name for name in ["id"]))  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="sort is a column name"):
        query.find(sort=pl.col("id"))  # type: ignore[arg-type]
    expected = query.find(sort=["-id"], columns=["id"]).rows()
    for sort in ((name for name in ["-id"]), pl.Series(["-id"])):
        assert query.find(sort=sort, columns=["id"]).rows() == expected  # type: ignore[arg-type]


def test_a_product_that_outgrows_38_digits_is_told_without_values() -> None:
    secret = Decimal("987654321987654321987654321.12")
    frame = pl.DataFrame(
        {"id": ["1"], "amount": [secret]}, schema_overrides={"amount": pl.Decimal(38, 2)}
    )
    with pytest.raises(QueryError, match="more than 38 digits") as caught:
        engine_of(frame).find("amount * amount > 1")
    assert "98765" not in str(caught.value)


def test_an_expression_that_fails_is_told_without_values() -> None:
    frame = pl.DataFrame({"id": ["1"], "name": ["secret"]})
    with pytest.raises(QueryError) as caught:
        engine_of(frame).find(pl.col("name").cast(pl.Int64) > 1)
    assert "secret" not in str(caught.value)
    with pytest.raises(QueryError, match="one a deal is needed"):
        engine_of(FRAME).count(pl.col("won").head(3))


@pytest.mark.parametrize("isolated", [False, True])
def test_a_statement_may_meet_a_close_of_another_thread(*, isolated: bool) -> None:
    class ClosedMeanwhile(FixedDeals):
        def snapshot(self, names: Collection[str] | None = None) -> Snapshot:
            engine.close()
            return super().snapshot(names)

    memory_mb = 333
    deals = snapshot_of(pl.DataFrame({"id": ["1", "2"], "n": [5, 7]}))
    engine = QueryEngine(ClosedMeanwhile(deals), sql_memory_mb=memory_mb, sql_isolated=isolated)
    for _ in range(2):
        assert engine.sql("SELECT sum(n) FROM deals").item() == 12
        # what was opened again is closed again
        assert not isolated_engine(memory_mb)._all


def test_importing_the_engine_loads_no_parser_no_duckdb_and_no_client() -> None:
    script = (
        "import sys, json, dealdb.query.engine\n"
        "print(json.dumps([m for m in ('sqlglot', 'duckdb', 'pyarrow', 'redis') if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []


def test_what_find_gives_joins_with_other_frames() -> None:
    kinds = {"stage": pl.Categorical, "owner": pl.Categorical, "amount": pl.Decimal(38, 2)}
    deals = pl.DataFrame(
        {"id": ["1", "2"], "stage": ["won", "won"], "owner": ["Ann", None], "amount": [5, None]}
    ).cast(kinds)  # type: ignore[arg-type]  # types of columns by name
    query = QueryEngine.over(deals)
    quotas = pl.DataFrame({"owner": ["Ann"], "quota": [9]})
    results = [
        query.find(), query.find("amount > 1"), query.find(limit=1), query.find(sort="-amount"),
        query.page().items, query.search("ann"), query.frame(text=True),
        query.frame(["owner", "stage"], text=True),
    ]  # fmt: skip
    for found in results:
        assert found.join(quotas, on="owner")["quota"].to_list() == [9]
        assert found.filter(pl.col("owner").str.contains("nn")).height == 1
    assert query.frame().schema["owner"] == pl.Categorical
    floats = query.frame(floats=True)
    assert floats.schema["amount"] == pl.Float64
    assert floats["amount"].to_list() == [5.0, None]
    assert floats.to_pandas()["amount"].dtype == "float64"


def test_a_query_and_a_page_show_what_they_are() -> None:
    query = QueryEngine.over([{"id": "1", "name": "<b>"}])
    assert repr(query) == "<QueryEngine of 1 deals>"
    shown = query.page()._repr_html_()
    assert shown.startswith("<p>Page(1 of 1 deals, last page)</p><div>")
    assert "<b>" not in shown
