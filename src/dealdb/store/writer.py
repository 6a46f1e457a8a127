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
from dealdb.store.keys import FORMAT, Keys
from dealdb.store.marks import Mark

_SCRIPT = files("dealdb.store").joinpath("commit.lua").read_bytes()
_DIGEST = sha1(_SCRIPT, usedforsecurity=False).hexdigest()
_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.5
# answers that use up the counter
_COUNTED = ("ok", "repeat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    One change to a collection, as the commit script takes it.

    Attributes
    ----------
    kind
        ``set``, ``add``, ``delete``, ``schema``, ``pipeline`` or ``void``.
    version
        Version of the schema or pipeline that it was prepared with, as ``version_of`` tells it.
    payload
        What changes, in the encoding of the kind.
    ids
        Deals concerned, in the order of the payload.
    condition
        ``""`` none, ``"*"`` the deal must exist, ``"<=n"`` no deal may have a later revision (0: none may exist),
        else the revision that the one deal must have.
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


def version_of(text: str | bytes) -> str:
    """
    Version of a schema or pipeline: a fingerprint of its JSON.

    A number would not do: after a reset another schema can have the same one.
    """
    data = text.encode() if isinstance(text, str) else text
    return sha1(data, usedforsecurity=False).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer of the commit script: a status, and what goes with it."""

    status: str
    rest: tuple[bytes, ...]


# a void took its place; and the answer to every commit in that place from then on
_VOIDED = Reply("ok", (b"void",))
_RETIRED = Reply("repeat", (b"void",))


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
        writer: _Writer | None = getattr(self._threads, "writer", None)
        if writer is None or writer.pid != os.getpid():
            writer = self._threads.writer = _Writer(self._link, self._keys, self._actor)
        reply = writer.commit(change)
        if reply.status == "gap":
            # the server was reset or restored and does not know this writer: nothing of the change is there
            if getattr(self._threads, "depends", False):
                raise LoadReset(lost_commits(self._link.settings.where, self._keys))
            writer = self._threads.writer = _Writer(self._link, self._keys, self._actor)
            reply = writer.commit(change)
        if reply.status == "denied":
            command = reply.rest[0].decode()
            msg = (
                f"{self._link.settings.where}: the user may not run {command} on the keys of collection "
                f"{self._keys.collection!r}; nothing was written; docs/operations.md has the rights that a writer needs"
            )
            raise AccessDenied(msg)
        if reply.status == "format":
            raise wrong_format(self._keys, reply.rest[0])
        if reply == _RETIRED:
            msg = f"{self._link.settings.where}: another process has resumed this load; nothing more was written"
            raise StoreError(msg)
        return reply

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
        """Let no commit that a writer has sent, and the server has not yet seen, take effect any more."""
        while (place := self._link.call("HGET", self._keys.writers, name, retry=True)) is not None:
            counter = int(place.partition(b" ")[0])
            if _Writer(self._link, self._keys, self._actor, name, counter).void():
                return


class _Writer:
    """One thread's name and counter."""

    def __init__(
        self, link: Link, keys: Keys, actor: str, name: str | None = None, counter: int = 0
    ) -> None:
        self.pid = os.getpid()
        self._link = link
        self._keys = keys
        self._actor = actor
        self._name = name or secrets.token_hex(8)
        self._counter = counter
        self._open: _OpenCommit | None = None
        # a thread has its writer to itself, except where another resolves what this one could not
        self._lock = threading.Lock()

    def commit(self, change: Change) -> Reply:
        with self._lock:
            if self._open:
                # a commit that may still be on its way must not take effect after the next one
                self._settle()
            return self._commit(change)

    def is_known(self) -> bool:
        """Whether the server has its last commit."""
        place = self._link.call("HGET", self._keys.writers, self._name, retry=True)
        # a void of another process, which has taken a load over, may stand behind it
        return int((place or b"0").partition(b" ")[0]) >= self._counter

    def _commit(self, change: Change) -> Reply:
        reply = self._send(change)
        if self._open and reply.status not in _COUNTED:
            reply = self._outrun(self._open, reply)
        self._open = None
        return self._take(reply)

    def void(self) -> bool:
        """Use up the next counter; False where a commit, or another void, was quicker."""
        with self._lock:
            return self._send(Change(kind="void")) in (_VOIDED, _RETIRED)

    def _outrun(self, commit: _OpenCommit, reply: Reply) -> Reply:
        """
        Use up the counter of a commit of which an earlier copy may still be on its way.

        An answer such as "unchanged" leaves the counter free: the copy would take effect when it arrives, and the
        next commit would be taken for its repeat.
        """
        try:
            void = self._send(Change(kind="void"))
        except (ServerUnavailable, PoolTimeout) as problem:
            message = _unknown(self._link.settings.where)
            raise OutcomeUnknown(message, self._resolver(commit)) from problem
        # the copy was quicker: then its answer counts
        if _is_answer_of_commit(void):
            return void
        self._take(void)
        return reply

    def _settle(self) -> None:
        reply = self._take(self._send(Change(kind="void")))
        if self._open:
            # anything but the open commit's answer took its place, so it never happens
            self._open.happened = _is_answer_of_commit(reply)
            self._open = None

    def _resolver(self, commit: _OpenCommit) -> Callable[[], bool]:
        def resolve() -> bool:
            with self._lock:
                if commit.happened is None:
                    self._settle()
            return bool(commit.happened)

        return resolve

    def _take(self, reply: Reply) -> Reply:
        if reply.status in _COUNTED:
            self._counter += 1
        return reply

    def _send(self, change: Change) -> Reply:
        deadline = time.monotonic() + self._link.settings.retry_deadline_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                reply = self._send_once(change)
            except (ServerUnavailable, PoolTimeout) as problem:
                if isinstance(problem, ServerUnavailable) and problem.sent:
                    self._open = self._open or _OpenCommit()
                if time.monotonic() + pause < deadline:
                    time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
                    pause = min(2 * pause, _LONGEST_PAUSE_S)
                    continue
                if self._open is None or change.kind == "void":
                    raise
                message = _unknown(self._link.settings.where)
                raise OutcomeUnknown(message, self._resolver(self._open)) from problem
            except StoreError as problem:
                if self._open is None or change.kind == "void":
                    raise
                # this copy was refused; the one before it may have been carried out
                message = _unknown(self._link.settings.where)
                raise OutcomeUnknown(message, self._resolver(self._open)) from problem
            except BaseException as problem:
                if not isinstance(problem, Exception):
                    # an interrupt between sending and the answer leaves the outcome open too
                    self._open = self._open or _OpenCommit()
                raise
            return reply

    def _send_once(self, change: Change) -> Reply:
        keys = self._keys
        # numbers as text: the link would look for them among all arguments
        arguments: list[str | bytes] = [
            str(3 + len(change.ids)),
            keys.meta,
            keys.log,
            keys.writers,
        ]
        prefix = keys.deal_prefix
        arguments += [prefix + deal_id for deal_id in change.ids]
        arguments += [
            self._name,
            str(self._counter + 1),
            change.kind,
            change.version,
            change.condition,
        ]
        arguments += [self._actor, change.payload]
        mark = change.mark
        if mark:
            arguments += [mark.name, mark.note]
        if change.values:
            arguments += [*([] if mark else ["", ""]), change.values]
        elif change.texts and not mark:
            arguments += ["", "", *_flat(change.texts)]
        try:
            answer = self._link.call("EVALSHA", _DIGEST, *arguments)
        except ServerRefused as refusal:
            if refusal.reply != "NOSCRIPT":
                raise
            answer = self._link.call("EVAL", _SCRIPT, *arguments)
        status, *rest = answer
        return Reply(status.decode(), tuple(rest))


@dataclass(slots=True)
class _OpenCommit:
    """A commit that was sent and not answered; ``happened`` is None until it is known."""

    happened: bool | None = None


def lost_commits(where: str, keys: Keys) -> str:
    """What to say where the server has lost commits on which others were to build."""
    return (
        f"{where}: the server has lost what it had acknowledged of this load, or of the deals before it: collection "
        f"{keys.collection!r} was emptied, or set back to an older state; load it again"
    )


def wrong_format(keys: Keys, found: bytes) -> StoreDamaged:
    """Error for a collection of another format."""
    return StoreDamaged(
        f"collection {keys.collection!r} has format {found.decode(errors='replace')}; "
        f"this dealdb reads format {FORMAT.decode()}: upgrade it"
    )


def _flat(texts: Mapping[str, str | None]) -> list[str]:
    """A deal as arguments of the script: how many fields, their names, their texts, those without a text last."""
    given = {name: text for name, text in texts.items() if text is not None}
    cleared = [name for name, text in texts.items() if text is None]
    return [str(len(texts)), *given, *cleared, *given.values()]


def _is_answer_of_commit(reply: Reply) -> bool:
    """Whether the answer to a void is that of the commit whose place it was to take."""
    return reply.status == "repeat" and reply.rest != (b"void",)


def _unknown(where: str) -> str:
    return (
        f"{where}: a change was sent, and the link broke before the answer came: it happened once or not at all; "
        "resolve() of this error asks the server which, and saving again is safe "
        "(saving the same values twice changes nothing)"
    )
