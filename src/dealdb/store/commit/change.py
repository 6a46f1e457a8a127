"""What a commit is: a change, the note that goes with it, and the script's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar, overload

import msgpack

from dealdb.store.bounds.wall import Reading

if TYPE_CHECKING:
    from dealdb.store.commit.batch import Batch

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Mark:
    """
    What to keep with a commit.

    Attributes
    ----------
    name
        Of the load; it has one note, that of its last commit.
    note
        Any text.
    """

    name: str
    note: str


class Condition(NamedTuple):
    """
    What a commit depends on: where it doesn't hold, the script refuses the commit and writes nothing.

    Without anything it always holds.

    Attributes
    ----------
    text
        As the script takes it. Only ``commit.lua`` and this class know how it is written.

    Examples
    --------
    >>> Condition.revision_is(7)
    Condition(text='7')
    """

    text: str = ""

    @classmethod
    def deal_exists(cls) -> Self:
        """There is a deal with this id, whoever wrote it."""
        return cls("*")

    @classmethod
    def revision_is(cls, rev: int) -> Self:
        """The one deal has this revision; 0 for no deal."""
        return cls(str(rev))

    @classmethod
    def none_later_than(cls, rev: int) -> Self:
        """No deal has a later revision; with 0, there is none of them."""
        return cls(f"<={rev}")

    @classmethod
    def no_commit_since(cls, seq: int) -> Self:
        """The collection's last commit is this one."""
        return cls(f"@{seq}")

    @classmethod
    def counter_reached(cls, counter: int) -> Self:
        """Of a void: the writer's last commit has this counter at least."""
        return cls(str(counter))


class Change(NamedTuple):
    """
    One change to a collection, as the commit script takes it.

    Attributes
    ----------
    kind
        ``set``, ``add``, ``facts``, ``mend``, ``delete``, ``schema``, ``pipeline`` or ``void``.
    version
        Version of the schema or pipeline that it was prepared with, as ``version_of`` gives it.
    payload
        What changes, in the encoding of the kind.
    ids
        Deals concerned, in the order of the payload.
    condition
        What it depends on.
    texts
        Of a deal that is saved by hand: what the payload says, by field, which spares the server to unpack it; or None.
        Where it wins, loses or reopens the deal, the script sets or clears ``closed``.
    values
        Of an add: what the payload says, for the script.
    mark
        Note to keep with the commit, or None.
    at
        Of a deal that is saved by hand: since when, as the payload says, milliseconds since 1970; 0 for now.
    zone
        Of a deal that is saved by hand: the pipeline's, in which the day of closing is; empty for none.
    """

    kind: str
    version: str = ""
    payload: bytes | str = b""
    ids: Sequence[str] = ()
    condition: Condition = Condition()
    texts: Mapping[str, str | None] | None = None
    values: bytes = b""
    mark: Mark | None = None
    at: int = 0
    zone: str = ""

    def __repr__(self) -> str:
        # without the deals
        return f"<Change {self.kind!r} of {len(self.ids)} deals>"


class Lazily(Sequence[_Made], Generic[_Made]):
    """
    A sequence whose items are made when they are first asked for, and kept.

    Parameters
    ----------
    makers
        One for each item.

    Examples
    --------
    >>> made = Lazily([lambda: "a", lambda: 1 / 0])
    >>> made[0], len(made[1:])
    ('a', 1)
    """

    def __init__(self, makers: Sequence[Callable[[], _Made]]) -> None:
        self._makers = [cache(maker) for maker in makers]

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, place: int) -> _Made: ...
    @overload
    def __getitem__(self, place: slice) -> Lazily[_Made]: ...
    def __getitem__(self, place: int | slice) -> _Made | Lazily[_Made]:
        if isinstance(place, int):
            return self._makers[place]()
        part: Lazily[_Made] = Lazily(())
        # the very makers: what they have made is made
        part._makers = self._makers[place]
        return part


def setting_one(
    version: str, deal_id: str, texts: Mapping[str, str | None], condition: Condition, at: int
) -> Change:
    """One deal, saved by hand: fields to clear come last, as the script wants them, and so its history has them."""
    texts = dict(sorted(texts.items(), key=lambda item: item[1] is None))
    said = [[deal_id], list(texts), [[text] for text in texts.values()]]
    payload = msgpack.packb([*said, [at]] if at else said)
    return Change("set", version, payload, (deal_id,), condition, texts, at=at)


def setting_all(version: str, batch: Batch, condition: Condition, mark: Mark | None) -> Change:
    """A batch of deals."""
    columns = batch.columns
    said = [batch.ids, list(columns), list(columns.values())]
    return Change(
        kind="set",
        version=version,
        payload=msgpack.packb([*said, batch.ats] if batch.ats else said),
        ids=batch.ids,
        condition=condition,
        mark=mark,
    )


def adding(version: str, batch: Batch, mark: Mark | None) -> Change:
    """A batch of new deals."""
    return Change(
        kind="add",
        version=version,
        payload=batch.packed,
        values=batch.values,
        ids=batch.ids,
        mark=mark,
    )


def deleting(
    version: str, ids: Sequence[str], condition: Condition, mark: Mark | None = None
) -> Change:
    """Deals that go away."""
    return Change(
        kind="delete",
        version=version,
        payload=msgpack.packb([ids]),
        ids=ids,
        condition=condition,
        mark=mark,
    )


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
        # of a repeat it is what the record of the writer says
        with Reading("the record of this writer"):
            seq, inserted, updated, unchanged = map(int, self.rest[0].split())
            return seq, inserted, updated, unchanged

    @property
    def is_counted(self) -> bool:
        """Whether the counter is used up, by this commit or by a void."""
        return self.status in ("ok", "repeat")

    @property
    def is_void(self) -> bool:
        """Whether a void has used up the counter; this is the answer to the void or to the commit."""
        return self.is_counted and self.rest[0].startswith(b"void")

    @property
    def is_done(self) -> bool:
        """Whether the commit was carried out, now or before."""
        return self.is_counted and not self.is_void
