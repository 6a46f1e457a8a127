"""Columns that deals are grouped by are categories, and nothing but the speed and the type shows it."""

from __future__ import annotations

import io
from typing import Any
from unittest.mock import patch

import msgpack
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dealdb.analytics.metrics import leaderboard, win_rate
from dealdb.errors import QueryError
from dealdb.loader.export import write_frame
from dealdb.model.columns import CATEGORIES, decode_column, dtype_of, encode_column, spelled_out
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.query.results import sorting
from dealdb.query.sql.session import SqlSession
from dealdb.store.log.entry import Entry, Position
from dealdb.store.replica.replica import Replica
from filter_cases import mixed_frame
from query_cases import engine_of, in_order

# the order by bytes is none of the orders in which the texts first occur
TEXTS = ["won", "Lost", "", "é", "z", "open", "a%", "lost"]
FRAME = pl.DataFrame(
    {
        "id": [str(row) for row in range(40)],
        "stage": [(TEXTS * 2 + [None] * 4)[row * 7 % 20] for row in range(40)],
        "owner": [[None, "Bob", "Ann", "Cid"][row * 3 % 4] for row in range(40)],
        "amount": [row * 11 % 17 for row in range(40)],
    },
    schema_overrides={"stage": pl.Categorical, "owner": pl.Categorical},
)
PLAIN = spelled_out(FRAME)


def test_the_standard_texts_to_group_by_are_categories_and_no_other_field() -> None:
    schema = Schema.standard().with_fields([Field("region", FieldType.TEXT)])
    found = {field.name for field in schema.fields if dtype_of(field) == pl.Categorical}
    assert found == CATEGORIES == {"owner", "stage", "currency", "source", "loss_reason"}
    assert dtype_of(Field("stage", FieldType.INT)) == pl.Int64


@pytest.mark.parametrize("field", Schema.standard().fields, ids=lambda field: field.name)
def test_a_decoded_column_has_the_type_of_its_field(field: Field) -> None:
    texts = pl.Series(field.name, ["1", None], dtype=pl.String)
    column = decode_column(texts, field)
    assert column.dtype == dtype_of(field)
    assert encode_column(column, field).dtype == pl.String


rows = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | st.sampled_from(TEXTS) | st.text(max_size=2),
            "category": st.none() | st.sampled_from(TEXTS),
            "number": st.none() | st.integers(0, 3),
        }
    ),
    max_size=30,
)


@given(
    rows=rows,
    keys=st.lists(
        st.sampled_from(["text", "category", "number"]), min_size=1, max_size=3, unique=True
    ),
    descending=st.lists(st.booleans(), min_size=3, max_size=3),
    limit=st.integers(0, 8),
    sample=st.sampled_from([0, sorting._SAMPLE]),
)
def test_the_first_rows_are_those_of_the_full_sort(
    rows: list[dict[str, Any]], keys: list[str], descending: list[bool], limit: int, sample: int
) -> None:
    deals = [{"id": str(place), **row} for place, row in enumerate(rows)]
    types = {"id": pl.String, "text": pl.Categorical, "category": pl.Categorical, "number": pl.Int8}
    spec = [f"{'-' * down}{key}" for key, down in zip(keys, descending, strict=False)]
    with patch.multiple(sorting, _FEW_ROWS=0, _SAMPLE=sample):
        found = engine_of(pl.DataFrame(deals, schema=types)).find(sort=spec, limit=limit)
    assert found["id"].to_list() == in_order(deals, spec)[:limit]


@pytest.mark.parametrize(
    "where",
    [
        "stage >= 'a' AND 'open' > stage",
        "stage = 'nothing'",
        "stage NOT IN ('won', 'open', 'a%', 'é', 'x', 'y')",
        "starts_with(stage, 'lo') OR contains(stage, '%')",
        "stage > owner OR stage LIKE '_ost'",
        "trim(upper(stage)) NOT IN ('WON', 'OPEN', 'A%', 'x', 'y') AND 'LOST' <= upper(stage)",
        "lower(stage) IS DISTINCT FROM 'lost' AND upper(owner) IN ('ANN', NULL)",
        "lower(stage) = 'lost' AND coalesce(owner, 'none') <> 'none'",
    ],
)
def test_a_filter_keeps_the_same_deals(where: str) -> None:
    query, plain = engine_of(FRAME), engine_of(PLAIN)
    found = query.find(where, sort=["-stage", "owner", "amount"])
    assert found.schema == spelled_out(FRAME).schema
    assert found.equals(plain.find(where, sort=["-stage", "owner", "amount"]))


