"""
The log: one entry a commit, read from the server and decoded.

An entry has the id ``<seq>-0`` and these fields, always in this order: hash, time, writer, counter,
actor, kind, height, rows, data. ``docs/protocol.md`` says what each holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, TypeAlias, overload

import msgpack
import polars as pl

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.encoding import unpacked, with_none

# entries asked for at first, and then as many as take up about so much: bounds the memory of the reply
_FIRST_ENTRIES = 100
_PAGE_BYTES = 2**20
# the server does nothing else meanwhile
_MAX_ENTRIES = 2_000
# kinds of commits that change deals
DEAL_KINDS = frozenset(("set", "add", "mend", "delete"))
# a reader that waits takes so many at most
WAIT_ENTRIES = 100

# an element of an XRANGE reply: id, and names and values in turn
_Raw: TypeAlias = tuple[bytes, list[bytes]]
# where the values stand
_HASH, _TIME, _WRITER, _COUNTER, _ACTOR, _KIND, _HEIGHT, _ROWS, _DATA = range(1, 18, 2)
_WORDS = _DATA + 1


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


class Entry(NamedTuple):
    """
    One commit.

    Attributes
    ----------
    position
        Its number and chain hash.
    time_ms
        When the server committed it by its clock, milliseconds since 1970, UTC. A clock can be set: the order of
        commits is that of their numbers.
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
    deals
        ``added``, where it has been unpacked already.
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
    deals: pl.DataFrame | None = None

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
        return ids, list(fields), [with_none(column) for column in columns]

    def may_concern(self, deal_id: str) -> bool:
        """False where it certainly has nothing of a deal; quicker than ``change``."""
        if self.kind == "add":
            return deal_id in self.added["id"]
        return deal_id.encode() in self.data

    @property
    def added(self) -> pl.DataFrame:
        """Columns of texts, ``id`` first, of a commit that added new deals in bulk."""
        return unpacked(self.data) if self.deals is None else self.deals

    def with_deals(self) -> Entry:
        """The same, with ``added`` unpacked once for all."""
        return self._replace(deals=self.added) if self.kind == "add" else self

    @property
    def is_left_over(self) -> bool:
        """Whether a ``delete`` removes rows of which the deals live on in others, after another program's doing."""
        return self.kind == "delete" and len(msgpack.unpackb(self.data)) > 1


class Run(NamedTuple):
    """
    Commits of one kind that follow one another, column by column: what a replica needs of them.

    Attributes
    ----------
    kind
        Their kind.
    last
        Position of the last one.
    times_ms, heights, packed_rows, data
        As of ``Entry``, for each.
    added
        As of ``Entry``, for each of the kind ``add``.
    """

    kind: str
    last: Position
    times_ms: list[int]
    heights: list[int]
    packed_rows: list[bytes]
    data: list[bytes]
    added: list[pl.DataFrame]


class LogPage(Sequence[Entry]):
    """
    Commits as one reply has them.

    A catch-up reads tens of thousands. To make an entry of each takes as long as all that is then done with them, so
    entries are made only when they are asked for.

    Raises
    ------
    ValueError, IndexError
        If dealdb did not write one of them.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: Sequence[_Raw], *, known: bool = False) -> None:
        self._raw = raw
        if not known:
            self._check()

    def _check(self) -> None:
        """That each entry can be made."""
        numbers = [f[place] for _, f in self._raw for place in (_TIME, _COUNTER, _HEIGHT)]
        numbers += [entry_id[:-2] for entry_id, _ in self._raw]
        names = [f[place] for _, f in self._raw for place in (_WRITER, _ACTOR, _KIND)]
        b"".join(names).decode()
        well_formed = all(len(f) == _WORDS for _, f in self._raw)
        if not (well_formed and all(map(bytes.isdigit, numbers))):
            msg = "not the fields of an entry"
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self._raw)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> LogPage: ...
    def __getitem__(self, place: int | slice) -> Entry | LogPage:
        if isinstance(place, slice):
            return LogPage(self._raw[place], known=True)
        return entry_of(self._raw[place])

    @property
    def data_bytes(self) -> int:
        """Size of all changes."""
        return sum(len(fields[_DATA]) for _, fields in self._raw)

    @property
    def times_ms(self) -> list[int]:
        """When each was made."""
        return [int(fields[_TIME]) for _, fields in self._raw]

    @property
    def heights(self) -> list[int]:
        """Rows that there were before each."""
        return [int(fields[_HEIGHT]) for _, fields in self._raw]

    def runs(self) -> Iterator[Run]:
        """The same as runs of commits of one kind."""
        for kind, some in groupby(self._raw, key=lambda raw: raw[1][_KIND]):
            raw = list(some)
            fields = [f for _, f in raw]
            yield Run(
                kind.decode(),
                _position(raw[-1]),
                [int(f[_TIME]) for f in fields],
                [int(f[_HEIGHT]) for f in fields],
                [f[_ROWS] for f in fields],
                [f[_DATA] for f in fields],
                [unpacked(f[_DATA]) for f in fields] if kind == b"add" else [],
            )


def runs_of(entries: Iterable[Entry]) -> Iterator[Run]:
    """Entries as runs of commits of one kind."""
    if isinstance(entries, LogPage):
        yield from entries.runs()
        return
    for kind, some in groupby(entries, key=attrgetter("kind")):
        run = list(some)
        yield Run(
            kind,
            run[-1].position,
            [entry.time_ms for entry in run],
            [entry.height for entry in run],
            [entry.packed_rows for entry in run],
            [entry.data for entry in run],
            [entry.added for entry in run] if kind == "add" else [],
        )


def _position(raw: _Raw) -> Position:
    entry_id, fields = raw
    return Position(int(entry_id[:-2]), fields[_HASH])


def entry_of(raw: _Raw) -> Entry:
    """Entry from an element of an XRANGE reply."""
    _, time, writer, counter, actor, kind, height, rows, data = raw[1][1::2]
    return Entry(
        _position(raw),
        int(time),
        writer.decode(),
        int(counter),
        actor.decode(),
        kind.decode(),
        int(height),
        rows,
        data,
    )


def read_since(link: Link, log_key: str, position: Position) -> Iterator[LogPage] | None:
    """
    Entries after a position, in pages, or None when the log has no such position.

    The read includes the position itself: the first entry must be it, with the same hash. A server that was
    reset, restored or swapped can't pass that, though its numbers may be the same.

    Cost
    ----
    One round trip where fewer than 100 commits are new.
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
    return entry_at(link, log_key, position) is not None


