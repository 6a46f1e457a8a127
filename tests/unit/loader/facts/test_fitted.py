"""Values of imported facts come out as saves write them, whichever way they are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import example, given, settings

from dealdb.errors import LoadError, SchemaError
from dealdb.loader.facts.fitted import FittedFacts, read_fitted
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.model.values import encode, widened

DIGITS = st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{1,5})?", fullmatch=True)
OWN = [
    Field("margin", FieldType.DECIMAL, 3),
    Field("score", FieldType.INT),
    Field("note", FieldType.TEXT),
    Field("fee", FieldType.DECIMAL, 2),
    Field("renewal", FieldType.DATE),
    Field("called", FieldType.DATETIME),
]


def read(rows: Any, **options: Any) -> FittedFacts:
    return read_fitted(
        rows, Schema.standard().with_fields(OWN), Pipeline(), pl.DataFrame, **options
    )


def long_rows(*cells: tuple[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "at": "2026-01-05", "field": field, "value": value}
        for n, (field, value) in enumerate(cells)
    ]


@settings(max_examples=8)
@given(
    texts=st.lists(DIGITS | st.sampled_from(["0", "-0", "0.50", "-0.5", "007", "x"]), min_size=1),
    field=st.sampled_from([each for each in OWN if each.name in ("margin", "note")]),
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


def test_own_fields_are_read_as_a_load_reads_them() -> None:
    found = read(
        long_rows(
            ("renewal", "12.03.2026"),
            ("renewal", "5 May 2026"),
            ("called", "12.03.2026 09:30"),
            ("fee", "1.234,50"),
            ("fee", "1.234"),
            ("score", "1 750"),
            # as the fees and the dates of this file are written
            ("margin", "2,5"),
            ("amount", "1.234"),
        )
    )
    assert dict(found.frame.select("id", "value").iter_rows()) == {
        "0": "2026-03-12",
        "1": "2026-05-05",
        "2": "2026-03-12T09:30:00Z",
        "3": "1234.5",
        "4": "1234",
        "5": "1750",
        "6": "2.5",
        "7": "1234",
    }
    assert not found.reasons


def test_a_value_that_can_not_be_read_is_rejected_with_its_place(tmp_path: Path) -> None:
    source = tmp_path / "past.csv"
    source.write_text(
        "id,at,field,value\n1,2026-01-05,renewal,12.03.2026\n1,2026-01-06,renewal,soon\n"
    )
    found = read(source, rejects=tmp_path / "bad.csv")
    assert found.frame["value"].to_list() == ["2026-03-12"]
    assert dict(found.reasons) == {"renewal: not-a-date": 1}
    [_, told, *_] = pl.read_csv(tmp_path / "bad.csv", infer_schema=False).rows(named=True)
    assert (told["line"], told["column"], told["value"]) == ("3", "renewal", "soon")


def test_dates_of_own_fields_that_can_be_read_both_ways_are_refused() -> None:
    with pytest.raises(LoadError, match="'renewal' can be read as either month or day first"):
        read(long_rows(("renewal", "03/04/2026")))


def test_what_the_source_says_of_a_new_field_is_its_type() -> None:
    lists = read(
        long_rows(("tags", ["a", "b;c"]), ("tags", ["a"]), ("notes", ["a"]), ("notes", "b"))
    )
    assert [(each.name, each.type) for each in lists.fields] == [
        ("tags", FieldType.LIST),
        ("notes", FieldType.TEXT),
    ]
    assert lists.frame["value"].to_list() == ['["a","b;c"]', '["a"]', '["a"]', "b"]
    state = {"tags": ["a"], "seats": 5, "trial": True, "site_id": 7, "code": "007"}
    wide = read([{"id": 1, "at": "2026-01-05", **state}])
    assert {each.name: each.type for each in wide.fields} == {
        "tags": FieldType.LIST,
        "seats": FieldType.INT,
        "trial": FieldType.BOOL,
        "site_id": FieldType.TEXT,
        "code": FieldType.TEXT,
    }


def test_texts_of_a_file_say_no_type(tmp_path: Path) -> None:
    source = tmp_path / "past.csv"
    source.write_text('id,at,field,value\n1,2026-01-05,tags,"[""a""]"\n1,2026-01-05,seats,5\n')
    assert {each.type for each in read(source).fields} == {FieldType.TEXT}
