"""Decimals of 256 bits: what fits loads, and what doesn't is rejected by itself."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from dealdb.errors import LoadError
from recorder import Recorder

NARROW = [Decimal("10.12"), None, Decimal("-1.50")]


def table(amounts: list[Decimal | None], precision: int = 40, scale: int = 2) -> pa.Table:
    amount = pa.array(amounts, pa.decimal256(precision, scale))
    return pa.table({"id": [str(place) for place in range(len(amounts))], "amount": amount})


def written(folder: Path, format: str, rows: pa.Table) -> Path:
    path = folder / f"deals.{format}"
    if format == "parquet":
        pyarrow.parquet.write_table(rows, path)
    else:
        pyarrow.feather.write_feather(rows, str(path), compression="uncompressed")
    return path


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize(("precision", "scale"), [(40, 2), (76, 38)])
def test_values_that_fit(tmp_path: Path, format: str, precision: int, scale: int) -> None:
    store = Recorder()
    report = store.load(written(tmp_path, format, table(NARROW, precision, scale)))
    assert (report.read, report.rejected) == (3, 0)
    assert [store.values(each).get("amount") for each in "012"] == NARROW


def test_a_value_that_no_deal_has_room_for(tmp_path: Path) -> None:
    store = Recorder()
    report = store.load(
        written(tmp_path, "parquet", table([Decimal("10.12"), Decimal(10) ** 39], 60, 2))
    )
    assert report.reasons == {"amount: not-a-number": 1}
    assert store.values("0")["amount"] == Decimal("10.12")


def test_a_table_and_a_reader_of_pyarrow() -> None:
    for rows in (table(NARROW), table(NARROW).to_reader()):
        store = Recorder()
        store.load(rows)
        assert [store.values(each).get("amount") for each in "012"] == NARROW


def test_without_pyarrow_the_error_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "parquet", table(NARROW))
    monkeypatch.setitem(sys.modules, "pyarrow.dataset", None)
    with pytest.raises(LoadError, match=r"decimals of 256 bits, which need pyarrow"):
        Recorder().load(path)
