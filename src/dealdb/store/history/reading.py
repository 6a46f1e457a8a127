"""The past: every commit in order, the sealed ones and those in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from hashlib import sha1

from dealdb.connection import Link
from dealdb.errors import ServerRefused, StoreDamaged
from dealdb.model.moments import from_epoch_ms
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.archive.segments import ChunkLost, SealedRows, Segment, read_segment, unseal
from dealdb.store.archive.string_keys import is_wrong_type
from dealdb.store.bounds.wall import number_in
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Entry, LogPage, Position
from dealdb.store.log.reader import (
    HistoryReset,
    has_position,
    news_command,
    read_from,
    read_since,
)

logger = logging.getLogger(__name__)
# each try without a single commit means that a checkpoint moved or merged what is sealed, or that a part is gone
_MAX_TRIES = 3


def read_history(
    link: Link,
    keys: Keys,
    *,
    since: Position | None = None,
    only: str | None = None,
    until: int | None = None,
    as_frames: bool = False,
    bare_until: int = 0,
) -> Iterator[Entry]:
    """
    Every commit after ``since`` in order: the sealed ones, then those in the log, up to the commit ``until``.

    Without that, up to the last one. With ``only``, the id of a deal, bulk commits may come without the other deals.
    ``as_frames`` and ``bare_until`` are those of ``unseal``.

    Each must follow the one before by number and by chain hash.

    Raises
    ------
    StoreDamaged
        If a stretch of the history is missing or not what was sealed; at its end, too.

    Cost
    ----
    Two round trips and one for each segment, and one for every MiB of the log.
    """
    last = since or Position()
    n_tries = 0
    while n_tries < _MAX_TRIES:
        n_tries += 1
        if until is not None and last.seq >= until:
            return
        # behind the end of a log that was cut off there is nothing, as there is behind the last commit
        least = _last_said(link, keys) if until is None else until
        try:
            for entry in _stretch(
                link, keys, last.seq, only, as_frames=as_frames, bare_until=bare_until
            ):
                if not follows(last, entry):
                    # a checkpoint of the meantime trimmed the log? Then what was there is sealed by now
                    break
                last, n_tries = entry.position, 0
                yield entry
                if last.seq == until:
                    return
            else:
                if last.seq >= least:
                    return
        except HistoryReset:
            # the same between two pages of the log, as long as it is still this history
            if not is_known(link, keys, last):
                raise
    msg = (
        f"{link.settings.where}: the history of {keys.collection!r} is incomplete after commit {last.seq}: "
        "its log or a sealed segment was removed; present deals are not affected"
    )
    raise StoreDamaged(msg)


def _last_said(link: Link, keys: Keys) -> int:
    """
    Number of the last commit, as the state of the collection says; 0 where only the log can say it.

    Raises
    ------
    StoreDamaged
        If nothing can.
    """
    try:
        seq = link.call("HGET", keys.meta, "seq", retry=True)
    except ServerRefused as refusal:
        if not is_wrong_type(refusal):
            raise
        return 0
    if seq is None and link.calls(_are_left(keys), retry=True) == [0, 1]:
        msg = (
            f"{link.settings.where}: the history of {keys.collection!r} is incomplete: its log and {keys.meta!r} were "
            "removed; present deals are not affected"
        )
        raise StoreDamaged(msg)
    return _readable(keys, seq)


def _are_left(keys: Keys) -> list[tuple[str, ...]]:
    """Commands whose replies are 0 and 1 where only sealed commits are left: a checkpoint leaves a part of the log."""
    return [("EXISTS", keys.log), ("EXISTS", keys.checkpoint)]


def _readable(keys: Keys, seq: bytes | None) -> int:
    try:
        return number_in(f"seq in {keys.meta!r}", seq)
    except StoreDamaged:
        # the state is to be made again from the history, which says so itself where something is missing
        return 0


def read_news(link: Link, keys: Keys, since: Position) -> Iterator[LogPage] | None:
    """
    What ``read_since`` gives, up to the last commit of the collection at least.

    Cost
    ----
    As of ``read_since``.
    """
    commands = [("HGET", keys.meta, "seq"), news_command(keys.log, since)]
    try:
        # in this order: what is committed in between is in the log by then
        seq, asked = link.calls(commands, retry=True)
    except ServerRefused as refusal:
        if not is_wrong_type(refusal):
            raise
        return read_since(link, keys.log, since)
    return read_since(link, keys.log, since, asked, _readable(keys, seq))


def is_known(link: Link, keys: Keys, position: Position) -> bool:
    """
    Whether a position is one of the history that the server has now, in the log or sealed.

    Cost
    ----
    One round trip; two more where it is not in the log.
    """
    if not position.seq or has_position(link, keys.log, position):
        return True
    manifest = read_manifest(link, keys)
    for segment in manifest.history if manifest else ():
        if segment.first <= position.seq <= segment.last:
            return any(e.position == position for e in _unsealed(link, segment, None))
    return False


def _unsealed(
    link: Link,
    segment: Segment,
    held: SealedRows | None,
    only: str | None = None,
    *,
    as_frames: bool = False,
    bare_until: int = 0,
) -> Iterator[Entry]:
    """Entries of a segment; none where it is missing or not what was sealed."""
    frame = read_segment(link, segment)
    if frame is not None:
        yield from unseal(frame, held, only, as_frames=as_frames, bare_until=bare_until)


def _stretch(
    link: Link, keys: Keys, seq: int, only: str | None, *, as_frames: bool, bare_until: int
) -> Iterator[Entry]:
    """Commits after ``seq`` as far as they are found, from the manifest in force."""
    manifest = read_manifest(link, keys)
    for segment in manifest.history if manifest else ():
        if segment.last <= seq:
            continue
        held = SealedRows(link, keys, segment.columns) if segment.columns else None
        with suppress(ChunkLost):
            for entry in _unsealed(
                link, segment, held, only, as_frames=as_frames, bare_until=bare_until
            ):
                if entry.position.seq > seq:
                    seq = entry.position.seq
                    yield entry
    for page in read_from(link, keys.log, seq + 1):
        logger.debug(
            "log of %r read; commits: %d, up to: %d",
            *(keys.collection, len(page), page[-1].position.seq),
        )
        yield from page


def follows(last: Position, entry: Entry) -> bool:
    """Whether a commit is the next one after a position, by number and by chain hash."""
    seq, chain = entry.position.seq, entry.position.hash
    # the first entry follows the genesis, which is the name of its writer
    before = last.hash.decode() if last.seq else entry.writer
    text = f"{before} {seq} {entry.writer} {entry.counter} {entry.time_ms}"
    digest = sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]
    return seq == last.seq + 1 and digest.encode() == chain


def moment_of(entry: Entry) -> datetime:
    """When a commit was made, UTC."""
    return from_epoch_ms(entry.time_ms)
