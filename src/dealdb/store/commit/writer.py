"""
A writer: one name, under which a thread commits exactly once, however often it has to send.

A commit carries the name of its writer and a counter. The server answers a repeated counter with the
first answer and refuses one that is not the next, so a commit whose answer was lost can simply be
sent again.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dealdb.connection import Link
from dealdb.connection.retry import Pauses
from dealdb.errors import OutcomeUnknown, PoolTimeout, ServerUnavailable, StoreError, WriterClash
from dealdb.store.bounds.wall import number_in
from dealdb.store.commit.change import Change, Condition, Reply
from dealdb.store.commit.durability import Wait, is_reached
from dealdb.store.commit.script import CommitScript, Sending
from dealdb.store.keys import Keys

_TOUCH = b"""
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'touched', '1') end
return redis.call('HGET', KEYS[2], ARGV[1])
"""
# a copy of the commit was carried out, and others after it
_EARLIER = Reply("repeat", (b"earlier",))


@dataclass(slots=True)
class _Open:
    """
    Commits whose answer is awaited, or was lost.

    Attributes
    ----------
    n
        How many, with the counters behind the writer's.
    digests
        Of each.
    is_doubtful
        Whether a copy was sent that was not answered.
    happened
        Whether all of them did; None until that is known.
    is_lost
        Whether it can't be known any more.
    """

    n: int
    digests: Sequence[str]
    is_doubtful: bool = False
    happened: bool | None = None
    is_lost: bool = False

    @property
    def digest(self) -> str:
        """Of the last one."""
        return self.digests[-1]


class _Reached(NamedTuple):
    """
    How far a writer has come; one value, so that no interrupt leaves a part of it behind.

    Attributes
    ----------
    counter
        Of the last commit that is known to have happened.
    open
        Commits behind it that may be on their way, or have happened.
    """

    counter: int = 0
    open: _Open | None = None


class Writer:
    """
    One thread's name and counter.

    Parameters
    ----------
    script
        What it sends with.
    name
        That of another process's writer, which is to commit no more; None to choose one.
    known_seq
        A commit that the collection has.

    Attributes
    ----------
    pid
        Process that it belongs to.
    is_where_asked
        Whether its last commit was found to be where its durability asks for.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        script: CommitScript,
        name: str | None = None,
        known_seq: int = 0,
    ) -> None:
        self.pid = os.getpid()
        self._link = link
        self._keys = keys
        self._script = script
        # another's name may have no record any more, and is to get one
        self._known = "" if name else str(known_seq)
        self._name = name or secrets.token_hex(8)
        self._reached = _Reached()
        self._wait: Wait | None = None
        self.is_where_asked = False
        # a thread has its writer to itself, except where another resolves what this one could not
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Random text that no other writer has."""
        return self._name

    @property
    def is_settled(self) -> bool:
        """Whether nothing that it has sent can still take effect."""
        return self._reached.open is None

    def commit(self, changes: Sequence[Change], wait: Wait | None = None) -> list[Reply]:
        """
        Send changes once each, in their order, as often as it takes.

        Returns the replies to those that were carried out, and behind them the one that says why the next was not.
        """
        with self._lock:
            self._wait, self.is_where_asked = wait, False
            if self._reached.open:
                # a commit that may still be on its way must not take effect after the next one
                self._void(self._reached.open)
            return self._commit(changes)

    def is_known(self) -> bool:
        """Whether the server has its last commit."""
        return self._is_recent(self._link.call("HGET", self._keys.writers, self._name, retry=True))

    def assure(self, wait: Wait) -> bool:
        """Whether what the server has now, its last commit too, comes to be where it is asked for."""
        keys = (self._keys.meta, self._keys.writers)
        # the server waits for what this very connection has written: so it writes something
        record, answer = self._link.calls(
            [("EVAL", _TOUCH, 2, *keys, self._name), wait], retry=True, keep_errors=True
        )
        if isinstance(record, StoreError):
            raise record
        return self._is_recent(record) and is_reached(wait, answer)

    def _is_recent(self, record: bytes | None) -> bool:
        # a void of another process, which has taken a load over, may come after it
        counter = (record or b"0").partition(b" ")[0]
        return number_in(f"the record of this writer in {self._keys.writers!r}", counter) >= (
            self._reached.counter
        )

    def use_up(self, counter: int, least: int = 0, digest: str = "") -> Reply:
        """
        Let no commit up to this counter take effect any more.

        Parameters
        ----------
        counter
            Of the void that does it.
        least
            Counter that the last commit has at least; where the server has lost it, nothing happens.
        digest
            Of the commit with this counter, if it was sent.
        """
        void = Change(kind="void", condition=Condition.counter_reached(least))
        sending = Sending(self._name, self._known, [void], counter, [digest])
        [reply] = self._until_answered(sending)
        return reply

    def _commit(self, changes: Sequence[Change]) -> list[Reply]:
        sending = Sending.of(self._name, self._known, changes, self._reached.counter + 1)
        sent = _Open(len(changes), sending.digests)
        # before anything is sent: whatever ends this without an answer leaves the outcome open
        self._reached = _Reached(self._reached.counter, sent)
        replies = self._send(sending, sent)
        n_done = next((n for n, reply in enumerate(replies) if not reply.is_done), len(replies))
        replies = replies[: n_done + 1]
        if sent.is_doubtful and n_done < len(changes) and replies[-1].status != "clash":
            return self._outrun(sent, replies)
        self._reached = _Reached(self._reached.counter + n_done)
        return replies

    def _send(self, sending: Sending, sent: _Open) -> list[Reply]:
        try:
            return self._until_answered(sending, sent)
        except StoreError as problem:
            if sent.is_doubtful:
                raise self._outcome_unknown(sent, problem) from problem
            if sent.n == 1 or isinstance(problem, (ServerUnavailable, PoolTimeout)):
                # it never left, or was refused
                self._reached = _Reached(self._reached.counter)
            # else, of several, those before the one that was refused were carried out
            raise

    def _outrun(self, sent: _Open, replies: list[Reply]) -> list[Reply]:
        """
        Use up the counters of commits whose earlier copies may still be on their way.

        An answer such as "unchanged" leaves the counter free: the copy would take effect when it arrives, and the
        next commit would be taken for its repeat.
        """
        try:
            void, n_done = self._void(sent, len(replies) - 1)
        except StoreError as problem:
            raise self._outcome_unknown(sent, problem) from problem
        if sent.is_lost:
            raise self._outcome_unknown(sent, clash(self._link.settings.where))
        if not void.is_counted or (void.is_void and n_done == sent.n == 1):
            # the server has lost what it had acknowledged; or the void is that of another process
            return [*replies[:-1], void]
        # copies were quicker: then their answers count
        late = [_EARLIER] * (n_done - len(replies)) + [void if void.is_done else _EARLIER]
        return [*replies[:-1], *late] if n_done >= len(replies) else replies

    def _void(self, sent: _Open, n_known: int = 0) -> tuple[Reply, int]:
        """
        Use up the counters of commits that were sent; so many of them are known to be carried out.

        Returns the answer, and how many of them were carried out.

        Raises
        ------
        StoreError
            If the server can't be asked, or can't tell any more.
        """
        before = self._reached.counter
        reply = self.use_up(before + sent.n, before + n_known, sent.digest)
        if reply.status in ("clash", "forgotten"):
            # this name is of no more use, and nobody can say what became of the commits
            sent.is_lost = True
            self._reached = _Reached(before)
            return reply, 0
        n_done = 0
        if reply.is_counted:
            n_done = sent.n
            if reply.is_void:
                n_done = min(int(reply.rest[0].split()[1]) - before, sent.n)
        # first, for who resolves it later: an interrupt behind it only lets the void be sent again
        sent.happened = n_done == sent.n
        self._reached = _Reached(before + (sent.n if reply.is_counted else 0))
        return reply, n_done

    def _outcome_unknown(self, sent: _Open, problem: StoreError) -> OutcomeUnknown:
        where = self._link.settings.where
        message = (
            f"{where}: a change was sent, and the link broke before the answer came: it happened once or not at all; "
            "resolve() of this error asks the server which, and saving again is safe "
            f"(saving the same values twice changes nothing); what was seen last: {problem}"
        )
        return OutcomeUnknown(message, self._resolver(sent))

    def _resolver(self, sent: _Open) -> Callable[[], bool]:
        def resolve() -> bool:
            with self._lock:
                if sent.happened is None and not sent.is_lost:
                    self._void(sent)
            if sent.happened is None:
                raise clash(self._link.settings.where)
            return sent.happened

        return resolve

    def _until_answered(self, sending: Sending, sent: _Open | None = None) -> list[Reply]:
        began, pauses = time.monotonic(), None
        while True:
            try:
                return self._send_once(sending)
            except StoreError as problem:
                pauses = pauses or Pauses(self._link.settings.retry_deadline_s, began)
                if sent:
                    sent.is_doubtful = sent.is_doubtful or problem.sent
                passing = isinstance(problem, (ServerUnavailable, PoolTimeout))
                if not passing or pauses.over:
                    raise
            pauses.wait()

    def _send_once(self, sending: Sending) -> list[Reply]:
        replies, self.is_where_asked = self._script.run(sending, self._wait)
        return replies


def clash(where: str) -> WriterClash:
    """Error for a name under which the server has the commits of another."""
    return WriterClash(
        f"{where}: the server has other commits under the name of this process: it is a copy of another process (a "
        "cloned machine), or stood still for more than a week; the change was not made under that name; read the "
        "deal and save again"
    )
