"""
Which commit was the last one at a moment.

Commits have the time of the server's clock, which may be set: a later commit can have an earlier time. What counts is
the order of commits. So the state at a moment is that after the last commit that is not later than it, with all commits
before that one, whatever their times: as of now, the present.
"""

from __future__ import annotations

import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.archive.segments import Segment, read_segment
from dealdb.store.bounds.wall import number_in
from dealdb.store.keys import Keys
from dealdb.store.log.reader import read_back, read_from

# each failed try may mean that a checkpoint has merged segments meanwhile, or that the collection was begun again
_MAX_TRIES = 2


def last_until(link: Link, keys: Keys, until_ms: int) -> int:
    """
    Number of the last commit whose time is not later than a moment; 0 for none.

    Parameters
    ----------
    until_ms
        The moment, milliseconds since 1970.

    Raises
    ------
    StoreDamaged
        If a part of the history is missing that may have it.

    Cost
    ----
    Two round trips for a moment behind all commits; else a read of the log, and of one segment of the sealed history.
    """
    lost = ""
    for _ in range(_MAX_TRIES):
        try:
            return _last_before(link, keys, until_ms)
        except _Missing as missing:
            lost = str(missing)
    msg = (
        f"{link.settings.where}: the history of {keys.collection!r} is incomplete: {lost}, which may be of that "
        "moment, were removed or damaged, or left out of the backup that was restored; present deals are not affected"
    )
    raise StoreDamaged(msg)


class _Missing(Exception):
    """Commits that may be of the moment are not to be found; it says which."""


def _last_before(link: Link, keys: Keys, until_ms: int) -> int:
    said: bytes | None = link.call("HGET", keys.meta, "seq", retry=True)
    newest = _end_of(link, keys) if said is None else number_in(f"seq in {keys.meta!r}", said)
    # the commits from there on are later
    begins = newest + 1
    for page in read_back(link, keys.log, newest):
        early = [place for place, time_ms in enumerate(page.times_ms) if time_ms <= until_ms]
        since = page[early[-1] if early else 0 :]
        first = since[0].position.seq
        if first + len(since) != begins:
            raise _before(begins)
        if early:
            return first
        begins = first
    # after the log: what a checkpoint has trimmed meanwhile is sealed by now
    manifest = read_manifest(link, keys)
    for segment in reversed(manifest.history if manifest else ()):
        if segment.first >= begins:
            continue
        if segment.last < begins - 1:
            raise _before(begins)
        found = _last_in(link, segment, until_ms)
        if found:
            return found
        begins = segment.first
    if begins > 1:
        raise _before(begins)
    return 0


def _before(begins: int) -> _Missing:
    return _Missing(f"its last commits before {begins}")


def _end_of(link: Link, keys: Keys) -> int:
    """Number of the last commit, as the log has it: the state of the collection is gone, or there is nothing yet."""
    end = 0
    for page in read_from(link, keys.log, 0):
        end = page[-1].position.seq
    if not end and read_manifest(link, keys):
        # a checkpoint leaves a part of the log: that was removed, too
        msg = "its last commits"
        raise _Missing(msg)
    return end


def _last_in(link: Link, segment: Segment, until_ms: int) -> int:
    extent = segment.extent
    if extent and extent.latest_ms <= until_ms:
        return segment.last
    if extent and extent.earliest_ms > until_ms:
        return 0
    frame = read_segment(link, segment)
    # older versions have sealed the rest of a log that had a hole
    if frame is None or frame.height != segment.last - segment.first + 1:
        msg = f"its commits {segment.first} to {segment.last}"
        raise _Missing(msg)
    return frame.filter(pl.col("time_ms") <= until_ms)["seq"].max() or 0  # type: ignore[return-value]
