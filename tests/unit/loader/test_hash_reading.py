"""Hashes are read by the names of their fields and by all of their values, and settled readings stay so."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest

from dealdb.errors import LoadError
from dealdb.loader.hash_reading import HashColumns, read_hashes
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.foreign.frames import frame_of
from dealdb.store.foreign.reading import Given, settled_by

NOTHING_KNOWN = Given(Schema.standard(), Pipeline(), {})


def raw_of(**columns: list[str | None]) -> pl.DataFrame:
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    hashes = {
        str(n): {k.encode(): v.encode() for k, v in zip(names, row, strict=True) if v is not None}
        for n, row in enumerate(rows)
    }
    return frame_of(hashes)


def texts(reading: HashColumns, raw: pl.DataFrame) -> dict[str, list[str | None]]:
    return {name: column.to_list() for name, column in reading.derived(raw).texts.items()}


CASES: dict[str, tuple[dict[str, list[str | None]], dict[str, list[str | None]]]] = {
    "plain names": (
        {"title": ["a", "b"], "value": ["5", "7.50"]},
        {"name": ["a", "b"], "amount": ["5", "7.5"]},
    ),
    "a currency in the name": (
        {"amount_usd": ["5", None]},
        {"amount": ["5", None], "currency": ["USD", None]},
    ),
    "currencies in the values": (
        {"betrag": ["1.000,50 €", "$7"]},
        {"amount": ["1000.5", "7"], "currency": ["EUR", "USD"]},
    ),
    "a date for both outcomes": (
        {"close_date": ["2026-01-31", "2026-02-28"], "stage": ["won", "lead"]},
        {"closed": ["2026-01-31", None], "expected_close": [None, "2026-02-28"]},
    ),
    "two dates for one field": (
        {"won_time": ["2026-01-31", None], "lost_time": [None, "2026-02-28"]},
        {"closed": ["2026-01-31", "2026-02-28"]},
    ),
    "seconds since 1970": (
        {"created_at": ["1767225600", "1769904000"]},
        {"created": ["2026-01-01", "2026-02-01"]},
    ),
    "day first": (
        {"created_at": ["31.01.2026", "01.02.2026"]},
        {"created": ["2026-01-31", "2026-02-01"]},
    ),
    "own names that are the standard's": ({"amount": ["5"], "name": ["a"]}, {}),
    "names that nobody knows": ({"colour": ["red"], "seats": ["7"]}, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_fields_are_found(name: str) -> None:
    columns, expected = CASES[name]
    raw = raw_of(**columns)
    reading = read_hashes(raw, NOTHING_KNOWN)
    assert texts(reading, raw) == expected
    # each field of a hash has a column of its own name
    declared = {field.name for field in reading.fields} | set(Schema.standard())
    assert declared >= set(columns)


@pytest.mark.parametrize("name", CASES)
def test_what_is_settled_stays(name: str) -> None:
    columns, expected = CASES[name]
    raw = raw_of(**columns)
    first = read_hashes(raw, NOTHING_KNOWN)
    if not first.depends:
        return
    given = Given.of(Schema.standard().with_fields(first.fields), Pipeline(), settled_by(first))
    # the hashes have what was added to them, and a field that would have been mapped before
    added = [pl.Series(key, values, dtype=pl.String) for key, values in expected.items()]
    owner = pl.Series("deal_owner", ["Ann"] * raw.height)
    later = raw.with_columns(*added, owner)
    again = read_hashes(later, given)
    assert texts(again, later) == expected
    assert again.mapping == first.mapping
    assert again.depends == first.depends


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["7", "8"], "int"),
        (["007", "8"], "text"),
        (["1.2345", "2"], "decimal(4)"),
        (["1,000", "2"], "text"),
        (["true", "false"], "bool"),
        (["True", "False"], "text"),
        (["2026-01-31", None], "date"),
        (["2026-01-31T10:00:00Z", None], "datetime"),
        (["31.01.2026", None], "text"),
        (["", "5"], "text"),
        ([None, "red"], "text"),
    ],
)
def test_own_fields_have_a_type_that_keeps_their_texts(values: list[str | None], kind: str) -> None:
    reading = read_hashes(raw_of(own=values), NOTHING_KNOWN)
    assert [field.describe() for field in reading.fields] == [kind]


@pytest.mark.parametrize("mapping", [{"score": "amount"}, {"value": None, "score": "amount"}])
def test_the_caller_decides(mapping: Mapping[str, str | None]) -> None:
    raw = raw_of(value=["5"], score=["7"])
    reading = read_hashes(raw, NOTHING_KNOWN._replace(mapping=mapping, asked=mapping))
    assert dict(reading.mapping) == {"score": "amount"}
    assert texts(reading, raw) == {"amount": ["7"]}


def test_a_field_that_is_not_there() -> None:
    given = NOTHING_KNOWN._replace(mapping={"worth": "amount"}, asked=["worth"])
    with pytest.raises(LoadError, match="no column 'worth'"):
        read_hashes(raw_of(value=["5"]), given)


def test_cells_that_can_not_be_read_are_named() -> None:
    raw = raw_of(value=["5", "abc", "7"], created_at=["2026-01-31", "2026-02-28", "soon"])
    found = read_hashes(raw, NOTHING_KNOWN).derived(raw)
    assert sorted(found.unreadable) == [(1, "value"), (2, "created_at")]
    assert found.texts["amount"].to_list() == ["5", None, "7"]


def test_a_date_that_can_be_read_both_ways_stays_text() -> None:
    reading = read_hashes(raw_of(created_at=["01/02/2026", "03/04/2026"]), NOTHING_KNOWN)
    assert not reading.depends
    assert reading.notes
