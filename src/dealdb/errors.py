"""
Every error that dealdb raises on purpose.

::

    DealDBError                     .code: stable string   .retryable: bool
    ├── ConfigError(ValueError)     a setting, URL or option that can't be used
    ├── SchemaError(ValueError)     a value that doesn't fit its field, or a change of type that can't be made
    ├── QueryError(ValueError)      a filter, sort or statement that can't be understood
    │   └── NotYetKnown             a figure that nothing is known for yet
    ├── LoadError(ValueError)       a source that can't be read at all
    ├── BackupError(ValueError)     a backup file that is damaged, of a newer format, or can't be written
    ├── MissingExtra(ImportError)   a feature whose optional packages are not installed
    ├── DealNotFound(KeyError)      no deal with that id
    ├── ConflictError               the deal changed since the caller read it
    ├── ForkError(RuntimeError)     a query in a forked process whose parent had run one
    └── StoreError                  the server refused, failed or can't be reached
        ├── AccessDenied            wrong password, or a right that the server's ACL withholds
        ├── ServerRefused           out of memory, read-only replica, wrong type of key, disk full ...
        ├── ServerUnavailable       refused, reset, timed out, loading          (retryable)
        ├── PoolTimeout             every connection stayed busy                (retryable)
        ├── OutcomeUnknown          a change was sent, and no answer came
        ├── NotDurable              a change was made, and is not known to be on disk or in a replica
        ├── WriterClash             the server has other commits under this writer's name
        ├── LoadReset               the server lost what a load had written
        ├── FeedReset               the server's history is not the one that a feed followed
        ├── NotAdopted              hashes of another program would have to be adopted first
        ├── NotOnPartitions         what a collection of several partitions can't do
        └── StoreDamaged            what the server holds is not a dealdb collection of this format

Messages are lower case without a full stop: what was asked, what was found, what to do. They never
hold a password or a deal's values. The same tree, with cause and remedy per code, is in ``docs/errors.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar


class DealDBError(Exception):
    """
    Base of every error that dealdb raises on purpose; one that was pickled has the same type, text and attributes.

    Attributes
    ----------
    code
        Stable text for programs, e.g. ``"pool-timeout"``; never changes once released.
    retryable
        True when the same call may well succeed a moment later and can't do harm.
    """

    code: ClassVar[str] = "dealdb"
    retryable: ClassVar[bool] = False

    def __str__(self) -> str:
        # KeyError would show the repr of the message
        return " ".join(str(arg) for arg in self.args)

    def __reduce__(self) -> tuple[Any, ...]:
        # by default it would be made again from its message alone, and a pool of processes hangs when that fails
        return _as_it_was, (type(self), self.args, self._portable())

    def __copy__(self) -> Self:
        return _as_it_was(type(self), self.args, self.__dict__)

    def _portable(self) -> dict[str, Any]:
        return dict(self.__dict__)


_Error = TypeVar("_Error", bound=DealDBError)


def _as_it_was(kind: type[_Error], args: tuple[Any, ...], attributes: dict[str, Any]) -> _Error:
    """Error with these attributes; its own constructor, which takes others, is left out."""
    error = kind.__new__(kind, *args)
    builtin = next(base for base in kind.__mro__ if not issubclass(base, DealDBError))
    # ImportError keeps its message in a place of its own as well
    builtin.__init__(error, *args)
    error.__dict__.update(attributes)
    return error


class ConfigError(DealDBError, ValueError):
    """A setting, URL or option that can't be used; never corrected silently."""

    code = "config"


class SchemaError(DealDBError, ValueError):
    """
    A value that doesn't fit its field, or a change of type that can't be made.

    Attributes
    ----------
    deal
        Id of the deal, or None where the error concerns no single deal.
    field
        Name of the field, or None.
    expected
        What would have been accepted.
    """

    code = "schema"

    def __init__(
        self,
        message: str,
        *,
        deal: str | None = None,
        field: str | None = None,
        expected: str | None = None,
    ) -> None:
        super().__init__(message)
        self.deal, self.field, self.expected = deal, field, expected


class QueryError(DealDBError, ValueError):
    """
    A filter, sort or statement that can't be understood.

    Attributes
    ----------
    text
        The text as given, or None where the query was not text.
    position
        Offset of the first character at fault, or None.
    """

    code = "query"

    def __init__(
        self, message: str, *, text: str | None = None, position: int | None = None
    ) -> None:
        super().__init__(message)
        self.text, self.position = text, position


class NotYetKnown(QueryError):
    """A figure that can't be told yet: the history begins too late for it, or what it is of was not said."""

    code = "not-yet-known"


class LoadError(DealDBError, ValueError):
    """A source that can't be read at all: missing, of an unknown format, or not what its name says."""

    code = "load"


