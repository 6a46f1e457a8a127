"""
A server of its own for a folder: started by the first process that uses it, stopped by the last.

Its processes need no agreement but the locks of ``data_folder``. The server is no child of any of them: it
outlives whoever started it, and a server left behind by killed processes serves the next one that comes.
"""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from dealdb.connection import server_process
from dealdb.connection.data_folder import DataFolder, default_folder
from dealdb.errors import ServerUnavailable, StoreError

# a server found running may be on its way out, or be killed while we wait for it
ATTEMPTS = 3


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
    """

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._closing = threading.Lock()
        self._closed = False
        self._launched: list[subprocess.Popen[bytes]] = []
        self.path = folder.path
        self.socket = folder.socket
        # taken before looking for a server, so that whoever leaves meanwhile sees that he isn't the last
        self._share = folder.users()
        self._share.take_shared()
        atexit.register(self.close)

    @classmethod
    def start(cls, path: Path | None = None) -> Self:
        """
        Use the server of a folder, starting it when none runs.

        Parameters
        ----------
        path
            Folder of the data, private to this user (0700); None for ``$XDG_DATA_HOME/dealdb``, or
            ``~/.local/share/dealdb``. A folder that holds anything else is refused.

        Raises
        ------
        ConfigError
            If the folder can't be used.
        StoreDamaged
            If the server does not understand the data; the message has the end of its report.
        StoreError
            If it does not start for another reason.
        ServerUnavailable
            If it, or another process at starting it, hangs.

        Cost
        ----
        Some 50 ms to start a server, more by what it has to load; 1 ms to find one running.

        Examples
        --------
        ``with EmbeddedServer.start() as server: RedisConnection().connect(unix_socket=server.socket,
        revive=server.ensure_running)``
        """
        server = cls(DataFolder(default_folder() if path is None else Path(path)))
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
        launched = False
        for _ in range(ATTEMPTS):
            launched = self._launch_if_none()
            if server_process.wait_until_ready(self._folder):
                return
            if launched:
                break
        raise server_process.why_it_died(self._folder)

    def _launch_if_none(self) -> bool:
        for process in self._launched:
            # one that was killed stays in the process table until it is collected
            process.poll()
        with self._folder.starting():
            lock = self._folder.server()
            if not lock.take():
                lock.close()
                return False
            self._launched.append(server_process.launch(self._folder, lock))
            return True

    def close(self) -> None:
        """
        Leave the server; the last to leave shuts it down, with its data synced to disk.

        Safe to call twice. A server that hangs is left running, for the next ``start`` to find.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self.close)
        # a process that hangs at starting or stopping keeps this one from stopping the server, not from leaving
        with contextlib.suppress(ServerUnavailable), self._folder.starting():
            self._share.close()
            if self._is_last():
                server_process.stop(self._folder)
        self._share.close()
        for process in self._launched:
            server_process.let_go(process)

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
