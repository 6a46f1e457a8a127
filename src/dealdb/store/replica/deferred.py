"""Columns of a checkpoint that nobody has asked for yet, and what has changed in them since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import polars as pl

from dealdb.store.archive.chunks import Columns
from dealdb.store.log.reader import HistoryReset


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
    height
        Rows at the checkpoint.
    changes
        For each of them what came after the checkpoint, in order: rows and their values, or None and new rows.
    columns
        Where they are on the server; None where nothing waits.
    """

    load: Callable[[Collection[str]], dict[str, pl.Series] | None]
    load_rows: Callable[[Collection[str], Sequence[int]], dict[str, pl.Series] | None]
    height: int
    changes: dict[str, list[tuple[pl.Series | None, pl.Series]]]
    columns: Columns | None = None

    def read(self, names: Collection[str]) -> dict[str, pl.Series]:
        """
        Some of these columns as they are now.

        Raises
        ------
        HistoryReset
            If the checkpoint is gone: the replica has to be rebuilt.
        """
        found = self.load(names) if names else {}
        if found is None:
            msg = "the checkpoint that this process began with was removed, or is damaged"
            raise HistoryReset(msg)
        return {name: self._with_changes(found[name]) for name in found}

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

    def _with_changes(self, column: pl.Series) -> pl.Series:
        for rows, values in self.changes[column.name]:
            if rows is None:
                column.extend(values)
            else:
                column = with_values(column, rows, values)
        return column


def with_values(column: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """Column with these values in these rows; the last one counts of those for the same row."""
    if values.null_count() and rows.n_unique() < len(rows):
        # the last value of a row counts; Polars writes all nulls after all values
        last = rows.is_last_distinct()
        rows, values = rows.filter(last), values.filter(last)
    if not isinstance(column.dtype, pl.List):
        return column.scatter(rows, values)
    # Polars can't change a list in place: take each row from the column or from the values behind it
    places = pl.Series(range(len(column)), dtype=pl.UInt32)
    places.scatter(rows, pl.Series(range(len(column), len(column) + len(rows)), dtype=pl.UInt32))
    return pl.concat([column, values.rename(column.name)]).gather(places)


def with_fewer_pieces(column: pl.Series) -> pl.Series:
    """The same, the small pieces at its end made one: a value is copied again only when its piece doubles."""
    pieces = column.get_chunks()
    start, size = len(pieces) - 1, len(pieces[-1])
    while start and len(pieces[start - 1]) <= size:
        start -= 1
        size += len(pieces[start])
    last = pl.concat(pieces[start:]).rechunk()
    return pl.concat([*pieces[:start], last], rechunk=False) if start else last
