"""Columns of a checkpoint that nobody has asked for yet, and what has changed in them since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import polars as pl

from dealdb.store.archive.chunks import Columns
from dealdb.store.log.reader import HistoryReset
from dealdb.store.replica.changing import with_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """
    Columns that wait.

    Attributes
    ----------
    load
        Reads some of them as they were at the checkpoint; None when they are not there any more.
    load_rows
        Reads some of their rows, in the order given, and else as ``load``.
    check_room
        Refuses some of them, as ``load`` does, where they would take more memory than a collection can need.
    height
        Rows at the checkpoint.
    changes
        For each of them what came after the checkpoint, in order: rows and their values, or None and new rows.
    columns
        Where they are on the server; None where nothing waits.
    """

    load: Callable[[Collection[str]], dict[str, pl.Series] | None]
    load_rows: Callable[[Collection[str], Sequence[int]], dict[str, pl.Series] | None]
    check_room: Callable[[Collection[str]], None]
    height: int
    changes: dict[str, list[tuple[pl.Series | None, pl.Series]]]
    columns: Columns | None = None

    def read(self, names: Collection[str]) -> dict[str, pl.Series]:
        """
        Some of these columns as they were at the checkpoint.

        Raises
        ------
        HistoryReset
            If the checkpoint is gone: the replica has to be rebuilt.
        """
        found = self.load(names) if names else {}
        if found is None:
            msg = "the checkpoint that this process began with was removed, or is damaged"
            raise HistoryReset(msg)
        return found

    def read_rows(self, names: Collection[str], rows: pl.Series) -> dict[str, pl.Series] | None:
        """Some rows, in ascending order, of some of these columns as they are now; None as ``load``."""
        found = self.load_rows(names, rows.filter(rows < self.height).to_list())
        return found and {name: self._rows_with_changes(found[name], rows) for name in found}

    def _rows_with_changes(self, column: pl.Series, wanted: pl.Series) -> pl.Series:
        column = pl.concat([column, column.clear(len(wanted) - len(column))])
        height = self.height
        for rows, values in self.changes[column.name]:
            if rows is None:
                rows = pl.int_range(height, height + len(values), dtype=pl.UInt32, eager=True)
                height += len(values)
            asked = rows.is_in(wanted.implode())
            if asked.any():
                places = wanted.search_sorted(rows.filter(asked))
                column = with_values(column, places, values.filter(asked))
        return column

    def with_changes(self, column: pl.Series) -> pl.Series:
        """One of these columns as it is now, made in place of what it was at the checkpoint."""
        for rows, values in self.changes[column.name]:
            if rows is None:
                column.extend(values)
            else:
                column = with_values(column, rows, values)
        return column

    def changed_rows(self, name: str) -> pl.Series:
        """Rows of the checkpoint that were set in one of these columns, each once; maybe to what they had."""
        none = pl.Series([], dtype=pl.UInt32)
        rows = pl.concat([none, *(rows for rows, _ in self.changes[name] if rows is not None)])
        return rows.filter(rows < self.height).unique()


@dataclass(frozen=True, slots=True)
class Ahead:
    """
    A column that waits, to be read before anybody asks for it, and without the lock that guards the others.

    Attributes
    ----------
    waiting
        Whose column it is.
    names
        The columns that wait; the first one is read.
    """

    waiting: Waiting
    names: Sequence[str]

    def read(self) -> pl.Series | None:
        """It as it was at the checkpoint; else as ``Waiting.load``."""
        name = self.names[0]
        # of all that are to come: each alone may be harmless
        self.waiting.check_room(self.names)
        found = self.waiting.load([name])
        return None if found is None else found[name]


def nothing_waits() -> Waiting:
    """No columns."""
    return Waiting(load=_none, load_rows=_none, check_room=_none, height=0, changes={})


def _none(*_: object) -> None:
    return None
