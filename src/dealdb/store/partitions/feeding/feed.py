"""The live feed of a collection of several partitions: the commits of all, each once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from dealdb.connection import OwnLink
from dealdb.errors import FeedReset, QueryError
from dealdb.store.history.course import Course, Point, Reset
from dealdb.store.history.feed import Feed
from dealdb.store.history.feed_commits import Commit
from dealdb.store.history.feed_start import Since, token_of, vector_token
from dealdb.store.history.state import state_gone
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Entry, Position
from dealdb.store.log.reader import entries_in
from dealdb.store.partitions.begin import Beginning
from dealdb.store.partitions.feeding.part_course import PartCourse
from dealdb.store.partitions.partition import Partition

# how often a feed without news looks for some on a cluster, where no command waits for several of its keys
POLL_S = 0.05
# commits that are read at a time: of each log, and of all together
_LEAST, _MOST = 8, 100
# somebody may empty the collection between two commands
_MAX_TRIES = 2


class PartitionedFeed(Feed):
    """
    Commits of all partitions, each once, in order within its partition.

    Of those that are still in the logs when the feed comes to them, the one with the earliest time is next. Those that
    are sealed already come before them, partition after partition, so that no more than one segment is in memory.

    Parameters
    ----------
    link
        Way to the database, over sockets of its own; the feed closes it.
    keys
        Of the collection as a whole.
    partitions
        They.
    since, timeout_s
        As of a ``Feed``.

    Raises
    ------
    QueryError
        If it is to begin at the number of a commit, which is one of each partition.
    FeedReset, StoreDamaged
        As a ``Feed`` raises them.

    Cost
    ----
    To begin now or before all, two round trips; in the past, some for each partition that has had commits since. Then,
    on one server, one for each wait; on a cluster one to each node every 50 ms while nothing is new. While it catches
    up, one for every 100 commits; more where there are more than 12 partitions.
    """

    def __init__(
        self,
        link: OwnLink,
        keys: Keys,
        partitions: Sequence[Partition],
        since: Since,
        timeout_s: float | None = None,
    ) -> None:
        self._beginning = Beginning(link, keys, len(partitions))
        self._at_a_time = max(_LEAST, _MOST // len(partitions))
        self._polls = bool(link.settings.cluster)
        self._is_quiet = False
        # what was to be begun at, until that is done
        self._asked: str | None = None
        self._courses = [
            PartCourse(link, part.keys, self._reset_in(number), number)
            for number, part in enumerate(partitions)
        ]
        super().__init__(link, keys, since, timeout_s)

    @property
    def token(self) -> str:
        """Names the last commit of each partition that was returned: where to continue."""
        return vector_token([course.position for course in self._courses])

    @property
    def _where(self) -> str:
        return f"{sum(course.position.seq for course in self._courses)} commits"

    # where to begin --------------------------------------------------------------------------------

    def _begin(self, since: Since) -> None:
        starts = self._starts(since)
        self._asked = vector_token(since.vector) if since.vector else None
        for course, start, here in zip(self._courses, starts, self._points(), strict=True):
            course.begin(start, here)
            course.see(here.position)
        self._asked = None

    def _points(self) -> list[Point]:
        """
        The newest commit of each partition. One round trip, two in a cluster.

        Raises
        ------
        StoreDamaged
            If one has commits, and its state, which says how many, is gone.
        """
        keys = [course.keys for course in self._courses]
        # before the states: who begins a partition meanwhile gives it one with its first commit
        logs = [("EXISTS", each.log, each.checkpoint) for each in keys]
        looks = [*logs, *self._beginning.looks, *(course.look for course in self._courses)]
        for _ in range(_MAX_TRIES):
            replies = self._link.calls(looks, retry=True)
            layout, form, *told = replies[len(logs) :]
            self._beginning.check(layout, form)
            points = [c.point_in(each) for c, each in zip(self._courses, told, strict=True)]
            there = zip(keys, replies, points, strict=False)
            gone = [of for of, exists, point in there if exists and not point.position.seq]
            if not gone:
                return points
        raise state_gone(self._link, gone)

    def _starts(self, since: Since) -> list[Since]:
        """Where to begin in each partition."""
        n = len(self._courses)
        if since.vector is not None:
            if len(since.vector) != n:
                token = vector_token(since.vector)
                raise self._not_of_this(token, f"of partitions={len(since.vector)}")
            return [Since(seq=seq, hash=chain) for seq, chain in since.vector]
        if since.seq and since.hash:
            token = token_of(Position(since.seq, since.hash))
            raise self._not_of_this(token, "of a collection of one piece")
        if since.seq:
            msg = (
                f"since: {since.seq} is not a start in a collection of partitions, where each counts its own commits; "
                "give the token of a commit, a moment, or 0 for all"
            )
            raise QueryError(msg, text=str(since.seq))
        return [since] * n

    # what comes ------------------------------------------------------------------------------------

    def _ready(self) -> tuple[Course, Entry] | None:
        sealed = next((course for course in self._courses if course.is_sealed), None)
        if sealed is not None and (entry := sealed.at_hand()) is not None:
            return sealed, entry
        self._fill()
        found: tuple[Course, Entry] | None = None
        for course in self._courses:
            entry = course.at_hand()
            if entry is None:
                if not course.lags:
                    continue
                # trimmed, or another history: the sealed one shows which
                course.read_older()
                return None if (entry := course.at_hand()) is None else (course, entry)
            if found is None or entry.time_ms < found[1].time_ms:
                found = course, entry
        return found

    def _fill(self) -> None:
        """Read on in the logs of all partitions that need it, if one has nothing at hand though there is more."""
        if all(course.at_hand() is not None or not course.lags for course in self._courses):
            return
        n = self._at_a_time
        some = [course for course in self._courses if course.wants(n)]
        replies = self._link.calls([course.command(n) for course in some], retry=True)
        for course, reply in zip(some, replies, strict=True):
            course.add_log(entries_in(self._link, course.keys.log, reply[0][1]) if reply else [])

    def _told(self, course: Course, entry: Entry) -> Commit | None:
        return course.take(entry, self._token_at(course.number, entry.position))

    def _token_at(self, number: int, position: Position) -> str:
        """The token of a position of one partition, and of the others as they are."""
        points = [course.position for course in self._courses]
        points[number] = position
        return vector_token(points)

    # waiting ---------------------------------------------------------------------------------------

    def _listen(self, wait_ms: int, *, retry: bool) -> None:
        if self._polls:
            # at once where there was news just now
            if self._is_quiet and wait_ms > 0:
                time.sleep(min(POLL_S, wait_ms / 1000))
            return
        logs = {course.keys.log.encode(): course for course in self._courses}
        wait = ("BLOCK", wait_ms) if wait_ms > 0 else ()
        after = [f"{course.position.seq}-0" for course in self._courses]
        reply = self._link.call(
            "XREAD", "COUNT", self._at_a_time, *wait, "STREAMS", *logs, *after, retry=retry
        )
        for log, raw in reply or ():
            logs[log].add_log(entries_in(self._link, log.decode(), raw))
        if any(course.lags and not course.position.seq for course in self._courses):
            # any commit follows none at all: is it one of this collection?
            self._check()

    @property
    def _has_news(self) -> bool:
        return any(course.lags for course in self._courses)

    def _check(self) -> None:
        metas = [course.keys.meta for course in self._courses]
        layout, form, *told = self._link.calls(
            [*self._beginning.looks, *(("HMGET", meta, "format", "seq", "hash") for meta in metas)],
            retry=True,
        )
        self._beginning.check(layout, form)
        for course, each in zip(self._courses, told, strict=True):
            course.see(course.newest_in(each))
        self._is_quiet = not self._has_news

    # what is wrong ---------------------------------------------------------------------------------

    def _reset_in(self, number: int) -> Reset:
        """Gives the error for the history of a partition that has not a commit any more."""

        def reset(position: Position) -> FeedReset:
            token = self._asked or self._token_at(number, position)
            return self._reset_of(token, f"commit {position.seq} of partition {number}")

        return reset

    def _not_of_this(self, token: str, which: str) -> FeedReset:
        msg = (
            f"{self._link.settings.where}: this token is {which}, and {self._keys.collection!r} has "
            f"partitions={len(self._courses)}: its history is another one; drop what was copied, and follow from the "
            "beginning (since=0)"
        )
        return FeedReset(msg, token=token)
