"""A small table that is kept with a collection: loaded, shown, deleted from, with what it said before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

import polars as pl

from dealdb.engines import all_on_engines
from dealdb.errors import QueryError
from dealdb.loader.rejects import RejectsFile
from dealdb.loader.tables.reading import TableColumn, read_rows
from dealdb.model.columns import decode_column
from dealdb.model.names import unknown
from dealdb.model.notebook import InNotebook
from dealdb.model.schema import Field, FieldType
from dealdb.store.tables.table import as_damage


class Versioned(Protocol):
    """A table with its versions; see ``KeptRows`` of the store."""

    rows: pl.DataFrame

    def live(self, at_ms: int | None = None) -> pl.DataFrame:
        """Rows that count."""
        ...

    def with_rows(self, rows: pl.DataFrame) -> Any:
        """Table that says these besides."""
        ...

    def emptied(self) -> Any:
        """Table none of whose rows counts."""
        ...


class KeepsTable(Protocol):
    """Where a small table is kept; see ``SmallTable`` of the store."""

    def read(self) -> Any:
        """All that it ever said."""
        ...

    def change(self, change: Callable[[Any], Any]) -> None:
        """Add a version."""
        ...

    def forget(self) -> bool:
        """Remove it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport(InNotebook):
    """
    What the load of a small table did; ``read`` is ``added + replaced + unchanged + repeated + rejected``.

    Attributes
    ----------
    source, format
        What was read, and as what.
    read
        Rows in the source.
    added, replaced, unchanged
        Rows with a key that was new, that had another value, or that had the same one.
    repeated
        Rows whose key comes again later in the source; the last one counts.
    rejected
        Rows that were not taken.
    reasons
        Their number by ``column: code``.
    rejects
        The file that they were written to, or None.
    """

    source: str
    format: str
    read: int
    added: int
    replaced: int
    unchanged: int
    repeated: int
    rejected: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    rejects: Path | None = None


