"""
What the log says of all deals, as columns of texts: the ground of every view of the past.

It grows with the log. Bulk commits are taken over as frames; of others each commit is looked at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, groupby, repeat
from operator import attrgetter
from typing import Any

import polars as pl

from dealdb.errors import StoreDamaged
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.encoding import FACT_COLUMNS, checked_ats, unpacked_all, unpacked_facts, with_none
from dealdb.store.facts.facts import COMMITS_SCHEMA
from dealdb.store.log.entry import Entry, Position, check_change, unknown_kind

TOUCH_SCHEMA: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "seq": pl.UInt32(),
    # when it was so, where the commit says another moment than its own
    "at": pl.Int64(),
    # whether the commit script set ``updated``
    "stamped": pl.Boolean(),
}
CELL_SCHEMA: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "seq": pl.UInt32(),
    "value": pl.String(),
}
_ROW_SCHEMA: dict[str, pl.DataType] = {"row": pl.UInt32(), "seq": pl.UInt32()}
# another program may copy a hash with its row: then two deals have it
_ID_SCHEMA: dict[str, pl.DataType] = {**_ROW_SCHEMA, "id": pl.String()}
IMPORT_SCHEMA: dict[str, pl.DataType] = {"seq": pl.UInt32(), "place": pl.UInt32(), **FACT_COLUMNS}
# entries that are taken in together: bounds the memory of a long history
_AT_ONCE = 2_000


class Pieces:
    """A table that is appended to in pieces, and joined when it is read."""

    def __init__(self, schema: dict[str, pl.DataType]) -> None:
        self._schema = schema
        self._pieces: list[pl.DataFrame] = []

    def append(self, piece: pl.DataFrame) -> None:
        """Add rows."""
        self._pieces.append(piece.select(pl.col(n).cast(t) for n, t in self._schema.items()))

    def table(self) -> pl.DataFrame:
        """All rows, in the order in which they came."""
        if len(self._pieces) != 1:
            empty = pl.DataFrame(schema=self._schema)
            self._pieces = [pl.concat([empty, *self._pieces], rechunk=True)]
        return self._pieces[0]


class Ledger:
    """
    All that the commits say, up to a position.

    Attributes
    ----------
    position
        The last commit that is in it.
    ids
        ``row``, ``seq`` and ``id`` of each change of a deal.
    touches
        ``row``, ``seq``, ``at`` and ``stamped`` of each change of a deal.
    gone
        ``row``, ``seq`` and ``id`` of each deletion.
    imported
        Facts that were recorded later than they happened, with ``seq`` and ``place``.
    schema
        In force after the last commit.
    pipelines
        Number of the commit and pipeline, as they came into force.
    """

    def __init__(self) -> None:
        self.position = Position()
        self.ids, self.touches = Pieces(_ID_SCHEMA), Pieces(TOUCH_SCHEMA)
        self.gone, self.imported = Pieces(_ID_SCHEMA), Pieces(IMPORT_SCHEMA)
        self.schema = Schema(0, ())
        self.pipelines: list[tuple[int, Pipeline]] = []
        self._cells: dict[str, Pieces] = {}
        self._times: list[int] = []
        self._actors: list[str] = []
        self._kinds: list[str] = []

    @property
    def fields(self) -> list[str]:
        """Fields that any deal has ever had a value of."""
        return list(self._cells)

    def cells(self, name: str) -> pl.DataFrame:
        """``row``, ``seq`` and ``value`` (the text, null where it is cleared) of each change of a field."""
        found = self._cells.get(name)
        return pl.DataFrame(schema=CELL_SCHEMA) if found is None else found.table()

    def commits(self) -> pl.DataFrame:
        """
        ``seq``, ``at``, ``who``, ``kind`` and ``time_ms`` of every commit.

        A clock can be set, so that a commit has an earlier time than the one before it. What counts at a moment is the
        last commit that is not later, with all before that one: so ``at`` is the earliest time of the commit and of
        all after it.
        """
        frame = pl.DataFrame(
            {"who": self._actors, "kind": self._kinds, "time_ms": self._times},
            schema={"who": pl.String(), "kind": pl.String(), "time_ms": pl.Int64()},
        ).with_row_index("seq", offset=1)
        at = pl.col("time_ms").cum_min(reverse=True).alias("at")
        return frame.with_columns(at).select(*COMMITS_SCHEMA, "time_ms")

    def until(self, ms: int | None) -> int:
        """Number of the last commit that is not later than a moment; of the last one for None."""
        if ms is None:
            return self.position.seq
        found = (self.commits()["time_ms"] <= ms).arg_true()
        return int(found[-1]) + 1 if len(found) else 0

    def upto(self, seq: int) -> Ledger:
        """The same as of a commit; shares the tables."""
        if seq >= self.position.seq:
            return self
        found = Ledger()
        found.position, found.schema = Position(seq), self.schema
        found.pipelines = [each for each in self.pipelines if each[0] <= seq]
        found._times, found._actors, found._kinds = (
            self._times[:seq],
            self._actors[:seq],
            self._kinds[:seq],
        )
        known = pl.col("seq") <= seq
        for name in ("ids", "touches", "gone", "imported"):
            getattr(found, name).append(getattr(self, name).table().filter(known))
        for name in self._cells:
            found._put(name, self.cells(name).filter(known))
        return found

    def take(self, entries: Iterable[Entry]) -> None:
        """
        Take in the commits that follow the position.

        Raises
        ------
        StoreDamaged
            If one of them is not what dealdb wrote.
        """
        page: list[Entry] = []
        for entry in entries:
            page.append(entry)
            if len(page) == _AT_ONCE:
                self._take_page(page)
                page = []
        self._take_page(page)

    def _take_page(self, page: Sequence[Entry]) -> None:
        if not page:
            return
        schema: Schema | None = self.schema
        try:
            with page[-1].reading():
                for kind, some in groupby(page, key=attrgetter("kind")):
                    self._take_run(kind, list(some))
        except StoreDamaged:
            # says which of them it is
            for entry in page:
                schema = entry.ensure_readable(schema)
            raise

    def _take_run(self, kind: str, run: Sequence[Entry]) -> None:
        match kind:
            case "add":
                self._add(run)
            case "set" | "mend":
                self._set(kind, run)
            case "delete":
                self._delete(run)
            case "schema":
                self.schema = Schema.from_json(run[-1].data)
            case "pipeline":
                self.pipelines += [(e.position.seq, Pipeline.from_json(e.data)) for e in run]
            case "facts":
                self._import(run)
            case _:
                raise unknown_kind(run[-1].position.seq, kind)
        self._times += [entry.time_ms for entry in run]
        self._actors += [entry.actor for entry in run]
        self._kinds += [kind] * len(run)
        self.position = run[-1].position

    def _add(self, run: Sequence[Entry]) -> None:
        frames = [
            entry.added.select(
                pl.int_range(entry.height, entry.height + pl.len(), dtype=pl.UInt32).alias("_row"),
                pl.lit(entry.position.seq, pl.UInt32).alias("_seq"),
                pl.all(),
            )
            for entry in run
        ]
        for _, alike in groupby(frames, key=lambda frame: frame.columns):
            added = pl.concat(alike)
            places = added.select(row="_row", seq="_seq")
            self.ids.append(added.select(row="_row", seq="_seq", id="id"))
            self.touches.append(places.with_columns(at=None, stamped=False))
            for name in added.columns[3:]:
                given = added[name].is_not_null()
                cells = places.with_columns(added[name].alias("value"))
                self._put(name, cells if given.all() else cells.filter(given))

    def _put(self, name: str, cells: pl.DataFrame) -> None:
        self._cells.setdefault(name, Pieces(CELL_SCHEMA)).append(cells)

    def _set(self, kind: str, run: Sequence[Entry]) -> None:
        gathered: dict[tuple[str, ...], _Gathered] = defaultdict(_Gathered)
        changes = unpacked_all([entry.data for entry in run])
        rows = unpacked_all([entry.packed_rows for entry in run])
        for entry, (ids, fields, columns, *more), some in zip(run, changes, rows, strict=True):
            check_change(ids, fields, columns, len(some), may_be_false=True)
            _check_rows(some, entry.height + len(some))
            gathered[tuple(fields)].add(entry, ids, columns, some, ats_of(more, len(some)))
        for fields, found in gathered.items():
            places = pl.DataFrame([found.rows, found.seqs], schema=_ROW_SCHEMA)
            stamps = kind == "set" and "updated" not in fields
            is_old = pl.Series(found.rows, dtype=pl.UInt32) < pl.Series(
                found.heights, dtype=pl.UInt32
            )
            self.touches.append(
                places.with_columns(
                    pl.Series("at", found.ats, dtype=pl.Int64),
                    (is_old if stamps else is_old & False).alias("stamped"),
                )
            )
            self.ids.append(places.with_columns(pl.Series("id", found.ids, dtype=pl.String)))
            for name, texts in zip(fields, found.columns, strict=True):
                values = pl.Series("value", with_none(texts), dtype=pl.String)
                self._put(name, places.with_columns(values))

    def _delete(self, run: Sequence[Entry]) -> None:
        rows = [entry.rows for entry in run]
        seqs = chain.from_iterable(
            repeat(e.position.seq, len(some)) for e, some in zip(run, rows, strict=True)
        )
        ids = chain.from_iterable(entry.change[0] for entry in run)
        columns = [list(chain.from_iterable(rows)), list(seqs), list(ids)]
        self.gone.append(pl.DataFrame(columns, schema=_ID_SCHEMA))

    def _import(self, run: Sequence[Entry]) -> None:
        for entry in run:
            facts = unpacked_facts(entry.data)
            seq = pl.lit(entry.position.seq, pl.UInt32).alias("seq")
            self.imported.append(facts.with_row_index("place").with_columns(seq))


class _Gathered:
    """Changes of the same fields."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.seqs: list[int] = []
        self.heights: list[int] = []
        self.ids: list[str] = []
        self.ats: list[int | None] = []
        self.columns: list[list[str | None]] = []

    def add(
        self,
        entry: Entry,
        ids: list[str],
        columns: list[list[str | None]],
        rows: list[int],
        ats: Sequence[int | None],
    ) -> None:
        n = len(rows)
        self.rows += rows
        self.ids += ids
        self.ats += ats
        self.seqs += [entry.position.seq] * n
        self.heights += [entry.height] * n
        if not self.columns:
            self.columns = [[] for _ in columns]
        for known, new in zip(self.columns, columns, strict=True):
            known += new


def ats_of(more: Sequence[Any], n: int) -> Sequence[int | None]:
    """
    Moments that a change gives its deals, None for that of the commit; ValueError for what can't be one.

    Examples
    --------
    >>> ats_of([], 2), ats_of([[5, 0]], 2)
    ([None, None], [5, None])
    """
    if not more:
        return [None] * n
    (ats,) = more
    return [at or None for at in checked_ats(ats, n)]


def _check_rows(rows: Sequence[object], most: int) -> None:
    if not all(type(row) is int and 0 <= row < most for row in rows):
        msg = "rows that it can't have given"
        raise ValueError(msg)
