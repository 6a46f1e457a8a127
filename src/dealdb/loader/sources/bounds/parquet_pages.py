"""
What a Parquet file unpacks to: the sizes that its pages give, which a reader makes room for.

The footer says so too, but need not be true.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import NamedTuple

from dealdb.errors import LoadError
from dealdb.formats.headers.thrift import struct_at

# one of a million columns and groups of rows
_MOST_FOOTER = 16 * 1024 * 1024
_MOST_PAGES = 500_000
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
    footer, _ = struct_at(data[size - 8 - length : size - 8], 0)
    unpacked = n_pages = 0
    may_grow = False
    for group in footer.get(4, ()):
        for column in group.get(1, ()):
            about = column[3]
            may_grow |= _SHARED_BEGINNINGS in about.get(2, ())
            at = min(each for each in (about.get(9), about.get(11)) if each)
            end = min(at + about[7], size)
            while at < end:
                page, body = struct_at(data, at)
                unpacked += page[2]
                at = body + page[3]
                n_pages += 1
                if page[2] < 0 or page[3] < 0 or n_pages > _MOST_PAGES:
                    msg = f"{name} can't be read as Parquet: its pages are damaged, or more than {_MOST_PAGES:,}"
                    raise LoadError(msg)
    return Pages(unpacked, may_grow)
