"""
The writers of a store: each thread that commits is one of its own, and a forked child starts with new ones.

What applies to every commit is here: the durability that is asked for, the server that is refused, and what an
answer of the script means to the caller. How one writer commits exactly once is in ``writer``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from dealdb.connection import Link
from dealdb.errors import (
    AccessDenied,
    LoadReset,
    NotDurable,
    OutcomeUnknown,
    SchemaError,
    ServerUnavailable,
    StoreDamaged,
    StoreError,
)
from dealdb.model.moments import from_epoch_ms
from dealdb.store.bounds.wall import number_in
from dealdb.store.commit.change import Change, Reply
from dealdb.store.commit.durability import Durability, Wait, wait_of
from dealdb.store.commit.eviction import refuse_eviction
from dealdb.store.commit.script import CommitScript
from dealdb.store.commit.writer import Writer, clash
from dealdb.store.keys import Keys, wrong_format

# a commit is sent under so many names: each failure means that the server was reset meanwhile
_MAX_NAMES = 3
# no commit can have a higher one: above this, the script's numbers can't distinguish neighbours
_LAST_COUNTER = 2**53 - 1


class _Seat:
    """
    What one thread writes with; its writer passes to another thread when it ends.

    A server with a thread for each request would leave a record behind for each of them.
    """

    __slots__ = ("_free", "durability", "loads", "writer")

    def __init__(self, free: list[Writer], durability: Durability) -> None:
        self._free = free
        self.durability = durability
        self.writer: Writer | None = None
        self.loads = False

    def __del__(self) -> None:
        # the process that resumes a load lets its writer commit no more
        if self.writer is not None and not self.loads and self.writer.is_settled:
            self._free.append(self.writer)


class Writers:
    """The writers of one store: one for each thread that commits, and that of a thread that has ended is used again."""

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
        self._script = CommitScript(link, keys, actor)
        self._durability = durability
        # whether the server was asked, or need not be
        self._is_lasting = allow_eviction
        self._waits: dict[Durability, Wait | None] = {Durability.MEMORY: None}
        self._threads = threading.local()
        self._free: list[Writer] = []
        self._known_seq = 0

    def knows(self, seq: int) -> None:
        """Note a commit that the collection has: names chosen from now on may say so."""
        self._known_seq = seq

    def is_next(self, seq: int) -> bool:
        """Whether a commit directly follows the one that was noted last, so that nothing happened in between."""
        return seq == self._known_seq + 1

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
        Commit changes once each, in their order, all sent together: the server need not wait for the next one.

        Parameters
        ----------
        changes
            Those of one kind, ``add`` or ``facts`` where they are several.

        Returns
        -------
        list
            Replies to the first changes: those that were carried out, and behind them, unless this is all, the one
            that says why the next was not. None of the others was. A change whose copy of an earlier sending
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
            # the server has nothing of the next change
            if replies[-1].status not in ("gap", "forgotten"):
                break
            if replies[-1].status == "forgotten":
                if seat.loads:
                    # in a week another process may have taken it over
                    raise clash(self._link.settings.where)
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

    def acting_as(self, actor: str) -> AbstractContextManager[None]:
        """Let the commits of this thread be in the name of another meanwhile."""
        return self._script.acting_as(actor)

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
        """Before the first commit: a policy that is set later is only reported by ``health``."""
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

    def _writer(self, seat: _Seat) -> Writer:
        if seat.writer is None or seat.writer.pid != os.getpid():
            seat.writer = self._idle_writer() or self._new_writer()
        return seat.writer

    def _idle_writer(self) -> Writer | None:
        while self._free:
            writer = self._free.pop()
            if writer.pid == os.getpid():
                return writer
        return None

    def _new_writer(self, name: str | None = None) -> Writer:
        return Writer(self._link, self._keys, self._script, name, self._known_seq)

    def _look(self) -> None:
        found = self._link.call("HGET", self._keys.meta, "seq", retry=True)
        self.knows(number_in(f"seq in {self._keys.meta!r}", found))

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
            case "future":
                latest = from_epoch_ms(int(reply.rest[0]))
                msg = (
                    f"at: what happened later than the server's clock says ({latest:%Y-%m-%dT%H:%M:%SZ}) can't be "
                    "saved; nothing was written"
                )
                raise SchemaError(msg, field="at")
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
                raise clash(where)
        if reply.is_void:
            # a load keeps failing; what the thread does after it is a change of its own
            seat.writer = seat.writer if seat.loads else None
            raise StoreError(
                f"{where}: another process has resumed this load; nothing more was written"
            )

    def depend(self) -> None:
        """
        Let the commits of this thread fail from now on where the server has lost an earlier one of them.

        For a load: what it writes next is incomplete without that. Durability is asked for once, at its end.
        """
        seat = self._seat()
        seat.loads, seat.durability = True, Durability.MEMORY

    @property
    def name(self) -> str:
        """Of the writer of this thread; as long as a load runs it stays the same."""
        return self._writer(self._seat()).name

    def has_kept_last(self) -> bool:
        """Whether the server still has the last commit of this thread. One round trip."""
        return self._writer(self._seat()).is_known()

    def retire(self, name: str) -> None:
        """Let no commit that a writer has sent, or is going to send, take effect any more. One round trip."""
        self._new_writer(name).use_up(_LAST_COUNTER)


def lost_commits(where: str, keys: Keys) -> str:
    """What to say where the server has lost commits on which others were to build."""
    return (
        f"{where}: the server has lost what it had acknowledged of this load, or of the deals before it: collection "
        f"{keys.collection!r} was emptied, or set back to an older state; load it again"
    )
