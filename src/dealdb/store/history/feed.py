"""
The live feed of a collection: its commits one by one, as they happen.

A feed waits on a socket of its own. The chain hash of each commit proves that it follows the one before, so a gap
or another history can't pass unseen: a gap is filled from the sealed history, another history is an error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from dealdb.connection import OwnLink
from dealdb.errors import FeedReset, ServerRefused, ServerUnavailable, StoreError
from dealdb.store.history.course import Course
from dealdb.store.history.feed_commits import Commit
from dealdb.store.history.feed_start import Since, token_of, vector_token
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Entry, Position
from dealdb.store.log.reader import wait_for

# how often a feed without news looks whether the history is still its own
LONGEST_WAIT_S = 1.0
# a proxy may cut what is silent for less than that: so short a wait is not cut for its silence
SHORTEST_WAIT_S = 0.05
# how long a feed keeps to shorter waits: what cut the link may have been a restart and no proxy
CAREFUL_S = 60.0


class Feed(Iterator[Commit]):
    """
    Commits of a collection in order, each once; iterating waits for the next one.

    Use it in one thread; any thread may ``close`` it, which ends the iteration. After an error that
    is ``retryable``, or when ``timeout_s`` has ended the iteration, iterating again continues where it was.

    Parameters
    ----------
    link
        Way to the database, over a socket of its own; the feed closes it.
    keys
        The collection.
    since
        Where to begin.
    timeout_s
        Seconds without a commit that end the iteration; None to wait for ever.

    Raises
    ------
    FeedReset
        If the history doesn't have the commit to begin after.
    StoreDamaged
        If a part of the history is missing.
    """

    def __init__(
        self, link: OwnLink, keys: Keys, since: Since, timeout_s: float | None = None
    ) -> None:
        self._link = link
        self._keys = keys
        self._timeout_s = timeout_s
        self._closed = False
        # how long a wait may be, and from when on it may be longer again
        self._longest_s, self._careful_until = _longest_of(link), 0.0
        try:
            self._begin(since)
        except BaseException:
            link.close()
            raise

    def __repr__(self) -> str:
        where = self._link.settings.where_db(self._link.db)
        return f"<Feed of {where} collection {self._keys.collection!r} after {self._where}>"

    @property
    def _where(self) -> str:
        return f"commit {self._course.position.seq}"

    @property
    def token(self) -> str:
        """Names the last commit that was returned, or the one that the feed began after: where to continue."""
        return token_of(self._course.position)

    def close(self) -> None:
        """End the iteration and close the socket; safe to repeat."""
        self._closed = True
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __next__(self) -> Commit:
        ends_at = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        try:
            while not self._closed:
                if (ready := self._ready()) is not None:
                    if (commit := self._told(*ready)) is not None:
                        return commit
                elif not self._wait(ends_at):
                    break
        except StoreError:
            if not self._closed:
                raise
        raise StopIteration

    # the log that is followed ----------------------------------------------------------------------

    def _begin(self, since: Since) -> None:
        if since.vector is not None:
            raise self._of_partitions(since.vector)
        self._course = Course(self._link, self._keys, self._reset)
        self._course.begin(since, self._course.here())

    def _ready(self) -> tuple[Course, Entry] | None:
        """The next commit, if it is at hand."""
        entry = self._course.at_hand()
        return None if entry is None else (self._course, entry)

    def _told(self, course: Course, entry: Entry) -> Commit | None:
        """Go past a commit; None where it is not to be told."""
        return course.take(entry, token_of(entry.position))

    def _listen(self, wait_ms: int, *, retry: bool) -> None:
        """Wait for new commits."""
        log, seq = self._keys.log, self._course.position.seq
        self._course.add(wait_for(self._link, log, seq, wait_ms, retry=retry))

    @property
    def _has_news(self) -> bool:
        return self._course.has_news

    def _check(self) -> None:
        """That nothing new is in the log has to mean that there is nothing new."""
        self._course.check(self._course.here().position)

    # waiting ---------------------------------------------------------------------------------------

    def _wait(self, ends_at: float | None) -> bool:
        """Wait a while for new commits; False when it is time to end."""
        now = time.monotonic()
        if now > self._careful_until:
            self._longest_s = _longest_of(self._link)
        left = self._longest_s if ends_at is None else min(self._longest_s, ends_at - now)
        with suppress(_Unblocked):
            self._listen_once(int(left * 1000))
        if not self._has_news:
            self._check()
        return bool(self._has_news or ends_at is None or time.monotonic() < ends_at)

    def _listen_once(self, wait_ms: int) -> None:
        began = time.monotonic()
        # not again and again: what is between may cut each wait, though it lets everything else pass
        is_last_try = self._longest_s <= SHORTEST_WAIT_S
        try:
            self._listen(wait_ms, retry=is_last_try)
        except ServerRefused as refusal:
            # the server became a replica, or somebody ended the wait
            if refusal.reply == "UNBLOCKED":
                raise _Unblocked from refusal
            raise
        except ServerUnavailable as failure:
            if is_last_try or not failure.sent:
                raise
            self._be_careful(time.monotonic() - began)
            # the caller asks for the newest commit, which shows whether the server is there
            raise _Unblocked from failure

    def _be_careful(self, silent_s: float) -> None:
        """Wait for less than what a wait lasted that was cut: a proxy cuts what is silent for too long."""
        self._longest_s = max(min(silent_s, self._longest_s) / 2, SHORTEST_WAIT_S)
        self._careful_until = time.monotonic() + CAREFUL_S

    # what is wrong ---------------------------------------------------------------------------------

    def _reset(self, position: Position) -> FeedReset:
        return self._reset_of(token_of(position), f"commit {position.seq}")

    def _reset_of(self, token: str, commit: str) -> FeedReset:
        msg = (
            f"{self._link.settings.where}: the history of {self._keys.collection!r} no longer has {commit}, which this "
            "feed was at: it was emptied, restored or cut short; drop what was copied, and follow from the beginning "
            "(since=0)"
        )
        return FeedReset(msg, token=token)

    def _of_partitions(self, vector: Sequence[tuple[int, bytes]]) -> FeedReset:
        msg = (
            f"{self._link.settings.where}: this token is of partitions={len(vector)}, and {self._keys.collection!r} is "
            "of one piece: its history is another one; drop what was copied, and follow from the beginning (since=0)"
        )
        return FeedReset(msg, token=vector_token(vector))


def _longest_of(link: OwnLink) -> float:
    """How long a wait may be where nothing is known of what is between."""
    return min(LONGEST_WAIT_S, link.settings.socket_timeout_s / 2)


class _Unblocked(Exception):
    """A wait has ended before its time: by the server, or by what is between."""
