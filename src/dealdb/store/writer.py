"""
Commits that happen exactly once.

A commit carries the name of its writer and a counter. The server answers a repeated counter with the
first answer and refuses one that is not the next, so a commit whose answer was lost can simply be
sent again. Each thread is a writer of its own; a forked child starts with new ones.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any, NamedTuple

from dealdb.connection import Link
from dealdb.errors import (
    AccessDenied,
    LoadReset,
    OutcomeUnknown,
    PoolTimeout,
    ServerRefused,
    ServerUnavailable,
    StoreDamaged,
    StoreError,
)
from dealdb.store.keys import FORMAT, FORMAT_OF_RESTORE, Keys
from dealdb.store.marks import Mark

_SCRIPT = files("dealdb.store").joinpath("commit.lua").read_bytes()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest()
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.5
# answers that use up the counter
_COUNTED = ("ok", "repeat")
# no commit can have one behind it: the largest number that the script's numbers tell from the next one
_LAST_COUNTER = 2**53 - 1


class Change(NamedTuple):
    """
    One change to a collection, as the commit script takes it.

    Attributes
    ----------
    kind
        ``set``, ``add``, ``mend``, ``delete``, ``schema``, ``pipeline`` or ``void``.
    version
        Version of the schema or pipeline that it was prepared with, as ``version_of`` tells it.
    payload
        What changes, in the encoding of the kind.
    ids
        Deals concerned, in the order of the payload.
    condition
        ``""`` none, ``"*"`` the deal must exist, ``"@n"`` no commit may have come since ``n``, ``"<=n"`` no deal may
        have a later revision (0: none may exist), else the revision that the one deal must have. Of a void: counter
        that the last commit has at least.
    texts
        Of a set of one deal: what the payload says, by field, which spares the server to unpack it; or None.
    values
        Of an add: what the payload says, for the script.
    mark
        Note to keep with the commit, or None.
    """

    kind: str
    version: str = ""
    payload: bytes | str = b""
    ids: Sequence[str] = ()
    condition: str = ""
    texts: Mapping[str, str | None] | None = None
    values: bytes = b""
    mark: Mark | None = None

    def __repr__(self) -> str:
        # without the deals
        return f"<Change {self.kind!r} of {len(self.ids)} deals>"


def version_of(text: str | bytes) -> str:
    """
    Version of a schema or pipeline: a fingerprint of its JSON.

    A number would not do: after a reset another schema can have the same one.
    """
    data = text.encode() if isinstance(text, str) else text
    return sha1(data, usedforsecurity=False).hexdigest()[:16]


class Reply(NamedTuple):
    """Answer of the commit script: a status, and what goes with it."""

    status: str
    rest: tuple[bytes, ...]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Of a commit that was carried out: its seq; deals that were inserted, updated, and left unchanged."""
        seq, inserted, updated, unchanged = map(int, self.rest[0].split())
        return seq, inserted, updated, unchanged

    @property
    def is_void(self) -> bool:
        """Whether a void has used up the counter, of which this is the answer to the void or to the commit."""
        return self.status in _COUNTED and self.rest[0].startswith(b"void")

    @property
    def is_done(self) -> bool:
        """Whether the commit was carried out, now or before."""
        return self.status in _COUNTED and not self.is_void


# a copy of the commit was carried out, and others after it
_EARLIER = Reply("repeat", (b"earlier",))


