"""The plainest filters, read without the parser: the same as with it, or left to it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dealdb.errors import QueryError
from dealdb.model.columns import dtype_of
from dealdb.model.schema import Schema
from dealdb.query.filters.compiler import condition
from dealdb.query.filters.parser import column_names, parse
from dealdb.query.filters.scope import FilterScope
from dealdb.query.filters.simple import MAX_SIMPLE_LENGTH, plain_condition, plain_terms
from dealdb.query.filters.where import compile_where
from examples import few_by_default
from filter_cases import SCHEMA

STANDARD = pl.Schema({field.name: dtype_of(field) for field in Schema.standard().fields})
NAMES = [*STANDARD, "Stage", "AMOUNT", "seats", "today", "not", "nope", '"stage"', "a.stage", "_x"]
CONSTANTS = [
    "'won'",
    "5",
    "5.25",
    "'2026-01-31'",
    "''",
    "'it''s'",
    "'a' 'b'",
    "'--'",
    "'/*'",
    "'%'",
    "'a\\'",
    "'é'",
    "'a\nb'",
    "E'a'",
    "'2026-02-30'",
    "007",
    "5.",
    ".5",
    "1e5",
    "1_000",
    "30d",
    "-5",
    "1" * 19,
    "1." + "1" * 40,
    "true",
    "null",
    "stage",
    "today",
    ":x",
    "('a')",
]
SIGNS = ["=", "<>", "!=", "<", "<=", ">", ">=", "==", "<=>", " is ", " in ", " like ", "= =", ""]
BLANKS = ["", " ", "\t", "\n", "\x1f", "\u00a0", "(", "--\n", "/**/"]
JOINTS = [
    " AND ",
    " and ",
    "\tAnd\n",
    " AND",
    "AND ",
    " OR ",
    " AND NOT ",
    ", ",
    ";",
    " AND\x0b",
    "",
]


def mostly(plain: int, pieces: list[str]) -> st.SearchStrategy[str]:
    """One of some pieces, the first ones in four of five cases: a text with one odd piece is the interesting one."""
    return st.integers(0, 4).flatmap(
        lambda n: st.sampled_from(pieces[:plain] if n else pieces[plain:])
    )


terms = st.tuples(
    mostly(4, BLANKS),
    mostly(len(STANDARD), NAMES),
    mostly(4, BLANKS),
    mostly(7, SIGNS),
    mostly(4, BLANKS),
    mostly(4, CONSTANTS),
).map("".join)


@st.composite
def texts(draw: st.DrawFn) -> str:
    parts = [draw(terms)]
    for _ in range(draw(st.integers(0, 2))):
        parts += draw(mostly(3, JOINTS)), draw(terms)
    return "".join([*parts, draw(mostly(4, BLANKS))])


@settings(max_examples=few_by_default(30))
@given(texts(), st.sampled_from([STANDARD, SCHEMA]))
@example("stage = 'won' AND amount > 5", STANDARD)
def test_what_is_read_without_the_parser_is_what_the_parser_reads(
    text: str, schema: pl.Schema
) -> None:
    named, found = plain_terms(text), plain_condition(text, schema)
    if named is not None:
        assert {term.name for term in named} == column_names(parse(text))
    if found is not None:
        whole = condition(parse(text), FilterScope(text, schema, datetime.now(UTC)))
        assert found.meta.serialize(format="json") == whole.meta.serialize(format="json")


@pytest.mark.parametrize("sign", ["=", "<>", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("name", STANDARD)
def test_comparisons_of_standard_columns_need_no_parser(name: str, sign: str) -> None:
    number = STANDARD[name].is_numeric()
    constant = "5" if number else "'2026-01-31'"
    text = f"{name} {sign} {constant} AND stage='won'"
    found = plain_condition(text, STANDARD)
    whole = condition(parse(text), FilterScope(text, STANDARD, datetime.now(UTC)))
    assert found is not None
    assert found.meta.serialize(format="json") == whole.meta.serialize(format="json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stage",
        "stage = 'won' AND",
        "stage = 'won' OR stage = 'lost'",
        "NOT stage = 'won'",
        "stage = 'it''s'",
        "stage = 'won' AND amount > 5 * 2",
        "seats > 5",
        f"stage = '{'x' * MAX_SIMPLE_LENGTH}'",
    ],
)
def test_everything_else_is_left_to_the_parser(text: str) -> None:
    assert plain_terms(text) is None


def test_faults_are_told_by_the_parser() -> None:
    with pytest.raises(QueryError) as caught:
        compile_where("stage = 'won' AND created > 'soon'", STANDARD, {})
    assert caught.value.position == 28
    with pytest.raises(QueryError, match="did you mean 'stages'"):
        compile_where("stage = 'won'", pl.Schema({"stages": pl.String}), {})


def test_a_plain_filter_imports_no_parser() -> None:
    script = (
        "import sys, polars as pl\n"
        "from dealdb.query.filters.where import compile_where\n"
        "compile_where(\"stage = 'won' AND id >= '5'\", pl.Schema(dict(stage=pl.String, id=pl.String)), {})\n"
        "print('sqlglot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
