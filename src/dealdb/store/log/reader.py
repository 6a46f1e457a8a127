"""
Reading the log: forwards from a position, backwards, a single entry, and waiting for the next one.

Entries come in pages, each the reply to one command, and no larger than the server and this process can handle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.bounds.wall import damaged, is_damage, number_in
from dealdb.store.log.entry import Entry, LogPage, Position, RawEntry

# entries asked for at first, and then as many as take up about so much: bounds the memory of the reply
_FIRST_ENTRIES = 100
_PAGE_BYTES = 2**20
# the server does nothing else meanwhile
_MAX_ENTRIES = 2_000
# a reader that waits takes so many at most
_WAIT_ENTRIES = 100
_CHAIN = re.compile(rb"[0-9a-f]{16}")


class HistoryReset(StoreDamaged):
    """The log stopped being the one that was being read; reading starts again."""


class News(NamedTuple):
    """
    What somebody has just seen of a log.

    Attributes
    ----------
    newest
        The last commit.
    since
        The commit that ``entries`` begin with.
    entries
        Reply to ``news_command``; None where it was not asked for.
    """

    newest: Position
    since: Position = Position()
    entries: list[RawEntry] | None = None


def news_command(log_key: str, position: Position) -> tuple[str | int, ...]:
    """What ``read_since`` asks for first, for who asks for several logs at once."""
    start = f"{position.seq}-0" if position.seq else "-"
    return ("XRANGE", log_key, start, "+", "COUNT", _FIRST_ENTRIES)


def position_in(meta_key: str, seq: bytes | None, chain: bytes | None) -> Position:
    """
    The last commit, as the state of a collection says; that before the first where it says nothing.

    Raises
    ------
    StoreDamaged
        If it is not one.
    """
    number = number_in(f"seq in {meta_key!r}", seq)
    if not number:
        return Position()
    if chain is None or not _CHAIN.fullmatch(chain):
        raise damaged(f"hash in {meta_key!r}")
    return Position(number, chain)


def read_since(
    link: Link,
    log_key: str,
    position: Position,
    asked: list[RawEntry] | None = None,
    least: int = 0,
) -> Iterator[LogPage] | None:
    """
    Entries after a position, in pages, or None when the log has no such position.

    Parameters
    ----------
    asked
        Reply to ``news_command``, where the caller has it.
    least
        Number of a commit that was there before: a log that ends earlier has lost it.

    Raises
    ------
    HistoryReset
        While the pages are read, if the log turns out to be another one, or to lack some of its entries.

    The read includes the position itself: the first entry must be it, with the same hash. A server that was
    reset, restored or swapped can't pass that, though its numbers may be the same.

    Cost
    ----
    One round trip where fewer than 100 commits are new.
    """
    if asked is None:
        asked = link.call(*news_command(log_key, position), retry=True)
    first = entries_in(link, log_key, asked)
    if position.seq:
        if not first or first[0].position != position:
            return None
        pages = _pages(link, log_key, first, skip=1)
    elif first and first[0].position.seq != 1:
        return None
    else:
        pages = _pages(link, log_key, first, skip=0)
    return _without_gap(link, log_key, pages, position.seq, least)


def _without_gap(
    link: Link, log_key: str, pages: Iterator[LogPage], last: int, least: int
) -> Iterator[LogPage]:
    """The same pages, as long as each follows the one before by its numbers, up to ``least`` at least."""
    for page in pages:
        newest = page[-1].position.seq
        if newest != last + len(page):
            break
        last = newest
        yield page
    else:
        if last >= least:
            return
    msg = f"{link.settings.where}: the log {log_key!r} lacks an entry after commit {last}"
    raise HistoryReset(msg)


def has_position(link: Link, log_key: str, position: Position) -> bool:
    """Whether the log has this very commit. One round trip."""
    return entry_at(link, log_key, position) is not None


def entry_at(link: Link, log_key: str, position: Position) -> Entry | None:
    """The commit at a position, or None where the log does not have it any more. One round trip."""
    entry_id = f"{position.seq}-0"
    found = link.call("XRANGE", log_key, entry_id, entry_id, retry=True)
    entry = next(iter(entries_in(link, log_key, found)), None)
    return entry if entry and entry.position == position else None


def read_from(link: Link, log_key: str, seq: int) -> Iterator[LogPage]:
    """
    Entries from a number on that are still in the log, in pages.

    Cost
    ----
    One round trip for every MiB of commits, or 2,000.
    """
    return _pages(link, log_key, _page(link, log_key, f"{seq}-0", _FIRST_ENTRIES), skip=0)


def read_back(link: Link, log_key: str, seq: int) -> Iterator[LogPage]:
    """
    Entries up to a number that are still in the log, in pages, the newest page first.

    Cost
    ----
    As ``read_from``.
    """
    count = _FIRST_ENTRIES
    while seq > 0:
        first = max(seq - count + 1, 1)
        raw = link.call("XRANGE", log_key, f"{first}-0", f"{seq}-0", retry=True)
        page = entries_in(link, log_key, raw)
        if page:
            yield page
        if not page or page[0].position.seq > first:
            return
        count = _count_for(page)
        seq = first - 1


def wait_for(
    link: Link, log_key: str, seq: int, wait_ms: int, *, retry: bool = True
) -> Sequence[Entry]:
    """
    The first entries in the log after a number; none when no commit comes within ``wait_ms`` milliseconds.

    The caller checks whether they follow what it has. With ``retry`` false, a link that breaks meanwhile is an error
    at once.

    Cost
    ----
    One round trip, which lasts until there is an entry; it has to end before the link's ``socket_timeout_s``.
    """
    wait = ("BLOCK", wait_ms) if wait_ms > 0 else ()
    reply = link.call(
        "XREAD", "COUNT", _WAIT_ENTRIES, *wait, "STREAMS", log_key, f"{seq}-0", retry=retry
    )
    return entries_in(link, log_key, reply[0][1]) if reply else []


def _page(link: Link, log_key: str, start: str, count: int) -> LogPage:
    raw = link.call("XRANGE", log_key, start, "+", "COUNT", count, retry=True)
    return entries_in(link, log_key, raw)


def entries_in(link: Link, log_key: str, raw: list[RawEntry]) -> LogPage:
    """
    The entries of a reply.

    Raises
    ------
    StoreDamaged
        If dealdb did not write one of them.
    """
    try:
        return LogPage(raw)
    except Exception as problem:
        if not is_damage(problem):
            raise
        msg = (
            f"{link.settings.where}: the stream {log_key!r} holds an entry that dealdb did not write; "
            "dealdb doctor names the way out"
        )
        raise StoreDamaged(msg) from problem


def _pages(link: Link, log_key: str, page: LogPage, *, skip: int) -> Iterator[LogPage]:
    count = _FIRST_ENTRIES
    while True:
        full = len(page) == count
        last = page[-1].position if page else None
        if len(page) > skip:
            yield page[skip:]
        if not full or last is None:
            return
        count = _count_for(page)
        page = _page(link, log_key, f"{last.seq}-0", count)
        if not page or page[0].position != last:
            msg = f"{link.settings.where}: the log {log_key!r} was reset while it was read"
            raise HistoryReset(msg)
        skip = 1


def _count_for(page: LogPage) -> int:
    """How many entries to ask for next, from what is known of their size."""
    size = page.data_bytes // len(page) + 1
    return max(2, min(_PAGE_BYTES // size, _MAX_ENTRIES))
