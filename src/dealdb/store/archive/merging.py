"""
Merging the segments of the sealed history, so that their number does not grow with that of the checkpoints.

Eight neighbours of one level become one of the next level, until one is large enough to stay as it is. What lies before
such a one, or before one that can't be read, gets no more neighbours, and is merged right away. A segment that is
damaged is left where it is: a reader has to see what is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, groupby

import polars as pl

from dealdb.connection import Link
from dealdb.errors import AccessDenied
from dealdb.store.archive.chunks import Columns
from dealdb.store.archive.deal_index import read_heads
from dealdb.store.archive.digest import is_whole
from dealdb.store.archive.sealing import SEGMENT_BYTES, HeldRows, Sealed, resealed
from dealdb.store.archive.segments import (
    ChunkLost,
    Extent,
    SealedRows,
    Segment,
    complete,
    read_segment,
)
from dealdb.store.keys import Keys

logger = logging.getLogger(__name__)
FAN_OUT = 8
# bounds the memory of a merge; one of half the size stays as it is
MERGED_BYTES = 2 * SEGMENT_BYTES
# a load waits for its checkpoint, so it leaves larger merges to those that queries begin, unless they become many:
# one of what 17,000,000 deals were loaded with
HASTY_BYTES = 4 * 2**20
_MANY = 16 * FAN_OUT
# bounds the round trips of a merge
_MOST_AT_ONCE = 64
# each failed try has found one that can't be read
_MAX_TRIES = 4
# what a cell that is in a chunk takes up in the log, roughly
_CELL_BYTES = 12


def plan(
    history: Sequence[Segment], unreadable: Collection[str] = (), max_bytes: int = MERGED_BYTES
) -> Sequence[Segment]:
    """
    Neighbours to be merged next, oldest first; none where there is nothing to do.

    Parameters
    ----------
    history
        All segments, oldest first.
    unreadable
        Keys of those that are to be left alone.
    max_bytes
        What they may make up together; where they are many, at least as much as one may be made of.
    """
    for stretch, is_closed in _stretches(history, unreadable):
        runs = [list(run) for _, run in groupby(stretch, key=_level)]
        for run in [stretch] if is_closed else [run for run in runs if len(run) >= FAN_OUT]:
            fit = _as_fit(run, max(max_bytes, SEGMENT_BYTES) if len(run) >= _MANY else max_bytes)
            if len(fit) > 1:
                return fit
    return ()


def _stretches(
    history: Sequence[Segment], unreadable: Collection[str]
) -> Iterator[tuple[list[Segment], bool]]:
    """Segments in a row that may be merged, and whether any come after them."""
    stretch: list[Segment] = []
    for segment in history:
        mergeable = _is_small(segment) and segment.key not in unreadable
        if stretch and not (mergeable and segment.first == stretch[-1].last + 1):
            yield stretch, True
            stretch = []
        if mergeable:
            stretch.append(segment)
    yield stretch, False


def _is_small(segment: Segment) -> bool:
    return segment.extent is not None and segment.extent.n_bytes < MERGED_BYTES // 2


def _level(segment: Segment) -> int:
    return segment.extent.level if segment.extent else 0


def _as_fit(stretch: list[Segment], max_bytes: int) -> list[Segment]:
    sizes = accumulate(segment.extent.n_bytes for segment in stretch if segment.extent)
    n_fit = sum(size <= max_bytes for size in sizes)
    return stretch[: min(n_fit, _MOST_AT_ONCE)]


class Merger:
    """
    Merges segments when a checkpoint is written.

    Parameters
    ----------
    link, keys
        The collection.
    held, columns
        The rows of the checkpoint, and where they are.
    hasty
        Whether somebody waits for it.
    """

    def __init__(
        self, link: Link, keys: Keys, held: HeldRows, columns: Columns, *, hasty: bool = False
    ) -> None:
        self._link = link
        self._keys = keys
        self._held = held
        self._columns = columns
        self._max_bytes = HASTY_BYTES if hasty else MERGED_BYTES
        self._unreadable: set[str] = set()

    def measured(self, history: Iterable[Segment]) -> Iterator[Segment]:
        """The same segments, some of which an older version has sealed with their extent now."""
        n_read = n_bytes = 0
        for segment in history:
            found = None
            if not segment.extent and n_read < _MOST_AT_ONCE and n_bytes < MERGED_BYTES:
                n_read += 1
                found = read_segment(self._link, segment)
            if found is None:
                yield segment
                continue
            extent = _extent_of(complete(found))
            n_bytes += extent.n_bytes
            yield replace(segment, extent=extent)

    def with_whole_indexes(self, history: Sequence[Segment]) -> list[Segment]:
        """The same segments, without the indexes whose heads are missing or damaged. One round trip."""
        places = [segment.index for segment in history if segment.index]
        try:
            heads = read_heads(self._link, places)
        except AccessDenied:
            # a user of an older version may not read a part of a key: then nothing is known of them
            return [*history]
        found = zip(places, heads, strict=True)
        lost = {place for place, head in found if not is_whole(place.digest, head)}
        if lost:
            logger.warning("missing or damaged: %s", ", ".join(place.key for place in lost))
        return [replace(each, index=None) if each.index in lost else each for each in history]

    def merge(self, history: Sequence[Segment]) -> tuple[Sequence[Segment], Sealed] | None:
        """
        Segments that are next, and what is to take their place; None where there is nothing to do.

        Where none are to be merged, it is one that has no index.

        Cost
        ----
        A round trip for each of them, and for each column of them that is in chunks; memory for some 64 MiB of log.
        """
        for _ in range(_MAX_TRIES):
            some = plan(history, self._unreadable, self._max_bytes) or self._without_index(history)
            if not some:
                break
            frames = self._frames(some)
            if frames:
                sealed = self._merged(some, frames)
                if len(some) > 1 or sealed.index:
                    return some, sealed
                self._unreadable.add(some[0].key)
        return None

    def _without_index(self, history: Sequence[Segment]) -> Sequence[Segment]:
        """The oldest segment that has no index, to be sealed again."""
        return [
            each
            for each in history
            if not each.index
            and each.key not in self._unreadable
            and each.extent
            and each.extent.n_bytes <= self._max_bytes
        ][:1]

    def _frames(self, some: Sequence[Segment]) -> list[pl.DataFrame]:
        """Their entries, with all deals; none where one of them can't be read, which is noted."""
        frames = []
        for segment in some:
            frame = self._entries(segment)
            if frame is None:
                logger.warning("missing or damaged: %s, or a chunk that it needs", segment.key)
                self._unreadable.add(segment.key)
                return []
            frames.append(frame)
        return frames

    def _entries(self, segment: Segment) -> pl.DataFrame | None:
        found = read_segment(self._link, segment)
        if found is None or not _is_whole(segment, found):
            return None
        columns = segment.columns
        held = SealedRows(self._link, self._keys, columns) if columns else None
        try:
            return complete(found, held)
        except ChunkLost:
            return None

    def _merged(self, some: Sequence[Segment], frames: Sequence[pl.DataFrame]) -> Sealed:
        extents = [segment.extent for segment in some if segment.extent]
        extent = Extent(
            min(each.earliest_ms for each in extents),
            max(each.latest_ms for each in extents),
            sum(each.n_bytes for each in extents),
            max(each.level for each in extents) + (len(some) > 1),
        )
        return resealed(pl.concat(frames), self._held, self._columns, extent)


def _is_whole(segment: Segment, frame: pl.DataFrame) -> bool:
    """Whether it has the commits that the manifest says, each once and in order."""
    numbers = frame["seq"].to_list()
    return numbers == list(range(segment.first, segment.last + 1))


def _extent_of(frame: pl.DataFrame) -> Extent:
    cells = pl.col("n").fill_null(0) * pl.col("fields").list.len().fill_null(0)
    texts = pl.col("data").bin.size().fill_null(0) + pl.col("rows").bin.size().fill_null(0)
    n_bytes = frame.select((cells * _CELL_BYTES + texts + 100).sum()).item()
    times = frame["time_ms"]
    return Extent(int(times.min() or 0), int(times.max() or 0), int(n_bytes), 0)  # type: ignore[arg-type]
