"""What an Arrow file unpacks to: the sizes that its buffers give, which a reader makes room for."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from dealdb.errors import LoadError

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
    footer = _Table.first(data, size - 10 - length)
    n_seen = 0
    for number in (_DICTIONARY, _ROWS):
        for at in footer.vector(number, _BLOCK.size):
            offset, n_bytes, _ = _BLOCK.unpack_from(data, at)
            skipped = 8 if data[offset : offset + 4] == b"\xff\xff\xff\xff" else 4
            message = _Table.first(data, offset + skipped)
            rows = message.table(2)
            rows = rows.table(1) if number == _DICTIONARY else rows
            is_packed = rows.has(3)
            for buffer in rows.vector(2, _BUFFER.size):
                start, held = _BUFFER.unpack_from(data, buffer)
                n_seen += 1
                if n_seen > _MOST or held < 0:
                    msg = "too many buffers"
                    raise ValueError(msg)
                if is_packed and held > 8:
                    (plain,) = struct.unpack_from("<q", data, offset + n_bytes + start)
                    held = held if plain < 0 else plain
                yield held


class _Table:
    """A table of a FlatBuffer: fields by their numbers."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self._data = data
        self._at = at
        (back,) = struct.unpack_from("<i", data, at)
        self._fields = at - back
        (self._n_bytes,) = struct.unpack_from("<H", data, self._fields)

    @classmethod
    def first(cls, data: mmap.mmap, at: int) -> _Table:
        (offset,) = struct.unpack_from("<I", data, at)
        return cls(data, at + offset)

    def _place(self, number: int) -> int:
        slot = 4 + 2 * number
        if slot + 2 > self._n_bytes:
            return 0
        (offset,) = struct.unpack_from("<H", self._data, self._fields + slot)
        return self._at + offset if offset else 0

    def has(self, number: int) -> bool:
        """Whether there is such a field."""
        return self._place(number) > 0

    def table(self, number: int) -> _Table:
        """The table that a field leads to."""
        place = self._place(number)
        (offset,) = struct.unpack_from("<I", self._data, place)
        return _Table(self._data, place + offset)

    def vector(self, number: int, size: int) -> range:
        """Places of the elements of a list."""
        place = self._place(number)
        if not place:
            return range(0)
        (offset,) = struct.unpack_from("<I", self._data, place)
        (length,) = struct.unpack_from("<I", self._data, place + offset)
        first = place + offset + 4
        if first + length * size > len(self._data):
            msg = "a list that is longer than the file"
            raise ValueError(msg)
        return range(first, first + length * size, size)
