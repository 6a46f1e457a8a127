"""
Commits that happen exactly once.

A commit carries the name of its writer and a counter. The server answers a repeated counter with the
first answer and refuses one that is not the next, so a commit whose answer was lost can simply be
sent again. Each thread is a writer of its own; a forked child starts with new ones.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from itertools import count
from typing import Any, NamedTuple, Self
from zlib import crc32

from dealdb.connection import Link
from dealdb.connection.retry import Pauses
from dealdb.errors import (
    AccessDenied,
    LoadReset,
    NotDurable,
    OutcomeUnknown,
    PoolTimeout,
    ServerRefused,
    ServerUnavailable,
    StoreDamaged,
    StoreError,
    WriterClash,
)
from dealdb.store.commit.change import Change, Reply
from dealdb.store.commit.durability import Durability, Wait, is_reached, wait_of
from dealdb.store.commit.eviction import refuse_eviction
from dealdb.store.keys import Keys, wrong_format

_SCRIPT = files("dealdb.store.commit").joinpath("commit.lua").read_bytes()
_TOUCH = b"""
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'touched', '1') end
return redis.call('HGET', KEYS[2], ARGV[1])
"""
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest()
# a commit is sent under so many names: each failure means that the server was reset meanwhile
_MAX_NAMES = 3
# no commit can have one behind it: the largest number that the script's numbers tell from the next one
_LAST_COUNTER = 2**53 - 1


# a copy of the commit was carried out, and others after it
_EARLIER = Reply("repeat", (b"earlier",))


class Writers:
    """The writers of one store: one for each thread that commits, and that of a thread that has ended goes on."""

    def __init__(
        self,
        link: Link,
        keys: Keys,
        actor: str,
        durability: Durability = Durability.MEMORY,
        *,
        allow_eviction: bool = False,
    ) -> None:
        self._link = link
        self._keys = keys
        self._actor = actor
        self._durability = durability
        # whether the server was asked, or need not be
        self._is_lasting = allow_eviction
        self._waits: dict[Durability, Wait | None] = {Durability.MEMORY: None}
        self._threads = threading.local()
        self._free: list[_Writer] = []
        self._known_seq = 0

    def knows(self, seq: int) -> None:
        """Note a commit that the collection has: names chosen from now on may say so."""
        self._known_seq = seq

    def commit(self, change: Change) -> Reply:
        """
        Commit a change once, however often it has to be sent.

        Raises
        ------
        OutcomeUnknown
            If the change was sent and no answer came before the deadline.
        StoreError
            If it certainly did not happen.
        """
        return self.commit_all([change])[0]

    def commit_all(self, changes: Sequence[Change]) -> list[Reply]:
        """
        Commit changes once each, in their order, all sent at once: the server need not wait for the next one.

        Parameters
        ----------
        changes
            Those of one kind, ``add`` where they are several.

        Returns
        -------
        list
            Replies to the first changes: those that were carried out, and behind them, unless this is all, the one
            that says why the next was not. None of the others was. A change of which a copy of an earlier sending
            was carried out last has a reply without an answer of its own.

        Raises
        ------
        OutcomeUnknown
            If they were sent and the answers did not come before the deadline.
        NotDurable
            If they are not where they are to be, or the server may remove deals; ``done`` says whether they happened.
        StoreError
            If a single change certainly did not happen; of several the first ones may have.
        """
        seat = self._seat()
        self._refuse_eviction()
        wait = self._wait(seat.durability)
        replies: list[Reply] = []
        for _ in range(_MAX_NAMES):
            writer = self._writer(seat)
            replies = [*replies[:-1], *writer.commit(changes[len(replies[:-1]) :], wait)]
            # the server was reset or restored and does not know this writer, or its record was removed long ago:
            # nothing of the next change is there
            if replies[-1].status not in ("gap", "forgotten"):
                break
            if replies[-1].status == "forgotten":
                if seat.loads:
                    # in a week another process may have taken it over
                    raise WriterClash(_clash(self._link.settings.where))
                self._look()
            elif seat.loads:
                raise LoadReset(lost_commits(self._link.settings.where, self._keys))
            seat.writer = None
        self._check(replies[-1], seat)
        if wait and not writer.is_where_asked:
            self.assure(seat.durability)
        return replies

    @contextmanager
    def asking(self, durability: Durability | None) -> Iterator[None]:
        """Let this thread ask for another durability meanwhile; None for the one that it asks for anyway."""
        seat = self._seat()
        before, seat.durability = seat.durability, durability or seat.durability
        try:
            yield
        finally:
            seat.durability = before

    @contextmanager
    def beforehand(self) -> Iterator[None]:
        """
        Let the commits of this thread be what a change needs first, and not the change itself.

        Where nobody knows whether one of them happened, the change was not made all the same: its own outcome is no
        question. Their durability is that of the change, which is asked for behind them.

        Raises
        ------
        ServerUnavailable
            Instead of OutcomeUnknown.
        NotDurable
            If the server can't promise the durability of the change.
        """
        self.promise(self._seat().durability)
        try:
            with self.asking(Durability.MEMORY):
                yield
        except OutcomeUnknown as problem:
            msg = (
                f"{self._link.settings.where}: the link broke during what a change needs first (a new field or stage, "
                f"deals one after the other), and the change is not complete: make it again; {problem.__cause__}"
            )
            raise ServerUnavailable(msg) from problem

    def _wait(self, durability: Durability) -> Wait | None:
        if durability not in self._waits:
            self._waits[durability] = wait_of(self._link, durability)
        return self._waits[durability]

    def _refuse_eviction(self) -> None:
        """Before the first commit: whoever gives the server another policy later is told by ``health`` alone."""
        if not self._is_lasting:
            refuse_eviction(self._link)
            self._is_lasting = True

    def promise(self, durability: Durability | None = None) -> None:
        """
        Refuse a durability that this server can't promise, None for the default, and one that removes deals.

        Raises
        ------
        NotDurable
            If it can't; nothing was written.

        Cost
        ----
        A round trip the first time, and one or two more for another durability than memory.
        """
        self._refuse_eviction()
        self._wait(durability or self._durability)

    def assure(self, durability: Durability | None = None) -> None:
        """
        Wait until all that the server has by now is where it is to be; None for the default.

        Raises
        ------
        NotDurable
            If that is not confirmed in time.

        Cost
        ----
        One round trip, which lasts until it is there; none for memory.
        """
        durability = durability or self._durability
        wait = self._wait(durability)
        if wait is None:
            return
        msg = (
            f"{self._link.settings.where}: the change was made, and durability={str(durability)!r} was not confirmed "
            "in time; saving again asks again, and changes nothing"
        )
        try:
            reached = self._writer(self._seat()).assure(wait)
        except StoreError as problem:
            raise NotDurable(msg, done=True) from problem
        if not reached:
            raise NotDurable(msg, done=True)

    def _seat(self) -> _Seat:
        seat: _Seat | None = getattr(self._threads, "seat", None)
        if seat is None:
            seat = self._threads.seat = _Seat(self._free, self._durability)
        return seat

    def _writer(self, seat: _Seat) -> _Writer:
        if seat.writer is None or seat.writer.pid != os.getpid():
            seat.writer = self._idle_writer() or self._new_writer()
        return seat.writer

    def _idle_writer(self) -> _Writer | None:
        while self._free:
            writer = self._free.pop()
            if writer.pid == os.getpid():
                return writer
        return None

    def _new_writer(self, name: str | None = None) -> _Writer:
        return _Writer(self._link, self._keys, self._actor, name, self._known_seq)

    def _look(self) -> None:
        self.knows(int(self._link.call("HGET", self._keys.meta, "seq", retry=True) or 0))

    def _check(self, reply: Reply, seat: _Seat) -> None:
        where = self._link.settings.where
        match reply.status:
            case "denied":
                command = reply.rest[0].decode()
                msg = (
                    f"{where}: the user may not run {command} on the keys of collection {self._keys.collection!r}; "
                    "nothing was written; docs/operations.md has the rights that a writer needs"
                )
                raise AccessDenied(msg)
            case "format":
                raise wrong_format(self._keys, reply.rest[0])
            case "ahead":
                msg = (
                    f"{where}: the log of collection {self._keys.collection!r} has entries that its state does not "
                    "know: a commit was cut off in the middle, or another program wrote to it; nothing was written; "
                    "run `dealdb repair`"
                )
                raise StoreDamaged(msg)
            case "clash":
                # the next change begins with a name of its own
                seat.writer = None
                raise WriterClash(_clash(where))
        if reply.is_void:
            # a load goes on to fail; what the thread does after one is a change of its own
            seat.writer = seat.writer if seat.loads else None
            raise StoreError(
                f"{where}: another process has resumed this load; nothing more was written"
            )

    def depend(self) -> None:
        """
        Let the commits of this thread fail from now on where the server has lost an earlier one of them.

        For a load: what it goes on to write makes no whole without that. Durability is asked for once, in its end.
        """
        seat = self._seat()
        seat.loads, seat.durability = True, Durability.MEMORY

    def has_kept_last(self) -> bool:
        """Whether the server still has the last commit of this thread. One round trip."""
        return self._writer(self._seat()).is_known()

    def retire(self, name: str) -> None:
        """Let no commit that a writer has sent, or is going to send, take effect any more. One round trip."""
        self._new_writer(name).use_up(_LAST_COUNTER)


class _Seat:
    """
    What one thread writes with; its writer goes on to another thread when it ends.

    A server with a thread for each request would leave a record behind for each of them.
    """

    __slots__ = ("_free", "durability", "loads", "writer")

    def __init__(self, free: list[_Writer], durability: Durability) -> None:
        self._free = free
        self.durability = durability
        self.writer: _Writer | None = None
        self.loads = False

    def __del__(self) -> None:
        # who resumes a load lets its writer commit no more
        if self.writer is not None and not self.loads and self.writer.is_settled:
            self._free.append(self.writer)


class _Place(NamedTuple):
    """
    How far a writer is; one value, so that no interrupt leaves a part of it behind.

    Attributes
    ----------
    counter
        Of the last commit that is known to have happened.
    open
        Commits behind it that may be on their way, or have happened.
    """

    counter: int = 0
    open: _Open | None = None


class _Writer:
    """One thread's name and counter."""

    def __init__(
        self, link: Link, keys: Keys, actor: str, name: str | None = None, known_seq: int = 0
    ) -> None:
        self.pid = os.getpid()
        self._link = link
        self._keys = keys
        # keys of every commit
        self._common = (keys.meta, keys.log, keys.writers)
        self._actor = actor
        # another's name may have no record any more, and is to get one
        self._known = "" if name else str(known_seq)
        self._name = name or secrets.token_hex(8)
        self._place = _Place()
        self._wait: Wait | None = None
        self.is_where_asked = False
        # a thread has its writer to itself, except where another resolves what this one could not
        self._lock = threading.Lock()

    @property
    def is_settled(self) -> bool:
        """Whether nothing that it has sent can still take effect."""
        return self._place.open is None

    def commit(self, changes: Sequence[Change], wait: Wait | None = None) -> list[Reply]:
        with self._lock:
            self._wait, self.is_where_asked = wait, False
            if self._place.open:
                # a commit that may still be on its way must not take effect after the next one
                self._void(self._place.open)
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
        # a void of another process, which has taken a load over, may stand behind it
        return int((record or b"0").partition(b" ")[0]) >= self._place.counter

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
        void = _Sending([Change(kind="void", condition=str(least))], counter, [digest])
        [reply] = self._until_answered(void)
        return reply

    def _commit(self, changes: Sequence[Change]) -> list[Reply]:
        sending = _Sending.of(changes, self._place.counter + 1)
        sent = _Open(len(changes), sending.digests[-1])
        # before anything is sent: whatever ends this without an answer leaves the outcome open
        self._place = _Place(self._place.counter, sent)
        replies = self._send(sending, sent)
        n_done = next((n for n, reply in enumerate(replies) if not reply.is_done), len(replies))
        replies = replies[: n_done + 1]
        if sent.is_doubtful and n_done < len(changes) and replies[-1].status != "clash":
            return self._outrun(sent, replies)
        self._place = _Place(self._place.counter + n_done)
        return replies

    def _send(self, sending: _Sending, sent: _Open) -> list[Reply]:
        try:
            return self._until_answered(sending, sent)
        except StoreError as problem:
            if sent.is_doubtful:
                raise self._outcome_unknown(sent, problem) from problem
            if sent.n == 1 or isinstance(problem, (ServerUnavailable, PoolTimeout)):
                # it never left, or was refused
                self._place = _Place(self._place.counter)
            # else, of several, those before the one that was refused were carried out
            raise

    def _outrun(self, sent: _Open, replies: list[Reply]) -> list[Reply]:
        """
        Use up the counters of commits of which earlier copies may still be on their way.

        An answer such as "unchanged" leaves the counter free: the copy would take effect when it arrives, and the
        next commit would be taken for its repeat.
        """
        try:
            void, n_done = self._void(sent, len(replies) - 1)
        except StoreError as problem:
            raise self._outcome_unknown(sent, problem) from problem
        if sent.is_lost:
            raise self._outcome_unknown(sent, WriterClash(_clash(self._link.settings.where)))
        if not void.is_counted or (void.is_void and n_done == sent.n == 1):
            # the server has lost what it had acknowledged; or the void is that of another process
            return [*replies[:-1], void]
        # copies were quicker: then their answers count
        late = [_EARLIER] * (n_done - len(replies)) + [void if void.is_done else _EARLIER]
        return [*replies[:-1], *late] if n_done >= len(replies) else replies

    def _void(self, sent: _Open, n_known: int = 0) -> tuple[Reply, int]:
        """
        Use up the counters of commits that were sent, of which so many are known to be carried out.

        Returns the answer, and how many of them were carried out.

        Raises
        ------
        StoreError
            If the server can't be asked, or can't tell any more.
        """
        before = self._place.counter
        reply = self.use_up(before + sent.n, before + n_known, sent.digest)
        if reply.status in ("clash", "forgotten"):
            # this name is of no more use; and what became of the commits nobody can tell
            sent.is_lost = True
            self._place = _Place(before)
            return reply, 0
        n_done = 0
        if reply.is_counted:
            n_done = sent.n
            if reply.is_void:
                n_done = min(int(reply.rest[0].split()[1]) - before, sent.n)
        # first, for who resolves it later: an interrupt behind it only lets the void be sent again
        sent.happened = n_done == sent.n
        self._place = _Place(before + (sent.n if reply.is_counted else 0))
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
                raise WriterClash(_clash(self._link.settings.where))
            return sent.happened

        return resolve

    def _until_answered(self, sending: _Sending, sent: _Open | None = None) -> list[Reply]:
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

    def _send_once(self, sending: _Sending) -> list[Reply]:
        commits = [self._arguments(*each) for each in sending]
        try:
            answers = self._exchange([("EVALSHA", _DIGEST, *commit) for commit in commits])
        except ServerRefused as refusal:
            if refusal.reply != "NOSCRIPT":
                raise
            answers = self._exchange([("EVAL", _SCRIPT, *commit) for commit in commits])
        return [Reply(status.decode(), tuple(rest)) for status, *rest in answers]

    def _exchange(self, commands: Sequence[tuple[str | bytes, ...]]) -> list[Any]:
        if self._wait:
            return self._exchange_and_wait(commands, self._wait)
        # a single one that the server turns away has certainly not run
        return [self._link.call(*commands[0])] if len(commands) == 1 else self._link.calls(commands)

    def _exchange_and_wait(
        self, commands: Sequence[tuple[str | bytes, ...]], wait: Wait
    ) -> list[Any]:
        *answers, waited = self._link.calls([*commands, wait], keep_errors=True)
        for answer in answers:
            if isinstance(answer, StoreError):
                raise answer
        # a repeat has written nothing, on this connection
        wrote = all(status == b"ok" for status, *_ in answers)
        self.is_where_asked = wrote and is_reached(wait, waited)
        return answers

    def _arguments(self, change: Change, counter: int, digest: str) -> list[str | bytes]:
        prefix = self._keys.deal_prefix
        # numbers as text: the link would look for them among all arguments
        arguments: list[str | bytes] = [str(3 + len(change.ids)), *self._common]
        arguments += [prefix + deal_id for deal_id in change.ids]
        arguments += [self._name, str(counter), digest, self._known]
        arguments += [change.kind, change.version, change.condition, self._actor, change.payload]
        mark = change.mark
        if mark:
            arguments += [mark.name, mark.note]
        if change.values:
            arguments += [*([] if mark else ["", ""]), change.values]
        elif change.texts and not mark:
            arguments += ["", "", *_flat(change.texts)]
        return arguments


