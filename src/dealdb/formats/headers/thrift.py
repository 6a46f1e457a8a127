"""
Thrift's compact form, in which Parquet writes its headers: fields by number, and nothing of texts.

Its specification is
`thrift-compact-protocol.md <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>`_. What
is damaged raises one of many errors, mostly IndexError and ValueError: callers say what they were reading.
"""

from __future__ import annotations

from mmap import mmap
from typing import Any, TypeAlias

_MOST_LEVELS = 12
# types of the compact form
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_NUMBERS = (_I32, _I64)
Fields: TypeAlias = dict[int, Any]
Data: TypeAlias = bytes | mmap


def struct_at(data: Data, at: int, level: int = 0) -> tuple[Fields, int]:
    """
    Fields of the structure that begins at a place, and where it ends; None for texts.

    Examples
    --------
    >>> struct_at(bytes([0x15, 6, 0x15, 8, 0]), 0)
    ({1: 3, 2: 4}, 5)
    """
    if level > _MOST_LEVELS:
        msg = "too deep"
        raise ValueError(msg)
    found: Fields = {}
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


def _value(data: Data, at: int, kind: int, level: int) -> tuple[Any, int]:
    if kind in (_I16, _I32, _I64):
        return _signed(data, at)
    if kind == _BINARY:
        size, at = _unsigned(data, at)
        # a slice would be short where the text ends before
        if at + size > len(data):
            raise IndexError
        return None, at + size
    if kind == _STRUCT:
        return struct_at(data, at, level + 1)
    if kind in (_LIST, _SET):
        return _list(data, at, level)
    if kind in (_BYTE, _TRUE, _FALSE):
        return data[at], at + 1
    if kind == _DOUBLE:
        return None, at + 8
    msg = "a field of another kind"
    raise ValueError(msg)


def _list(data: Data, at: int, level: int) -> tuple[list[Any], int]:
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


def _unsigned(data: Data, at: int) -> tuple[int, int]:
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


def _signed(data: Data, at: int) -> tuple[int, int]:
    number, at = _unsigned(data, at)
    return (number >> 1) ^ -(number & 1), at