@all_on_engines()
class KeptTable(ABC):
    """
    A small table of a collection.

    Every version that was loaded stays, so figures of the past can be made from what was known then. All methods raise
    ``StoreError`` when the server can't be reached, and ``StoreDamaged`` where another program wrote what is no such
    table.

    Parameters
    ----------
    table
        Where it is kept.
    end_ms
        Moment in milliseconds of a moment or of the end of a day.
    """

    name: ClassVar[str]
    # the key, and last the value
    fields: ClassVar[tuple[Field, ...]]

    def __init__(
        self, table: Callable[[], KeepsTable], end_ms: Callable[[date | datetime | str], int]
    ) -> None:
        self._table = table
        self._end_ms = end_ms

    @classmethod
    def columns(cls) -> list[str]:
        """Names of the columns: the key, and last the value."""
        return [each.name for each in cls.fields]

    @abstractmethod
    def _columns(self) -> Sequence[TableColumn]:
        """How its columns are read."""

    def _check(self, rows: pl.DataFrame) -> pl.Series:
        """What is wrong with rows as a whole, null for nothing."""
        return pl.repeat(None, rows.height, dtype=pl.String, eager=True)

    def _completed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows as they are kept."""
        return rows

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def load(self, source: Any, *, rejects: str | Path | None = None) -> TableReport:
        """
        Add rows, in place of those with the same key; what the table said before is kept as its past.

        Parameters
        ----------
        source
            A file as deals are loaded from (CSV, JSON, XLSX, Parquet and others), a data frame, or an iterable of
            mappings; headers in any case and order, further columns are ignored. Dates are written 2026-01-31, numbers
            with a point.
        rejects
            File for the rows that can't be taken; None for none: the report counts them all the same.

        Returns
        -------
        TableReport
            What became of the rows.

        Raises
        ------
        LoadError
            If the source can't be read, or lacks a column.
        SchemaError
            If the table would have more than 100,000 rows, those that were replaced among them.
        StoreError
            If the server can't be reached.

        Cost
        ----
        Two round trips, whatever the number of rows. It is one change: others see all of it or nothing.

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     report = db.rates.load([{"date": "2026-01-01", "currency": "USD", "rate": "0.90"}])
        ...     report.added, report.rejected
        (1, 0)
        """
        found = read_rows(source, self._columns(), self._check)
        with RejectsFile(found.source, None, [Path(rejects)] if rejects else [], named=True) as bad:
            bad.add(found.rejects)
        *key, value = self.columns()
        rows = self._completed(found.rows)
        last = rows.unique(key, keep="last", maintain_order=True)
        counts = {"added": 0, "replaced": 0}

        def change(kept: Versioned) -> Any:
            both = last.join(
                kept.live().rename({value: "_before"}), on=key, how="left", nulls_equal=True,
                maintain_order="left",
            )  # fmt: skip
            is_new = both["_before"].is_null()
            differs = is_new | (both["_before"] != both[value]).fill_null(value=False)
            counts["added"] = int(is_new.sum())
            counts["replaced"] = int(differs.sum()) - counts["added"]
            new = last.filter(differs)
            return None if new.is_empty() else kept.with_rows(new)

        self._table().change(change)
        return TableReport(
            source=found.source,
            format=found.format,
            read=found.read,
            **counts,
            unchanged=last.height - sum(counts.values()),
            repeated=rows.height - last.height,
            rejected=len(found.rejects),
            reasons=dict(bad.reasons),
            rejects=bad.path,
        )

    def frame(self, as_of: date | datetime | str | None = None) -> pl.DataFrame:
        """
        The rows in order of their keys.

        Parameters
        ----------
        as_of
            As they were known at a moment, or at the end of a day in the pipeline's zone; None for now.

        Raises
        ------
        QueryError
            If ``as_of`` can't be read.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip; another for the zone where there is a day.

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.rates.load([{"date": "2026-01-01", "currency": "USD", "rate": "0.90"}])
        ...     (
        ...         [str(rate) for rate in db.rates.frame()["rate"]],
        ...         db.rates.frame("2020-01-01").height,
        ...     )
        (['0.900000000000'], 0)
        """
        at_ms = None if as_of is None else self._end_ms(as_of)
        rows: pl.DataFrame = self._table().read().live(at_ms)
        typed = pl.DataFrame([_typed(rows[each.name], each) for each in self.fields])
        if typed.null_count().row(0) != rows.null_count().row(0):
            raise as_damage(self.name)
        return typed.sort(typed.columns[:-1], nulls_last=True)

    def delete(self, **key: object) -> int:
        """
        Delete the rows with these values in columns of their key; figures of the past can still be made from them.

        Parameters
        ----------
        key
            Columns and values, such as ``currency="USD"``; at least one.

        Returns
        -------
        int
            How many there were.

        Raises
        ------
        QueryError
            If there is no such column, or none is given.
        StoreError
            If the server can't be reached.

        Cost
        ----
        Two round trips.

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.rates.load([{"date": "2026-01-01", "currency": "USD", "rate": "0.90"}])
        ...     db.rates.delete(currency="USD"), db.rates.frame().height
        (1, 0)
        """
        *names, value = self.columns()
        for name in key:
            if name not in names:
                raise QueryError(unknown("column", name, names))
        if not key:
            msg = f"delete takes values of {', '.join(names)}; clear() deletes all rows"
            raise QueryError(msg)
        wanted = [pl.col(name) == str(given) for name, given in key.items()]
        nothing = pl.lit(None, dtype=pl.String).alias(value)
        return self._remove(wanted, lambda kept, rows: kept.with_rows(rows.with_columns(nothing)))

    def clear(self, *, forget: bool = False) -> int:
        """
        Delete all rows.

        Parameters
        ----------
        forget
            Also what the table said before, which makes room: figures of the past then can't be made from it any more.

        Returns
        -------
        int
            How many there were, as of ``delete``, whose errors and cost this has; with ``forget`` 1 where there was a
            table, else 0.

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     db.rates.load([{"date": "2026-01-01", "currency": "USD", "rate": "0.90"}]).added
        ...     db.rates.clear(), db.rates.clear()
        1
        (1, 0)
        """
        if forget:
            # what can't be read can be removed all the same
            return int(self._table().forget())
        return self._remove([], lambda kept, _: kept.emptied())

    def _remove(
        self, wanted: Sequence[pl.Expr], without: Callable[[Versioned, pl.DataFrame], Any]
    ) -> int:
        """Take away the rows that are wanted, by what makes a table without them; how many there were."""
        n = 0

        def change(kept: Versioned) -> Any:
            nonlocal n
            rows = kept.live().filter(*wanted)
            n = rows.height
            return without(kept, rows) if n else None

        self._table().change(change)
        return n


def _typed(texts: pl.Series, field: Field) -> pl.Series:
    return texts if field.type is FieldType.TEXT else decode_column(texts, field).alias(field.name)
