"""A load of some hundred deals takes few queries of Polars: each takes longer than the work on such a column."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recorder import Recorder

# what it took when this was written; it was more than twice as many before
_OF_FRAME, _OF_CSV = 12, 36


def _deals(n: int) -> pl.DataFrame:
    amounts = pl.Series("amount", [Decimal(k) / 100 for k in range(n)], dtype=pl.Decimal(38, 2))
    frame = {
        "id": [f"D{k}" for k in range(n)],
        "name": [f"Acme {k}" for k in range(n)],
        "company": ["Acme", "Bolt"] * (n // 2),
        "owner": ["Ann Lee", "Ben Okafor"] * (n // 2),
        "stage": ["Lead", "Won"] * (n // 2),
        "amount": amounts,
        "source": ["Event", "Website"] * (n // 2),
        "created": [date(2026, 1, 31)] * n,
        "expected_close": [date(2026, 2, 28)] * n,
    }
    return pl.DataFrame(frame)


def _as_csv(frame: pl.DataFrame, folder: Path) -> Path:
    path = folder / "deals.csv"
    frame.write_csv(path)
    return path


@pytest.mark.parametrize(
    ("source_of", "most"), [(lambda frame, _: frame, _OF_FRAME), (_as_csv, _OF_CSV)]
)
def test_a_small_load_takes_few_queries(
    source_of: Callable[[pl.DataFrame, Path], Any],
    most: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, store, n = source_of(_deals(600), tmp_path), Recorder(), 0
    collect = pl.LazyFrame._collect_eager

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal n
        n += 1
        return collect(*given, **more)

    monkeypatch.setattr(pl.LazyFrame, "_collect_eager", counted)
    assert store.load(source).inserted == 600
    assert 0 < n <= most
