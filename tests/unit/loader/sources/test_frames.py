"""Frames and Parquet: typed columns are stored as their texts would be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.loader.sources.frames import FrameSource
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


FRAME = pl.DataFrame(
    {
        "Deal ID": [1, 2],
        "amount": [1.1, float("nan")],
        "Create Date": [datetime(2026, 1, 31, 9, 30), None],  # noqa: DTZ001  # a time without a zone, as frames have them
        "seats": pl.Series([3, None], dtype=pl.UInt8),
        "rate": [0.25, None],
        "price": pl.Series([Decimal("1.250"), None], dtype=pl.Decimal(38, 3)),
        "live": [True, None],
        "since": pl.Series([datetime(2026, 1, 31, 9, 30, tzinfo=UTC), None]),
        "day": [date(1201, 1, 31), None],
        "tier": pl.Series(["A", None], dtype=pl.Categorical),
        "tags": [["x", "y"], None],
        "code": ["017", None],
        "nothing": [None, None],
    }
)


EXPECTED = {
    "amount": Decimal("1.10"), "created": date(2026, 1, 31), "seats": 3, "rate": 0.25,
    "price": Decimal("1.250"), "live": True, "since": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    "day": date(1201, 1, 31), "tier": "A", "tags": ["x", "y"], "code": "017",
}  # fmt: skip


def test_frames_keep_their_types(store: Recorder) -> None:
    report = store.load(FRAME)
    assert (report.source, report.format, report.inserted) == ("frame", "frame", 2)
    assert store.values("1") == EXPECTED
    assert store.deals["2"] == {}
    assert "nothing" not in store.schema()
    assert store.load(FRAME.lazy()).unchanged == 2


def test_values_of_a_frame_that_no_field_has_are_rejected_alone(
    store: Recorder, tmp_path: Path
) -> None:
    # days since 1970, which no calendar of Python's has
    days = pl.Series([0, 4_000_000, -719_600, 1, 2], dtype=pl.Int32).cast(pl.Date)
    frame = pl.DataFrame(
        {
            "id": ["good", "late", "early", "large", "endless"],
            "day": days,
            "moment": days.cast(pl.Datetime("ms")),
            "units": pl.Series([1, 2, 3, 10**36, 5], dtype=pl.Int128),
            "rate": [0.5, 1.0, 1.0, 1.0, float("inf")],
        }
    )
    report = store.load(frame, rejects=tmp_path / "rejects.csv")
    assert store.values("good") == {
        "day": date(1970, 1, 1),
        "moment": datetime(1970, 1, 1, tzinfo=UTC),
        "units": Decimal(1),
        "rate": 0.5,
    }
    assert list(store.deals) == ["good"]
    assert report.reasons == {
        "day: not-a-date": 2,
        "units: not-a-number": 1,
        "rate: not-a-number": 1,
    }
    assert "12921" in (tmp_path / "rejects.csv").read_text()


def test_numbers_of_a_frame_have_a_point_whatever_texts_have(store: Recorder) -> None:
    frame = pl.DataFrame(
        {
            "id": ["a", "b", "endless"],
            "amount": [1.234, 1234.5, 2.0],
            "probability": [0.125, 0.5, 1.0],
            "rate": [1.234, 2.5, float("inf")],
            "price": ["1,5", "2,25", "3,0"],
        }
    )
    report = store.load(frame, decimal_point=",", types={"price": "decimal"})
    assert store.values("a") == {
        "amount": Decimal("1.234"), "probability": Decimal("0.125"), "rate": 1.234, "price": Decimal("1.50"),
    }  # fmt: skip
    assert store.values("b")["amount"] == Decimal("1234.500")
    assert report.reasons == {"rate: not-a-number": 1}


@given(
    days=st.lists(st.dates() | st.none(), min_size=3, max_size=3),
    amounts=st.lists(st.decimals(-(10**9), 10**9, places=3) | st.none(), min_size=3, max_size=3),
    rates=st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=3, max_size=3
    ),
    seats=st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=3, max_size=3),
    live=st.lists(st.booleans() | st.none(), min_size=3, max_size=3),
)
def test_typed_columns_are_stored_as_their_texts_are(**columns: list[Any]) -> None:
    values = {
        "closed": pl.Series(columns["days"], dtype=pl.Date),
        "amount": pl.Series(columns["amounts"], dtype=pl.Decimal(38, 3)),
        "rate": pl.Series(columns["rates"], dtype=pl.Float64),
        "seats": pl.Series(columns["seats"], dtype=pl.Int64),
        "live": pl.Series(columns["live"], dtype=pl.Boolean),
    }
    types = {"rate": "float", "seats": "int", "live": "bool"}
    texts = {
        name: [None if value is None else str(value).lower() for value in column]
        for name, column in values.items()
    }
    typed, plain = Recorder(), Recorder()
    typed.load(pl.DataFrame({"id": ["a", "b", "c"], **values}), types=types)
    plain.load(
        pl.DataFrame({"id": ["a", "b", "c"], **texts}, schema_overrides=dict.fromkeys(texts, pl.String)),
        types=types, decimal_point=".",
    )  # fmt: skip
    assert typed.deals == plain.deals


def test_parquet_keeps_its_types(store: Recorder, tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "deals.parquet")
    store.load(tmp_path / "deals.parquet")
    assert store.values("1") == EXPECTED


def test_pyarrow_tables_are_frames(store: Recorder) -> None:
    store.load(FRAME.to_arrow())
    assert store.values("1") == EXPECTED
    reader = pa.table({"id": ["9"], "amount": pa.array([Decimal("5.50")])}).to_reader()
    store.load(reader)
    assert store.values("9") == {"amount": Decimal("5.50")}


def test_pandas_frames_may_hold_integers_as_floats(store: Recorder) -> None:
    # not at the top: each worker imports all tests, and would take half a second for it
    import pandas as pd

    frame = pd.DataFrame(
        {
            "id": [7.0, 8.0, None],
            "owner_id": [35252170.0, None, None],
            "amount": [0.1 + 0.2, None, 1],
            "created": pd.to_datetime(["2026-01-31", None, None]),
        }
    )
    report = store.load(frame)
    assert store.values("7") == {
        "owner": "35252170", "amount": Decimal("0.30"), "created": date(2026, 1, 31),
    }  # fmt: skip
    assert store.deals["8"] == {}
    assert report.reasons == {"id: missing-id": 1}


def test_empty_frames_load_nothing(store: Recorder) -> None:
    assert store.load(pl.DataFrame()).read == 0
    assert store.load(FRAME.clear()).read == 0
    assert store.load([]).read == 0


def test_frames_are_cut_into_chunks_of_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dealdb.loader.sources.frames.ROWS_A_CHUNK", 3)
    chunks = list(FrameSource(pl.DataFrame({"id": range(7)})).chunks())
    assert [chunk.frame.height for chunk in chunks] == [3, 3, 1]
    assert chunks[2].locate([0]) == [(7, '{"id":6}', None)]


def test_floats_of_32_bits_and_times_of_day(store: Recorder) -> None:
    frame = pl.DataFrame(
        {
            "id": ["1", "2"],
            "amount": pl.Series([19.99, 0.1], dtype=pl.Float32),
            "at": pl.Series(["09:30:00", None]).str.to_time("%H:%M:%S"),
        }
    )
    store.load(frame)
    assert store.deals == {"1": {"amount": "19.99", "at": "09:30:00"}, "2": {"amount": "0.1"}}
    at = pl.Series(["09:30:00.25", "09:30:00"]).str.to_time("%H:%M:%S%.f")
    store.load(frame.with_columns(at=at))
    assert [store.deals[each]["at"] for each in "12"] == ["09:30:00.250", "09:30:00"]


def test_objects_in_frames_are_what_they_stand_for(store: Recorder) -> None:
    frame = pl.DataFrame(
        {
            "id": ["1", "2"],
            "Owner": [{"Id": "5", "Name": "Pat"}, None],
            "amount": [1.5, 2.0],
            "tags": [[{"name": "a"}], []],
            "properties": [{"dealstage": "Won"}, {"dealstage": "Lost"}],
            "span": [{"of": timedelta(1)}, None],
        }
    )
    store.load(frame.drop("span"))
    assert store.deals == {
        "1": {"owner": "Pat", "owner_id": "5", "amount": "1.5", "tags": '["a"]', "stage": "Won"},
        "2": {"amount": "2", "tags": "[]", "stage": "Lost"},
    }
    # nothing of an object that JSON has no word for gets lost
    store.load(frame.select("id", "span"))
    assert store.deals["1"]["span"] == '{"of":"1 day, 0:00:00"}'