class BackupError(DealDBError, ValueError):
    """
    A backup file that is damaged, of a newer format or not a backup at all, or that can't be written to its end.

    Attributes
    ----------
    part
        Number of the part at fault, from 0, or None where it is not in one.
    offset
        Byte of the file that the fault begins at, or None.
    """

    code = "backup"

    def __init__(self, message: str, *, part: int | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.part, self.offset = part, offset


class MissingExtra(DealDBError, ImportError):
    """A feature whose optional packages are not installed; the message names the extra to install."""

    code = "missing-extra"


class DealNotFound(DealDBError, KeyError):
    """No deal with that id."""

    code = "not-found"

    def __init__(self, deal: str) -> None:
        super().__init__(f"no deal with id {deal!r}")
        self.deal = deal


class ConflictError(DealDBError):
    """
    The deal changed since the caller read it; nothing was written.

    Attributes
    ----------
    deal
        Id of the deal.
    expected_rev
        Revision that the caller gave.
    actual_rev
        Revision that the server holds; 0 when there is no such deal.
    """

    code = "conflict"

    def __init__(self, deal: str, *, expected_rev: int, actual_rev: int) -> None:
        found = f"revision {actual_rev}" if actual_rev else "no such deal"
        remedy = "read the deal again and repeat the change"
        super().__init__(
            f"deal {deal!r}: expected revision {expected_rev}, found {found}; {remedy}"
        )
        self.deal, self.expected_rev, self.actual_rev = deal, expected_rev, actual_rev


class ForkError(DealDBError, RuntimeError):
    """A query in a forked process whose parent had run one before: Polars' threads don't live on in the child."""

    code = "fork"


class StoreError(DealDBError):
    """
    The server refused, failed or can't be reached.

    Attributes
    ----------
    sent
        True when a command may have reached the server and was not answered, so that a change may have happened.
    """

    code = "store"
    sent: bool = False


class AccessDenied(StoreError):
    """Wrong user or password, or a right that the server's ACL withholds."""

    code = "access-denied"


class ServerRefused(StoreError):
    """
    The server answered with an error: out of memory, read-only replica, wrong type of key, disk full.

    Attributes
    ----------
    reply
        First word of the server's error, e.g. ``"OOM"`` or ``"READONLY"``.
    """

    code = "server-refused"

    def __init__(self, message: str, *, reply: str) -> None:
        super().__init__(message)
        self.reply = reply


class ServerUnavailable(StoreError):
    """No answer: the address is wrong, nothing listens, the link broke, it timed out, or it is loading."""

    code = "server-unavailable"
    retryable = True

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class PoolTimeout(StoreError):
    """
    Every connection of the pool stayed busy for longer than ``pool_timeout_s``.

    Attributes
    ----------
    size
        Connections that the pool may hold.
    in_use
        Connections that were busy when the wait ended.
    """

    code = "pool-timeout"
    retryable = True

    def __init__(self, *, size: int, in_use: int, waited_s: float) -> None:
        used = f"{in_use} of {size} are in use; raise max_connections or pool_timeout_s"
        super().__init__(f"no connection became free within {waited_s:g} s: {used}")
        self.size, self.in_use = size, in_use


class OutcomeUnknown(StoreError):
    """
    A change was sent and no answer came before the deadline: it happened once, or not at all.

    ``resolve`` asks the server which; and the next change of the same thread settles it in any case, so that the
    open one can't take effect after it. Only the process that sent the change can ask.
    """

    code = "outcome-unknown"

    def __init__(self, message: str, resolve: Callable[[], bool]) -> None:
        super().__init__(message)
        self._resolve: Callable[[], bool] | None = resolve

    def _portable(self) -> dict[str, Any]:
        return {**self.__dict__, "_resolve": None}

    def resolve(self) -> bool:
        """
        Whether the change happened, of a load all commits; asks the server, and when it did not, it never will.

        Raises
        ------
        StoreError
            If the server still can't be asked, or the error comes from another process.

        Cost
        ----
        One round trip the first time, none afterwards.
        """
        if self._resolve is None:
            msg = "this error comes from another process, and only that one can ask: call resolve() there"
            raise StoreError(msg)
        return self._resolve()


class NotDurable(StoreError):
    """
    The durability that was asked for can't be had, or was not confirmed in time; or a full server removes deals.

    Attributes
    ----------
    done
        Whether the change was made, in the server's memory; False when nothing was written.
    """

    code = "not-durable"

    def __init__(self, message: str, *, done: bool = False) -> None:
        super().__init__(message)
        self.done = done


class WriterClash(StoreError):
    """
    The server has other commits under the name and number that a change was sent with, or has forgotten the name.

    It is that of a copy of this process (a cloned machine), or of one that stood still for a week; the next is new.
    """

    code = "writer-clash"


class LoadReset(StoreError):
    """The server lost what a load had read or written: emptied, restored from a backup, or cut short."""

    code = "load-reset"


class FeedReset(StoreError):
    """
    The server's history is not the one that a feed followed: emptied, restored from a backup, or cut short.

    Attributes
    ----------
    token
        The last commit that the feed returned, or was to begin after.
    """

    code = "feed-reset"

    def __init__(self, message: str, *, token: str) -> None:
        super().__init__(message)
        self.token = token


class NotAdopted(StoreError):
    """A change of a collection that holds hashes of another program, which nobody has adopted; nothing was written."""

    code = "not-adopted"


class NotOnPartitions(StoreError):
    """What a collection of several partitions can't do: adopt hashes of another program; nothing was written."""

    code = "not-on-partitions"


class RestoreRefused(StoreError):
    """A backup can't be restored into this collection: it is not empty, or another process restores into it."""

    code = "restore-refused"


class StoreDamaged(StoreError):
    """What the server holds is not a dealdb collection of a format that this version understands."""

    code = "store-damaged"


# tracebacks and pickles say ``dealdb.ConflictError``, whatever file the class is in
for _thing in list(globals().values()):
    if isinstance(_thing, type) and issubclass(_thing, DealDBError):
        _thing.__module__ = "dealdb"
del _thing
