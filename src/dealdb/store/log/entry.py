"""
Entries of the log, one a commit, decoded one by one, as a page, or as runs of one kind.

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

from dealdb.errors import DealDBError, StoreDamaged
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.encoding import unpacked, unpacked_change, with_none

# kinds of commits that change deals
DEAL_KINDS = frozenset(("set", "add", "mend", "delete"))

# what comes of reading what dealdb did not write
NOT_OURS = (
    *(ValueError, TypeError, LookupError, AttributeError, OverflowError, msgpack.UnpackException),
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException, DealDBError),
)

# an element of an XRANGE reply: id, and names and values in turn
RawEntry: TypeAlias = tuple[bytes, list[bytes]]
# where the values are
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
    writer
        Name of the writer that made it.
    counter
        Its number among the commits of that writer; the server refuses one that it has seen.
    actor
        Who did it.
    kind
        ``set``, ``add``, ``mend``, ``delete``, ``schema`` or ``pipeline``.
    height
        Number of rows before it. A deal whose row is at or above it is new.
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
        try:
            if self.kind == "add":
                return list(range(self.height, self.height + self.added.height))
            return msgpack.unpackb(self.packed_rows) if self.packed_rows else []
        except NOT_OURS as problem:
            raise damaged(self.position.seq) from problem

    @property
    def change(self) -> tuple[list[str], list[str], list[list[str | None]]]:
        """Ids, fields, and a column of texts for each field; a None clears."""
        try:
            if self.kind == "add":
                first, *texts = self.added.to_dict(as_series=False).items()
                return first[1], [name for name, _ in texts], [column for _, column in texts]
            ids, *rest = unpacked_change(self.data)
            fields, columns = rest or ((), ())
            return ids, list(fields), [with_none(column) for column in columns]
        except NOT_OURS as problem:
            raise damaged(self.position.seq) from problem

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

    def ensure_readable(self, schema: Schema | None) -> Schema | None:
        """
        Raise unless what it says can be read; returns the schema after it.

        Parameters
        ----------
        schema
            The one before it; None where nobody knows it.

        Raises
        ------
        StoreDamaged
            If it can't.
        """
        if self.kind not in (*DEAL_KINDS, "schema", "pipeline"):
            raise unknown_kind(self.position.seq, self.kind)
        try:
            return self._read(schema)
        except NOT_OURS as problem:
            raise damaged(self.position.seq) from problem

    def _read(self, schema: Schema | None) -> Schema | None:
        if self.kind == "schema":
            return Schema.from_json(self.data)
        if self.kind == "pipeline":
            Pipeline.from_json(self.data)
        else:
            ids, fields, columns = self.change
            rows: list[object] = [*self.rows]
            sizes = {len(ids), len(rows), *map(len, columns)}
            texts = [*ids, *fields, *(text for column in columns for text in column if text)]
            is_add_of_ids = self.kind != "add" or self.added.columns[0] == "id"
            whole = len(sizes) == 1 and len(fields) == len(columns) and is_add_of_ids
            if not whole or not all(isinstance(text, str) for text in texts):
                msg = "not the shape of a change"
                raise ValueError(msg)
            if not all(isinstance(row, int) and row >= 0 for row in rows):
                msg = "no numbers of rows"
                raise ValueError(msg)
            if schema is not None and not schema.by_name.keys() >= set(fields):
                msg = "fields that there were not"
                raise ValueError(msg)
        return schema

    @property
    def is_left_over(self) -> bool:
        """Whether a ``delete`` removes rows whose deals live on in others, after another program's change."""
        return self.kind == "delete" and len(unpacked_change(self.data)) > 1


def unknown_kind(seq: int, kind: str) -> StoreDamaged:
    """Error for a commit of a kind that another version may know."""
    return StoreDamaged(f"commit {seq} is of the kind {kind!r}, which this dealdb does not know")


def damaged(seq: int) -> StoreDamaged:
    """Error for a commit that can't be read."""
    return StoreDamaged(
        f"commit {seq} in the log is not what dealdb wrote: it was damaged, or another program changed it; "
        "dealdb doctor names the way out"
    )


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

    A catch-up reads tens of thousands. Making an entry of each takes as long as all that is then done with them, so
    entries are made only when they are asked for.

    Raises
    ------
    ValueError, IndexError
        If dealdb did not write one of them.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: Sequence[RawEntry], *, known: bool = False) -> None:
        self._raw = raw
        if not known:
            self._check()

    def _check(self) -> None:
        """Raise unless each entry can be made."""
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


def _position(raw: RawEntry) -> Position:
    entry_id, fields = raw
    return Position(int(entry_id[:-2]), fields[_HASH])


def entry_of(raw: RawEntry) -> Entry:
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
