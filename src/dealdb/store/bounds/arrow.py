"""
What Arrow IPC unpacks to, told from its headers before anything is unpacked.

An entry of some kilobytes can say that it unpacks to gigabytes, and Polars makes room for as much. So the headers are
walked first. They are FlatBuffers; `the format of Arrow <https://arrow.apache.org/docs/format/Columnar.html>`_ says
what is in them. A text that is not what it should be raises one of many errors: callers are behind a wall.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from struct import Struct
from typing import NamedTuple

from dealdb.formats.headers.flat_buffers import (
    I32,
    I64,
    U8,
    U32,
    field_at,
    number_at,
    root_at,
    structs_at,
    table_at,
    tables_at,
    vector_at,
)

# behind the last message of a stream
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
_PLACE = Struct("<qq")
_CONTINUES = 0xFFFFFFFF
_MAGIC = b"ARROW1"
# kinds of messages
_SCHEMA, _BATCH = 1, 3
# nothing of ours has a list of lists; what reads deep ones may run out of its stack
_MOST_LEVELS = 2
_MOST_COLUMNS = 1_024
# batches may share their buffers, of which a column has a few
_MOST_BATCHES, _MOST_BUFFERS = 1_000, 8 * _MOST_COLUMNS
# of a schema that is remembered
_MOST_HEADER = 2**16


def stream_bytes(data: bytes) -> int:
    """Bytes that the columns of an IPC stream take, as its headers say."""
    at, total = 0, 0
    while at + 8 <= len(data):
        size = number_at(U32, data, at)
        begins = at + 4
        if size == _CONTINUES:
            size = number_at(U32, data, begins)
            begins += 4
        if not size:
            break
        at = begins + size
        if not total and _is_known_schema(data[begins:at]):
            continue
        n_bytes, body_bytes = _message(data, begins, at)
        total += n_bytes
        at += body_bytes
    return total


@lru_cache(maxsize=64)
def _is_known_schema(header: bytes) -> bool:
    """Whether a message is a schema that is as it should be: thousands of entries have the same."""
    message = root_at(header, 0)
    if len(header) > _MOST_HEADER or number_at(U8, header, field_at(header, message, 1)) != _SCHEMA:
        return False
    _check_schema(header, table_at(header, message, 2))
    return not field_at(header, message, 3, optional=True)


def file_bytes(data: bytes) -> int:
    """Bytes that the columns of an IPC file take, as its headers say."""
    if not data.endswith(_MAGIC):
        msg = "not an Arrow file"
        raise ValueError(msg)
    place = len(data) - len(_MAGIC) - 4
    footer = root_at(data, place - number_at(I32, data, place))
    _check_schema(data, table_at(data, footer, 1))
    if vector_at(data, footer, 2)[1]:
        msg = "dictionaries"
        raise ValueError(msg)
    if vector_at(data, footer, 3)[1] > _MOST_BATCHES:
        msg = "too many batches"
        raise ValueError(msg)
    return sum(
        _message(data, _header_at(data, begins), body)[0] for begins, body, _ in _blocks(data)
    )


class RecordBatch(NamedTuple):
    """
    A record batch of an IPC file.

    Attributes
    ----------
    begins, ends
        Bytes of the file that it takes, its header among them.
    n_rows
        Its rows.
    """

    begins: int
    ends: int
    n_rows: int


def batches_of(data: bytes) -> list[RecordBatch]:
    """
    Where the record batches of an IPC file are.

    Behind the schema of a stream, each can be read without the others.

    Examples
    --------
    >>> import io, polars as pl
    >>> file = io.BytesIO()
    >>> pl.DataFrame({"a": [1, 2, 3]}).write_ipc(file, record_batch_size=2)
    >>> [batch.n_rows for batch in batches_of(file.getvalue())]
    [2, 1]
    """
    found = []
    for begins, _, ends in _blocks(data):
        header = table_at(data, root_at(data, _header_at(data, begins)), 2)
        place = field_at(data, header, 0, optional=True)
        found.append(RecordBatch(begins, ends, number_at(I64, data, place) if place else 0))
    return found


def _blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each record batch of an IPC file begins, where its body does, and where it ends."""
    place = len(data) - len(_MAGIC) - 4
    footer = root_at(data, place - number_at(I32, data, place))
    for block in structs_at(data, footer, 3, 24):
        begins = number_at(I64, data, block)
        body = begins + number_at(I32, data, block + 8)
        yield begins, body, body + number_at(I64, data, block + 16)


def _header_at(data: bytes, begins: int) -> int:
    return begins + (8 if number_at(U32, data, begins) == _CONTINUES else 4)


def _message(data: bytes, begins: int, body: int) -> tuple[int, int]:
    """Bytes that a message unpacks to, and that its body has."""
    message = root_at(data, begins)
    kind, header = number_at(U8, data, field_at(data, message, 1)), table_at(data, message, 2)
    place = field_at(data, message, 3, optional=True)
    body_bytes = number_at(I64, data, place) if place else 0
    if body_bytes < 0 or body + body_bytes > len(data):
        msg = "a body that is not there"
        raise ValueError(msg)
    if kind == _SCHEMA:
        _check_schema(data, header)
        return 0, body_bytes
    if kind != _BATCH:
        msg = "a message of another kind"
        raise ValueError(msg)
    is_packed = bool(field_at(data, header, 3, optional=True))
    begins, n = vector_at(data, header, 2)
    if n > _MOST_BUFFERS:
        msg = "too many buffers"
        raise ValueError(msg)
    places = _PLACE.iter_unpack(data[begins : begins + n * _PLACE.size])
    total = 0
    for offset, size in places:
        if offset < 0 or size < 0 or offset + size > body_bytes:
            msg = "a buffer outside of its body"
            raise ValueError(msg)
        total += _unpacked(data, body + offset, size) if is_packed and size else size
    return total, body_bytes


def _unpacked(data: bytes, begins: int, size: int) -> int:
    """Bytes that a packed buffer takes; its first eight say it, and -1 that it is not packed."""
    unpacked: int = I64.unpack_from(data, begins)[0]
    if unpacked < -1:
        msg = "a negative size"
        raise ValueError(msg)
    return size if unpacked == -1 else unpacked


def _check_schema(data: bytes, schema: int) -> None:
    """Refuse columns that no entry and no segment has: deep ones, and those with a dictionary."""
    fields = list(islice(tables_at(data, schema, 1), _MOST_COLUMNS + 1))
    for level in range(_MOST_LEVELS + 1):
        if len(fields) > _MOST_COLUMNS:
            msg = "too many columns"
            raise ValueError(msg)
        if any(field_at(data, each, 4, optional=True) for each in fields):
            msg = "a dictionary"
            raise ValueError(msg)
        if level == _MOST_LEVELS and fields:
            msg = "lists of lists"
            raise ValueError(msg)
        children = (child for each in fields for child in tables_at(data, each, 5))
        fields = list(islice(children, _MOST_COLUMNS + 1))
