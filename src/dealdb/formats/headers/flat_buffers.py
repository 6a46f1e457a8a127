"""
FlatBuffers, in which Arrow writes its headers: tables of fields by number, each found by its place.

Its specification is `the internals of FlatBuffers <https://flatbuffers.dev/internals/>`_. What is damaged raises
ValueError or ``struct.error``: callers say what they were reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from struct import Struct
from typing import TypeAlias

U8, U16, I32, U32, I64 = map(Struct, ("<B", "<H", "<i", "<I", "<q"))
Data: TypeAlias = bytes | mmap


def number_at(what: Struct, data: Data, place: int) -> int:
    """A number of a width; one before the beginning would be counted from the end."""
    if place < 0:
        msg = "a place before the beginning"
        raise ValueError(msg)
    found: int = what.unpack_from(data, place)[0]
    return found


def root_at(data: Data, begins: int) -> int:
    """Where the first table is."""
    return begins + number_at(U32, data, begins)


def field_at(data: Data, table: int, number: int, *, optional: bool = False) -> int:
    """Where a field of a table is; 0 where it is left out."""
    fields = table - number_at(I32, data, table)
    place = 4 + 2 * number
    offset = number_at(U16, data, fields + place) if place < number_at(U16, data, fields) else 0
    if not offset and not optional:
        msg = "a header without one of its fields"
        raise ValueError(msg)
    return table + offset if offset else 0


def table_at(data: Data, table: int, number: int) -> int:
    """Where the table is that a field leads to."""
    place = field_at(data, table, number)
    return place + number_at(U32, data, place)


def vector_at(data: Data, table: int, number: int) -> tuple[int, int]:
    """Where the elements of a vector begin, and how many there are."""
    place = field_at(data, table, number, optional=True)
    if not place:
        return 0, 0
    begins = place + number_at(U32, data, place)
    n = number_at(U32, data, begins)
    if n > len(data):
        msg = "more elements than there are bytes"
        raise ValueError(msg)
    return begins + 4, n


def structs_at(data: Data, table: int, number: int, size: int) -> Iterator[int]:
    """Places of the elements of a vector of so many bytes each."""
    begins, n = vector_at(data, table, number)
    return (begins + size * place for place in range(n))


def tables_at(data: Data, table: int, number: int) -> Iterator[int]:
    """Places of the tables of a vector."""
    begins, n = vector_at(data, table, number)
    places = (begins + 4 * place for place in range(n))
    return (place + number_at(U32, data, place) for place in places)
