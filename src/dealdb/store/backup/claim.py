"""
The right to restore into a collection: nobody else reads, commits or restores there until it is given back.

Every write of a restore asks whether the right is still its own. So a process that slept for long can't spoil what
another has begun meanwhile.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.resources import files
from itertools import chain

import msgpack

from dealdb.connection import Argument, Link
from dealdb.errors import AccessDenied, RestoreRefused, StoreError
from dealdb.store.hashes import scan_names
from dealdb.store.keys import Keys

_BEGIN, _PUT, _CLEAR, _LEAVE, _FINISH = (
    files("dealdb.store.backup").joinpath(f"restore_{name}.lua").read_bytes()
    for name in ("begin", "put", "clear", "leave", "finish")
)
# a restore that dies keeps the next one away for so long at most
LEASE_MS = 30_000
# keys removed by one script: the server does nothing else meanwhile
_REMOVED = 500


class Claim:
    """
    The right of one restore to one collection.

    Parameters
    ----------
    link
        Way to the database.
    keys
        Of the collection, or of one partition of it.
    token
        That of the whole restore, of a partition; None to choose one.

    Attributes
    ----------
    token
        Its name.

    Raises
    ------
    RestoreRefused
        From every method but ``give_up``: the collection is another's, or holds something.
    """

    def __init__(self, link: Link, keys: Keys, token: str | None = None) -> None:
        self._link = link
        self._keys = keys
        self.token = token or secrets.token_hex(8)
        self._held_at = 0.0

    def take(self, *, again: bool = False) -> bool:
        """
        Take it; whether a restore that did not finish has left something.

        Parameters
        ----------
        again
            Of a partition: whether the head was left by such a restore. Then this is, too, even where it is whole.

        Raises
        ------
        AccessDenied
            If the user lacks a right that is needed only later.
        """
        keys = self._keys
        names = (
            keys.meta,
            keys.log,
            keys.checkpoint,
            keys.queries,
            keys.chunks,
            keys.writers,
            keys.lease,
        )
        reply = self._link.call(
            "EVAL",
            _BEGIN,
            len(names),
            *names,
            self.token,
            LEASE_MS,
            "again" if again else "",
            retry=True,
        )
        if reply[0] == b"busy":
            raise self.refused(
                f"another process restores into it or writes a checkpoint, or died doing so within the last "
                f"{LEASE_MS // 1000} s: wait for it, and try again"
            )
        if reply[0] == b"denied":
            msg = (
                f"{self._link.settings.where}: the user may not run {reply[1].decode()}, which a restore needs; "
                "docs/operations.md lists the rights"
            )
            raise AccessDenied(msg)
        self.heed(reply)
        return bool(reply[1] == b"1")

    @property
    def deal_prefix(self) -> str:
        """What the keys of its deals begin with."""
        return self._keys.deal_prefix

    def is_held(self) -> bool:
        """Whether it is this restore's; unlike ``hold`` it writes nothing, which a full server would refuse."""
        return self._tokens()[0] == self.token.encode()

    def was_given(self) -> bool:
        """Whether it is, or the collection is whole by this restore; also where the answer did not come."""
        return self.token.encode() in self._tokens()

    def _tokens(self) -> list[bytes | None]:
        found: list[bytes | None] = self._link.call(
            "HMGET", self._keys.meta, "restore", "restored", retry=True
        )
        return found

    def clear(self) -> int:
        """Remove what this restore or one before it has written; returns how many keys."""
        return sum(map(self.clear_deals, self._pages())) + self.clear_rest()

    def _pages(self) -> Iterator[list[bytes]]:
        for names in scan_names(self._link, self._keys):
            # a scan of all keys of a large database takes longer than it is held
            self.go_on()
            yield names

    def clear_deals(self, names: Sequence[bytes]) -> int:
        """Remove those of these hashes that a restore has written; returns how many."""
        return self._remove(names, "deals")

    def clear_rest(self) -> int:
        """Remove what else a restore has written; returns how many keys."""
        keys = self._keys
        blobs = self._link.call("SMEMBERS", keys.chunks, retry=True)
        return self._remove([*blobs, keys.chunks, keys.log, keys.checkpoint], "all")

    def _remove(self, names: Sequence[str | bytes], which: str) -> int:
        n_removed = 0
        for start in range(0, len(names), _REMOVED):
            some = names[start : start + _REMOVED]
            n_removed += len(some) - self._cleared(some, which)
        return n_removed

    def _cleared(self, some: Sequence[str | bytes], which: str) -> int:
        """Remove some keys, and hold the claim for longer; how many stay."""
        about: tuple[Argument, ...] = (2 + len(some), self._keys.meta, self._keys.lease, *some)
        reply = self._link.call("EVAL", _CLEAR, *about, self.token, LEASE_MS, which, retry=True)
        self.heed(reply)
        return int(reply[1])

    def demand_empty(self) -> None:
        """That no deal is there."""
        found = next(chain.from_iterable(self._pages()), None)
        if found is not None:
            raise self.holds(found.decode(errors="replace"))

    def give_up(self) -> None:
        """Remove what was written, and leave the collection as empty as it was, if that can be done now."""
        # else the next restore does it
        with suppress(StoreError):
            # where it is whole by now, or another's, nothing is taken back
            if self.is_held():
                self.clear()
                self.leave()

    def leave(self) -> None:
        """End it, once what was written is removed."""
        self._link.call("EVAL", _LEAVE, 2, self._keys.meta, self._keys.lease, self.token)

    def hold(self) -> None:
        """Hold it for longer."""
        self.heed(self._link.call(*self.put([], [], []), retry=True))

    def go_on(self) -> None:
        """Hold it for longer where it was not for a while, as far as a full server lets it; often no round trip."""
        now = time.monotonic()
        if now - self._held_at > LEASE_MS / 10_000:
            self._cleared([], "all")
            self._held_at = now

    def put(
        self, ids: Sequence[str], fields: Sequence[str], texts: Sequence[Sequence[bytes | None]]
    ) -> tuple[Argument, ...]:
        """Command that writes some deals, with a column of texts for each field; ``heed`` its answer."""
        about: tuple[Argument, ...] = (
            "EVAL",
            _PUT,
            2 + len(ids),
            self._keys.meta,
            self._keys.lease,
            *ids,
        )
        return (*about, self.token, LEASE_MS, len(fields), *fields, _packed(texts))

    def finish(
        self,
        seq: int,
        manifest: str,
        words: tuple[Sequence[object], Sequence[object], Sequence[object]],
        blobs: Sequence[str],
    ) -> int:
        """
        Make the collection a whole one, which ends the claim; returns how many saved queries were written.

        Parameters
        ----------
        seq, manifest
            The last commit, 0 for none, and the manifest.
        words
            Names and values in turn, of the last entry of the log, of the meta data, and of the saved queries.
        blobs
            Keys that have to be there.
        """
        keys = self._keys
        names = (keys.meta, keys.log, keys.checkpoint, keys.queries, keys.lease, *blobs)
        reply = self._link.call(
            "EVAL",
            _FINISH,
            len(names),
            *names,
            self.token,
            seq,
            manifest,
            _packed(words),
            retry=True,
        )
        self.heed(reply)
        return int(reply[1])

    def heed(self, reply: list[bytes]) -> None:
        """Raise where a script has refused."""
        what = reply[0]
        if what == b"taken":
            raise self.refused(
                "another restore into it has begun since, or the server has lost what was written"
            )
        if what == b"lost":
            raise self.refused(
                "a part that was written to it is gone: is another program using its keys?"
            )
        if what == b"holds":
            raise self.holds(reply[1].decode(errors="replace"))

    def holds(self, key: str) -> RestoreRefused:
        """Error for a collection that has a key."""
        return self.refused(
            f"it is not empty, because the key {key!r} exists: restore into another collection or database"
        )

    def refused(self, why: str) -> RestoreRefused:
        """Error that says why it can't be done."""
        where = self._link.settings.where_db(self._link.db)
        return RestoreRefused(
            f"{where}: can't restore into collection {self._keys.collection!r}: {why}"
        )


def _packed(what: object) -> bytes:
    # the server has no type for bytes other than texts
    packed: bytes = msgpack.packb(what, use_bin_type=False)
    return packed
