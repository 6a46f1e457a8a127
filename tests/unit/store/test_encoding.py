"""What is packed comes back as it was, and what dealdb did not pack is refused."""

from __future__ import annotations

import msgpack
import polars as pl
import pytest

from dealdb.errors import StoreDamaged
from dealdb.store.bounds.wall import Reading
from dealdb.store.encoding import packed, unpacked, unpacked_all, with_none


def test_packed_columns_come_back_as_they_were() -> None:
    frame = pl.DataFrame({"id": ["1", "2"], "name": ["Zoë", None]})
    halves = pl.concat([frame, frame], rechunk=False)
    assert unpacked(packed(halves)).equals(halves)


@pytest.mark.parametrize("data", [b"", b"no stream", packed(pl.DataFrame({"id": ["1"]}))[:-60]])
def test_what_is_no_stream_is_refused(data: bytes) -> None:
    with (
        pytest.raises(StoreDamaged, match="a commit is not what dealdb wrote"),
        Reading("a commit"),
    ):
        unpacked(data)


def test_texts_are_unpacked_as_one_array() -> None:
    assert unpacked_all([]) == []
    assert unpacked_all([msgpack.packb([n]) for n in range(70_000)])[-1] == [69_999]


def test_false_of_the_script_stands_for_nothing() -> None:
    assert with_none(["a", False, None, ""]) == ["a", None, None, ""]
