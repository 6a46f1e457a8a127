"""Every value has one text, whatever path it takes, and comes back exactly."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from dealdb.errors import SchemaError
from dealdb.model.columns import (
    decode_column,
    decode_frame,
    dtype_of,
    empty_frame,
    encode_column,
    field_of,
)
from dealdb.model.decimals import scale_of
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.model.values import Value, decode, encode, encode_id, infer, widened

SCALE = 6
FIELDS = {
    kind: Field("value", kind, SCALE if kind is FieldType.DECIMAL else 0) for kind in FieldType
}
VALUES: dict[FieldType, st.SearchStrategy[Value]] = {
    FieldType.TEXT: st.text(st.characters(codec="utf-8")),
    FieldType.INT: st.integers(-(2**63), 2**63 - 1),
    FieldType.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    FieldType.DECIMAL: st.decimals(-(10**20) + 1, 10**20 - 1, places=SCALE)
    | st.decimals(-2, 2, places=2),
    FieldType.BOOL: st.booleans(),
    FieldType.DATE: st.dates(),
    FieldType.DATETIME: st.datetimes(timezones=st.just(UTC)),
    FieldType.LIST: st.lists(st.text(st.characters(codec="utf-8"))),
}


@given(st.sampled_from(FieldType).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])))
def test_one_value_comes_back_exactly(case: tuple[FieldType, Value]) -> None:
    kind, value = case
    text = encode(value, FIELDS[kind])
    back = decode(text, FIELDS[kind])
    assert (back, type(back)) == (value, type(value))
    # == can't tell -0.0 from 0.0
    assert kind is not FieldType.FLOAT or repr(back) == repr(value)
    assert encode(back, FIELDS[kind]) == text
    assert encode(text, FIELDS[kind]) == text, "the text itself is taken as the value"


@given(
    st.sampled_from(FieldType).flatmap(
        lambda kind: st.tuples(st.just(kind), st.lists(st.none() | VALUES[kind], max_size=8))
    )
)
def test_columns_write_the_same_texts_and_come_back_exactly(
    case: tuple[FieldType, list[Value]],
) -> None:
    kind, values = case
    field = FIELDS[kind]
    column = pl.Series("value", values, dtype=dtype_of(field))
    texts = encode_column(column, field)
    assert texts.to_list() == [None if value is None else encode(value, field) for value in values]
    back = decode_column(texts, field)
    assert back.dtype == column.dtype
    assert back.to_list() == values


@given(st.lists(st.none() | st.dates(date(1999, 12, 29), date(2000, 1, 3)), max_size=12))
def test_days_that_come_often_are_written_as_others_are(days: list[date | None]) -> None:
    texts = encode_column(pl.Series("day", days, dtype=pl.Date), FIELDS[FieldType.DATE])
    assert texts.name == "day"
    assert texts.to_list() == [None if day is None else day.isoformat() for day in days]


@given(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
)
def test_equal_decimals_have_equal_texts(a: Decimal, b: Decimal) -> None:
    try:
        texts = [encode(number, FIELDS[FieldType.DECIMAL]) for number in (a, b)]
    except SchemaError:
        return
    assert (texts[0] == texts[1]) == (a == b)
    with localcontext(prec=100):
        assert [Decimal(text) for text in texts] == [a, b]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("20.10"), "20.1"),
        ("125000.00", "125000"),
        (1e3, "1000"),
        (0.1, "0.1"),
        (Decimal("-0.00"), "0"),
        (Decimal("1E+3"), "1000"),
        (7, "7"),
    ],
)
def test_decimal_texts(value: object, text: str) -> None:
    assert encode(value, Field("amount", FieldType.DECIMAL, 2)) == text


def test_decimal_texts_do_not_depend_on_the_context() -> None:
    field = Field("amount", FieldType.DECIMAL, 2)
    with localcontext(capitals=0, prec=2):
        assert encode(Decimal("12000000000").normalize(), field) == "12000000000"
        assert encode(Decimal("1E-7"), field) == "0.0000001"


def test_times_without_a_zone_are_utc_and_others_are_converted() -> None:
    field = FIELDS[FieldType.DATETIME]
    assert encode(datetime(2026, 1, 31, 9, 30), field) == "2026-01-31T09:30:00Z"  # noqa: DTZ001
    zoned = datetime(2026, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    assert encode(zoned, field) == "2026-01-31T07:30:00Z"
    assert encode(date(2026, 1, 31), field) == "2026-01-31T00:00:00Z"


MISFITS: list[tuple[FieldType, object]] = [
    (FieldType.TEXT, 7),
    (FieldType.TEXT, "\udcff"),
    (FieldType.INT, "1.5"),
    (FieldType.INT, True),
    (FieldType.INT, 2**63),
    (FieldType.FLOAT, "much"),
    (FieldType.FLOAT, float("inf")),
    (FieldType.FLOAT, True),
    (FieldType.DECIMAL, "1,5"),
    (FieldType.DECIMAL, Decimal("NaN")),
    (FieldType.DECIMAL, False),
    (FieldType.DECIMAL, Decimal("1E+999999")),
    (FieldType.DECIMAL, "9" * 39),
    (FieldType.BOOL, "yes"),
    (FieldType.BOOL, 1),
    (FieldType.DATE, "31.1.2026"),
    (FieldType.DATE, datetime(2026, 1, 1, 12, tzinfo=UTC)),
    (FieldType.DATE, 20260131),
    (FieldType.DATETIME, "noon"),
    (FieldType.LIST, ["a", None]),
    (FieldType.LIST, "not JSON"),
    (FieldType.LIST, '{"a": 1}'),
]


@pytest.mark.parametrize(("kind", "value"), MISFITS, ids=range(len(MISFITS)))
def test_misfits_are_refused_by_name_and_not_quoted(kind: FieldType, value: object) -> None:
    with pytest.raises(SchemaError, match=r"^deal '7', field 'value': expected ") as caught:
        encode(value, FIELDS[kind], deal="7")
    assert (caught.value.deal, caught.value.field) == ("7", "value")
    # NaN and infinity are told by their names, which are not values of deals
    is_named = isinstance(value, float | Decimal) and not math.isfinite(value)
    assert is_named or str(value) not in str(caught.value).removeprefix("deal '7'")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("probability", 61, r"a probability from 0 to 1 \(60 % is 0.6\), got a value of type int"),
        ("amount", float("nan"), "a decimal number, got NaN"),
        ("amount", Decimal("-Infinity"), "a decimal number, got infinity"),
        ("amount", "$7", "a decimal number, got text with a currency sign"),
        ("amount", "7 €", "got text with a currency sign"),
        ("amount", "1,200", "got other text"),
    ],
)
def test_what_was_found_is_told_by_its_kind(name: str, value: object, message: str) -> None:
    with pytest.raises(SchemaError, match=message) as caught:
        encode(value, Schema.standard()[name])
    assert str(value) not in str(caught.value) or value != value


@pytest.mark.parametrize("value", ["", None, 1.5, True, b"x", "\ud800"])
def test_ids_are_text_or_integers(value: object) -> None:
    with pytest.raises(SchemaError, match="a deal needs an id"):
        encode_id(value)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (FieldType.INT, ["x", "1.5", ""]),
        (FieldType.DECIMAL, ["1,5", "abc", ""]),
        (FieldType.BOOL, ["yes", "TRUE", ""]),
        (FieldType.DATE, ["2026-13-01", "31.1.2026", ""]),
        (FieldType.DATETIME, ["2026-01-31", "noon", ""]),
        (FieldType.LIST, ["[1]", "{", '"a"']),
    ],
)
def test_other_programs_texts_become_null_in_columns_and_errors_alone(
    kind: FieldType, texts: list[str]
) -> None:
    assert decode_column(pl.Series("value", texts), FIELDS[kind]).to_list() == [None] * len(texts)
    if kind is not FieldType.DATETIME:
        for text in texts:
            with pytest.raises(ValueError):
                decode(text, FIELDS[kind])


@pytest.mark.parametrize(
    ("value", "described"),
    [
        ("x", "text"), (True, "bool"), (7, "int"), (2**70, "decimal(0)"), (1.5, "float"),
        (Decimal("1.2345"), "decimal(4)"), (Decimal(7), "decimal(2)"), (date(2026, 1, 1), "date"),
        (datetime(2026, 1, 1, tzinfo=UTC), "datetime"), (["a"], "list"), (("a",), "list"),
    ],
)  # fmt: skip
def test_types_are_inferred_from_values(value: object, described: str) -> None:
    assert infer("value", value).describe() == described


def test_integers_widen_to_decimals_and_decimals_to_more_digits() -> None:
    seats = Field("seats", FieldType.INT)
    assert widened(seats, 3) == seats
    assert widened(seats, True) == seats
    assert widened(seats, Decimal("1.125")).describe() == "decimal(3)"
    assert widened(seats, 1.5).describe() == "decimal(2)"
    assert widened(Field("a", FieldType.DECIMAL, 2), "1.2345").scale == 4
    assert widened(Field("a", FieldType.DECIMAL, 2), "x").scale == 2


@pytest.mark.parametrize(
    ("number", "scale"),
    [
        ("0", 0), ("0.00", 0), ("-0.0", 0), ("20.10", 1), ("1E+3", 0), ("1.50E+1", 0), ("1.5E-3", 4), ("100", 0),
        ("0.10", 1), ("NaN", 0), ("-Infinity", 0), ("1E-999999", 999_999),
        # more digits than arithmetic with decimals keeps
        ("12345678901234567890.123456789012345678", 18), ("12345678901234567890.123456789012345600", 16),
        ("12345678901234567890123456789012345678", 0),
    ],
)  # fmt: skip
def test_scale_is_exact(number: str, scale: int) -> None:
    assert scale_of(Decimal(number)) == scale


def test_polars_types_have_fields() -> None:
    schema = Schema.standard().with_fields(FIELDS[kind] for kind in (FieldType.LIST,))
    assert empty_frame(schema).schema["value"] == pl.List(pl.String)
    for kind, field in FIELDS.items():
        found = field_of("value", dtype_of(field))
        assert found is not None
        assert found.type is kind
    assert field_of("value", pl.Struct({"a": pl.Int8})) is None


def test_frame_has_nulls_for_what_is_not_given() -> None:
    fields = [Field("a", FieldType.INT), Field("b", FieldType.DATE)]
    frame = decode_frame({"a": ["1", None]}, fields)
    assert frame.to_dict(as_series=False) == {"a": [1, None], "b": [None, None]}
    assert frame.dtypes == [pl.Int64, pl.Date]


@pytest.mark.parametrize(
    ("value", "text"),
    [("60%", "0.6"), (" 62.5 % ", "0.625"), ("0%", "0"), ("100%", "1"), ("0.6", "0.6")],
)
def test_a_probability_with_a_percent_sign_is_a_share_of_hundred(value: str, text: str) -> None:
    assert encode(value, PROBABILITY) == text


@pytest.mark.parametrize("value", ["60", "150%", "-5%", "high", "62,5%", "%", "6e1%"])
def test_what_is_no_probability_says_how_to_write_one(value: str) -> None:
    with pytest.raises(SchemaError, match=r"a probability from 0 to 1 \(60 % is 0\.6\)"):
        encode(value, PROBABILITY)


def test_other_decimals_take_no_percent_sign() -> None:
    with pytest.raises(SchemaError, match="a decimal number"):
        encode("60%", Field("amount", FieldType.DECIMAL, 2))


PROBABILITY = Field("probability", FieldType.DECIMAL, 2)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("decimal", "1e999999999"),
        ("decimal", "1E-99999999"),
        ("decimal", "9" * 37),
        ("decimal", "1" * 10_000),
        ("int", "9" * 19),
        ("int", "1" * 5_000),
        ("float", "1e999"),
        ("float", "nan"),
        ("date", "+290000-01-01"),
        ("datetime", "+290000-01-01T00:00:00Z"),
        ("list", "[" * 100_000),
        ("list", '["\\ud800"]'),
        ("list", "[" + '"",' * 2**21 + '""]'),
    ],
)
def test_a_value_beyond_the_bounds_is_unreadable_everywhere(kind: str, text: str) -> None:
    field = Field("value", FieldType(kind), 2 if kind == "decimal" else 0)
    with pytest.raises(ValueError):
        decode(text, field)
    assert decode_column(pl.Series("value", [text]), field).to_list() == [None]


def test_a_number_of_no_value_is_read_whatever_its_exponent() -> None:
    field = Field("value", FieldType.DECIMAL, 2)
    assert str(decode("0E-99999999", field)) == "0.00"
    assert str(decode("1." + "0" * 300, field)) == "1.00"
    assert str(decode("1.5E+3", field)) == "1500.00"


def test_a_list_of_lists_of_lists_is_refused() -> None:
    with pytest.raises(SchemaError, match="expected a list of texts"):
        encode("[" * 100_000, Field("tags", FieldType.LIST))
    with pytest.raises(SchemaError, match="at most 4,194,304 characters"):
        encode(["a" * 2**22], Field("tags", FieldType.LIST))


def test_an_id_of_too_many_digits_is_refused() -> None:
    with pytest.raises(SchemaError, match="needs an id"):
        encode_id(10**5000)
