"""
``sql()``: one SELECT on DuckDB, in memory, over the live columns; in a sandbox of two walls.

The first wall is ``dealdb.query.sql.check``: an allow-list over the statement's tree, so a refusal says why.
The second is DuckDB's own: no access to files or network, no extensions, no scan of Python variables, bounded
memory and threads, nothing spilt to disk, and a locked configuration.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.connection.fork import renew_in_child
from dealdb.errors import MissingExtra, QueryError
from dealdb.query.messages import fault
from dealdb.query.sql.check import (
    HISTORY,
    TABLE,
    needed_columns,
    refused_statement,
)
from dealdb.query.sql.duckdb_errors import translated
from dealdb.query.sql.job import Job
from dealdb.query.sql.params import bound, with_dollars

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MAX_SQL_LENGTH = 20_000
_ENGINES = frozenset(("duckdb", "pyarrow"))
# parentheses; far below what the parser of DuckDB and the reader of its trees bear
MAX_NESTING = 100
THREADS = 2
# column of the history whose name is a word of SQL
_WHEN = "when"


class SqlSession:
    """
    DuckDB, opened at the first statement; safe to use from several threads.

    Parameters
    ----------
    timeout_s
        Seconds that a statement may take.
    memory_mb
        Megabytes that DuckDB may use.

    Examples
    --------
    >>> session = SqlSession(timeout_s=30, memory_mb=256)
    >>> session.run("SELECT sum(n) AS total FROM deals", pl.DataFrame({"n": [5, 7]})).item()
    12
    """

    def __init__(self, *, timeout_s: float, memory_mb: int) -> None:
        self._timeout_s = timeout_s
        self._memory_mb = memory_mb
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        # columns handed over so far, for as long as the frame is the same one
        self._frame: pl.DataFrame | None = None
        self._columns: dict[str, pa.ChunkedArray[Any]] = {}
        renew_in_child(self)

    def renew(self) -> None:
        """Begin without a database in a forked child; its parent's is left as it is."""
        self._lock = threading.Lock()
        if self._connection is not None:
            # never to be collected, not at the end of the process either: DuckDB would crash for want of its threads
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        self._connection = None

    def run(
        self,
        statement: str,
        frame: pl.DataFrame,
        params: Mapping[str, object] | None = None,
        *,
        history: Callable[[], pl.DataFrame | None] | None = None,
        kept: pl.Series | None = None,
        sides: Mapping[str, pl.DataFrame] | None = None,
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
        _check_size(statement)
        import_engines()
        values = bound(params or {})
        # of the same length, so errors can show the statement as it was given
        readable = with_dollars(statement, values) if values else statement
        job = Job(self._cursor, statement, self._timeout_s)
        try:
            beside = dict(sides or {})
            known = {name: table.columns for name, table in beside.items()}
            names = [*frame.columns, _WHEN, *chain.from_iterable(known.values())]
            tree = job.result(lambda cursor: _parsed(cursor, readable, names))
            needed = needed_columns(tree, statement, frame.columns, values, known)
            if needed.history:
                beside[HISTORY] = _past(history, statement)
            newest = pl.CompatLevel.newest()
            tables = {name: table.to_arrow(compat_level=newest) for name, table in beside.items()}
            tables[TABLE] = self._table(frame, needed.columns, kept)
            others = (table.columns for table in beside.values())
            columns = list(dict.fromkeys(chain(frame.columns, *others)))
            try:
                return job.result(lambda cursor: _selected(cursor, tables, readable, values))
            except _duckdb_error() as error:
                raise self._translated(error, statement, tree, columns) from None
        finally:
            if job.is_stuck:
                self._abandon()
            else:
                job.close()

    def close(self) -> None:
        """Give back the memory of DuckDB and the columns handed over."""
        with self._lock:
            connection, self._connection = self._connection, None
            self._frame, self._columns = None, {}
        if connection is not None:
            connection.close()

    def _abandon(self) -> None:
        """Leave a database in which a statement can't be stopped; closing it would wait for its end."""
        with self._lock:
            self._connection = None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._connection = open_sandbox(self._memory_mb)
            return self._connection.cursor()

    def _table(self, frame: pl.DataFrame, names: Sequence[str], kept: pl.Series | None) -> pa.Table:
        """Columns as Arrow; each is handed over once a frame."""
        import pyarrow as pa

        with self._lock:
            if self._frame is not frame:
                self._frame, self._columns = frame, {}
            new = [name for name in names if name not in self._columns]
            if new:
                chosen = frame.select([frame[name] for name in new])
                chosen = chosen if kept is None else chosen.filter(kept)
                arrow = chosen.to_arrow(compat_level=pl.CompatLevel.newest())
                self._columns.update(zip(new, arrow.columns, strict=True))
            return pa.table({name: self._columns[name] for name in names})

    def _translated(
        self, error: Exception, statement: str, tree: Any, columns: Sequence[str]
    ) -> QueryError:
        if type(error).__name__ == "OutOfMemoryException":
            msg = f"the statement needs more than {self._memory_mb} MB of memory"
            return QueryError(msg, text=statement)
        return translated(error, statement, tree, columns)


def _past(history: Callable[[], pl.DataFrame | None] | None, statement: str) -> pl.DataFrame:
    past = None if history is None else history()
    if past is None:
        msg = f"there is no table {HISTORY!r} here: ask db.query.sql, which has it"
        raise QueryError(msg, text=statement)
    return past


def _duckdb_error() -> type[Exception]:
    import duckdb

    return duckdb.Error


def import_engines() -> None:
    """
    Import DuckDB and PyArrow in a thread of their own: an interrupt in the middle of that ends the whole process.

    Raises
    ------
    MissingExtra
        If one of them is not installed.
    """
    if not sys.modules.keys() >= _ENGINES:
        thread = threading.Thread(target=_import_quietly, name="dealdb-sql-import", daemon=True)
        thread.start()
        thread.join()
    try:
        for name in sorted(_ENGINES):
            importlib.import_module(name)
    except ImportError as error:
        msg = "sql() needs the extra 'sql': pip install 'dealdb[sql]'"
        raise MissingExtra(msg) from error


def _import_quietly() -> None:
    # who asked for them imports them once more, and sees the error
    with suppress(ImportError):
        for name in sorted(_ENGINES):
            importlib.import_module(name)


def open_sandbox(memory_mb: int) -> duckdb.DuckDBPyConnection:
    """
    DuckDB in memory that can't reach anything: the second wall.

    Raises
    ------
    MissingExtra
        If DuckDB or PyArrow is not installed.
    """
    import_engines()
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "memory_limit": f"{memory_mb}MB",
            "threads": THREADS,
            "temp_directory": "",
            "errors_as_json": True,
        },
    )
    for setting in (
        "SET GLOBAL TimeZone = 'UTC'",
        "SET GLOBAL python_enable_replacements = false",
        "SET GLOBAL lock_configuration = true",
    ):
        connection.execute(setting)
    return connection


