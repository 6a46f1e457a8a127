"""How far a feed is in the log of one partition of several."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from dealdb.connection import Link
from dealdb.store.history.course import ORIGIN, Course, Point, Reset
from dealdb.store.history.reading import follows
from dealdb.store.keys import Keys, check_format
from dealdb.store.log.entry import Entry, Position
from dealdb.store.log.reader import position_in


class PartCourse(Course):
    """
    The commits of one partition in order.

    The feed reads the logs of all partitions together, a part of each at a time. What is sealed already is read by the
    partition alone, until that part of its log follows.

    Parameters
    ----------
    link, keys, reset, number
        As of a ``Course``.
    """

    def __init__(self, link: Link, keys: Keys, reset: Reset, number: int) -> None:
        super().__init__(link, keys, reset, number)
        # what was read of the log
        self._ahead: deque[Entry] = deque()
        # what is known to follow the position
        self._sure: Entry | None = None
        self._newest = Position()

    def _points(self, here: Point) -> Iterator[Point]:
        if self._silent_until:
            yield from super()._points(here)
        else:
            # what there is of a log is read with those of all others
            yield here
            yield ORIGIN

    def _pass_over(self) -> None:
        if self._silent_until:
            super()._pass_over()
        # what comes next is read with the logs of all others
        self._page.clear()
        self._older = None

    @property
    def lags(self) -> bool:
        """Whether there are more commits than it has passed."""
        return self.position.seq < self._newest.seq

    @property
    def is_sealed(self) -> bool:
        """Whether it is reading what is sealed."""
        return self._older is not None

    def newest_in(self, told: Sequence[Any]) -> Position:
        """The newest commit, as the state of the partition says by its ``format``, ``seq`` and ``hash``."""
        form, seq, chain = told
        check_format(self.keys, form)
        return position_in(self.keys.meta, seq, chain)

    def see(self, here: Position) -> None:
        """
        Take note of the newest commit.

        Raises
        ------
        FeedReset
            If the history is not its own any more.
        """
        if here != self.position and here.seq <= self.position.seq:
            raise self._reset(self.position)
        self._newest = here

    def at_hand(self) -> Entry | None:
        """The commit after the position, from what was read; None where the log, or what is sealed, has to be asked."""
        while True:
            if self._page:
                head = self._page[0]
                if head is self._sure or _follows(self.position, head):
                    self._sure = head
                    return head
                # an interrupt has lost a commit on the way: from where it was
                self._page.clear()
                self._older = None
            while self._ahead and self._ahead[0].position.seq <= self.position.seq:
                self._ahead.popleft()
            if self._ahead and _follows(self.position, self._ahead[0]):
                # what is sealed ends here: the rest comes with the logs of all others
                self._older = None
                self._page.append(self._ahead[0])
            elif self._older is not None:
                self._read_on()
            else:
                return None

    # its log ---------------------------------------------------------------------------------------

    def wants(self, n: int) -> bool:
        """Whether more of its log should be read, where so many commits are read at a time."""
        return self.lags and len(self._ahead) <= n // 2 and self._read_up_to < self._newest.seq

    def command(self, n: int) -> tuple[str | int, ...]:
        """Asks for the next commits of its log."""
        return ("XREAD", "COUNT", n, "STREAMS", self.keys.log, f"{self._read_up_to}-0")

    def add_log(self, entries: Sequence[Entry]) -> None:
        """Take what its log has had next."""
        self._ahead.extend(entries)
        if entries and entries[-1].position.seq > self._newest.seq:
            self._newest = entries[-1].position

    @property
    def _read_up_to(self) -> int:
        return self._ahead[-1].position.seq if self._ahead else self.position.seq


def _follows(last: Position, entry: Entry) -> bool:
    # the number first: it takes less time than the hash
    return entry.position.seq == last.seq + 1 and follows(last, entry)
