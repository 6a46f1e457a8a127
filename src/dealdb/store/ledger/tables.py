"""The tables of a ledger: what is in each, and one that is appended to and read from elsewhere when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from dealdb.store.encoding import FACT_COLUMNS

# another program may copy a hash with its row: then two deals have it
_IDS: dict[str, pl.DataType] = {"row": pl.UInt32(), "seq": pl.UInt32(), "id": pl.String()}
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
# those that are of no field, by their names
TABLES: dict[str, dict[str, pl.DataType]] = {
    # a row a commit, from the first on
    "commits": {"who": pl.String(), "kind": pl.String(), "time_ms": pl.Int64()},
    "pipelines": {"seq": pl.UInt32(), "value": pl.String()},
    "ids": _IDS,
    "touches": TOUCH_SCHEMA,
    "gone": _IDS,
    "imported": {"seq": pl.UInt32(), "place": pl.UInt32(), **FACT_COLUMNS},
}
# kind of a commit by which a partition got the fields or stages of the first one: nothing has changed with it
FOLLOWED = "followed"
_CELLS = "cells:"
# a scan slows down with their number, and joining them copies the table
_MOST_CHUNKS = 32


def cells_of(field: str) -> str:
    """
    Name of the table of a field.

    Examples
    --------
    >>> cells_of("stage"), field_of(cells_of("stage")), field_of("commits")
    ('cells:stage', 'stage', None)
    """
    return _CELLS + field


def field_of(table: str) -> str | None:
    """Field that a table is of, or None; see ``cells_of``."""
    return table.removeprefix(_CELLS) if table.startswith(_CELLS) else None


def schema_of(table: str) -> dict[str, pl.DataType]:
    """
    Columns of a table; KeyError where there is none of that name.

    Examples
    --------
    >>> list(schema_of("cells:stage")), list(schema_of("gone"))
    (['row', 'seq', 'value'], ['row', 'seq', 'id'])
    """
    return TABLES[table] if field_of(table) is None else CELL_SCHEMA


class _First:
    """The rows that a table and its copies begin with, which are read once for all of them."""

    def __init__(self, load: Callable[[], pl.DataFrame]) -> None:
        self._load = load
        self.found: pl.DataFrame | None = None

    def rows(self) -> pl.DataFrame:
        if self.found is None:
            self.found = self._load()
        return self.found


class Pieces:
    """
    A table that is appended to in pieces, and joined when it is read.

    Any number of threads may read it while nobody appends.

    Parameters
    ----------
    schema
        Its columns.
    load
        Gives the rows that it begins with, when they are first asked for; none for None.
    """

    def __init__(
        self, schema: dict[str, pl.DataType], load: Callable[[], pl.DataFrame] | None = None
    ) -> None:
        self._schema = schema
        # exchanged together: what another thread sees is whole
        self._parts: tuple[_First | None, Sequence[pl.DataFrame]] = (
            _First(load) if load else None,
            (),
        )

    def append(self, piece: pl.DataFrame) -> None:
        """Add rows."""
        first, parts = self._parts
        # in their order, too
        if [*piece.schema.items()] != [*self._schema.items()]:
            piece = piece.select(pl.col(n).cast(t) for n, t in self._schema.items())
        self._parts = first, [*parts, piece]

    @property
    def waits(self) -> bool:
        """Whether its first rows have yet to be read."""
        first, _ = self._parts
        return first is not None and first.found is None

    @property
    def n_appended(self) -> int:
        """Rows besides those that have yet to be read."""
        return sum(part.height for part in self._parts[1])

    def begin_with(self, rows: pl.DataFrame) -> None:
        """Give it its first rows, as its ``load`` would; another thread may have had them loaded meanwhile."""
        first, _ = self._parts
        if first is not None:
            first.found = rows

    def table(self) -> pl.DataFrame:
        """All rows, in the order in which they came."""
        first, parts = self._parts
        if first is not None or len(parts) != 1:
            rows = pl.DataFrame(schema=self._schema) if first is None else first.rows()
            whole = pl.concat([rows, *parts])
            parts = [whole.rechunk() if whole.n_chunks() > _MOST_CHUNKS else whole]
            self._parts = None, parts
        return parts[0]

    def copy(self) -> Pieces:
        """The same, to be appended to; shares the rows."""
        found = Pieces(self._schema)
        found._parts = self._parts
        return found