def _check_size(statement: str) -> None:
    if len(statement) > MAX_SQL_LENGTH:
        msg = f"a statement has at most {MAX_SQL_LENGTH:,} characters; this one has {len(statement):,}"
        raise fault(msg, statement, MAX_SQL_LENGTH)
    if "\0" in statement:
        # where a text ends must not depend on who reads it
        raise fault("a statement has no NUL characters", statement, statement.index("\0"))
    depth = 0
    for place, character in enumerate(statement):
        depth += (character in "([{") - (character in ")]}")
        if depth > MAX_NESTING:
            msg = f"the statement is nested more than {MAX_NESTING} levels deep"
            raise fault(msg, statement, place)


def _parsed(cursor: duckdb.DuckDBPyConnection, statement: str, names: Collection[str] = ()) -> Any:
    """Tree of the one statement; ``names`` are those of columns."""
    # fetchall: a result with rows left to fetch would keep the cursor busy
    rows = cursor.execute("SELECT json_serialize_sql($1)", [statement]).fetchall()
    try:
        document = json.loads(rows[0][0])
    except RecursionError:
        raise fault("the statement is nested too deeply", statement, 0) from None
    if document.get("error", True):
        raise refused_statement(statement, document, names)
    statements = document["statements"]
    if len(statements) != 1:
        raise fault(f"sql() takes one SELECT, not {len(statements)} statements", statement, 0)
    return statements


def _selected(
    cursor: duckdb.DuckDBPyConnection,
    tables: Mapping[str, pa.Table],
    statement: str,
    params: Mapping[str, object],
) -> pl.DataFrame:
    for name, table in tables.items():
        cursor.register(name, table)
    return _executed(cursor, statement, params)


def _executed(
    cursor: duckdb.DuckDBPyConnection, statement: str, params: Mapping[str, object]
) -> pl.DataFrame:
    relation = cursor.sql(statement, params=dict(params)) if params else cursor.sql(statement)
    names, types = relation.columns, [str(each) for each in relation.types]
    for name, kind in zip(names, types, strict=True):
        if names.count(name) > 1:
            msg = f"two columns of the result are named {name!r}; name one with AS"
            raise QueryError(msg, text=statement)
        if kind in ("INTERVAL", "BIT"):
            msg = (
                f"column {name!r} of the result has the type {kind}; cast it, e.g. to VARCHAR, "
                "or count days with datediff()"
            )
            raise QueryError(msg, text=statement)
    result = pl.from_arrow(relation.to_arrow_table())
    if not isinstance(result, pl.DataFrame):
        msg = "the statement gave no table"
        raise QueryError(msg, text=statement)
    return result.with_columns(
        [_tidied(result[name], kind) for name, kind in zip(names, types, strict=True)]
    )


def _tidied(column: pl.Series, kind: str) -> pl.Series:
    """Column in the types that the rest of dealdb has."""
    if kind in ("HUGEINT", "UHUGEINT"):
        # sums of integers; DuckDB makes them 128 bits wide, which Arrow only knows as a decimal
        narrow = column.cast(pl.Int64, strict=False)
        return narrow if narrow.null_count() == column.null_count() else column
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone not in (None, "UTC"):
        return column.dt.convert_time_zone("UTC")
    if column.dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    return column
