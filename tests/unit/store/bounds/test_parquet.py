"""What a Parquet file unpacks to is told before it is unpacked; what lies about it is refused."""

from __future__ import annotations

import io

import polars as pl
import pytest

from dealdb.store.bounds.parquet import extent_of


def parquet(values: pl.Series) -> bytes:
    file = io.BytesIO()
    values.to_frame("values").write_parquet(file, compression="zstd", statistics=False)
    return file.getvalue()


@pytest.mark.parametrize(
    ("values", "n_values", "least"),
    [
        (pl.Series([str(n) for n in range(5_000)]), 5_000, 20_000),
        (pl.Series(["a", "b"] * 500, dtype=pl.Categorical), 1_000, 2),
        (pl.Series([None] * 5_000, dtype=pl.String), 5_000, 0),
        (pl.Series([["a", "b"]] * 100), 200, 2),
        (pl.Series(range(1_000)), 1_000, 1_000),
        (pl.Series([], dtype=pl.String), 0, 0),
    ],
)
def test_a_file_says_what_it_unpacks_to(values: pl.Series, n_values: int, least: int) -> None:
    extent = extent_of(parquet(values))
    assert (extent.n_rows, extent.n_values) == (len(values), n_values)
    assert least <= extent.n_bytes < 1_000_000


def test_a_long_text_is_told_however_well_it_was_packed() -> None:
    blob = parquet(pl.Series(["x" * 10_000_000]))
    assert len(blob) < 50_000
    assert extent_of(blob).n_bytes >= 10_000_000


def test_no_damage_is_more_than_an_error() -> None:
    blob = parquet(pl.Series([str(n) for n in range(300)]))
    for place in range(len(blob)):
        twisted = bytearray(blob)
        twisted[place] ^= 0xFF
        for found in (bytes(twisted), blob[:place]):
            try:
                assert extent_of(found).n_bytes >= 0
            except (ValueError, LookupError, TypeError, AttributeError):
                continue
