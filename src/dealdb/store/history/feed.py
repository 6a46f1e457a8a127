"""
The live feed of a collection: its commits one by one, as they happen.

A feed waits on a socket of its own. The chain hash of each commit proves that it follows the one before, so a gap
or another history can't pass unseen: a gap is filled from the sealed history, another history is an error.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import NamedTuple, Self

from dealdb.connection import OwnLink
from dealdb.engines import ENGINES, on_engines
from dealdb.errors import (
    FeedReset,
    ServerRefused,
    ServerUnavailable,
    StoreDamaged,
    StoreError,
)
from dealdb.model.schema import Schema
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.bounds.wall import Reading
from dealdb.store.history.feed_commits import Commit, commit_of
from dealdb.store.history.feed_start import Since, token_of
from dealdb.store.history.last_commit import last_until
from dealdb.store.history.reading import follows, is_known, read_history
from dealdb.store.keys import Keys, check_format
from dealdb.store.log.entry import Entry, Position
from dealdb.store.log.reader import position_in, wait_for

# how often a feed without news looks whether the history is still its own
LONGEST_WAIT_S = 1.0
# a proxy may cut what is silent for less than that: so short a wait is not cut for its silence
SHORTEST_WAIT_S = 0.05
# how long a feed keeps to shorter waits: what cut the link may have been a restart and no proxy
CAREFUL_S = 60.0


class _Point(NamedTuple):
    """A state that a feed can begin from."""

    position: Position
    schema: Schema


_ORIGIN = _Point(Position(), Schema(0, ()))


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
        self._since = since
        self._timeout_s = timeout_s
        self._closed = self._has_told = False
        self._silent_until = 0
        # how long a wait may be, and from when on it may be longer again
        self._longest_s, self._careful_until = _longest_of(link), 0.0
        self._position = Position()
        self._schema = Schema(0, ())
        # what was read and not returned yet, and what is still being read of older commits
        self._page: deque[Entry] = deque()
        self._older: Iterator[Entry] | None = None
        try:
            self._begin()
        except BaseException:
            link.close()
            raise

    def __repr__(self) -> str:
        where = self._link.settings.where_db(self._link.db)
        return f"<Feed of {where} collection {self._keys.collection!r} after commit {self._position.seq}>"

    @property
    def token(self) -> str:
        """Names the last commit that was returned, or the one that the feed began after: where to continue."""
        return token_of(self._position)

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
            while (entry := self._next_entry(ends_at)) is not None:
                schema = self._schema_after(entry)
                commit = _commit_of(entry, schema)
                self._pass(entry, schema)
                if not self._is_past(entry):
                    # whatever time the next one has: it changes what was returned
                    self._has_told = True
                    return commit
        except StoreError:
            if not self._closed:
                raise
        raise StopIteration

    # where to begin --------------------------------------------------------------------------------

    def _begin(self) -> None:
        here = self._here()
        since = self._since
        if since.seq is not None and since.seq > here.position.seq:
            raise self._reset(Position(since.seq, since.hash or b""))
        self._silent_until = self._last_passed(here)
        start = next(
            (p for p in self._points(here) if p.position.seq <= self._silent_until), _ORIGIN
        )
        self._position, self._schema = start.position, start.schema
        if start is not here:
            self._pass_over()
        if since.seq is not None and not since.is_at(self._position):
            raise self._reset(Position(since.seq, since.hash or b""))

    def _last_passed(self, here: _Point) -> int:
        """Number of the last commit that exists and is not returned."""
        if self._since.seq is not None:
            return self._since.seq
        if self._since.time_ms is None:
            return here.position.seq
        return last_until(self._link, self._keys, self._since.time_ms)

    def _here(self) -> _Point:
        """The newest commit."""
        names = ("format", "seq", "hash", "schema")
        form, seq, chain, schema = self._link.call("HMGET", self._keys.meta, *names, retry=True)
        check_format(self._keys, form)
        if seq is None:
            return _ORIGIN
        with Reading(f"the schema in {self._keys.meta!r}"):
            return _Point(position_in(self._keys.meta, seq, chain), Schema.from_json(schema))

    def _points(self, here: _Point) -> Iterator[_Point]:
        yield here
        manifest = read_manifest(self._link, self._keys)
        for generation in manifest.generations if manifest else ():
            yield _Point(generation.position, generation.schema)

    @on_engines
    def _pass_over(self) -> None:
        """Skip to where the feed begins, without returning what comes before."""
        # of the thousands of deals of each commit of a load nothing is looked at
        until = self._silent_until
        self._older = read_history(self._link, self._keys, since=self._position, bare_until=until)
        for entry in self._older:
            if not self._is_past(entry):
                self._page.append(entry)
                return
            self._pass(entry, self._schema_after(entry))
        self._older = None

    def _is_past(self, entry: Entry) -> bool:
        if entry.position.seq <= self._silent_until:
            return True
        # by the server's clock, a moment of the future may be still to come
        until_ms = self._since.time_ms
        return not self._has_told and until_ms is not None and entry.time_ms <= until_ms

    def _schema_after(self, entry: Entry) -> Schema:
        with entry.reading():
            return Schema.from_json(entry.data) if entry.kind == "schema" else self._schema

    def _pass(self, entry: Entry, schema: Schema) -> None:
        if self._page and self._page[0] is entry:
            self._page.popleft()
        self._schema = schema
        # last: after an interrupt on the way the page doesn't follow the position, and is read again
        self._position = entry.position

    # what comes ------------------------------------------------------------------------------------

    def _next_entry(self, ends_at: float | None) -> Entry | None:
        """The commit after the position; None when the feed is closed or it is time to end."""
        while not self._closed:
            if self._page and follows(self._position, self._page[0]):
                return self._page[0]
            if self._page:
                # trimmed meanwhile, or another history: the sealed one shows which
                self._page.clear()
                self._read_older()
            elif self._older is not None:
                self._read_on()
            elif not self._wait(ends_at):
                return None
        return None

    @on_engines
    def _read_older(self) -> None:
        """Begin to read the history after the position; there is some."""
        self._older = read_history(self._link, self._keys, since=self._position)
        self._read_on()
        if not self._page:
            msg = (
                f"{self._link.settings.where}: the log of {self._keys.collection!r} has lost what came after commit "
                f"{self._position.seq}; copy the deals again, and follow from now"
            )
            raise self._lost(StoreDamaged(msg))

    @on_engines
    def _read_on(self) -> None:
        older, self._older = self._older, None
        try:
            entry = next(older, None) if older is not None else None
        except StoreDamaged as damaged:
            raise self._lost(damaged) from damaged
        if entry is not None:
            self._page.append(entry)
            # only now: an iterator that an error has ended would look like the end of the history
            self._older = older

    def _wait(self, ends_at: float | None) -> bool:
        """Wait a while for new commits; False when it is time to end."""
        now = time.monotonic()
        if now > self._careful_until:
            self._longest_s = _longest_of(self._link)
        left = self._longest_s if ends_at is None else min(self._longest_s, ends_at - now)
        with suppress(_Unblocked):
            self._page.extend(self._new_entries(int(left * 1000)))
        if not self._page:
            self._check()
        return bool(self._page or self._older or ends_at is None or time.monotonic() < ends_at)

    def _new_entries(self, wait_ms: int) -> Sequence[Entry]:
        began = time.monotonic()
        # not again and again: what is between may cut each wait, though it lets everything else pass
        is_last_try = self._longest_s <= SHORTEST_WAIT_S
        try:
            seq = self._position.seq
            return wait_for(self._link, self._keys.log, seq, wait_ms, retry=is_last_try)
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

    def _check(self) -> None:
        """That nothing new is in the log has to mean that there is nothing new."""
        here = self._here().position
        if here == self._position:
            return
        if here.seq <= self._position.seq:
            raise self._reset(self._position)
        # committed since; or the log was removed
        self._read_older()

    # what is wrong ---------------------------------------------------------------------------------

    def _lost(self, damaged: StoreDamaged) -> StoreError:
        known = is_known(self._link, self._keys, self._position)
        return damaged if known else self._reset(self._position)

    def _reset(self, position: Position) -> FeedReset:
        msg = (
            f"{self._link.settings.where}: the history of {self._keys.collection!r} no longer has commit "
            f"{position.seq}, which this feed was at: it was emptied, restored or cut short; drop what was copied, "
            "and follow from the beginning (since=0)"
        )
        return FeedReset(msg, token=token_of(position))


def _commit_of(entry: Entry, schema: Schema) -> Commit:
    # the others need no Polars, so that a forked child may follow them
    with entry.reading(), ENGINES if entry.kind == "add" else nullcontext():
        return commit_of(entry, schema)


def _longest_of(link: OwnLink) -> float:
    """How long a wait may be where nothing is known of what is between."""
    return min(LONGEST_WAIT_S, link.settings.socket_timeout_s / 2)


class _Unblocked(Exception):
    """A wait has ended before its time: by the server, or by what is between."""
