"""
What the log says of all deals, as columns of texts: the ground of every view of the past.

It grows with the log. Bulk commits are taken over as frames; of others each commit is looked at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, repeat
from operator import attrgetter
from typing import Any

import polars as pl

from dealdb.errors import StoreDamaged
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.encoding import check_change, checked_ats, unpacked_all, unpacked_facts, with_none
from dealdb.store.ledger.tables import (
    TABLES,
    Pieces,
    cells_of,
    field_of,
    schema_of,
)
from dealdb.store.log.entry import Entry, Position, unknown_kind

_PLACES: dict[str, pl.DataType] = {"row": pl.UInt32(), "seq": pl.UInt32()}
# entries that are taken in together: bounds the memory of a long history
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """
    What a ledger begins with, and reads when it is asked for.

    Attributes
    ----------
    position
        The last commit that is in it.
    schema
        In force after that.
    tables
        Names of the tables that have rows.
    load
        Gives some of these by name.
    """

    position: Position
    schema: Schema
    tables: Collection[str]
    load: Callable[[Collection[str]], Mapping[str, pl.DataFrame]]


class Ledger:
    """
    All that the commits say, up to a position.

    Parameters
    ----------
    beginning
        What is kept elsewhere of the commits up to a position; None to begin with the first.

    Attributes
    ----------
    position
        The last commit that is in it.
    schema
        In force after the last commit.
    """

    def __init__(self, beginning: Beginning | None = None) -> None:
        self.position = Position()
        self.schema = Schema(0, ())
        self._load: Callable[[Collection[str]], Mapping[str, pl.DataFrame]] = lambda _: {}
        self._tables = {name: Pieces(schema) for name, schema in TABLES.items()}
        if beginning:
            self.position, self.schema = beginning.position, beginning.schema
            self._load = beginning.load
            for name in beginning.tables:
                self._tables[name] = Pieces(schema_of(name), partial(self._loaded, name))

    def _loaded(self, name: str) -> pl.DataFrame:
        return self._load([name])[name]

    def need(self, names: Iterable[str] | None = None) -> None:
        """Read those of some tables that have yet to be read, together; all for None."""
        waiting = [
            name
            for name in (self._tables if names is None else names)
            if name in self._tables and self._tables[name].waits
        ]
        for name, found in (self._load(waiting) if len(waiting) > 1 else {}).items():
            self._tables[name].begin_with(found)

    def table(self, name: str) -> pl.DataFrame:
        """All rows of a table; see ``TABLES`` and ``cells_of``."""
        found = self._tables.get(name)
        return pl.DataFrame(schema=schema_of(name)) if found is None else found.table()

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """All tables that have rows, by name."""
        self.need()
        found = {name: table.table() for name, table in self._tables.items()}
        return {name: table for name, table in found.items() if not table.is_empty()}

    @property
    def fields(self) -> list[str]:
        """Fields that any deal has ever had a value of."""
        return [field for field in map(field_of, self._tables) if field is not None]

    @property
    def ids(self) -> Pieces:
        """``row``, ``seq`` and ``id`` of changes of deals: of each row's first one, and where it has another deal."""
        return self._tables["ids"]

    @property
    def touches(self) -> Pieces:
        """``row``, ``seq``, ``at`` and ``stamped`` of each change of a deal."""
        return self._tables["touches"]

    @property
    def gone(self) -> Pieces:
        """``row``, ``seq`` and ``id`` of each deletion."""
        return self._tables["gone"]

    @property
    def imported(self) -> Pieces:
        """Facts that were recorded later than they happened, with ``seq`` and ``place``."""
        return self._tables["imported"]

    @property
    def pipelines(self) -> list[tuple[int, Pipeline]]:
        """Number of the commit and pipeline, as they came into force."""
        rows = self._tables["pipelines"].table().sort("seq").iter_rows()
        return [(seq, Pipeline.from_json(text)) for seq, text in rows]

    def all_ids(self, rows: pl.Series) -> pl.DataFrame:
        """``row``, ``seq`` and ``id`` of each change of the deals of some rows."""
        some = pl.col("row").is_in(rows.implode())
        told = self.ids.table().filter(some)
        touches = self.touches.table().filter(some).select("row", "seq")
        if told.height == touches.height:
            return told
        # what was told last of a row holds until another is told
        others = touches.join(told, on=["row", "seq"], how="anti").sort("row", "seq")
        found = others.join_asof(
            told.sort("row", "seq", maintain_order=True), on="seq", by="row", check_sortedness=False
        )
        return pl.concat([told, found.select(told.columns)]).sort("row", "seq", maintain_order=True)

    def cells(self, name: str) -> pl.DataFrame:
        """``row``, ``seq`` and ``value`` (the text, null where it is cleared) of each change of a field."""
        return self.table(cells_of(name))

    def commits(self) -> pl.DataFrame:
        """
        ``seq``, ``at``, ``who``, ``kind`` and ``time_ms`` of every commit.

        A clock can be set, so that a commit has an earlier time than the one before it. What counts at a moment is the
        last commit that is not later, with all before that one: so ``at`` is the earliest time of the commit and of
        all after it.
        """
        frame = self._tables["commits"].table().with_row_index("seq", offset=1)
        at = _counts_from(frame)
        return frame.select(pl.col("seq").cast(pl.UInt32), at.alias("at"), "who", "kind", "time_ms")

    def moment_of(self, seq: int) -> int | None:
        """From when on a commit counts, as ``commits`` has it; None where there is none."""
        rest = self._tables["commits"].table().slice(max(0, seq - 1))
        found = rest.select(_counts_from(rest).alias("at"))["at"]
        return int(found[0]) if len(found) else None

    def until(self, ms: int | None) -> int:
        """Number of the last commit that is not later than a moment; of the last one for None."""
        if ms is None:
            return self.position.seq
        found = (self._tables["commits"].table()["time_ms"] <= ms).arg_true()
        return int(found[-1]) + 1 if len(found) else 0

    def upto(self, seq: int) -> Ledger:
        """The same as of a commit, with the schema of now."""
        if seq >= self.position.seq:
            return self

        def load(names: Collection[str]) -> Mapping[str, pl.DataFrame]:
            self.need(names)
            found = {name: self._tables[name].table() for name in names}
            return {name: upto(table, seq) for name, table in found.items()}

        beginning = Beginning(
            position=Position(seq), schema=self.schema, tables=self._tables, load=load
        )
        return Ledger(beginning)

    def copy(self) -> Ledger:
        """The same, to be continued; shares the tables."""
        found = Ledger()
        found.position, found.schema, found._load = self.position, self.schema, self._load
        found._tables = {name: table.copy() for name, table in self._tables.items()}
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
        commits = [(entry.actor, entry.kind, entry.time_ms) for entry in page]
        self._append("commits", pl.DataFrame(commits, TABLES["commits"], orient="row"))
        self.position = page[-1].position

    def _append(self, name: str, rows: pl.DataFrame) -> None:
        if name not in self._tables:
            self._tables[name] = Pieces(schema_of(name))
        self._tables[name].append(rows)

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
                self._define(run)
            case "facts":
                self._import(run)
            case _:
                raise unknown_kind(run[-1].position.seq, kind)

    def _define(self, run: Sequence[Entry]) -> None:
        texts = [(e.position.seq, Pipeline.from_json(e.data).to_json()) for e in run]
        self._append("pipelines", pl.DataFrame(texts, TABLES["pipelines"], orient="row"))

    def _add(self, run: Sequence[Entry]) -> None:
        for _, some in groupby(run, key=lambda entry: entry.added.columns):
            alike = list(some)
            added = pl.concat([entry.added for entry in alike])
            places = _places_of(alike)
            self.ids.append(places.with_columns(added["id"]))
            self.touches.append(places.with_columns(at=None, stamped=False))
            for name in added.columns[1:]:
                given = added[name].is_not_null()
                cells = places.with_columns(added[name].alias("value"))
                self._put(name, cells if given.all() else cells.filter(given))

    def _put(self, name: str, cells: pl.DataFrame) -> None:
        self._append(cells_of(name), cells)

    def _set(self, kind: str, run: Sequence[Entry]) -> None:
        gathered: dict[tuple[str, ...], _Gathered] = defaultdict(_Gathered)
        changes = unpacked_all([entry.data for entry in run])
        rows = unpacked_all([entry.packed_rows for entry in run])
        for entry, (ids, fields, columns, *more), some in zip(run, changes, rows, strict=True):
            check_change(ids, fields, columns, len(some), may_be_false=True)
            _check_rows(some, entry.height + len(some))
            gathered[tuple(fields)].add(entry, ids, columns, some, ats_of(more, len(some)))
        for fields, found in gathered.items():
            places = pl.DataFrame([found.rows, found.seqs], schema=_PLACES)
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
        self.gone.append(pl.DataFrame(columns, schema=TABLES["gone"]))

    def _import(self, run: Sequence[Entry]) -> None:
        for entry in run:
            facts = unpacked_facts(entry.data)
            seq = pl.lit(entry.position.seq, pl.UInt32).alias("seq")
            self.imported.append(facts.with_row_index("place").with_columns(seq))


def _counts_from(commits: pl.DataFrame) -> pl.Expr:
    # commits of several logs say it themselves: each log has a clock, and an order, of its own
    return pl.col("at") if "at" in commits.columns else pl.col("time_ms").cum_min(reverse=True)


def _places_of(run: Sequence[Entry]) -> pl.DataFrame:
    """Row and commit of each deal that some commits added."""
    rows = chain.from_iterable(range(e.height, e.height + e.added.height) for e in run)
    seqs = chain.from_iterable(repeat(e.position.seq, e.added.height) for e in run)
    return pl.DataFrame([[*rows], [*seqs]], schema=_PLACES)


def upto(table: pl.DataFrame, seq: int) -> pl.DataFrame:
    """Rows of a table of a ledger that commits up to a number have told."""
    # a row of the commits has its number by its place
    return table.filter(pl.col("seq") <= seq) if "seq" in table.columns else table.head(seq)


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
