"""
What a Parquet file unpacks to, told from its headers before anything is unpacked.

The totals in its footer are a claim; what a reader makes room for is what the header of each page says. The headers are
`Thrift <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>`_ in its compact form, their
fields are those of `parquet.thrift <https://github.com/apache/parquet-format>`_. A file that is not what it should be
raises one of many errors: callers are behind a wall.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

_MAGIC = b"PAR1"
# each text after the first may repeat the one before it: some bytes stand for gigabytes. Polars never writes it
_DELTA_BYTE_ARRAY = 7
_MOST_LEVELS = 12
# row groups may share their pages: walking them all would take as long as their product
_MOST_PAGES = 20_000
# types of the compact form
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_NUMBERS = (_I32, _I64)
_Struct: TypeAlias = dict[int, Any]


class Extent(NamedTuple):
    """
    What a file says of itself.

    Attributes
    ----------
    n_rows
        Its rows.
    n_columns
        Its columns.
    n_values
        Values of all pages; more than rows where they are lists.
    n_bytes
        What its pages unpack to.
    """

    n_rows: int
    n_columns: int
    n_values: int
    n_bytes: int


def extent_of(blob: bytes) -> Extent:
    """
    What a file says of itself, in its footer and in the header of every page.

    Examples
    --------
    >>> import io, polars as pl
    >>> file = io.BytesIO()
    >>> pl.DataFrame({"a": [1, 2, 3]}).write_parquet(file)
    >>> extent_of(file.getvalue())[:3]
    (3, 1, 3)
    """
    if not (blob.startswith(_MAGIC) and blob.endswith(_MAGIC)):
        msg = "not a Parquet file"
        raise ValueError(msg)
    begins = len(blob) - 8 - int.from_bytes(blob[-8:-4], "little")
    if begins < 0:
        msg = "a footer before the beginning"
        raise ValueError(msg)
    footer, _ = _struct(blob, begins, 0)
    groups: list[_Struct] = footer.get(4, [])
    every = (page for group in groups for chunk in group[1] for page in _pages(blob, chunk[3]))
    pages = list(islice(every, _MOST_PAGES + 1))
    if len(pages) > _MOST_PAGES:
        msg = "more pages than a chunk has"
        raise ValueError(msg)
    return Extent(
        n_rows=max(footer[3], sum(group[3] for group in groups)),
        n_columns=max((len(group[1]) for group in groups), default=0),
        n_values=sum(values for values, _ in pages),
        n_bytes=sum(size for _, size in pages),
    )


def _pages(blob: bytes, column: _Struct) -> Iterator[tuple[int, int]]:
    """Values and unpacked bytes of each page of a column."""
    at = column.get(11) or column[9]
    at = min(at, column[9])
    ends = at + column[7]
    if at < 0 or ends > len(blob):
        msg = "pages outside of the file"
        raise ValueError(msg)
    while at < ends:
        header, body = _struct(blob, at, 0)
        unpacked, packed = header[2], header[3]
        # of a data page, of one of the second version, or of a dictionary, whose values are counted where they are used
        data = header.get(5) or header.get(8)
        encoding = data[2 if 5 in header else 4] if data else None
        n_values = data[1] if data else 0
        if encoding == _DELTA_BYTE_ARRAY or packed < 0 or unpacked < 0 or n_values < 0:
            msg = "a page that Polars does not write"
            raise ValueError(msg)
        yield n_values, unpacked
        at = body + packed


def _struct(data: bytes, at: int, level: int) -> tuple[_Struct, int]:
    """Fields by number, and where it ends."""
    if level > _MOST_LEVELS:
        msg = "too deep"
        raise ValueError(msg)
    found: _Struct = {}
    number = 0
    while kind := data[at]:
        at += 1
        step = kind >> 4
        kind &= 15
        if step:
            number += step
        else:
            number, at = _signed(data, at)
        if kind <= _FALSE:
            found[number] = kind == _TRUE
        elif kind in _NUMBERS and data[at] < 128:
            # nearly all of them
            byte = data[at]
            found[number], at = (byte >> 1) ^ -(byte & 1), at + 1
        else:
            found[number], at = _value(data, at, kind, level)
    return found, at + 1


def _value(data: bytes, at: int, kind: int, level: int) -> tuple[Any, int]:
    if kind in (_I16, _I32, _I64):
        return _signed(data, at)
    if kind == _BINARY:
        size, at = _unsigned(data, at)
        # a slice would be short where the text ends before
        if at + size > len(data):
            raise IndexError
        return None, at + size
    if kind == _STRUCT:
        return _struct(data, at, level + 1)
    if kind in (_LIST, _SET):
        return _list(data, at, level)
    if kind in (_BYTE, _TRUE, _FALSE):
        return data[at], at + 1
    if kind == _DOUBLE:
        return None, at + 8
    msg = "a field of another kind"
    raise ValueError(msg)


def _list(data: bytes, at: int, level: int) -> tuple[list[Any], int]:
    n, kind = data[at] >> 4, data[at] & 15
    at += 1
    if n == 15:
        n, at = _unsigned(data, at)
    if n > len(data):
        msg = "more elements than there are bytes"
        raise ValueError(msg)
    found = []
    for _ in range(n):
        value, at = _value(data, at, kind, level)
        found.append(value)
    return found, at


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    number, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at + 1
        shift += 7
        if shift > 63:
            msg = "a number of more than 64 bits"
            raise ValueError(msg)


def _signed(data: bytes, at: int) -> tuple[int, int]:
    number, at = _unsigned(data, at)
    return (number >> 1) ^ -(number & 1), at
