"""Dates and times as programs write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder import Recorder


@pytest.fixture
def store() -> Recorder:
    return Recorder()


def test_milliseconds_since_1970_in_dates_alone(store: Recorder, tmp_path: Path) -> None:
    store.load_text(
        tmp_path,
        "id,created,updated,called\n1,1551398400000,1551398400123,1551398400000\n2,2026-01-31,,5\n",
    )
    assert store.deals["1"] == {
        "created": "2019-03-01", "updated": "2019-03-01T00:00:00.123Z", "called": "1551398400000",
    }  # fmt: skip
    assert store.deals["2"] == {"created": "2026-01-31", "called": "5"}
