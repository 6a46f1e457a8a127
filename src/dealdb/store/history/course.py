"""How far a feed is in one log, and what it has read of it and not returned yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from dealdb.connection import Link
from dealdb.engines import ENGINES, on_engines
from dealdb.errors import FeedReset, StoreDamaged, StoreError
from dealdb.model.schema import Schema
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.bounds.wall import Reading
from dealdb.store.history.feed_commits import Commit, commit_of
from dealdb.store.history.feed_start import Since
from dealdb.store.history.last_commit import last_until
from dealdb.store.history.reading import follows, is_known, read_history
from dealdb.store.keys import Keys, check_format
from dealdb.store.log.entry import Entry, Position
from dealdb.store.log.reader import position_in

# gives the error for a history that no longer has a commit
Reset = Callable[[Position], FeedReset]


class Point(NamedTuple):
    """A state that a feed can begin from."""

    position: Position
    schema: Schema


ORIGIN = Point(Position(), Schema(0, ()))


class Course:
    """
    The commits of one log in order, as far as they are there; it never waits.

    Parameters
    ----------
    link
        Way to the database.
    keys
        Of the log.
    reset
        Gives the error for a history that is not its own any more.
    number
        Which partition the log is of.

    Attributes
    ----------
    position
        The last commit that was returned, or passed over.
    """

    def __init__(self, link: Link, keys: Keys, reset: Reset, number: int = 0) -> None:
        self._link = link
        self.keys = keys
        self.number = number
        self._reset = reset
        self._has_told = False
        self._until_ms: int | None = None
        self._silent_until = 0
        self.position = Position()
        self._schema = Schema(0, ())
        # what was read and not returned yet, and what is still being read of older commits
        self._page: deque[Entry] = deque()
        self._older: Iterator[Entry] | None = None

    # where to begin --------------------------------------------------------------------------------

    def begin(self, since: Since, here: Point) -> None:
        """
        Begin there, where ``here`` is the newest commit.

        Raises
        ------
        FeedReset
            If the history doesn't have the commit to begin after.
        StoreDamaged
            If a part of the history is missing.
        """
        if since.seq is not None and since.seq > here.position.seq:
            raise self._reset(Position(since.seq, since.hash or b""))
        self._until_ms = since.time_ms
        self._silent_until = self._last_passed(since, here)
        start = next(
            (p for p in self._points(here) if p.position.seq <= self._silent_until), ORIGIN
        )
        self.position, self._schema = start.position, start.schema
        if start is not here:
            self._pass_over()
        if since.seq is not None and not since.is_at(self.position):
            raise self._reset(Position(since.seq, since.hash or b""))

    def here(self) -> Point:
        """The newest commit. One round trip."""
        return self.point_in(self._link.call(*self.look, retry=True))

    @property
    def look(self) -> tuple[str, ...]:
        """Asks for what ``point_in`` takes."""
        return ("HMGET", self.keys.meta, "format", "seq", "hash", "schema")

    def point_in(self, told: Sequence[Any]) -> Point:
        """The newest commit, as the reply to ``look`` says."""
        form, seq, chain, schema = told
        check_format(self.keys, form)
        if seq is None:
            return ORIGIN
        with Reading(f"the schema in {self.keys.meta!r}"):
            return Point(position_in(self.keys.meta, seq, chain), Schema.from_json(schema))

    def _last_passed(self, since: Since, here: Point) -> int:
        """Number of the last commit that exists and is not returned."""
        if since.seq is not None:
            return since.seq
        if since.time_ms is None:
            return here.position.seq
        return last_until(self._link, self.keys, since.time_ms)

    def _points(self, here: Point) -> Iterator[Point]:
        yield here
        manifest = read_manifest(self._link, self.keys)
        for generation in manifest.generations if manifest else ():
            yield Point(generation.position, generation.schema)

    @on_engines
    def _pass_over(self) -> None:
        """Skip to where the feed begins, without returning what comes before."""
        # of what is passed over, the deals are not wanted
        self._older = read_history(
            self._link, self.keys, since=self.position, bare_until=self._silent_until
        )
        for entry in self._older:
            if not self._is_past(entry):
                self._page.append(entry)
                return
            self._pass(entry, self._schema_after(entry))
        self._older = None

    # what comes ------------------------------------------------------------------------------------

    def at_hand(self) -> Entry | None:
        """The commit after the position, from what was read or is sealed; None where the log has to be asked."""
        while True:
            if self._page and follows(self.position, self._page[0]):
                return self._page[0]
            if self._page:
                # trimmed meanwhile, or another history: the sealed one shows which
                self._page.clear()
                self.read_older()
            elif self._older is not None:
                self._read_on()
            else:
                return None

    @property
    def has_news(self) -> bool:
        """Whether there is more to look at before the log is asked."""
        return bool(self._page or self._older)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take what the log has had after the position."""
        self._page.extend(entries)

    def take(self, entry: Entry, token: str) -> Commit | None:
        """Go past a commit that is at hand, and return it under this token; None for one that is not told."""
        schema = self._schema_after(entry)
        # the others need no Polars, so that a forked child may follow them
        with entry.reading(), ENGINES if entry.kind == "add" else nullcontext():
            commit = commit_of(entry, schema, token, self.number)
        self._pass(entry, schema)
        if self._is_past(entry):
            return None
        # whatever time the next one has: it changes what was returned
        self._has_told = True
        return commit

    def check(self, here: Position) -> None:
        """See to it that nothing new in the log means that there is nothing new; ``here`` is the newest commit."""
        if here == self.position:
            return
        if here.seq <= self.position.seq:
            raise self._reset(self.position)
        # committed since; or the log was removed
        self.read_older()

    @on_engines
    def read_older(self) -> None:
        """Begin to read the history after the position; there is some."""
        self._older = read_history(self._link, self.keys, since=self.position)
        self._read_on()
        if not self._page:
            msg = (
                f"{self._link.settings.where}: the log of {self.keys.collection!r} has lost what came after commit "
                f"{self.position.seq}; copy the deals again, and follow from now"
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

    def _is_past(self, entry: Entry) -> bool:
        if entry.position.seq <= self._silent_until:
            return True
        # by the server's clock, a moment of the future may be still to come
        until_ms = self._until_ms
        return not self._has_told and until_ms is not None and entry.time_ms <= until_ms

    def _schema_after(self, entry: Entry) -> Schema:
        with entry.reading():
            return Schema.from_json(entry.data) if entry.kind == "schema" else self._schema

    def _pass(self, entry: Entry, schema: Schema) -> None:
        if self._page and self._page[0] is entry:
            self._page.popleft()
        self._schema = schema
        # last: after an interrupt on the way the page doesn't follow the position, and is read again
        self.position = entry.position

    def _lost(self, damaged: StoreDamaged) -> StoreError:
        known = is_known(self._link, self.keys, self.position)
        return damaged if known else self._reset(self.position)
