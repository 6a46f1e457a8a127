"""
A server of its own for a folder: started by the first process that uses it, ended some minutes after the last.

Its processes need no agreement but the locks of ``folder``. The server is not a child of any of them: it
outlives the process that started it, and serves the next one that comes. What ends it is its ``keeper``.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from dealdb.connection.embedded import process
from dealdb.connection.embedded.disk import disk_trouble
from dealdb.connection.embedded.folder import DataFolder, default_folder
from dealdb.errors import ConfigError, ServerUnavailable, StoreError

# a server found running may be on its way out, or be killed while we wait for it
ATTEMPTS = 3
# seconds that a server stays after its last user, where nothing else is said
LINGER_S = 300.0
LONGEST_LINGER_S = 86_400.0
LINGER_VARIABLE = "DEALDB_LINGER_S"


class EmbeddedServer:
    """
    One user's share in the server of a folder; made by ``start``.

    A forked child shares in it too, until it closes its copy or ends.

    Attributes
    ----------
    path
        Folder of the data, absolute.
    socket
        The server's unix socket.
    linger_s
        Seconds that the server stays after its last user.
    """

    def __init__(self, folder: DataFolder, linger_s: float) -> None:
        self._folder = folder
        self.linger_s = linger_s
        self._closing = threading.Lock()
        self._closed = False
        self._launched: list[subprocess.Popen[bytes]] = []
        self.path = folder.path
        self.socket = folder.socket
        # taken before looking for a server, so that a user who leaves meanwhile sees that somebody else is still there
        self._share = folder.users()
        self._share.take_shared()
        folder.note_use(linger_s)
        atexit.register(self.close)

    @classmethod
    def start(cls, path: Path | None = None, *, linger_s: float | None = None) -> Self:
        """
        Use the server of a folder, starting it when none runs.

        Parameters
        ----------
        path
            Folder of the data, private to this user (0700); None for ``$XDG_DATA_HOME/dealdb``, or
            ``~/.local/share/dealdb``. A folder that holds anything else is refused.
        linger_s
            How long the server stays when its last user has left, in seconds up to a day, so that the next one finds
            it running; the last to leave decides. 0 ends it immediately. None for ``$DEALDB_LINGER_S``, or 300.

        Raises
        ------
        ConfigError
            If the folder or ``linger_s`` can't be used.
        StoreDamaged
            If the server does not understand the data; the message has the end of its log.
        StoreError
            If it does not start for another reason.
        ServerUnavailable
            If it, or another process at starting it, hangs.

        Cost
        ----
        Some 70 ms to start a server, more by what it has to load; 1 ms to find one running.

        Examples
        --------
        ``with EmbeddedServer.start() as server: RedisConnection().connect(unix_socket=server.socket,
        revive=server.ensure_running)``
        """
        seconds = _seconds(linger_s)
        server = cls(DataFolder(default_folder() if path is None else Path(path)), seconds)
        try:
            server.ensure_running()
        except BaseException:
            server.close()
            raise
        return server

    def ensure_running(self) -> None:
        """
        Start the server again if it is gone, and wait until it answers.

        Raises
        ------
        StoreError, StoreDamaged, ServerUnavailable
            As ``start`` does; also ``StoreError`` after ``close``.

        Cost
        ----
        One PING when it runs.
        """
        if self._closed:
            raise StoreError(f"the embedded server of {self.path} was closed; start it again")
        for _ in range(ATTEMPTS):
            launched = self._launch_if_none()
            if process.wait_until_ready(self._folder):
                return
            if launched and not process.was_killed(self._folder):
                break
        raise process.why_it_died(self._folder)

    def _launch_if_none(self) -> bool:
        for launched in self._launched:
            # one that was killed stays in the process table until it is collected
            launched.poll()
        with self._folder.starting():
            lock = self._folder.server()
            if not lock.take() and not (self._ends_another() and lock.take()):
                lock.close()
                return False
            self._launched.append(process.launch(self._folder, lock))
            return True

    def _ends_another(self) -> bool:
        """End a server from before an upgrade that nobody else uses; its users keep using it."""
        if not process.is_another(self._folder):
            return False
        alone = self._share.take()
        # a try that failed has dropped the lock; meanwhile nobody may stop the server, as we are at starting it
        self._share.take_shared()
        return alone and process.stop(self._folder)

    def trouble(self) -> str | None:
        """A sentence when the disk is full, or the server has just failed to write to it."""
        return disk_trouble(self.path, self._folder.log)

    def close(self) -> None:
        """
        Leave the server, which stays for ``linger_s`` after its last user; its data are synced to disk all the time.

        Safe to call twice. A server that hangs is left running, for the next ``start`` to find.

        Cost
        ----
        1 ms when it stays. Else the server's end, and before it the rewriting of its data where their tail is long:
        half a second or more for each 100 MB.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.close)
        self._folder.note_use(self.linger_s)
        # a process that hangs at starting or stopping keeps this one from stopping the server, not from leaving; and
        # there may be no folder any more
        with contextlib.suppress(ServerUnavailable, FileNotFoundError):
            self._leave()
        self._share.close()
        for launched in self._launched:
            process.let_go(launched)

    def _leave(self) -> None:
        with self._folder.starting():
            self._share.close()
            if not self._is_last() or self._stays():
                return
            if not process.begin_compacting(self._folder):
                process.stop(self._folder)
                return
        # others may come meanwhile: then the server is theirs
        process.wait_until_compact(self._folder)
        with self._folder.starting():
            if self._is_last():
                process.stop(self._folder)

    def _stays(self) -> bool:
        # without a keeper nobody would end it
        return self.linger_s > 0 and self._folder.has_keeper()

    def _is_last(self) -> bool:
        # by a new descriptor: the share's own lock is one with that of a forked child
        users = self._folder.users()
        if not users.take():
            users.close()
            return False
        users.give_back()
        return True

    def __repr__(self) -> str:
        return f"EmbeddedServer({str(self.path)!r}{', closed' if self._closed else ''})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _seconds(given: float | None) -> float:
    """How long the server stays, checked."""
    text = os.environ.get(LINGER_VARIABLE) if given is None else str(given)
    name = LINGER_VARIABLE if given is None else "linger_s"
    try:
        seconds = float(text) if text else LINGER_S
    except ValueError:
        seconds = -1.0
    # not a number compares as false, too
    if 0 <= seconds <= LONGEST_LINGER_S:
        return seconds
    msg = f"{name} must be between 0 and {LONGEST_LINGER_S:.0f} seconds: got {text!r}"
    raise ConfigError(msg)
