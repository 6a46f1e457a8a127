"""An index of words as bytes, to be kept for other processes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from dealdb.query.index.last_used import LastUsed
from dealdb.query.index.rows.id_order import IdOrder
from dealdb.query.index.token_index import MOST_SETS, Categories, Labels, TokenIndex
from dealdb.query.index.vocabulary import Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LENGTH_BYTES = 8


def without_rows(index: TokenIndex, rows: NDArray[np.uint32], height: int) -> TokenIndex:
    """
    An index of fewer rows, some of which are apart from it.

    Parameters
    ----------
    rows
        Rows of the frame to be looked at on their own from now on.
    height
        Rows that it has then: the first of those that it has.
    """
    is_out = np.zeros(index.height, np.bool_)
    is_out[height:] = True
    is_out[rows[rows < index.height]] = True
    if not is_out.any():
        return index
    apart = is_out.copy()
    apart[index.apart] = True
    # the rows of the index that stay in it are numbered anew
    every = index.order.in_frame(np.arange(index.height, dtype=np.uint32))
    stays, is_out = every < height, index.order.in_index(is_out)
    inside = ~is_out[index.rows]
    return replace(
        index,
        height=height,
        order=IdOrder(None if index.order.rows is None else every[stays]),
        starts=_before(inside)[index.starts],
        rows=_before(stays)[index.rows[inside]],
        marks=index.marks[inside],
        categories={
            name: Categories.without(each.codes[stays], is_out[stays], len(each.counts) - 1)
            for name, each in index.categories.items()
        },
        apart=np.flatnonzero(apart[:height]).astype(np.uint32),
        bits=LastUsed(MOST_SETS),
    )


def _before(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """How many are true before each place of a mask; one more for all of it."""
    counts = np.zeros(len(mask) + 1, np.uint32)
    np.cumsum(mask, out=counts[1:])
    return counts


def packed(index: TokenIndex) -> bytes:
    """
    An index as bytes.

    Examples
    --------
    >>> from dealdb.query.index.token_index import token_index
    >>> index = token_index(pl.DataFrame({"name": ["Acme", "acme"]}), ["name"])
    >>> unpacked(packed(index)).rows.tolist()
    [0, 1]
    """
    arrays = [*_arrays(index)]
    header = {
        "height": index.height,
        "is_by_id": index.order.rows is None,
        "columns": index.columns,
        "categories": [*index.categories],
        "labels": [index.labels.starts, index.labels.places],
    }
    parts = [json.dumps(header).encode(), *map(_packed, arrays)]
    lengths = np.array([len(parts), *map(len, parts)], "<u8").tobytes()
    return b"".join([lengths, *parts])


def _arrays(index: TokenIndex) -> Iterator[NDArray[Any]]:
    for vocabulary in (index.vocabulary, index.labels.vocabulary):
        yield np.frombuffer(vocabulary.letters, np.uint8)
        yield vocabulary.starts
    yield from (index.starts, index.rows, index.marks, index.apart)
    if index.order.rows is not None:
        yield index.order.rows
    for each in index.categories.values():
        yield from (each.codes, each.counts)


def unpacked(blob: bytes) -> TokenIndex:
    """
    Inverse of ``packed``.

    Raises
    ------
    ValueError
        If it is not that; Polars raises errors of its own.
    """
    n_parts = int.from_bytes(blob[:_LENGTH_BYTES], "little")
    lengths = np.frombuffer(blob, "<u8", n_parts, _LENGTH_BYTES)
    ends = (np.cumsum(lengths) + _LENGTH_BYTES * (n_parts + 1)).tolist()
    header, *parts = (
        memoryview(blob)[begin:end]
        for begin, end in pairwise([_LENGTH_BYTES * (n_parts + 1), *ends])
    )
    found: Mapping[str, Any] = json.loads(bytes(header))
    arrays = map(_unpacked, parts)
    letters, starts = next(arrays), next(arrays)
    labels = Labels(
        Vocabulary(next(arrays).tobytes(), next(arrays)),
        found["labels"][0],
        [(name, code, place) for name, code, place in found["labels"][1]],
    )
    postings: Sequence[NDArray[Any]] = [next(arrays) for _ in range(4)]
    return TokenIndex(
        height=found["height"],
        order=IdOrder(None if found["is_by_id"] else next(arrays)),
        columns=tuple(found["columns"]),
        vocabulary=Vocabulary(letters.tobytes(), starts),
        starts=postings[0],
        rows=postings[1],
        marks=postings[2],
        apart=postings[3],
        categories={name: Categories(next(arrays), next(arrays)) for name in found["categories"]},
        labels=labels,
    )


def _packed(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"": array}).write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def _unpacked(part: memoryview) -> NDArray[Any]:
    array: NDArray[Any] = pl.read_ipc(io.BytesIO(part))[""].to_numpy()
    return array
