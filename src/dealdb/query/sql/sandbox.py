"""DuckDB that can't reach anything: the second wall."""

from __future__ import annotations

import importlib
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from dealdb.errors import MissingExtra

if TYPE_CHECKING:
    import duckdb

_ENGINES = frozenset(("duckdb", "pyarrow"))
THREADS = 2


def open_sandbox(memory_mb: int) -> duckdb.DuckDBPyConnection:
    """
    DuckDB in memory without files, network, extensions, a look at Python's variables, or a setting that can change.

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
        raise missing_extra() from error


def missing_extra() -> MissingExtra:
    """What to install for ``sql()``."""
    return MissingExtra("sql() needs the extra 'sql': pip install 'dealdb[sql]'")


def _import_quietly() -> None:
    # who asked for them imports them once more, and sees the error
    with suppress(ImportError):
        for name in sorted(_ENGINES):
            importlib.import_module(name)
