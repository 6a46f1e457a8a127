"""
Chunks back to columns.

A chunk has the digest that the manifest says, and may still be another program's: whoever may write chunks may write
the manifest. So its headers are looked at before Polars makes room for what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

import polars as pl

from dealdb.model.columns import dtype_of, readable
from dealdb.model.schema import Field
from dealdb.store.bounds.parquet import Extent, extent_of
from dealdb.store.bounds.room import check_bytes, check_texts

CHUNK_ROWS = 65_536
# unpacked together
_CHUNKS_AT_ONCE = 16
# of lists, in some chunks together, besides what their size lets expect
_HARMLESS_VALUES = 4_000_000
_VALUES_A_BYTE = 20
# what chunks say of themselves, by digest: to read their headers takes longer than to read a row of each
_EXTENTS: dict[str, Extent] = {}
_MOST_EXTENTS = 2**15


def columns_of(
    blobs: Mapping[str, bytes], digests: Mapping[Field, Sequence[str]]
) -> dict[str, pl.Series]:
    """
    Columns of chunks.

    Raises
    ------
    ValueError
        If they are not what dealdb writes; Polars raises errors of its own.
    """
    packed = _check(_extents(blobs), map(len, blobs.values()))
    found: dict[str, pl.Series] = {}
    for fields in _in_groups(digests):
        # a group together: Polars divides the files among its threads
        scans = [pl.scan_parquet([blobs[each] for each in digests[field]]) for field in fields]
        columns = [each.to_series() for each in pl.collect_all(scans)]
        _check_texts([*found.values(), *columns], packed)
        for field, column in zip(fields, columns, strict=True):
            found[field.name] = typed(column, field)
    return {f.name: found[f.name] if some else typed(pl.Series(), f) for f, some in digests.items()}


def _in_groups(digests: Mapping[Field, Sequence[str]]) -> Iterator[list[Field]]:
    """
    The fields that have chunks, so many at a time as have few.

    What is unpacked takes twice the room of its column, and is given back before the next ones.
    """
    group: list[Field] = []
    n_chunks = 0
    for field, some in digests.items():
        if group and some and n_chunks + len(some) > _CHUNKS_AT_ONCE:
            yield group
            group, n_chunks = [], 0
        if some:
            group.append(field)
            n_chunks += len(some)
    if group:
        yield group


def rows_of(
    blobs: Mapping[str, bytes],
    spans: Mapping[str, tuple[int, int]],
    cells: Mapping[Field, Sequence[tuple[str, int]]],
) -> dict[str, pl.Series]:
    """
    Some cells of columns; else as ``columns_of``.

    Parameters
    ----------
    spans
        First and last place in each chunk; what lies between is read.
    cells
        For each field chunks and places in them.
    """
    found = _parts(blobs, spans)

    def column(field: Field, wanted: Sequence[tuple[str, int]]) -> pl.Series:
        parts = {digest: found[digest] for digest, _ in wanted}
        starts = dict(zip(parts, accumulate(map(len, parts.values()), initial=0), strict=False))
        places = [starts[digest] + at - spans[digest][0] for digest, at in wanted]
        return typed(pl.concat(parts.values()).gather(places) if parts else pl.Series(), field)

    return {field.name: column(field, wanted) for field, wanted in cells.items()}


def runs_of(
    blobs: Mapping[str, bytes],
    spans: Mapping[str, tuple[int, int]],
    runs: Mapping[Field, Sequence[tuple[str, int, int]]],
) -> dict[str, pl.Series]:
    """
    Cells that follow one another; else as ``rows_of``.

    Parameters
    ----------
    runs
        For each field chunks, and the first and the last place in each.
    """
    columns = parts_of(blobs, spans, runs.values())
    return {f.name: typed(column, f) for f, column in zip(runs, columns, strict=True)}


def parts_of(
    blobs: Mapping[str, bytes],
    spans: Mapping[str, tuple[int, int]],
    runs: Iterable[Sequence[tuple[str, int, int]]],
) -> list[pl.Series]:
    """The same, in the types that they have in the chunks: to give some thousand cells their own takes longer."""
    found = _parts(blobs, spans)

    def part(digest: str, first: int, last: int) -> pl.Series:
        return found[digest].slice(first - spans[digest][0], last - first + 1)

    return [pl.concat([part(*run) for run in wanted]) for wanted in runs]


def _parts(
    blobs: Mapping[str, bytes], spans: Mapping[str, tuple[int, int]]
) -> dict[str, pl.Series]:
    """What lies between the first and the last place in each chunk."""
    packed = _check(_extents(blobs), map(len, blobs.values()))
    # a part of one row group each: to hand it to another thread takes longer than to read it
    scans = [
        pl.scan_parquet(blobs[digest], parallel="none").slice(first, last - first + 1)
        for digest, (first, last) in spans.items()
    ]
    found = dict(zip(spans, (each.to_series() for each in pl.collect_all(scans)), strict=True))
    _check_texts(found.values(), packed)
    if any(len(found[digest]) != last - first + 1 for digest, (first, last) in spans.items()):
        msg = "a chunk of fewer rows"
        raise ValueError(msg)
    return found


def values_of(blob: bytes, n_rows: int | None = None) -> pl.Series:
    """
    Values of one chunk.

    Parameters
    ----------
    n_rows
        Rows that it has to have; looked at before they are read.

    Raises
    ------
    ValueError
        If it has others, or is not what dealdb writes.
    """
    packed = _check([extent_of(blob)], [len(blob)])
    scan = pl.scan_parquet(blob)
    if n_rows is not None and scan.select(pl.len()).collect().item() != n_rows:
        msg = f"a chunk has other rows than {n_rows}"
        raise ValueError(msg)
    found = scan.collect().to_series()
    _check_texts([found], packed)
    return found


def typed(column: pl.Series, field: Field) -> pl.Series:
    """Values of a chunk as the column of a field."""
    # not strictly, as in ``retyped``
    return readable(column.rechunk().cast(dtype_of(field), strict=False)).alias(field.name)


def _extents(blobs: Mapping[str, bytes]) -> list[Extent]:
    """What each chunk says of itself; the bytes are those of the digest."""
    if len(_EXTENTS) > _MOST_EXTENTS:
        _EXTENTS.clear()
    for digest, blob in blobs.items():
        if digest not in _EXTENTS:
            _EXTENTS[digest] = extent_of(blob)
    return [_EXTENTS.get(digest) or extent_of(blob) for digest, blob in blobs.items()]


def _check(extents: Iterable[Extent], sizes: Iterable[int]) -> int:
    """Refuse what unpacks to far more than it is; returns the bytes that it is."""
    packed = unpacked = n_values = 0
    for extent, size in zip(extents, sizes, strict=True):
        _check_shape(extent)
        packed += size
        unpacked += extent.n_bytes
        n_values += max(extent.n_values - extent.n_rows, 0)
    check_bytes(unpacked, packed)
    if n_values > max(_HARMLESS_VALUES, _VALUES_A_BYTE * packed):
        msg = "lists of too many texts"
        raise ValueError(msg)
    return packed


def _check_shape(extent: Extent) -> None:
    if extent.n_rows > CHUNK_ROWS or extent.n_columns > 1:
        msg = "more rows or columns than a chunk has"
        raise ValueError(msg)


def _check_texts(columns: Iterable[pl.Series], packed: int) -> None:
    # views of one text may be many: they take nothing until each is a text of its own
    total = n = 0
    for column in columns:
        total += int(column.estimated_size())
        n += len(column)
    check_texts(total, n, packed)
