"""
Entries of the log, one a commit, decoded one by one, as a page, or as runs of one kind.

An entry has the id ``<seq>-0`` and these fields, always in this order: hash, time, writer, counter,
actor, kind, height, rows, data. ``docs/protocol.md`` says what each holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias, overload

import polars as pl

from dealdb.errors import StoreDamaged
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.bounds.wall import LAST_MS, Reading
from dealdb.store.encoding import (
    check_change,
    checked_ats,
    places_of,
    unpacked,
    unpacked_change,
    unpacked_facts,
    with_none,
)

# kinds of commits that change deals
DEAL_KINDS = frozenset(("set", "add", "mend", "delete"))

# an element of an XRANGE reply: id, and names and values in turn
RawEntry: TypeAlias = tuple[bytes, list[bytes]]
# where the values are
_HASH, _TIME, _WRITER, _COUNTER, _ACTOR, _KIND, _HEIGHT, _ROWS, _DATA = range(1, 18, 2)
_WORDS = _DATA + 1
# of the number of a commit or a row: 64 bits hold it
_MOST_DIGITS = 18


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
        ``set``, ``add``, ``mend``, ``delete``, ``schema``, ``pipeline`` or ``facts``.
    height
        Number of rows before it. A deal whose row is at or above it is new.
    packed_rows
        Row of each deal of ``data``: msgpack; empty for ``add``, whose deals have the rows from ``height`` on.
    data
        The change, in the encoding of the kind.
    deals
        ``added``, where it has been unpacked already.
    parts
        What ``data`` and ``packed_rows`` say, where they have been unpacked already; all but the rows is checked when
        it is asked for. Of an ``add`` it may be a few of its deals.
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
    parts: tuple[list[Any], list[int]] | None = None

    @property
    def rows(self) -> list[int]:
        """Row of each deal of ``data``."""
        if self.parts is not None:
            return self.parts[1]
        with self.reading():
            if self.kind == "add":
                return list(range(self.height, self.height + self.added.height))
            rows = unpacked_change(self.packed_rows) if self.packed_rows else []
            most = self.height + len(rows)
            # by functions of C: a history looks at all rows of each commit that has its deal
            if rows and not ({*map(type, rows)} == {int} and 0 <= min(rows) <= max(rows) < most):
                msg = "rows that it can't have given"
                raise ValueError(msg)
            return rows

    @property
    def change(self) -> tuple[list[str], list[str], list[list[str | None]]]:
        """Ids, fields, and a column of texts for each field; a None clears."""
        with self.reading():
            if self.kind == "add" and self.parts is None:
                first, *texts = self.added.to_dict(as_series=False).items()
                return first[1], [name for name, _ in texts], [column for _, column in texts]
            ids, *rest = self._parts
            fields, columns, *more = rest or ((), ())
            found = ids, list(fields), [with_none(column) for column in columns]
            check_change(*found, len(self.rows))
            for ats in more:
                checked_ats(ats, len(ids))
            return found

    @property
    def ats(self) -> list[int]:
        """When what it says of each deal was so, milliseconds since 1970; 0 for the moment of the commit."""
        with self.reading():
            more = self._parts[3:] if self.kind == "set" else []
            return checked_ats(more[0], len(self.rows)) if more else [0] * len(self.rows)

    @property
    def _parts(self) -> list[Any]:
        return unpacked_change(self.data) if self.parts is None else self.parts[0]

    def with_parts(self) -> Entry:
        """The same; for who asks a ``set`` for its rows, changes and moments, they are unpacked once for all."""
        if self.kind != "set" or self.parts is not None:
            return self
        rows = self.rows
        with self.reading():
            return self._replace(parts=(unpacked_change(self.data), rows))

    def reading(self) -> Reading:
        """Around code that reads what it says."""
        return Reading(f"commit {self.position.seq} in the log")

    def given_to(self, deal_id: str) -> list[tuple[int, dict[str, str | None]]]:
        """Each row that it has of a deal, with the texts of its fields; those of the other deals are not made."""
        if self.kind not in DEAL_KINDS:
            return []
        if self.kind == "add" and self.parts is None:
            added = self.added
            with self.reading():
                places = (added["id"] == deal_id).arg_true() if added.height else ()
                return [
                    (self.height + place, {c.name: c[place] for c in added.get_columns()[1:]})
                    for place in places
                ]
        if self.kind != "add" and deal_id.encode() not in self.data:
            return []
        ids, names, columns = self.change
        rows = self.rows
        return [
            (
                rows[place],
                {name: column[place] for name, column in zip(names, columns, strict=True)},
            )
            for place in places_of(deal_id, ids)
        ]

    @property
    def added(self) -> pl.DataFrame:
        """Columns of texts, ``id`` first, of a commit that added new deals in bulk."""
        if self.deals is not None:
            return self.deals
        with self.reading():
            return unpacked(self.data)

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
        if self.kind not in (*DEAL_KINDS, "schema", "pipeline", "facts"):
            raise unknown_kind(self.position.seq, self.kind)
        with self.reading():
            return self._read(schema)

    def _read(self, schema: Schema | None) -> Schema | None:
        if self.kind == "schema":
            return Schema.from_json(self.data)
        if self.kind == "pipeline":
            Pipeline.from_json(self.data)
        elif self.kind == "facts":
            unpacked_facts(self.data)
        else:
            _, fields, _ = self.change
            if schema is not None and not schema.by_name.keys() >= set(fields):
                msg = "fields that there were not"
                raise ValueError(msg)
        return schema

    @property
    def tells_of_before(self) -> bool:
        """Whether it says of anything that it was so since another moment than its own."""
        return self.kind == "facts" or (self.kind == "set" and any(self.ats))

    @property
    def is_left_over(self) -> bool:
        """Whether a ``delete`` removes rows whose deals live on in others, after another program's change."""
        return self.kind == "delete" and len(unpacked_change(self.data)) > 1


def unknown_kind(seq: int, kind: str) -> StoreDamaged:
    """Error for a commit of a kind that another version may know."""
    return StoreDamaged(f"commit {seq} is of the kind {kind!r}, which this dealdb does not know")


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
        names = [f[place] for _, f in self._raw for place in (_HASH, _WRITER, _ACTOR, _KIND)]
        # not side by side: two that are no texts can be one together
        b" ".join(names).decode()
        well_formed = all(len(f) == _WORDS and e.endswith(b"-0") for e, f in self._raw)
        if not (well_formed and all(map(bytes.isdigit, numbers))):
            msg = "not the fields of an entry"
            raise ValueError(msg)
        if (
            max(map(len, numbers), default=0) > _MOST_DIGITS
            or max(self.times_ms, default=0) > LAST_MS
        ):
            msg = "a number or a time that no commit can have"
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
