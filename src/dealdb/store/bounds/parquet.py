"""
What a Parquet file unpacks to, told from its headers before anything is unpacked.

The totals in its footer are a claim; what a reader makes room for is what the header of each page says. The headers'
fields are those of `parquet.thrift <https://github.com/apache/parquet-format>`_. A file that is not what it should be
raises one of many errors: callers are behind a wall.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from dealdb.formats.headers.thrift import Fields, struct_at

_MAGIC = b"PAR1"
# each text after the first may repeat the one before it: some bytes stand for gigabytes. Polars never writes it
_DELTA_BYTE_ARRAY = 7
# row groups may share their pages: walking them all would take as long as their product
_MOST_PAGES = 20_000


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
    footer, _ = struct_at(blob, begins)
    groups: list[Fields] = footer.get(4, [])
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


def _pages(blob: bytes, column: Fields) -> Iterator[tuple[int, int]]:
    """Values and unpacked bytes of each page of a column."""
    at = column.get(11) or column[9]
    at = min(at, column[9])
    ends = at + column[7]
    if at < 0 or ends > len(blob):
        msg = "pages outside of the file"
        raise ValueError(msg)
    while at < ends:
        header, body = struct_at(blob, at)
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
