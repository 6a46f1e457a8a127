"""Values of imported facts come out as saves write them, whichever way they are looked at."""

from __future__ import annotations

import hypothesis.strategies as st
import polars as pl
from hypothesis import example, given, settings

from dealdb.errors import SchemaError
from dealdb.loader.facts.fitted import read_fitted
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.model.values import encode, widened

DIGITS = st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{1,5})?", fullmatch=True)
OWN = [
    Field("margin", FieldType.DECIMAL, 3),
    Field("score", FieldType.INT),
    Field("note", FieldType.TEXT),
]


@settings(max_examples=8)
@given(
    texts=st.lists(
        DIGITS | st.sampled_from(["0", "-0", "0.50", "-0.5", "007", "x", "1e3"]), min_size=1
    ),
    field=st.sampled_from(OWN),
)
@example(texts=["9" * 20, "1.2345", "-0.10"], field=OWN[0])
def test_a_value_is_what_a_save_of_it_is(texts: list[str], field: Field) -> None:
    rows = [
        {"id": str(n), "at": "2026-01-05", "field": field.name, "value": text}
        for n, text in enumerate(texts)
    ]
    found = read_fitted(rows, Schema.standard().with_fields(OWN), Pipeline(), pl.DataFrame)
    expected: dict[str, str] = {}
    for n, text in enumerate(texts):
        try:
            expected[str(n)] = encode(text, widened(field, text))
        except SchemaError:
            continue
    assert dict(found.frame.select("id", "value").iter_rows()) == expected
    assert sum(found.reasons.values()) == len(texts) - len(expected)
    if expected:
        [wide] = found.fields
        assert all(encode(text, wide) == text for text in expected.values())
