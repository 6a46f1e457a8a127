"""One process of DuckDB, as its parent sees it."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle  # nosec B403  # it writes; what the child says is never unpickled
import signal
import socket
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.errors import MissingExtra, QueryError
from dealdb.query.sql.check import TABLE, Needed
from dealdb.query.sql.in_process import Asked
from dealdb.query.sql.isolated.messages import LinkLost, receive, send
from dealdb.query.sql.isolated.shared import SharedFile
from dealdb.query.sql.sandbox import missing_extra
from dealdb.query.sql.tables import SqlTables

# after its time a statement may take this long to notice; then the process is ended
_GRACE_S = 0.7
_START_S = 60.0
# so many times columns of the same deals are added to those it has; then all of them go over anew, to one file
_MOST_ADDITIONS = 16
_CODE = (
    "import sys; sys.path[:] = sys.argv[2:]; from dealdb.query.sql.isolated.worker import main; "
    "main(int(sys.argv[1]))"
)
# where the system looks for libraries; nothing else of the environment is any of its business
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class WorkerProcess:
    """
    A process of DuckDB, started here; for one thread at a time.

    Parameters
    ----------
    memory_mb
        Megabytes that a statement may take.

    Attributes
    ----------
    owner
        Thread whose statement it runs.
    is_over
        Whether it takes no further statement.
    """

    def __init__(self, memory_mb: int) -> None:
        if not (sys.executable and os.name == "posix") or getattr(sys, "frozen", False):
            msg = "there is no program of Python here to run statements in a process of its own; sql_isolated=False"
            raise QueryError(f"{msg} runs them in this one")
        if any(importlib.util.find_spec(name) is None for name in ("duckdb", "pyarrow")):
            raise missing_extra()
        self._memory_mb = memory_mb
        self._parent = os.getpid()
        self._is_ready = False
        self._is_idle = True
        self._is_stopped = False
        self.owner: int | None = None
        self.is_over = False
        # deals whose columns it has; not kept alive for it
        self._frame: weakref.ref[pl.DataFrame] | None = None
        self._columns: set[str] = set()
        # those in use come first; the others are written again
        self._files: list[SharedFile] = []
        self._used = 0
        self._link, theirs = socket.socketpair()
        with theirs:
            self._process = _started(theirs.fileno())
        # one that has ended already is told of by the first statement, with how it ended
        with suppress(LinkLost):
            send(self._link, pickle.dumps(memory_mb))

    def run(self, asked: Asked, given: SqlTables) -> pl.DataFrame:
        """
        Result of a statement.

        Raises
        ------
        QueryError
            If it is refused, fails, or takes too long or too much memory.
        MissingExtra
            If DuckDB or PyArrow is not installed.
        """
        result = SharedFile()
        try:
            return self._answered(asked, given, result)
        except TimeoutError:
            self.end()
            raise _too_late(asked) from None
        except LinkLost:
            raise QueryError(self._cause_of_death(asked), text=asked.statement) from None
        except BaseException:
            # an interrupt, or a table that could not be had: nobody waits for the statement any more
            if not self._is_idle:
                self.end()
            raise
        finally:
            result.close()

    def has(self, frame: pl.DataFrame) -> bool:
        """Whether columns that it has are of these deals."""
        return self._frame is not None and self._frame() is frame

    @property
    def is_alive(self) -> bool:
        """Whether it runs; somebody may have ended it meanwhile."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Have the statement fail that another thread runs in it."""
        self._is_stopped = True
        self._process.kill()

    def end(self) -> int:
        """End it, whatever it does; returns how it ended. In a forked child it is somebody else's."""
        self.is_over = True
        self._frame = None
        self._link.close()
        if os.getpid() != self._parent:
            # not ours to wait for, and no reason to warn of it
            self._process.returncode = 0
        else:
            self._process.kill()
            self._process.wait()
        code: int = self._process.returncode
        if self._process.stdin is not None:
            self._process.stdin.close()
        for file in self._files:
            file.close()
        return code

    def _answered(self, asked: Asked, given: SqlTables, result: SharedFile) -> pl.DataFrame:
        self._is_idle = False
        self._await_start()
        parts = tuple(getattr(asked, each.name) for each in fields(asked))
        until = time.monotonic() + asked.timeout_s + _GRACE_S
        send(self._link, pickle.dumps(parts), [result.fd])
        told = self._told(until)
        if "columns" in told:
            self._hand_over(Needed(told["columns"], told["history"], told["sides"]), given)
            told = self._told(until)
        self._is_idle = True
        if told["last"]:
            self.end()
        if "error" in told:
            text = asked.statement if told["is_of_text"] else None
            raise QueryError(told["error"], text=text, position=told["position"])
        return result.read()

    def _await_start(self) -> None:
        if self._is_ready:
            return
        try:
            told = self._told(time.monotonic() + _START_S)
        except (LinkLost, TimeoutError):
            msg = f"the process for statements did not start (exit code {self.end()})"
            raise QueryError(msg) from None
        if "missing" in told:
            self.end()
            raise MissingExtra(told["missing"])
        self._is_ready = True

    def _told(self, until: float) -> dict[str, Any]:
        message, _ = receive(self._link, until)
        told: dict[str, Any] = json.loads(message)
        return told

    def _hand_over(self, needed: Needed, given: SqlTables) -> None:
        """Send the tables that a statement needs; columns of the deals only once a frame."""
        is_new = not self.has(given.frame)
        if is_new:
            self._frame, self._columns, self._used = weakref.ref(given.frame), set(), 0
        tables = given.beside(needed)
        new = [name for name in needed.columns if name not in self._columns]
        if new and self._used == _MOST_ADDITIONS:
            is_new = True
            new = [*self._columns, *new]
            self._columns, self._used = set(), 0
        beside = [SharedFile() for _ in tables]
        try:
            files = []
            for file, table in zip(beside, tables.values(), strict=True):
                file.write(table)
                files.append(file.fd)
            names = list(tables)
            if new:
                names.append(TABLE)
                files.append(self._deals(given.columns(new)))
                self._columns.update(new)
            send(self._link, pickle.dumps({"is_new": is_new, "tables": names}), files)
        finally:
            for file in beside:
                file.close()

    def _deals(self, frame: pl.DataFrame) -> int:
        if self._used == len(self._files):
            self._files.append(SharedFile())
        file = self._files[self._used]
        self._used += 1
        file.write(frame)
        return file.fd

    def _cause_of_death(self, asked: Asked) -> str:
        code = self.end()
        if self._is_stopped:
            return "the database was closed while the statement ran"
        if code == -signal.SIGXCPU:
            return str(_too_late(asked))
        return f"the statement needs more than {self._memory_mb} MB of memory"


def _too_late(asked: Asked) -> QueryError:
    msg = f"the statement took longer than {asked.timeout_s:g} s and was stopped"
    return QueryError(msg, text=asked.statement)


def _started(link: int) -> subprocess.Popen[bytes]:
    # in a session of its own: Ctrl-C at the terminal is for this process alone
    return subprocess.Popen(  # noqa: S603  # this Python, and code of dealdb
        [
            sys.executable,
            "-I",
            "-B",
            "-c",
            _CODE,
            str(link),
            *[path or str(Path.cwd()) for path in sys.path],
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
        },
        cwd="/",
        pass_fds=[link],
        start_new_session=True,
    )
