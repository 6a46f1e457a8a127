"""
The log: one entry a commit, read from the server and decoded.

An entry has the id ``<seq>-0`` and these fields, always in this order: hash, time, writer, counter,
actor, kind, height, rows, data. ``docs/protocol.md`` says what each holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack
import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.batch import unpacked

# entries asked for at first, and then as many as take up about so much: bounds the memory of the reply
_FIRST_ENTRIES = 500
_PAGE_BYTES = 4 * 2**20
# the server does nothing else meanwhile
_MAX_ENTRIES = 5_000
# kinds of commits that change deals
DEAL_KINDS = frozenset(("set", "add", "mend", "delete"))
# a reader that waits takes so many at most
WAIT_ENTRIES = 100


class Position(NamedTuple):
    """
    A point in the history of a collection.

    Attributes
    ----------
    seq
        Number of the last commit; 0 before the first.
    hash
        Its chain hash, which tells two histories with the same numbers apart.
    """

    seq: int = 0
    hash: bytes = b""


# a catch-up makes tens of thousands of these: a tuple takes a third of the time of a frozen dataclass
class Entry(NamedTuple):
    """
    One commit.

    Attributes
    ----------
    position
        Its number and chain hash.
    time_ms
        When the server committed it, milliseconds since 1970, UTC; never earlier than the one before.
    writer, counter
        Which writer's how manieth commit it was.
    actor
        Who did it.
    kind
        ``set``, ``add``, ``mend``, ``delete``, ``schema`` or ``pipeline``.
    height
        Rows that there were before it; a deal with a row from here on is new.
    packed_rows
        Row of each deal of ``data``: msgpack; empty for ``add``, whose deals have the rows from ``height`` on.
    data
        The change, in the encoding of the kind.
    """

    position: Position
    time_ms: int
    writer: str
    counter: int
    actor: str
    kind: str
    height: int
    packed_rows: bytes
    data: bytes

    @property
    def rows(self) -> list[int]:
        """Row of each deal of ``data``."""
        if self.kind == "add":
            return list(range(self.height, self.height + self.added.height))
        return msgpack.unpackb(self.packed_rows) if self.packed_rows else []

    @property
    def change(self) -> tuple[list[str], list[str], list[list[str | None]]]:
        """Ids, fields, and a column of texts for each field; a None clears."""
        if self.kind == "add":
            ids, *texts = self.added.to_dict(as_series=False).items()
            return ids[1], [name for name, _ in texts], [column for _, column in texts]
        ids, *rest = msgpack.unpackb(self.data)
        fields, columns = rest or ((), ())
        return ids, list(fields), [_with_none(c) if False in c else c for c in columns]

    def may_concern(self, deal_id: str) -> bool:
        """False where it certainly has nothing of a deal; quicker than ``change``."""
        if self.kind == "add":
            return deal_id in self.added["id"]
        return deal_id.encode() in self.data

    @property
    def added(self) -> pl.DataFrame:
        """Columns of texts, ``id`` first, of a commit that added new deals in bulk."""
        return unpacked(self.data)

    @property
    def is_left_over(self) -> bool:
        """Whether a ``delete`` removes rows of which the deals live on in others, after another program's doing."""
        return self.kind == "delete" and len(msgpack.unpackb(self.data)) > 1


def _with_none(column: list[Any]) -> list[str | None]:
    # the script writes false where it had to pack a list anew
    return [None if text is False else text for text in column]


def entry_of(raw: list[Any]) -> Entry:
    """Entry from an element of an XRANGE reply."""
    entry_id, fields = raw
    chain, time, writer, counter, actor, kind, height, rows, data = fields[1::2]
    return Entry(
        Position(int(entry_id[:-2]), chain),
        int(time),
        writer.decode(),
        int(counter),
        actor.decode(),
        kind.decode(),
        int(height),
        rows,
        data,
    )


def read_since(link: Link, log_key: str, position: Position) -> Iterator[list[Entry]] | None:
    """
    Entries after a position, in pages, or None when the log has no such position.

    The read includes the position itself: the first entry must be it, with the same hash. A server that was
    reset, restored or swapped can't pass that, though its numbers may be the same.

    Cost
    ----
    One round trip where fewer than 500 commits are new.
    """
    start = f"{position.seq}-0" if position.seq else "-"
    first = _page(link, log_key, start, _FIRST_ENTRIES)
    if position.seq:
        if not first or first[0].position != position:
            return None
        return _pages(link, log_key, first, skip=1)
    if first and first[0].position.seq != 1:
        return None
    return _pages(link, log_key, first, skip=0)


def has_position(link: Link, log_key: str, position: Position) -> bool:
    """Whether the log has this very commit. One round trip."""
    entry_id = f"{position.seq}-0"
    found = link.call("XRANGE", log_key, entry_id, entry_id, retry=True)
    return bool(found) and entry_of(found[0]).position == position


def read_from(link: Link, log_key: str, seq: int) -> Iterator[list[Entry]]:
    """
    Entries from a number on that are still in the log, in pages.

    Cost
    ----
    One round trip for every 4 MiB of commits, or 5,000.
    """
    return _pages(link, log_key, _page(link, log_key, f"{seq}-0", _FIRST_ENTRIES), skip=0)


def wait_for(link: Link, log_key: str, seq: int, wait_ms: int) -> list[Entry]:
    """
    The first entries in the log after a number; none when no commit comes within ``wait_ms`` milliseconds.

    Whether they follow what the caller has is for the caller to see.

    Cost
    ----
    One round trip, which lasts until there is an entry; it has to end before the link's ``socket_timeout_s``.
    """
    wait = ("BLOCK", wait_ms) if wait_ms > 0 else ()
    reply = link.call(
        "XREAD", "COUNT", WAIT_ENTRIES, *wait, "STREAMS", log_key, f"{seq}-0", retry=True
    )
    return _entries(link, log_key, reply[0][1]) if reply else []


def _page(link: Link, log_key: str, start: str, count: int) -> list[Entry]:
    raw = link.call("XRANGE", log_key, start, "+", "COUNT", count, retry=True)
    return _entries(link, log_key, raw)


def _entries(link: Link, log_key: str, raw: list[Any]) -> list[Entry]:
    try:
        return [entry_of(element) for element in raw]
    except (ValueError, AttributeError) as problem:
        msg = f"{link.settings.where}: the stream {log_key!r} holds an entry that dealdb did not write"
        raise StoreDamaged(msg) from problem


def _pages(link: Link, log_key: str, page: list[Entry], *, skip: int) -> Iterator[list[Entry]]:
    count = _FIRST_ENTRIES
    while True:
        full = len(page) == count
        last = page[-1].position if page else None
        if page[skip:]:
            yield page[skip:]
        if not full or last is None:
            return
        size = sum(len(entry.data) for entry in page) // count + 1
        count = max(2, min(_PAGE_BYTES // size, _MAX_ENTRIES))
        page = _page(link, log_key, f"{last.seq}-0", count)
        if not page or page[0].position != last:
            msg = f"{link.settings.where}: the log {log_key!r} was reset while it was read"
            raise HistoryReset(msg)
        skip = 1


class HistoryReset(StoreDamaged):
    """The log stopped being the one that was being read; reading starts again."""
