"""Rows that a program gives one by one."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dealdb.loader.sources import json_files
from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def test_an_iterable_is_read_once_and_may_grow_columns(
    store: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_files, "ROWS_A_CHUNK", 2)

    def rows() -> Iterator[dict[str, object]]:
        yield {"id": 1, "seats": 1, "stage": "Won", "owner_id": 5}
        yield {"id": 2, "seats": None, "probability": 60}
        yield {"id": 3, "seats": Decimal("2.5"), "stage": "Lost", "owner": "Ann"}
        yield {"id": 4, "probability": 0.5, "extra": True}

    report = store.load(rows())
    assert report.inserted == 4
    assert store.schema()["seats"].describe() == "decimal(2)"
    assert store.values("3") == {"seats": Decimal("2.50"), "stage": "Lost", "owner_2": "Ann"}
    # the scale was settled by the rows before
    assert store.values("4") == {"probability": Decimal("0.005"), "extra": True}
    assert {stage.name for stage in report.pipeline} == {"Won", "Lost"}


def test_values_that_have_no_text_are_rejected(store: Recorder) -> None:
    report = store.load(
        [{"id": 1}, {"id": 2, "x": object()}, {"id": 3, 4: 5}, "text", {"id": 5, "\ud800": 1}]
    )
    assert set(store.deals) == {"1"}
    assert report.reasons == {"type": 1, "not-a-name": 1, "not-an-object": 1, "encoding": 1}


def test_values_without_an_end_are_rejected_alone(store: Recorder) -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    itself: list[Any] = []
    itself.append(itself)
    bad = [10**5_000, deep, {"a": deep}, itself, "\ud800", [10**5_000, "\ud800"]]
    rows = [{"id": f"bad{n}", "note": value} for n, value in enumerate(bad)]
    report = store.load([{"id": "1", "note": "a"}, *rows, {"id": "2", "note": "b"}])
    assert sorted(store.deals) == ["1", "2"]
    assert (report.read, report.rejected) == (8, 6)
    assert report.reasons == {"type": 5, "encoding": 1}
