"""
The folder of an embedded server: whose it is, where its socket is, and the locks that processes agree by.

All locks are ``flock`` locks, which the kernel drops when the last descriptor closes: a process that is killed
leaves nothing behind that could block the next one.

==================  ==========================================================================================
``starting.lock``   held for the moment in which a process starts or stops the server
``users.lock``      held, shared, by every process that uses the server; who can have it alone is the last
``server.lock``     handed down to the server process, which holds it for as long as it runs
``keeper.lock``     handed down to the keeper, which holds it, shared, for as long as it runs
``linger``          seconds that the server stays after its last user; written at each coming and leaving
``server.binary``   which server runs, with which options
``server.log``      what the server reports
``socket``          the server's unix socket, unless the folder's path is too long for one
``appendonlydir``   the data
==================  ==========================================================================================
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from dealdb import folders
from dealdb.connection.embedded.keeper import DATA, LINGER, STARTING, USERS
from dealdb.errors import ConfigError, ServerUnavailable

# the address of a unix socket holds 108 bytes on Linux, 104 on macOS, and ends in a NUL
MAX_SOCKET_PATH_BYTES = 103
# starting and stopping take some 50 ms; more means that the process at it hangs
STARTING_TIMEOUT_S = 30.0
POLL_S = 0.005
_MARKER = STARTING
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OURS = frozenset(
    {
        _MARKER,
        USERS,
        LINGER,
        DATA,
        "server.lock",
        "keeper.lock",
        "server.binary",
        "server.log",
        "socket",
    }
)


def default_folder() -> Path:
    """
    Where the data is unless a path is given: ``$XDG_DATA_HOME/dealdb`` or ``~/.local/share/dealdb``.

    Raises
    ------
    ConfigError
        If the user has no home folder.
    """
    folder = folders.data()
    if folder is None:
        raise ConfigError("this user has no home folder: give a path, or set XDG_DATA_HOME")
    return folder


class Lock:
    """A lock on a file, by a descriptor of its own; close it to give the lock back."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def take_shared(self) -> None:
        """Hold it together with others that share it."""
        fcntl.flock(self.fd, fcntl.LOCK_SH)

    def take(self) -> bool:
        """Hold it alone, if nobody else holds it."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give_back(self) -> None:
        """Drop it for every process that inherited this descriptor too, and close."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        self.close()

    def close(self) -> None:
        """Close the descriptor; a forked process that inherited it keeps holding the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class DataFolder:
    """
    A folder that holds an embedded server's data, for this user alone.

    Parameters
    ----------
    path
        The folder; made if there is none.

    Raises
    ------
    ConfigError
        If it can't be made or belongs to someone else, or holds files that are not dealdb's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._claim()
        self.socket = self._place_socket()

    @property
    def log(self) -> Path:
        """The server's report."""
        return self.path / "server.log"

    def users(self) -> Lock:
        """The lock that the server's users share."""
        return Lock(self.path / USERS)

    @property
    def data(self) -> Path:
        """The server's files."""
        return self.path / DATA

    @property
    def binary(self) -> Path:
        """What the server was started from."""
        return self.path / "server.binary"

    def note_use(self, linger_s: float) -> None:
        """Tell the keeper that somebody is here now, and how long the server stays after they leave."""
        # a full disk must not keep anybody from reading or leaving; the text has one length, so it takes no more room
        with contextlib.suppress(OSError):
            file = os.open(
                self.path / LINGER, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                os.pwrite(file, f"{linger_s:<15.3f}\n".encode(), 0)
            finally:
                os.close(file)

    def keeper(self) -> Lock:
        """The lock that the keeper holds."""
        return Lock(self.path / "keeper.lock")

    def has_keeper(self) -> bool:
        """Whether a keeper lives; to be asked while ``starting``, or two who ask take each other for one."""
        lock = self.keeper()
        alone = lock.take()
        lock.close()
        return not alone

    def server(self) -> Lock:
        """The lock that the server process holds."""
        return Lock(self.path / "server.lock")

    def is_free(self) -> bool:
        """Whether no server runs on the folder."""
        lock = self.server()
        if lock.take():
            lock.give_back()
            return True
        lock.close()
        return False

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """
        Be the only process that starts or stops the server.

        Raises
        ------
        ServerUnavailable
            If another process has been at it for ``STARTING_TIMEOUT_S``.
        """
        lock = Lock(self.path / _MARKER)
        deadline = time.monotonic() + STARTING_TIMEOUT_S
        try:
            while not lock.take():
                if time.monotonic() > deadline:
                    msg = f"another process has been starting or stopping the server in {self.path} for too long"
                    raise ServerUnavailable(msg)
                time.sleep(POLL_S)
            yield
        finally:
            lock.give_back()

    def _claim(self) -> None:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            was_open = stat.S_IMODE(self.path.lstat().st_mode) & _OTHERS_WRITE
            names = self._names()
            if not (was_open and names):
                _make_private(self.path)
            # from here on nobody else can put a file there
            if was_open and (names := self._names()):
                msg = (
                    f"others could write to {self.path}, and {min(names)!r} in it may be theirs: give a new or empty "
                    "folder, or make sure of its files and close it (chmod 700)"
                )
                raise ConfigError(msg)
        except OSError as error:
            raise ConfigError(f"{self.path} can't hold data: {error.strerror}") from None

    def _names(self) -> set[str]:
        """Names of what is in it, if that is ours."""
        entries = list(self.path.iterdir())
        names = {entry.name for entry in entries}
        if _MARKER not in names and names - _OURS:
            other = min(names - _OURS)
            msg = f"{self.path} holds other files ({other!r}, ...): give a new or empty folder"
            raise ConfigError(msg)
        for entry in entries:
            # the data may be on another disk; what is written to by name may not be another file
            if entry.name in _OURS - {DATA} and entry.is_symlink():
                msg = f"{entry} is a link, and would be written through: remove it"
                raise ConfigError(msg)
        return names

    def _place_socket(self) -> Path:
        socket = self.path / "socket"
        if len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES:
            return socket
        # from the path alone, so that every process finds it whatever its TMPDIR or XDG_RUNTIME_DIR is
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        folder = Path("/tmp") / f"dealdb-{os.geteuid()}"  # noqa: S108  # nosec B108  # checked to be ours
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            _make_private(folder)
        except OSError as error:
            raise ConfigError(
                f"{folder} can't hold the server's socket: {error.strerror}"
            ) from None
        return folder / digest


def _make_private(folder: Path) -> None:
    """Close a folder of ours to everybody else."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigError(f"{folder} is not a folder")
    if found.st_uid != os.geteuid():
        raise ConfigError(f"{folder} belongs to another user")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
