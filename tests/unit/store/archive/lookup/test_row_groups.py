"""Rows of several chunks by one query are those of a query for each, or none where that does not do."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from dealdb.store.archive.chunks import encoded
from dealdb.store.archive.digest import digest_of
from dealdb.store.archive.lookup.row_groups import run_of
from dealdb.store.archive.unpacking import CHUNK_ROWS

GROUP = 16_384
N = 40_000
COLUMNS = {
    "id": pl.Series([f"D{n}" for n in range(N)]),
    "stage": pl.Series(["Won", "Lost", None, "Neu"] * (N // 4), dtype=pl.Categorical()),
    "amount": pl.Series([Decimal(n) / 100 for n in range(N)], dtype=pl.Decimal(38, 2)),
    "day": pl.Series([date(1970, 1, 1), date(9999, 12, 31), None, date(1, 1, 1)] * (N // 4)),
    "at": pl.Series([datetime(2026, 1, 1, tzinfo=UTC), None] * (N // 2), dtype=pl.Datetime("us", "UTC")),
    "n": pl.Series([None, -(2**60), 2**60, 0] * (N // 4)),
    "share": pl.Series([0.1, None] * (N // 2)),
    "open": pl.Series([True, None, False, True] * (N // 4)),
    "none": pl.Series([None] * N, dtype=pl.String),
    "other": pl.Series([None] * N, dtype=pl.String),
    "text": pl.Series(["values", "", "ü" * 300, None] * (N // 4)),
}  # fmt: skip


def chunks(columns: dict[str, pl.Series]) -> tuple[dict[str, bytes], list[str]]:
    """Chunks by digest, and the digest of each column."""
    found = list(encoded(pl.DataFrame(columns), {}))
    return {digest: blob for _, _, digest, blob in found}, [digest for _, _, digest, _ in found]


@pytest.fixture(scope="module")
def usual() -> tuple[dict[str, bytes], list[str]]:
    return chunks(COLUMNS)


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 0), (5, 300), (GROUP - 1, GROUP - 1), (GROUP, 2 * GROUP - 1), (N - 2, N - 1)],
)
def test_every_type_is_as_it_was(
    usual: tuple[dict[str, bytes], list[str]], first: int, last: int
) -> None:
    blobs, digests = usual
    assert len(blobs) == len(digests) - 1, "two columns of nothing have one chunk"
    found = run_of(blobs, digests, first, last)
    assert found
    for series, column in zip(found, COLUMNS.values(), strict=True):
        assert series.cast(column.dtype).to_list() == column[first : last + 1].to_list()


def test_two_row_groups_take_several_queries(usual: tuple[dict[str, bytes], list[str]]) -> None:
    assert run_of(*usual, GROUP - 1, GROUP) is None
    assert run_of(*usual, N - 1, N) is None
    assert run_of(*usual, N, N) is None


def test_so_do_lists_and_chunks_that_are_divided_otherwise() -> None:
    ids = {"id": COLUMNS["id"]}
    blobs, digests = chunks({**ids, "tags": pl.Series([["a", "b"], None] * (N // 2))})
    assert run_of(blobs, digests, 3, 4) is None
    blobs, digests = chunks(ids)
    file = io.BytesIO()
    COLUMNS["n"].to_frame("values").write_parquet(file, row_group_size=1_000)
    other = file.getvalue()
    assert run_of({**blobs, digest_of(other): other}, [*digests, digest_of(other)], 3, 4) is None
    # the last group of a chunk that is cut short is another one, too
    short, [cut] = chunks({"n": COLUMNS["n"][: GROUP + 10]})
    assert run_of({**blobs, **short}, [*digests, cut], GROUP, GROUP) is None
    found = run_of({**blobs, **short}, [*digests, cut], 7, 8)
    assert found
    assert found[1].to_list() == COLUMNS["n"][7:9].to_list()


def test_another_name_in_the_file_takes_several_queries() -> None:
    file = io.BytesIO()
    pl.DataFrame({"other": [1, 2, 3]}).write_parquet(file)
    blob = file.getvalue()
    assert run_of({"x": blob}, ["x"], 0, 0) is None


def test_more_rows_than_a_chunk_has_are_refused() -> None:
    file = io.BytesIO()
    pl.DataFrame({"values": range(CHUNK_ROWS + 1)}).write_parquet(file)
    blob = file.getvalue()
    with pytest.raises(ValueError, match="more rows"):
        run_of({digest_of(blob): blob}, [digest_of(blob)], 0, 0)


def test_a_text_that_unpacks_to_far_more_is_refused() -> None:
    blobs, digests = chunks({"id": pl.Series(["x" * 80_000_000])})
    with pytest.raises(ValueError, match="would unpack"):
        run_of(blobs, digests, 0, 0)


def test_no_damage_is_more_than_an_error() -> None:
    blobs, [digest] = chunks({"id": pl.Series([str(n) for n in range(300)])})
    blob = blobs[digest]
    for place in range(0, len(blob), 7):
        twisted = bytes((*blob[:place], blob[place] ^ 0xFF, *blob[place + 1 :]))
        try:
            found = run_of({digest_of(twisted): twisted}, [digest_of(twisted)], 10, 20)
        except (Exception, pl.exceptions.PanicException):
            continue
        assert found is None or len(found[0]) == 11
