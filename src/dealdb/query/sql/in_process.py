"""One SELECT on DuckDB in this process: read, checked by the first wall, and run behind the second."""

from __future__ import annotations

import ctypes
import json
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from dealdb.errors import QueryError
from dealdb.query.messages import fault
from dealdb.query.sql.check import Needed, needed_columns, refused_statement
from dealdb.query.sql.duckdb_errors import is_fatal, translated
from dealdb.query.sql.job import Job, forget_stuck
from dealdb.query.sql.params import with_dollars
from dealdb.query.sql.sandbox import import_engines, open_sandbox

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# columns of the history whose names are words of SQL
_WORDS = ("when", "at")
_DAYS = ("today", "current_date")
_TODAY = re.compile("|".join(_DAYS), re.IGNORECASE)


def names_today(statement: str) -> bool:
    """
    Whether a statement may ask which day it is.

    Examples
    --------
    >>> names_today("SELECT Today()"), names_today("SELECT 1")
    (True, False)
    """
    return _TODAY.search(statement) is not None


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A statement and what it may name.

    Attributes
    ----------
    statement, params
        Its text, and values that were checked.
    columns
        Columns of ``deals``.
    sides
        Columns of the caller's tables, by name.
    timeout_s
        Seconds that it may take.
    today
        The day that it is for these deals; None where the statement doesn't ask.
    """

    statement: str
    params: Mapping[str, object]
    columns: list[str]
    sides: Mapping[str, list[str]]
    timeout_s: float
    today: date | None = None


# gives the tables that a statement turned out to need
GetTables: TypeAlias = "Callable[[Needed], Mapping[str, pa.Table]]"


class InProcess:
    """
    DuckDB, opened at the first statement; safe to use from several threads.

    Parameters
    ----------
    memory_mb
        Megabytes that DuckDB may use for tables and groups.

    Attributes
    ----------
    is_worn
        Whether a statement has left something behind that only the end of the process removes.
    """

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.is_worn = False

    def renew(self) -> None:
        """Begin without a database in a forked child; its parent's is left as it is."""
        self._lock = threading.Lock()
        forget_stuck()
        if self._connection is not None:
            # never to be collected, not at the end of the process either: DuckDB would crash for want of its threads
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        self._connection = None

    def run(self, asked: Asked, tables: GetTables) -> pa.Table:
        """
        Result of a statement.

        Raises
        ------
        QueryError
            If it isn't one SELECT over the tables, fails, or takes too long or too much memory.
        MissingExtra
            If DuckDB or PyArrow is not installed.
        """
        import_engines()
        job = Job(self._cursor, asked.statement, asked.timeout_s)
        try:
            return self._answered(job, asked, tables)
        finally:
            if job.is_stuck:
                self._abandon()
            else:
                job.close()

    def close(self) -> None:
        """Give back the memory of DuckDB."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _answered(self, job: Job, asked: Asked, tables: GetTables) -> pa.Table:
        statement, values = asked.statement, asked.params
        names = [*asked.columns, *_WORDS, *chain.from_iterable(asked.sides.values())]
        tree: Any = None
        columns = asked.columns
        try:
            # of the same length, so errors can show the statement as it was given
            readable = with_dollars(statement, values) if values else statement
            tree = job.result(lambda cursor: _parsed(cursor, readable, names))
            needed = needed_columns(tree, statement, asked.columns, values, asked.sides)
            given = tables(needed)
            there = (table.column_names for table in given.values())
            columns = list(dict.fromkeys(chain(asked.columns, *there)))
            return job.result(lambda cursor: _selected(cursor, given, readable, asked))
        except MemoryError:
            self._abandon()
            raise self._out_of_memory(statement) from None
        except _arrow_error() as error:
            msg = f"the statement failed ({type(error).__name__})"
            raise QueryError(msg, text=statement) from None
        except _duckdb_error() as error:
            if is_fatal(error):
                self._abandon()
            if type(error).__name__ == "OutOfMemoryException" or "bad_alloc" in str(error):
                self.is_worn = True
                raise self._out_of_memory(statement) from None
            raise translated(error, statement, tree, columns) from None

    def _out_of_memory(self, statement: str) -> QueryError:
        msg = f"the statement needs more than {self._memory_mb} MB of memory"
        return QueryError(msg, text=statement)

    def _abandon(self) -> None:
        """Leave a database in which a statement can't be stopped, or which has failed; closing might wait for ever."""
        self.is_worn = True
        with self._lock:
            self._connection = None

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._connection = open_sandbox(self._memory_mb)
            return self._connection.cursor()


def _arrow_error() -> type[Exception]:
    import pyarrow as pa

    kind: type[Exception] = pa.ArrowException
    return kind


def _duckdb_error() -> type[Exception]:
    import duckdb

    return duckdb.Error


def _parsed(cursor: duckdb.DuckDBPyConnection, statement: str, names: Collection[str]) -> Any:
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
    asked: Asked,
) -> pa.Table:
    # not at the top: it needs PyArrow
    from dealdb.query.sql.arrow_types import check_columns, fitted

    for name, table in tables.items():
        cursor.register(name, table)
    params = asked.params
    if asked.today is not None:
        # what DuckDB calls so is the day of UTC
        for name in _DAYS:
            cursor.execute(f"CREATE TEMP MACRO {name}() AS DATE '{asked.today}'")
    relation = cursor.sql(statement, params=dict(params)) if params else cursor.sql(statement)
    types = relation.types
    if not types:
        msg = "the statement gave no table"
        raise QueryError(msg, text=statement)
    check_columns(relation.columns, types, statement)
    return fitted(relation.to_arrow_table(), types, statement)
