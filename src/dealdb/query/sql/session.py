"""
``sql()``: one SELECT on DuckDB, in memory, over the live columns; in a sandbox of three walls.

The first wall is ``dealdb.query.sql.check``: an allow-list over the statement's tree, so a refusal says why.
The second is DuckDB's own: no access to files or network, no extensions, no scan of Python variables, bounded
memory and threads, nothing spilt to disk, and a locked configuration. The third is a process of its own
with bounds of the operating system; ``isolated=False`` goes without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.connection.fork import renew_in_child
from dealdb.engines import interrupt_behind
from dealdb.errors import QueryError
from dealdb.model.fiscal import time_zone
from dealdb.query.sql.bounds import check_text
from dealdb.query.sql.check import TABLE, Needed
from dealdb.query.sql.in_process import Asked, InProcess, names_today
from dealdb.query.sql.isolated.engine import isolated_engine
from dealdb.query.sql.params import bound
from dealdb.query.sql.tables import SqlTables

if TYPE_CHECKING:
    import pyarrow as pa


class SqlSession:
    """
    DuckDB, opened at the first statement; safe to use from several threads.

    Parameters
    ----------
    timeout_s
        Seconds that a statement may take.
    memory_mb
        Megabytes that it may use besides the columns themselves.
    isolated
        Whether it runs in a process of its own, where nothing that it does can harm this one.

    Examples
    --------
    >>> session = SqlSession(timeout_s=30, memory_mb=256)
    >>> session.run("SELECT sum(n) AS total FROM deals", pl.DataFrame({"n": [5, 7]})).item()
    12
    """

    def __init__(self, *, timeout_s: float, memory_mb: int, isolated: bool = False) -> None:
        self._timeout_s = timeout_s
        # processes are shared by all sessions: views of the past are made and forgotten
        self._engine = isolated_engine(memory_mb) if isolated else _Here(memory_mb)
        renew_in_child(self)

    def renew(self) -> None:
        """Begin anew in a forked child; what its parent has is left as it is."""
        self._engine.renew()

    def begin(self) -> None:
        """Have what the next statement needs made ready meanwhile."""
        self._engine.begin(self)

    def run(
        self,
        statement: str,
        frame: pl.DataFrame,
        params: Mapping[str, object] | None = None,
        *,
        history: Callable[[], pl.DataFrame | None] | None = None,
        kept: pl.Series | None = None,
        sides: Mapping[str, pl.DataFrame] | None = None,
        zone: str = "UTC",
    ) -> pl.DataFrame:
        """
        Result of one SELECT over a frame as the table ``deals``.

        Parameters
        ----------
        params
            Values of the parameters ``:name`` (or ``$name``) in the statement.
        history
            Gives the table ``history``, or None where there is none; called when the statement names it.
        kept
            Boolean a row of the frame, true for those that the table has; None for all.
        sides
            Further tables by name.
        zone
            In which ``today()`` is told.

        Raises
        ------
        QueryError
            If it isn't one SELECT over ``deals``, fails, or takes too long or too much memory.
        MissingExtra
            If DuckDB or PyArrow is not installed.
        """
        if not isinstance(statement, str):
            msg = f"sql() takes the text of one SELECT, not a {type(statement).__name__}"
            raise QueryError(msg)
        # a text of a class of its own may say something else each time
        statement = str.__str__(statement)
        check_text(statement)
        self.begin()
        given = SqlTables(frame, kept, dict(sides or {}), history, statement)
        asked = Asked(
            statement,
            bound(params or {}),
            frame.columns,
            given.names(),
            self._timeout_s,
            # a machine that does not know the zone can do without, where no day is asked for
            datetime.now(time_zone(zone)).date() if names_today(statement) else None,
        )
        try:
            result = self._engine.run(asked, given)
            return result.with_columns([_tidied(column) for column in result])
        except pl.exceptions.PanicException as panic:
            if interrupt_behind(panic) is not None:
                raise
            msg = "the result has a value that no data frame can hold; cast it to VARCHAR"
            raise QueryError(msg, text=statement) from None

    def close(self) -> None:
        """Give back the memory of DuckDB and the columns handed over."""
        self._engine.close(self)


class _Here:
    """DuckDB in this process; each column is handed over once a frame, without a copy."""

    def __init__(self, memory_mb: int) -> None:
        self._duckdb = InProcess(memory_mb)
        self._lock = threading.Lock()
        # columns handed over so far, for as long as the frame is the same one
        self._frame: pl.DataFrame | None = None
        self._columns: dict[str, pa.ChunkedArray[Any]] = {}

    def renew(self) -> None:
        self._lock = threading.Lock()
        self._duckdb.renew()

    def begin(self, _user: SqlSession) -> None:
        pass

    def run(self, asked: Asked, given: SqlTables) -> pl.DataFrame:
        def tables(needed: Needed) -> dict[str, pa.Table]:
            newest = pl.CompatLevel.newest()
            beside = given.beside(needed)
            arrow = {name: table.to_arrow(compat_level=newest) for name, table in beside.items()}
            return {**arrow, TABLE: self._table(given, needed.columns)}

        result = pl.from_arrow(self._duckdb.run(asked, tables))
        if not isinstance(result, pl.DataFrame):
            msg = "the statement gave no table"
            raise QueryError(msg, text=asked.statement)
        return result

    def close(self, _user: SqlSession) -> None:
        with self._lock:
            self._frame, self._columns = None, {}
        self._duckdb.close()

    def _table(self, given: SqlTables, names: Sequence[str]) -> pa.Table:
        import pyarrow as pa

        with self._lock:
            if self._frame is not given.frame:
                self._frame, self._columns = given.frame, {}
            new = [name for name in names if name not in self._columns]
            if new:
                arrow = given.columns(new).to_arrow(compat_level=pl.CompatLevel.newest())
                self._columns.update(zip(new, arrow.columns, strict=True))
            return pa.table({name: self._columns[name] for name in names})


def _tidied(column: pl.Series) -> pl.Series:
    """Column in the types that the rest of dealdb has."""
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone not in (None, "UTC"):
        return column.dt.convert_time_zone("UTC")
    if column.dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    return column
