"""Tables that a statement of ``sql()`` may name: those of the caller checked, and each a data frame."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl

from dealdb.errors import LoadError, QueryError
from dealdb.model.columns import spelled_out
from dealdb.query.sql.check import HISTORY, TABLE, Needed

# a data frame, or what the loader reads: a path, a list of mappings
Tables: TypeAlias = Mapping[str, Any]
ReadTable: TypeAlias = Callable[[Any], pl.DataFrame]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, eq=False)
class SqlTables:
    """
    What the caller has.

    Attributes
    ----------
    frame, kept
        Deals, and a boolean a row, true for those that the table has; None for all.
    sides
        Tables of the caller by name.
    history
        Gives the table ``history``, or None where there is none.
    statement
        Text that asks for them.
    """

    frame: pl.DataFrame
    kept: pl.Series | None
    sides: Mapping[str, pl.DataFrame]
    history: Callable[[], pl.DataFrame | None] | None
    statement: str

    def names(self) -> dict[str, list[str]]:
        """Columns of the caller's tables."""
        return {name: table.columns for name, table in self.sides.items()}

    def columns(self, names: Sequence[str]) -> pl.DataFrame:
        """Columns of the deals."""
        chosen = self.frame.select([self.frame[name] for name in names])
        return chosen if self.kept is None else chosen.filter(self.kept)

    def beside(self, needed: Needed) -> dict[str, pl.DataFrame]:
        """
        Tables beside the deals that a statement names.

        Raises
        ------
        QueryError
            If it names the history, and there is none.
        """
        tables = {name: self.sides[name] for name in needed.sides}
        if needed.history:
            past = None if self.history is None else self.history()
            if past is None:
                msg = f"there is no table {HISTORY!r} here: ask db.query.sql, which has it"
                raise QueryError(msg, text=self.statement)
            tables[HISTORY] = past
        return tables


def side_tables(tables: Tables | None, read: ReadTable | None) -> dict[str, pl.DataFrame]:
    """
    Data frames by the name of their table.

    Parameters
    ----------
    tables
        What the caller gave.
    read
        Reads what is not a data frame; None where nothing does.

    Raises
    ------
    QueryError
        If a name can't be one, or a table can't be read; the error names it.

    Examples
    --------
    >>> side_tables({"quotas": pl.DataFrame({"owner": ["Ann"]})}, None)["quotas"].columns
    ['owner']
    """
    found: dict[str, pl.DataFrame] = {}
    for name, source in (tables or {}).items():
        _check_name(name, found)
        frame = spelled_out(_frame_of(name, source, read))
        objects = [column for column, kind in frame.schema.items() if kind == pl.Object]
        if objects:
            msg = f"the table {name} has objects of Python in {objects[0]!r}, which SQL has no type for"
            raise QueryError(msg)
        twice = _first_repeated(frame.columns)
        if twice is not None:
            msg = f"the table {name} has two columns named {twice!r}: names differ by more than case in SQL"
            raise QueryError(msg)
        found[name] = frame
    return found


def _check_name(name: object, before: Mapping[str, object]) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        shown = repr(name)[:80]
        msg = f"a table can't be named {shown}: a name has letters, digits and _, and begins with no digit"
        raise QueryError(msg)
    if name.casefold() in (TABLE, HISTORY):
        msg = f"a table can't be named {name}: dealdb has one of that name"
        raise QueryError(msg)
    if name.casefold() in (each.casefold() for each in before):
        msg = f"two tables are named {name}: names differ by more than case in SQL"
        raise QueryError(msg)


def _frame_of(name: str, source: Any, read: ReadTable | None) -> pl.DataFrame:
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return source
    if hasattr(source, "__arrow_c_stream__"):
        # a frame of pandas, pyarrow or DuckDB keeps the types that it has
        try:
            return pl.DataFrame(source)
        except (pl.exceptions.PolarsError, ValueError, TypeError) as problem:
            msg = f"the table {name} has a column of values that are of no one type"
            raise QueryError(msg) from problem
    if read is None:
        msg = f"the table {name} has to be a data frame here, not a {type(source).__name__}"
        raise QueryError(msg)
    try:
        return read(source)
    except LoadError as problem:
        msg = f"the table {name} can't be read: {problem}"
        raise QueryError(msg) from problem


def _first_repeated(names: list[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return None