class Writers:
    """The writers of one store: one for each thread that commits."""

    def __init__(self, link: Link, keys: Keys, actor: str) -> None:
        self._link = link
        self._keys = keys
        self._actor = actor
        self._threads = threading.local()

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
        StoreError
            If a single change certainly did not happen; of several the first ones may have.
        """
        writer: _Writer | None = getattr(self._threads, "writer", None)
        if writer is None or writer.pid != os.getpid():
            writer = self._threads.writer = _Writer(self._link, self._keys, self._actor)
        replies = writer.commit(changes)
        if replies[-1].status == "gap":
            # the server was reset or restored and does not know this writer: nothing of the change is there
            if getattr(self._threads, "depends", False):
                raise LoadReset(lost_commits(self._link.settings.where, self._keys))
            writer = self._threads.writer = _Writer(self._link, self._keys, self._actor)
            done = replies[:-1]
            replies = [*done, *writer.commit(changes[len(done) :])]
        self._check(replies[-1])
        return replies

    def _check(self, reply: Reply) -> None:
        if reply.status == "denied":
            command = reply.rest[0].decode()
            msg = (
                f"{self._link.settings.where}: the user may not run {command} on the keys of collection "
                f"{self._keys.collection!r}; nothing was written; docs/operations.md has the rights that a writer needs"
            )
            raise AccessDenied(msg)
        if reply.status == "format":
            raise wrong_format(self._keys, reply.rest[0])
        if reply.is_void:
            where = self._link.settings.where
            raise StoreError(
                f"{where}: another process has resumed this load; nothing more was written"
            )

    def depend(self) -> None:
        """
        Let the commits of this thread fail from now on where the server has lost an earlier one of them.

        For a load: what it goes on to write makes no whole without that.
        """
        self._threads.depends = True

    def has_kept_last(self) -> bool:
        """Whether the server still has the last commit of this thread. One round trip."""
        writer: _Writer | None = getattr(self._threads, "writer", None)
        return writer is None or writer.is_known()

    def retire(self, name: str) -> None:
        """Let no commit that a writer has sent, or is going to send, take effect any more. One round trip."""
        _Writer(self._link, self._keys, self._actor, name).use_up(_LAST_COUNTER)


class _Writer:
    """One thread's name and counter."""

    def __init__(self, link: Link, keys: Keys, actor: str, name: str | None = None) -> None:
        self.pid = os.getpid()
        self._link = link
        self._keys = keys
        # keys of every commit
        self._common = (keys.meta, keys.log, keys.writers)
        self._actor = actor
        self._name = name or secrets.token_hex(8)
        self._counter = 0
        self._open: _Open | None = None
        # a thread has its writer to itself, except where another resolves what this one could not
        self._lock = threading.Lock()

    def commit(self, changes: Sequence[Change]) -> list[Reply]:
        with self._lock:
            if self._open:
                # a commit that may still be on its way must not take effect after the next one
                self._settle()
            return self._commit(changes)

    def is_known(self) -> bool:
        """Whether the server has its last commit."""
        place = self._link.call("HGET", self._keys.writers, self._name, retry=True)
        # a void of another process, which has taken a load over, may stand behind it
        return int((place or b"0").partition(b" ")[0]) >= self._counter

    def use_up(self, counter: int, least: int = 0) -> Reply:
        """
        Let no commit up to this counter take effect any more.

        Parameters
        ----------
        counter
            Of the void that does it.
        least
            Counter that the last commit has at least; where the server has lost it, nothing happens.
        """
        [reply] = self._send([Change(kind="void", condition=str(least))], counter)
        return reply

    def _commit(self, changes: Sequence[Change]) -> list[Reply]:
        replies = self._send(changes, self._counter + 1)
        n_done = next((n for n, reply in enumerate(replies) if not reply.is_done), len(replies))
        replies = replies[: n_done + 1]
        if self._open and n_done < len(changes):
            return self._outrun(self._open, replies)
        self._open = None
        self._counter += n_done
        return replies

    def _outrun(self, sent: _Open, replies: list[Reply]) -> list[Reply]:
        """
        Use up the counters of commits of which earlier copies may still be on their way.

        An answer such as "unchanged" leaves the counter free: the copy would take effect when it arrives, and the
        next commit would be taken for its repeat.
        """
        try:
            void, n_done = self._void(sent, len(replies) - 1)
        except StoreError as problem:
            message = _unknown(self._link.settings.where)
            raise OutcomeUnknown(message, self._resolver(sent)) from problem
        if void.status not in _COUNTED or (void.is_void and n_done == sent.n == 1):
            # the server has lost what it had acknowledged; or the void is that of another process
            return [*replies[:-1], void]
        # copies were quicker: then their answers count
        late = [_EARLIER] * (n_done - len(replies)) + [void if void.is_done else _EARLIER]
        return [*replies[:-1], *late] if n_done >= len(replies) else replies

    def _settle(self) -> None:
        sent = self._open
        if sent:
            # what has not happened by now never does
            sent.happened = self._void(sent)[1] == sent.n

    def _void(self, sent: _Open, n_known: int = 0) -> tuple[Reply, int]:
        """
        Use up the counters of commits that were sent, of which so many are known to be carried out.

        Returns the answer, and how many of them were carried out.
        """
        reply = self.use_up(self._counter + sent.n, self._counter + n_known)
        self._open = None
        if reply.status not in _COUNTED:
            return reply, 0
        before, self._counter = self._counter, self._counter + sent.n
        if reply.is_void:
            return reply, min(int(reply.rest[0].split()[1]) - before, sent.n)
        return reply, sent.n

    def _resolver(self, sent: _Open) -> Callable[[], bool]:
        def resolve() -> bool:
            with self._lock:
                if sent.happened is None:
                    self._settle()
            return bool(sent.happened)

        return resolve

    def _send(self, changes: Sequence[Change], counter: int) -> list[Reply]:
        deadline = time.monotonic() + self._link.settings.retry_deadline_s
        pause = _FIRST_PAUSE_S
        is_void = changes[0].kind == "void"
        while True:
            try:
                return self._send_once(changes, counter)
            except (ServerUnavailable, PoolTimeout) as problem:
                if isinstance(problem, ServerUnavailable) and problem.sent:
                    self._open = self._open or _Open(len(changes))
                if time.monotonic() + pause < deadline:
                    time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
                    pause = min(2 * pause, _LONGEST_PAUSE_S)
                    continue
                if self._open is None or is_void:
                    raise
                message = _unknown(self._link.settings.where)
                raise OutcomeUnknown(message, self._resolver(self._open)) from problem
            except BaseException as problem:
                refused = isinstance(problem, StoreError)
                if refused and self._open and not is_void:
                    # this copy was refused; the one before it may have been carried out
                    message = _unknown(self._link.settings.where)
                    raise OutcomeUnknown(message, self._resolver(self._open)) from problem
                if len(changes) > 1 or not isinstance(problem, Exception):
                    # of several, those before the one that was refused were carried out; and an interrupt between
                    # sending and the answer leaves the outcome open too
                    self._open = self._open or _Open(len(changes))
                raise

    def _send_once(self, changes: Sequence[Change], counter: int) -> list[Reply]:
        commits = [
            self._arguments(change, number) for number, change in enumerate(changes, counter)
        ]
        try:
            answers = self._exchange([("EVALSHA", _DIGEST, *commit) for commit in commits])
        except ServerRefused as refusal:
            if refusal.reply != "NOSCRIPT":
                raise
            answers = self._exchange([("EVAL", _SCRIPT, *commit) for commit in commits])
        return [Reply(status.decode(), tuple(rest)) for status, *rest in answers]

    def _exchange(self, commands: Sequence[tuple[str | bytes, ...]]) -> list[Any]:
        # a single one that the server turns away has certainly not run
        return [self._link.call(*commands[0])] if len(commands) == 1 else self._link.calls(commands)

    def _arguments(self, change: Change, counter: int) -> list[str | bytes]:
        prefix = self._keys.deal_prefix
        # numbers as text: the link would look for them among all arguments
        arguments: list[str | bytes] = [str(3 + len(change.ids)), *self._common]
        arguments += [prefix + deal_id for deal_id in change.ids]
        arguments += [self._name, str(counter), change.kind, change.version, change.condition]
        arguments += [self._actor, change.payload]
        mark = change.mark
        if mark:
            arguments += [mark.name, mark.note]
        if change.values:
            arguments += [*([] if mark else ["", ""]), change.values]
        elif change.texts and not mark:
            arguments += ["", "", *_flat(change.texts)]
        return arguments