def test_the_many_deals_of_the_filters_test_have_categories() -> None:
    assert mixed_frame().schema["owner"] == pl.Categorical


def test_facets_search_and_metrics_say_the_same_in_texts() -> None:
    query, plain = engine_of(FRAME), engine_of(PLAIN)
    for name, facet in query.facets(["stage", "owner"], limit=3).items():
        assert_frame_equal(facet.table, plain.facets(name, limit=3)[name].table)
    for words in ("lost", "lots", "an"):
        assert spelled_out(query.search(words)).equals(plain.search(words))
    stages = Pipeline().covering([text for text in TEXTS if text])
    for by in ("stage", ["owner", "stage"]):
        for metric in (win_rate, leaderboard):
            assert_frame_equal(metric(FRAME, stages, by).frame, metric(PLAIN, stages, by).frame)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT DISTINCT typeof(stage) FROM deals",
        "SELECT min(stage), max(stage), string_agg(stage, ',' ORDER BY stage) FROM deals",
        "SELECT stage, row_number() OVER (ORDER BY stage, id) FROM deals ORDER BY stage, id",
        "SELECT id FROM deals WHERE stage > 'a' AND stage LIKE '%o%' ORDER BY id",
        "SELECT stage || owner, coalesce(stage, 'x'), stage[1] FROM deals ORDER BY ALL",
        "SELECT stage FROM deals UNION SELECT 'other' ORDER BY ALL",
        "SELECT a.id FROM deals a JOIN deals b ON a.stage = b.owner || '' ORDER BY ALL",
        "SELECT list(stage ORDER BY id) FROM deals GROUP BY owner ORDER BY owner",
    ],
)
def test_sql_takes_categories_for_text(statement: str) -> None:
    session = SqlSession(timeout_s=20, memory_mb=512)
    assert_frame_equal(session.run(statement, FRAME), session.run(statement, PLAIN))
    session.close()


def test_exports_are_the_same_bytes_and_binary_ones_the_same_texts() -> None:
    for form in ("csv", "jsonl", "json", "md"):
        files = io.BytesIO(), io.BytesIO()
        for frame, file in zip((FRAME, PLAIN), files, strict=True):
            write_frame(frame, file, format=form)
        assert files[0].getvalue() == files[1].getvalue()
    for form, read in (("parquet", pl.read_parquet), ("arrow", pl.read_ipc)):
        file = io.BytesIO()
        write_frame(FRAME, file, format=form)
        assert_frame_equal(read(file.getvalue()), PLAIN)


def test_an_expression_for_texts_is_told_how_to_reach_them() -> None:
    with pytest.raises(QueryError, match=r"pl.col\('stage'\).cast\(pl.String\) has its texts"):
        engine_of(FRAME).find(pl.col("stage").str.starts_with("w"))
    told = pl.col("stage").cast(pl.String).str.starts_with("w")
    assert engine_of(FRAME).count(told) == engine_of(FRAME).count("stage LIKE 'w%'") > 0


def _commit(seq: int, height: int, rows: list[int], stages: list[str | None]) -> Entry:
    data = msgpack.packb([[f"d{row}" for row in rows], ["stage"], [stages]])
    position = Position(seq, b"%d" % seq)
    return Entry(position, 1000 * seq, "w", seq, "", "set", height, msgpack.packb(rows), data)


def test_a_frame_handed_out_keeps_its_categories_while_new_ones_come() -> None:
    schema = Schema.standard()
    replica = Replica(schema=schema, frame=pl.DataFrame(schema={"id": pl.String}))
    replica.apply([_commit(1, 0, [0, 1], ["lead", None])])
    before = replica.all_rows()
    replica.apply([_commit(2, 2, [0, 1, 2], ["won", "new stage", "another"])])
    assert before["stage"].to_list() == ["lead", None]
    assert replica.all_rows()["stage"].to_list() == ["won", "new stage", "another"]
    assert replica.all_rows()["stage"].dtype == pl.Categorical
    assert replica.stages == {"lead", None, "won", "new stage", "another"}


def test_a_checkpoint_with_texts_becomes_one_with_categories() -> None:
    replica = Replica(schema=Schema(1, Schema.standard().fields[:5]), frame=_old_chunk())
    assert replica.all_rows()["stage"].to_list() == ["won", None]
    assert replica.all_rows().schema["stage"] == pl.Categorical


def _old_chunk() -> pl.DataFrame:
    texts = {"id": ["1", "2"], "name": ["a", "b"], "company": [None, "c"], "owner": ["d", None]}
    return pl.DataFrame({**texts, "stage": ["won", None]}, schema_overrides={"company": pl.String})