def entry_at(link: Link, log_key: str, position: Position) -> Entry | None:
    """The commit at a position, or None where the log does not have it any more. One round trip."""
    entry_id = f"{position.seq}-0"
    found = link.call("XRANGE", log_key, entry_id, entry_id, retry=True)
    entry = entry_of(found[0]) if found else None
    return entry if entry and entry.position == position else None


def read_from(link: Link, log_key: str, seq: int) -> Iterator[LogPage]:
    """
    Entries from a number on that are still in the log, in pages.

    Cost
    ----
    One round trip for every MiB of commits, or 2,000.
    """
    return _pages(link, log_key, _page(link, log_key, f"{seq}-0", _FIRST_ENTRIES), skip=0)


def read_back(link: Link, log_key: str, seq: int) -> Iterator[LogPage]:
    """
    Entries up to a number that are still in the log, in pages, the newest page first.

    Cost
    ----
    As ``read_from``.
    """
    count = _FIRST_ENTRIES
    while seq > 0:
        first = max(seq - count + 1, 1)
        raw = link.call("XRANGE", log_key, f"{first}-0", f"{seq}-0", retry=True)
        page = _entries(link, log_key, raw)
        if page:
            yield page
        if not page or page[0].position.seq > first:
            return
        count = _count_for(page)
        seq = first - 1


def wait_for(link: Link, log_key: str, seq: int, wait_ms: int) -> Sequence[Entry]:
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


def _page(link: Link, log_key: str, start: str, count: int) -> LogPage:
    raw = link.call("XRANGE", log_key, start, "+", "COUNT", count, retry=True)
    return _entries(link, log_key, raw)


def _entries(link: Link, log_key: str, raw: list[_Raw]) -> LogPage:
    try:
        return LogPage(raw)
    except (ValueError, IndexError) as problem:
        msg = f"{link.settings.where}: the stream {log_key!r} holds an entry that dealdb did not write"
        raise StoreDamaged(msg) from problem


def _pages(link: Link, log_key: str, page: LogPage, *, skip: int) -> Iterator[LogPage]:
    count = _FIRST_ENTRIES
    while True:
        full = len(page) == count
        last = page[-1].position if page else None
        if len(page) > skip:
            yield page[skip:]
        if not full or last is None:
            return
        count = _count_for(page)
        page = _page(link, log_key, f"{last.seq}-0", count)
        if not page or page[0].position != last:
            msg = f"{link.settings.where}: the log {log_key!r} was reset while it was read"
            raise HistoryReset(msg)
        skip = 1


def _count_for(page: LogPage) -> int:
    """How many entries to ask for next, from what is known of their size."""
    size = page.data_bytes // len(page) + 1
    return max(2, min(_PAGE_BYTES // size, _MAX_ENTRIES))


class HistoryReset(StoreDamaged):
    """The log stopped being the one that was being read; reading starts again."""