@dataclass(slots=True)
class _Open:
    """
    Commits that were sent and not answered.

    Attributes
    ----------
    n
        How many, with the counters behind the writer's.
    happened
        Whether all of them did; None until that is known.
    """

    n: int
    happened: bool | None = None


def lost_commits(where: str, keys: Keys) -> str:
    """What to say where the server has lost commits on which others were to build."""
    return (
        f"{where}: the server has lost what it had acknowledged of this load, or of the deals before it: collection "
        f"{keys.collection!r} was emptied, or set back to an older state; load it again"
    )


def wrong_format(keys: Keys, found: bytes) -> StoreDamaged:
    """Error for a collection of another format."""
    if found == FORMAT_OF_RESTORE:
        return StoreDamaged(
            f"a restore of collection {keys.collection!r} is under way, or did not come to its end: "
            "wait for it, or restore again, which begins anew"
        )
    return StoreDamaged(
        f"collection {keys.collection!r} has format {found.decode(errors='replace')}; "
        f"this dealdb reads format {FORMAT.decode()}: upgrade it"
    )


def _flat(texts: Mapping[str, str | None]) -> list[str]:
    """A deal as arguments of the script: how many fields, their names, their texts, those without a text last."""
    given = {name: text for name, text in texts.items() if text is not None}
    cleared = [name for name, text in texts.items() if text is None]
    return [str(len(texts)), *given, *cleared, *given.values()]


def _unknown(where: str) -> str:
    return (
        f"{where}: a change was sent, and the link broke before the answer came: it happened once or not at all; "
        "resolve() of this error asks the server which, and saving again is safe "
        "(saving the same values twice changes nothing)"
    )
