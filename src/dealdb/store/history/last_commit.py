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
from dealdb.store.log.reader import read_back


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
    said: bytes | None = link.call("HGET", keys.meta, "seq", retry=True)
    newest = number_in(f"seq in {keys.meta!r}", said)
    begins = newest + 1
    for page in read_back(link, keys.log, newest):
        begins = page[0].position.seq
        early = [place for place, time_ms in enumerate(page.times_ms) if time_ms <= until_ms]
        if early:
            return page[early[-1]].position.seq
    # after the log: what a checkpoint has trimmed meanwhile is sealed by now
    manifest = read_manifest(link, keys)
    for segment in reversed(manifest.history if manifest else ()):
        if segment.first < begins:
            found = _last_in(link, keys, segment, until_ms)
            if found:
                return found
    return 0


def _last_in(link: Link, keys: Keys, segment: Segment, until_ms: int) -> int:
    extent = segment.extent
    if extent and extent.latest_ms <= until_ms:
        return segment.last
    if extent and extent.earliest_ms > until_ms:
        return 0
    frame = read_segment(link, segment)
    if frame is None:
        msg = (
            f"{link.settings.where}: the history of {keys.collection!r} is incomplete: its commits {segment.first} to "
            f"{segment.last}, which may be of that moment, were removed or damaged; present deals are not affected"
        )
        raise StoreDamaged(msg)
    return frame.filter(pl.col("time_ms") <= until_ms)["seq"].max() or 0  # type: ignore[return-value]
