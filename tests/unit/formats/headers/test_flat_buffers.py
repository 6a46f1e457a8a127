"""The headers of Arrow are read, and damaged ones are an error within bounds."""

from __future__ import annotations

import io
import struct

import polars as pl
import pytest

from dealdb.formats.headers.flat_buffers import (
    I32,
    field_at,
    number_at,
    root_at,
    structs_at,
    tables_at,
)


def test_the_footer_of_a_file() -> None:
    file = io.BytesIO()
    pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]}).write_ipc(file)
    data = file.getvalue()
    place = len(data) - 10
    footer = root_at(data, place - number_at(I32, data, place))
    assert len(list(structs_at(data, footer, 3, 24))) == 1
    assert list(tables_at(data, footer, 4)) == []
    assert field_at(data, footer, 90, optional=True) == 0


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"\x04\0\0\0" + b"\0" * 8])
def test_what_is_damaged(data: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        field_at(data, root_at(data, 0), 1)
