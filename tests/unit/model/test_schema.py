"""Fields, their types, and how these change."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dealdb.errors import SchemaError
from dealdb.model.schema import (
    MAX_FIELDS,
    Field,
    FieldType,
    Schema,
    check_field_name,
    parse_type,
    widen,
)

FIELD = st.builds(
    lambda kind, scale: Field("x", kind, scale if kind is FieldType.DECIMAL else 0),
    st.sampled_from(FieldType),
    st.integers(0, 9),
)


@given(FIELD)
def test_descriptions_read_back(field: Field) -> None:
    assert parse_type("x", field.describe()) == field


@pytest.mark.parametrize("text", ["", "number", "decimal(x)", "decimal(-", "varchar"])
def test_unknown_types_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(SchemaError, match="the types are text, int, float, decimal"):
        parse_type("x", text)


@pytest.mark.parametrize("name", ["", "_row", "a\nb", "\x00", "x" * 129])
def test_names_that_can_not_be_columns(name: str) -> None:
    with pytest.raises(SchemaError, match="can't be a field name"):
        Field(name, FieldType.TEXT)


@given(FIELD, FIELD)
def test_widening_holds_both_and_forgets_no_digit(a: Field, b: Field) -> None:
    try:
        wide = widen(a, b)
    except SchemaError:
        assert a.type is not b.type
        return
    assert wide.scale >= max(a.scale, b.scale)
    assert widen(wide, a) == wide
    assert widen(wide, b) == wide


@given(st.lists(st.tuples(st.text("abc", min_size=1, max_size=2), FIELD), max_size=6))
def test_schema_reads_back_and_knows_its_fields(pairs: list[tuple[str, Field]]) -> None:
    schema = Schema.standard()
    for name, field in pairs:
        try:
            after = schema.with_fields([Field(name, field.type, field.scale)])
        except SchemaError:
            continue
        assert (after is schema) == (after.version == schema.version)
        schema = after
    assert Schema.from_json(schema.to_json()) == schema
    assert list(schema) == [field.name for field in schema.fields]
    assert len(schema) == len(set(schema))
    assert schema["id"].type is FieldType.TEXT
    assert "nowhere" not in schema


@pytest.mark.parametrize("text", ["decimal(19)", "decimal(99)", "decimal(-1)"])
def test_there_is_a_limit_to_decimals(text: str) -> None:
    with pytest.raises(SchemaError, match="'amount': a decimal has 0 to 18 digits after the point"):
        parse_type("amount", text)
    with pytest.raises(SchemaError, match="has 0 to 18 digits"):
        Schema.standard().with_fields([Field("amount", FieldType.DECIMAL, 19)])
    assert parse_type("probability", "decimal(37)").scale == 37


def test_there_is_a_limit_to_columns() -> None:
    many = [Field(f"c{n}", FieldType.INT) for n in range(MAX_FIELDS)]
    with pytest.raises(SchemaError, match="at most 512 fields"):
        Schema.standard().with_fields(many)


def test_only_own_fields_can_go() -> None:
    schema = Schema.standard().with_fields([Field("region", FieldType.TEXT)])
    assert "region" not in schema.without("region")
    for name in ("amount", "nowhere"):
        with pytest.raises(SchemaError, match="own fields are region"):
            schema.without(name)


@pytest.mark.parametrize("name", ["^x$", "^$", "^.*$", "*"])
def test_no_new_field_is_a_pattern_of_names(name: str) -> None:
    with pytest.raises(SchemaError, match="can't be a field name: it would stand for all names"):
        check_field_name(name)
    with pytest.raises(SchemaError, match="can't be a field name"):
        Schema.standard().with_fields([Field(name, FieldType.TEXT)])


def test_a_field_that_is_a_pattern_already_stays() -> None:
    text = Schema(1, (Field("id", FieldType.TEXT), Field("^x$", FieldType.INT))).to_json()
    schema = Schema.from_json(text)
    wider = schema.with_fields([Field("^x$", FieldType.DECIMAL, 2)])
    assert str(wider["^x$"].type) == "decimal"
    assert "^x$" not in wider.without("^x$")
