"""What an Arrow file unpacks to: the sizes that its buffers give, which a reader makes room for."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from dealdb.errors import LoadError
from dealdb.formats.headers.flat_buffers import field_at, root_at, structs_at, table_at

_MAGIC = b"ARROW1"
_DICTIONARY, _ROWS = 2, 3
# of buffers and batches that are looked at
_MOST = 5_000_000
_BLOCK = struct.Struct("<qi4xq")
_BUFFER = struct.Struct("<qq")


def unpacked_bytes(path: Path, name: str) -> int:
    """
    Bytes of all buffers of an Arrow file, unpacked.

    Raises
    ------
    LoadError
        If it is damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return sum(_sizes(data))
    except (ValueError, IndexError, struct.error, OverflowError) as problem:
        msg = f"{name} can't be read as Arrow: what it says of its columns is damaged, or it is a stream and no file"
        raise LoadError(msg) from problem


def _sizes(data: mmap.mmap) -> Iterator[int]:
    size = len(data)
    (length,) = struct.unpack_from("<i", data, size - 10)
    if data[size - 6 :] != _MAGIC or not 0 < length <= size - 10:
        msg = "it has no footer"
        raise ValueError(msg)
    footer = root_at(data, size - 10 - length)
    n_seen = 0
    for number in (_DICTIONARY, _ROWS):
        for at in structs_at(data, footer, number, _BLOCK.size):
            offset, n_bytes, _ = _BLOCK.unpack_from(data, at)
            skipped = 8 if data[offset : offset + 4] == b"\xff\xff\xff\xff" else 4
            rows = table_at(data, root_at(data, offset + skipped), 2)
            rows = table_at(data, rows, 1) if number == _DICTIONARY else rows
            is_packed = field_at(data, rows, 3, optional=True)
            for buffer in structs_at(data, rows, 2, _BUFFER.size):
                start, held = _BUFFER.unpack_from(data, buffer)
                n_seen += 1
                if n_seen > _MOST or held < 0:
                    msg = "too many buffers"
                    raise ValueError(msg)
                if is_packed and held > 8:
                    (plain,) = struct.unpack_from("<q", data, offset + n_bytes + start)
                    held = held if plain < 0 else plain
                yield held