class _Sending(NamedTuple):
    """Changes that are sent together, the counter of the first, and the digest of each."""

    changes: Sequence[Change]
    first: int
    digests: Sequence[str]

    @classmethod
    def of(cls, changes: Sequence[Change], first: int) -> Self:
        """Give each change a digest."""
        # not the contents alone: two commits may say the same, and are two all the same
        nonce = secrets.token_hex(4)
        return cls(changes, first, [nonce + digest_of(change) for change in changes])

    def __iter__(self) -> Iterator[tuple[Change, int, str]]:  # type: ignore[override]
        return zip(self.changes, count(self.first), self.digests)


def digest_of(change: Change) -> str:
    """8 hex digits of what a change says."""
    payload = change.payload
    said = "\0".join((change.kind, change.version, change.condition, *change.ids)).encode()
    content = crc32(payload.encode() if isinstance(payload, str) else payload, crc32(said))
    return f"{content:08x}"


@dataclass(slots=True)
class _Open:
    """
    Commits of which an answer is awaited, or was lost.

    Attributes
    ----------
    n
        How many, with the counters behind the writer's.
    digest
        Of the last one.
    is_doubtful
        Whether a copy was sent that was not answered.
    happened
        Whether all of them did; None until that is known.
    is_lost
        Whether it can't be known any more.
    """

    n: int
    digest: str
    is_doubtful: bool = False
    happened: bool | None = None
    is_lost: bool = False


def lost_commits(where: str, keys: Keys) -> str:
    """What to say where the server has lost commits on which others were to build."""
    return (
        f"{where}: the server has lost what it had acknowledged of this load, or of the deals before it: collection "
        f"{keys.collection!r} was emptied, or set back to an older state; load it again"
    )


def _flat(texts: Mapping[str, str | None]) -> list[str]:
    """A deal as arguments of the script: how many fields, their names, their texts, those without a text last."""
    given = {name: text for name, text in texts.items() if text is not None}
    cleared = [name for name, text in texts.items() if text is None]
    return [str(len(texts)), *given, *cleared, *given.values()]


def _clash(where: str) -> str:
    return (
        f"{where}: this process goes on under a name of which the server has other commits: it is a copy of another "
        "process (a cloned machine), or stood still for more than a week; the change was not made under it; read the "
        "deal and save again"
    )
