"""
Rows of several chunks, unpacked by one query.

A query for each chunk takes longer than to unpack a row group of it. So of each chunk the row group that has the rows
goes, as it is, into one Parquet file of as many columns, whose footer is made here. Its fields are those of
`parquet.thrift <https://github.com/apache/parquet-format>`_.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import polars as pl

from dealdb.formats.headers.thrift import (
    BINARY,
    I32,
    I64,
    LIST,
    STRUCT,
    Fields,
    lettered,
    listed,
    numbered,
    struct_at,
    written,
)
from dealdb.store.archive.unpacking import check_extents, check_unpacked
from dealdb.store.bounds.parquet import MAGIC, Extent, extent_of_column, footer_of, span_of

# a column in the schema of a chunk, whose name gets another one that is as long
_NAME, _NUMBERED = b"\x06values", b"\x06v%05d"
_MOST_COLUMNS = 10_000
# version of the format, list of two elements, and the kind of their list
_BEFORE_SCHEMA = written({1: (I32, numbered(1)), 2: (LIST, bytes((2 << 4 | STRUCT,)))})[:-1]
# of a column: that it is in this file, and that what is known of it follows
_COLUMN = written({2: (I64, numbered(0)), 3: (STRUCT, b"")})[:-1]
_TWO_ON = bytes((2 << 4 | I64,))
# what chunks say of themselves, by digest: to read their footers takes longer than to unpack a row group of each
_LAYOUTS: dict[str, Layout] = {}
_MOST_LAYOUTS = 2**12


class _Group(NamedTuple):
    """
    A row group of a chunk.

    Attributes
    ----------
    extent
        What it unpacks to.
    begins, ends
        Its pages.
    about
        What a footer says of it before it says where it is, which is the end of it.
    places
        Where its values begin, and its dictionary, if it has one.
    """

    extent: Extent
    begins: int
    ends: int
    about: bytes
    places: tuple[int, ...]


class Layout(NamedTuple):
    """
    What a chunk says of itself.

    Attributes
    ----------
    footer
        Fields of its footer.
    starts
        Row that each row group begins with, and the number of all.
    element
        Its column, as the schema describes it; empty where it is more than one plain column.
    groups
        Row groups that were asked for before.
    """

    footer: Fields
    starts: tuple[int, ...]
    element: bytes
    groups: dict[int, _Group]

    def group(self, number: int, blob: bytes) -> _Group:
        """A row group of the chunk."""
        if number not in self.groups:
            self.groups[number] = _group(self.footer, blob, self.footer[4][number][1][0][3])
        return self.groups[number]


def run_of(
    blobs: Mapping[str, bytes], digests: Sequence[str], first: int, last: int
) -> list[pl.Series] | None:
    """
    The same rows of a chunk of each column, in the types of the file; None where it takes several queries.

    Parameters
    ----------
    blobs
        The chunks, by digest.
    digests
        Of each column; several may have the same.
    first, last
        Places of the first and the last row.

    Raises
    ------
    ValueError
        If they are not what dealdb writes; Polars raises errors of its own.
    """
    distinct = list(dict.fromkeys(digests))
    layouts = [_layout(digest, blobs[digest]) for digest in distinct]
    starts = layouts[0].starts
    group = bisect_right(starts, first) - 1
    edges = starts[group : group + 2]
    # a row group has them all, and the same one of every chunk
    alike = all(each.element and each.starts[group : group + 2] == edges for each in layouts)
    if len(edges) < 2 or last >= edges[1] or not alike or len(distinct) > _MOST_COLUMNS:
        return None
    chunks = [(blobs[digest], each) for digest, each in zip(distinct, layouts, strict=True)]
    columns = _unpacked(chunks, group, range(first - edges[0], last - edges[0] + 1))
    found = dict(zip(distinct, columns, strict=True))
    return [found[digest] for digest in digests]


def _layout(digest: str, blob: bytes) -> Layout:
    """What a chunk says of itself; the bytes are those of the digest."""
    found = _LAYOUTS.get(digest)
    if found is None:
        if len(_LAYOUTS) > _MOST_LAYOUTS:
            _LAYOUTS.clear()
        footer, begins = footer_of(blob)
        starts = accumulate((group[3] for group in footer.get(4, [])), initial=0)
        found = _LAYOUTS[digest] = Layout(footer, tuple(starts), _element(footer, blob, begins), {})
    return found


def _element(footer: Fields, blob: bytes, begins: int) -> bytes:
    """The column of a chunk, as its schema describes it; empty where it is no plain one, or another program's."""
    names = [len(column[3][3]) for group in footer.get(4, []) for column in group[1]]
    if (
        len(footer[2]) != 2
        or names != [1] * len(footer[4])
        or not blob.startswith(_BEFORE_SCHEMA, begins)
    ):
        return b""
    _, at = struct_at(blob, begins + len(_BEFORE_SCHEMA))
    _, end = struct_at(blob, at)
    element = blob[at:end]
    return element if element.count(_NAME) == 1 else b""


