"""
The keeper of an embedded server: a small process that starts the server, and sees that it ends.

The server outlives the process that wanted it, so that the next one finds it running. The keeper is what ends it:

- It looks once a second whether the folder has users. When it has had none for the seconds that the last one left in
  the folder, the keeper ends the server.
- On Linux the kernel ends the server when its keeper dies, so a keeper that is killed leaves no server behind.
- When the folder is removed, it ends the server.

While nobody uses the server the keeper has it rewrite its file in the compact form, if that has a long tail.

This file is run as a script, with nothing of dealdb and little of the standard library: it is in memory for as long as
the server is.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

# files of the folder that the keeper and the users agree by; ``folder`` says what they are for
STARTING = "starting.lock"
USERS = "users.lock"
LINGER = "linger"
DATA = "appendonlydir"

LOOK_EVERY_S = 1.0
# commands that follow one another leave the server alone for moments only
COMPACT_AFTER_S = 2.0
# a tail under this is read in some 50 ms
SMALL_TAIL_BYTES = 4_194_304
STOP_TIMEOUT_S = 10.0
ASK_TIMEOUT_S = 2.0
_POLL_S = 0.005
# the module signal would take a third of the start
_KILL, _TERM = 9, 15
_SET_DEATH_SIGNAL = 1


def ask(path: str, command: bytes) -> bytes:
    """First piece of the server's answer to a command; empty when there is none."""
    # not at the top: most keepers ask nothing
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(ASK_TIMEOUT_S)
        try:
            link.connect(path)
            link.sendall(command + b"\r\n")
            return link.recv(65_536)
        except OSError:
            return b""


def outgrown_tail(folder: str) -> int:
    """
    Bytes of the data's tail when it is worth rewriting, else 0.

    It is when it is longer than a quarter of the compact part, and the disk has room for both forms.
    """
    try:
        base, tail = _sizes(os.path.join(folder, DATA))
        disk = os.statvfs(folder)
    except OSError:
        # a file that has just gone, or all of them
        return 0
    if tail <= max(SMALL_TAIL_BYTES, base // 4):
        return 0
    return tail if disk.f_bavail * disk.f_frsize > base + tail else 0


def _sizes(folder: str) -> tuple[int, int]:
    base = tail = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if ".base." in entry.name:
                base += entry.stat().st_size
            elif entry.name.endswith(".incr.aof"):
                tail += entry.stat().st_size
    return base, tail


def begin_compacting(socket: str) -> None:
    """Have the server write its data again, in the compact form, while it works; a kill meanwhile loses nothing."""
    ask(socket, b"BGREWRITEAOF")


def is_compacting(socket: str) -> bool:
    """Whether it is at it."""
    told = ask(socket, b"INFO persistence")
    return b"aof_rewrite_in_progress:1" in told or b"aof_rewrite_scheduled:1" in told


class Keeper:
    """
    The one who ends a server.

    Parameters
    ----------
    folder, socket
        The server's folder and unix socket.
    pid
        The server, a child of this process.
    """

    def __init__(self, folder: str, socket: str, pid: int) -> None:
        self.folder, self.socket, self.pid = folder, socket, pid
        self.place = _place(folder)
        self.used, self.linger_s = 0, 0.0
        self.used = self._note()
        self.idle_since = time.monotonic()
        self.tried = 0

    def watch(self) -> None:
        """Return when the server has ended."""
        while not self._has_ended():
            time.sleep(self._pause_s())
            try:
                self._look()
            except FileNotFoundError:
                # without its locks nobody can agree on anything: the folder is being removed
                os.kill(self.pid, _KILL)
            except OSError:
                # e.g. too many open files, for now
                time.sleep(LOOK_EVERY_S)

    def _pause_s(self) -> float:
        if not self.linger_s:
            # the last user ends it; the keeper is for those who are killed
            return LOOK_EVERY_S
        left_s = self.idle_since + self.linger_s - time.monotonic()
        return min(LOOK_EVERY_S, max(left_s, 0.05))

    def _look(self) -> None:
        if _place(self.folder) != self.place:
            # not in order: it would remove its socket, by now perhaps that of another server; a kill loses nothing
            os.kill(self.pid, _KILL)
            return
        starting = _taken(os.path.join(self.folder, STARTING))
        if starting is None:
            return
        try:
            self._end_if_due()
        finally:
            os.close(starting)

    def _end_if_due(self) -> None:
        """End the server when nobody has used it for long enough; the caller keeps others from starting."""
        now = time.monotonic()
        if self._is_in_use():
            self.idle_since = now
            return
        idle_s = now - self.idle_since
        if idle_s < min(COMPACT_AFTER_S, self.linger_s) or self._compacts():
            return
        if idle_s >= self.linger_s:
            self._end()

    def _is_in_use(self) -> bool:
        """Whether there are users now, or were some since the last look."""
        users = _taken(os.path.join(self.folder, USERS))
        if users is None:
            return True
        os.close(users)
        used = self._note()
        # any change: a clock that was set back must not keep the server
        known, self.used = self.used, used
        return used != known

    def _note(self) -> int:
        """Learn what the last user has left; returns when that was."""
        try:
            with open(os.path.join(self.folder, LINGER), encoding="ascii") as file:
                self.linger_s = float(file.read())
                return os.fstat(file.fileno()).st_mtime_ns
        except (OSError, ValueError):
            # a full disk may have left it empty; what was known holds
            return self.used

    def _compacts(self) -> bool:
        """Have the data rewritten where that is due; True while that lasts."""
        if self.tried and is_compacting(self.socket):
            return True
        # one that failed is not tried again before there is more
        failed, self.tried = self.tried, outgrown_tail(self.folder)
        if self.tried in (0, failed):
            return False
        begin_compacting(self.socket)
        return True

    def _end(self) -> None:
        os.kill(self.pid, _TERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not self._has_ended():
            if time.monotonic() > deadline:
                # it hangs; what it has acknowledged is on the disk
                os.kill(self.pid, _KILL)
            time.sleep(_POLL_S)

    def _has_ended(self) -> bool:
        # once it is collected, its number may be that of another process
        if self.pid:
            ended, _ = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.pid = 0
        return not self.pid


def _place(folder: str) -> tuple[int, int] | None:
    """Which folder it is, whatever its name; None when it is gone."""
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _taken(path: str) -> int | None:
    """Descriptor of a lock that is ours now, or None where others have it."""
    # not for writing: a disk may be read-only by now; and not made again in a folder that is being removed
    lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _start(command: list[str], own_lock: int) -> int:
    """Start the server; the lock that it holds comes down to it, the keeper's own does not."""
    keeper = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.close(own_lock)
        _end_with(keeper)
        os.execv(command[0], command)  # noqa: S606  # the caller's binary and options
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _end_with(keeper: int) -> None:
    """Have the kernel end this process in order when the keeper dies, where it can."""
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, _TERM)
    except (ImportError, OSError, AttributeError):
        # a Python without ctypes: the last user ends a server that has lost its keeper
        return
    if os.getppid() != keeper:
        os._exit(127)


def main(arguments: list[str]) -> None:
    """Start the server and keep it: ``FOLDER SOCKET SERVER_LOCK KEEPER_LOCK COMMAND...``, the locks as descriptors."""
    folder, socket, server_lock, own_lock, *command = arguments
    pid = _start(command, int(own_lock))
    # or it would seem to run after its end
    os.close(int(server_lock))
    Keeper(folder, socket, pid).watch()


if __name__ == "__main__":
    main(sys.argv[1:])
