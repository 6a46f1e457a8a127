"""What Arrow IPC unpacks to is told before it is unpacked; what lies about it is refused."""

from __future__ import annotations

import io
import struct

import polars as pl
import pytest

from dealdb.store.bounds.arrow import file_bytes, stream_bytes
from dealdb.store.encoding import packed

_FRAME = pl.DataFrame({"id": [str(n) for n in range(500)], "name": ["the same text"] * 500})


def ipc_file(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_ipc(file, compression="zstd")
    return file.getvalue()


def test_a_stream_says_what_it_unpacks_to() -> None:
    # 16 bytes for each text, and what is longer than 12 besides
    assert 2 * 500 * 16 <= stream_bytes(packed(_FRAME)) < 60_000
    # a long text is there once: what it takes in the end is for others to bound
    repeated = pl.DataFrame([pl.Series("id", ["x" * 100_000]).new_from_index(0, 50)])
    assert stream_bytes(packed(repeated)) >= 100_000


def test_a_file_says_what_it_unpacks_to() -> None:
    frame = pl.DataFrame({"data": [b"a" * 100_000, b"b"], "fields": [["a"], ["b"]]})
    blob = ipc_file(frame)
    assert len(blob) < 10_000
    assert 100_000 <= file_bytes(blob) < 110_000


def test_a_size_that_lies_is_told_as_it_is() -> None:
    data = packed(_FRAME)
    # before the magic number of LZ4
    place = data.index(b"\x04\x22\x4d\x18") - 8
    lies = data[:place] + (2**61).to_bytes(8, "little") + data[place + 8 :]
    assert stream_bytes(lies) > 2**61
    negative = data[:place] + (-2).to_bytes(8, "little", signed=True) + data[place + 8 :]
    with pytest.raises(ValueError, match="a negative size"):
        stream_bytes(negative)


@pytest.mark.parametrize("data", [packed(_FRAME), ipc_file(_FRAME)], ids=["stream", "file"])
def test_no_damage_is_more_than_an_error(data: bytes) -> None:
    tell = file_bytes if data.startswith(b"ARROW1") else stream_bytes
    for place in range(0, len(data), 7):
        for twisted in (data[:place], data[:place] + b"\xff\xff\xff\xff" + data[place + 4 :]):
            try:
                assert tell(twisted) >= 0
            except (ValueError, IndexError, struct.error):
                continue


def test_deep_columns_and_dictionaries_are_refused() -> None:
    deep = pl.DataFrame({"a": [[[["a"]]]]})
    with pytest.raises(ValueError, match="lists of lists"):
        file_bytes(ipc_file(deep))
    named = pl.DataFrame({"a": ["x"]}, schema={"a": pl.Categorical})
    with pytest.raises(ValueError, match="dictionar"):
        file_bytes(ipc_file(named))