def _group(footer: Fields, blob: bytes, column: Fields) -> _Group:
    about = {
        1: (I32, numbered(column[1])),
        2: (LIST, listed(I32, [numbered(each) for each in column[2]])),
        3: (LIST, listed(BINARY, [_NAME])),
        4: (I32, numbered(column[4])),
        **{at: (I64, numbered(column[at])) for at in (5, 6, 7)},
    }
    places = tuple(column[at] for at in (9, 11) if column.get(at))
    return _Group(
        extent_of_column(blob, footer, column), *span_of(column), written(about)[:-1], places
    )


def _unpacked(chunks: Sequence[tuple[bytes, Layout]], number: int, rows: range) -> list[pl.Series]:
    groups = [layout.group(number, blob) for blob, layout in chunks]
    packed = check_extents((group.extent for group in groups), (len(blob) for blob, _ in chunks))
    starts = chunks[0][1].starts
    file = _file(chunks, groups, starts[number + 1] - starts[number])
    # of one row group: to hand its columns to other threads takes longer than to unpack them
    scan = pl.scan_parquet(file, parallel="none", use_statistics=False, cache=False)
    columns = scan.slice(rows.start, len(rows)).collect().get_columns()
    check_unpacked(columns, packed)
    if [len(column) for column in columns] != [len(rows)] * len(chunks):
        msg = "a chunk of fewer rows"
        raise ValueError(msg)
    return columns


def _file(chunks: Sequence[tuple[bytes, Layout]], groups: Sequence[_Group], height: int) -> bytes:
    """A Parquet file of one row group, with a column for each chunk."""
    pieces, size = [MAGIC], len(MAGIC)
    elements, columns = [_root(len(chunks))], []
    for number, ((blob, layout), group) in enumerate(zip(chunks, groups, strict=True)):
        name = _NUMBERED % number
        elements.append(layout.element.replace(_NAME, name))
        columns.append(_column(group, name, size - group.begins))
        pieces.append(blob[group.begins : group.ends])
        size += group.ends - group.begins
    rows = (I64, numbered(height))
    all_of_it = {1: (LIST, listed(STRUCT, columns)), 2: (I64, numbered(size)), 3: rows}
    footer = written(
        {
            1: (I32, numbered(1)),
            2: (LIST, listed(STRUCT, elements)),
            3: rows,
            4: (LIST, listed(STRUCT, [written(all_of_it)])),
        }
    )
    return b"".join((*pieces, footer, len(footer).to_bytes(4, "little"), MAGIC))


def _root(n_columns: int) -> bytes:
    return written({4: (BINARY, lettered(b"root")), 5: (I32, numbered(n_columns))})


def _column(group: _Group, name: bytes, shift: int) -> bytes:
    """Where a column is, in a file in which its pages are so much further behind."""
    # the fields 9 and 11, which are two behind the one before
    places = (_TWO_ON + numbered(place + shift) for place in group.places)
    return b"".join((_COLUMN, group.about.replace(_NAME, name), *places, b"\0\0"))
