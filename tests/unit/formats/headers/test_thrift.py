"""The headers of Parquet are read, and damaged ones are an error within bounds."""

from __future__ import annotations

import io

import polars as pl
import pytest

from dealdb.formats.headers.thrift import struct_at


def test_the_footer_of_a_file() -> None:
    file = io.BytesIO()
    pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]}).write_parquet(file)
    data = file.getvalue()
    footer, end = struct_at(data, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    assert (footer[3], [len(group[1]) for group in footer[4]], end) == (3, [2], len(data) - 8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x15",
        # a list of more elements than there are bytes, structures in one another, an endless number
        b"\x19\xf5\xff\xff\xff\xff\x0f",
        b"\x1c" * 50,
        b"\x15" + b"\xff" * 20,
        b"\x18\xff\xff\x03",
        b"\x1b\x00",
    ],
)
def test_what_is_damaged(data: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        struct_at(data, 0)
