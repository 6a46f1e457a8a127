"""
What a Parquet file unpacks to: the sizes that its pages give, which a reader makes room for.

The footer says so too, but need not be true.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, NamedTuple

from dealdb.errors import LoadError

# one of a million columns and groups of rows
_MOST_FOOTER = 16 * 1024 * 1024
_MOST_PAGES = 500_000
# structures in one another, of which the format has five
_DEEPEST = 12
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 12
# texts that share their beginnings: they say nothing of how long they are
_SHARED_BEGINNINGS = 7


class Pages(NamedTuple):
    """
    What the pages of a file say.

    Attributes
    ----------
    unpacked
        Bytes of all of them.
    may_grow
        Whether there may be more than that in them.
    """

    unpacked: int
    may_grow: bool


def pages_of(path: Path, name: str) -> Pages:
    """
    Sizes of the pages of a Parquet file.

    Raises
    ------
    LoadError
        If it is damaged, encrypted, or has far more columns and groups of rows than a table.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _pages(data, name)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as problem:
        if isinstance(problem, LoadError):
            raise
        msg = f"{name} can't be read as Parquet: what it says of its columns is damaged"
        raise LoadError(msg) from problem


def _pages(data: mmap.mmap, name: str) -> Pages:
    size = len(data)
    length = int.from_bytes(data[size - 8 : size - 4], "little")
    if data[size - 4 :] != b"PAR1" or not 0 < length <= size - 12:
        msg = f"{name} can't be read as Parquet: it has no footer, as one that was cut off or encrypted"
        raise LoadError(msg)
    if length > _MOST_FOOTER:
        msg = f"{name} has a footer of {length:,} bytes: write it with fewer columns or larger groups of rows"
        raise LoadError(msg)
    footer = _Compact(data[size - 8 - length : size - 8]).struct()
    unpacked = n_pages = 0
    may_grow = False
    for group in footer.get(4, ()):
        for column in group.get(1, ()):
            about = column[3]
            may_grow |= _SHARED_BEGINNINGS in about.get(2, ())
            at = min(each for each in (about.get(9), about.get(11)) if each)
            end = min(at + about[7], size)
            while at < end:
                reader = _Compact(data[at : min(at + 64 * 1024, end)])
                page = reader.struct()
                unpacked += page[2]
                at += reader.at + page[3]
                n_pages += 1
                if page[2] < 0 or page[3] < 0 or n_pages > _MOST_PAGES:
                    msg = f"{name} can't be read as Parquet: its pages are damaged, or more than {_MOST_PAGES:,}"
                    raise LoadError(msg)
    return Pages(unpacked, may_grow)


class _Compact:
    """Reads what Thrift's compact protocol has written: fields by their numbers."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The structure that begins here."""
        if depth > _DEEPEST:
            msg = "too deep"
            raise ValueError(msg)
        found: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            delta, kind = kind >> 4, kind & 15
            number = number + delta if delta else self._signed()
            found[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                msg = "a number of more than 64 bits"
                raise ValueError(msg)

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, n_bytes: int) -> bytes:
        begin, self.at = self.at, self.at + n_bytes
        if self.at > len(self._data):
            msg = "it ends too early"
            raise ValueError(msg)
        return self._data[begin : min(self.at, begin + 64)]

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2 | 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                return self._skip(8)
            case 8:
                return self._skip(self._varint())
            case 9 | 10:
                head = self._byte()
                length = head >> 4 if head >> 4 < 15 else self._varint()
                if length > len(self._data):
                    msg = "a list that is longer than the file"
                    raise ValueError(msg)
                return [self._value(head & 15, depth + 1) for _ in range(length)]
            case 12:
                return self.struct(depth + 1)
        msg = f"a value of kind {kind}"
        raise ValueError(msg)
