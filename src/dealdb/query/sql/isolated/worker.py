"""
What runs in the process of its own: DuckDB behind both walls, held to the bounds of the operating system.

It imports neither Polars nor the Redis client. It has no environment, no folder, and no file but those that its parent
hands it, and ends with its parent.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle  # nosec B403  # what comes from the parent alone
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dealdb.errors import MissingExtra, QueryError
from dealdb.query.sql.check import TABLE, Needed
from dealdb.query.sql.in_process import Asked, InProcess
from dealdb.query.sql.isolated import limits
from dealdb.query.sql.isolated.messages import LinkLost, receive, send
from dealdb.query.sql.sandbox import THREADS

if TYPE_CHECKING:
    import pyarrow as pa

_START_S = 60.0
# a process that has kept more than this of a statement's memory ends, and gives it back
_KEEPS_MB = 256


def main(link: int) -> None:
    """Answer the parent's statements until it ends."""
    # Ctrl-C is for the parent, which then ends this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="dealdb-sql-parent", daemon=True).start()
    with suppress(LinkLost):
        _Worker(socket.socket(fileno=link)).serve()
    # not sys.exit: a thread of DuckDB that can't be stopped would be waited for
    os._exit(0)


def _end_with_parent() -> None:
    # the parent never writes to it; a signal at the death of the parent (PR_SET_PDEATHSIG) would come with the end
    # of the thread that started this process
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(0)


class _Worker:
    def __init__(self, link: socket.socket) -> None:
        self._link = link
        # columns of the deals that came so far, for as long as the frame is the same one
        self._columns: dict[str, pa.ChunkedArray[Any]] = {}

    def serve(self) -> None:
        first, _ = receive(self._link)
        self._memory_mb: int = pickle.loads(first)  # noqa: S301  # nosec B301  # from the parent
        self._duckdb = InProcess(self._memory_mb)
        self._result_mb = self._memory_mb // limits.RESULT_PART
        try:
            # what every process needs counts as what it has, not as a statement's
            self._duckdb.run(Asked("SELECT 1 AS n", {}, [], {}, _START_S), lambda _: {})
        except MissingExtra as problem:
            self._tell({"missing": str(problem)})
            return
        # not earlier: DuckDB aborts where it is opened in a folder that is gone
        limits.leave_folders()
        before = limits.private_mb()
        limits.impose(self._memory_mb)
        self._tell({"ready": True})
        is_last = False
        while not is_last:
            answer = self._answer()
            is_last = self._duckdb.is_worn or limits.private_mb() - before > _KEEPS_MB
            self._tell({**answer, "last": is_last})

    def _answer(self) -> dict[str, object]:
        message, [result] = receive(self._link)
        asked = Asked(*pickle.loads(message))  # noqa: S301  # nosec B301  # from the parent
        limits.allow_seconds(asked.timeout_s, THREADS)
        try:
            self._write(result, self._duckdb.run(asked, self._tables))
        except QueryError as problem:
            return _error(str(problem), problem.position, is_of_text=problem.text is not None)
        except LinkLost:
            raise
        except OSError:
            most = f"{self._result_mb} MB"
            return _error(
                f"the result has more than {most}; select fewer columns or rows, or raise sql_memory_mb"
            )
        except MemoryError:
            self._duckdb.is_worn = True
            return _error(f"the statement needs more than {self._memory_mb} MB of memory")
        except Exception as problem:  # noqa: BLE001  # the parent has to hear of it
            self._duckdb.is_worn = True
            return _error(f"the statement failed ({type(problem).__name__})")
        finally:
            os.close(result)
        return {"done": True}

    def _tables(self, needed: Needed) -> dict[str, pa.Table]:
        """Ask the parent for the tables of a statement."""
        import pyarrow as pa

        self._tell({"columns": needed.columns, "history": needed.history, "sides": needed.sides})
        message, files = receive(self._link)
        told = pickle.loads(message)  # noqa: S301  # nosec B301  # from the parent
        if told["is_new"]:
            self._columns = {}
        tables = dict(zip(told["tables"], _mapped(files), strict=True))
        more = tables.pop(TABLE, None)
        if more is not None:
            self._columns.update(zip(more.column_names, more.columns, strict=True))
        tables[TABLE] = pa.table({name: self._columns[name] for name in needed.columns})
        return tables

    def _write(self, file: int, table: pa.Table) -> None:
        import pyarrow as pa

        with (
            os.fdopen(os.dup(file), "wb", buffering=0) as out,
            pa.ipc.new_file(out, table.schema) as writer,
        ):
            writer.write_table(table)

    def _tell(self, what: dict[str, object]) -> None:
        send(self._link, json.dumps(what).encode())


def _error(
    message: str, position: int | None = None, *, is_of_text: bool = True
) -> dict[str, object]:
    return {"error": message, "position": position, "is_of_text": is_of_text}


def _mapped(files: Sequence[int]) -> list[pa.Table]:
    import pyarrow as pa

    tables = []
    for file in files:
        memory = mmap.mmap(file, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        os.close(file)
        tables.append(pa.ipc.open_file(pa.py_buffer(memory)).read_all())
    return tables
