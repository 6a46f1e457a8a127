"""
Where an export and other files with deals go: a file that appears complete or not at all, or a stream.

A file is written in the same folder under another name, and gets its own name when it is complete. So a
program that watches the folder, or an older export, never meets half of one. Only its owner may read it, unless it
takes the place of one that others may read. A link that the user has named keeps leading to its file; what somebody
else has put there is never written to.
"""

from __future__ import annotations

import gzip
import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOBase
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from dealdb.errors import LoadError
from dealdb.formats.zstd import zstd_writer

STDOUT = "-"
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# what is under these names is no file, though it may look like one
_SYSTEM = ("/dev/", "/proc/")
_Found = TypeVar("_Found")


class Counted:
    """
    A binary stream that counts what is written to it.

    Attributes
    ----------
    n_bytes
        Written so far.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.n_bytes = 0
        self._file = file

    def write(self, data: bytes) -> int:
        """Write all of it."""
        self.n_bytes += len(data)
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Hand on what is held back."""
        self._file.flush()


@contextmanager
def opened(target: str | Path | Any) -> Iterator[Counted]:
    """
    Stream to write an export to; a path gets its file when all went well.

    Raises
    ------
    LoadError
        If it can't be written. A reader that goes away from a pipe is a ``BrokenPipeError`` as everywhere.
    """
    try:
        if target != STDOUT and isinstance(target, str | Path):
            with _place(Path(target)) as file:
                yield Counted(file)
            return
        file = _stream(sys.stdout if target == STDOUT else target)
        yield Counted(file)
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        msg = f"{name_of(target)} can't be written: {problem.strerror or problem}"
        raise LoadError(msg) from problem


def name_of(target: object) -> str:
    """What messages and the report call a target."""
    if target == STDOUT or target is sys.stdout:
        return "stdout"
    return str(target) if isinstance(target, str | Path) else str(getattr(target, "name", "stream"))


@contextmanager
def compressed(file: Counted, how: str) -> Iterator[Any]:
    """Stream that compresses into another: ``gz``, ``zst``, or as it is."""
    with ExitStack() as keep:
        if how == "gz":
            # without a time of day the same deals give the same bytes
            stream = gzip.GzipFile(fileobj=cast("IO[bytes]", file), mode="wb", mtime=0, filename="")
            yield keep.enter_context(stream)
        elif how == "zst":
            yield keep.enter_context(zstd_writer(file))
        else:
            yield file


def _stream(target: Any) -> IO[bytes]:
    binary = getattr(target, "buffer", target)
    if isinstance(binary, TextIOBase) or not hasattr(binary, "write"):
        msg = "an export goes to a path, '-' for standard output, or a file object opened with 'wb'"
        raise LoadError(msg)
    return cast("IO[bytes]", binary)


def written(target: str | Path | Any, write: Callable[[IO[bytes]], _Found]) -> _Found:
    """
    Write a file whose format needs one that it can go back in, which a pipe is not.

    Raises
    ------
    LoadError
        If it can't be written.
    """
    with opened(target) as file:
        return copied(file, write)


def copied(file: Counted, write: Callable[[IO[bytes]], _Found]) -> _Found:
    """Hand a stream all that is written to a temporary file."""
    with tempfile.TemporaryFile() as whole:
        found = write(whole)
        whole.seek(0)
        shutil.copyfileobj(whole, file)
    return found


def begun(path: Path) -> IO[bytes]:
    """
    A file that has its name from the beginning, because what is in it counts even if it is never finished.

    What had the name before is replaced and not written to; so is a link or a pipe that nobody has named.

    Raises
    ------
    OSError
        If it can't be written.
    """
    part, file = _beside(path)
    try:
        _keep_mode(path, file)
        part.replace(path)
    except OSError:
        file.close()
        part.unlink(missing_ok=True)
        raise
    return file


def followed(path: Path) -> Path:
    """
    Where the file of a name is that the user has given: that of a link leads there.

    Raises
    ------
    OSError
        If the link leads nowhere, or belongs to somebody else.
    """
    if not path.is_symlink():
        return path
    if path.lstat().st_uid not in (os.geteuid(), 0):
        msg = "it is a link that belongs to somebody else"
        raise PermissionError(0, msg)
    if not path.exists():
        msg = "it is a link that leads nowhere"
        raise FileNotFoundError(0, msg)
    return path.resolve()


def is_stream(path: Path) -> bool:
    """Whether a pipe or device goes by this name, that can't be replaced by a file."""
    if str(path.absolute()).startswith(_SYSTEM):
        return path.exists() and not path.is_dir()
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def _place(path: Path) -> Iterator[IO[bytes]]:
    if is_stream(path):
        with path.open("wb") as stream:
            yield stream
        return
    path = followed(path)
    if path.is_dir():
        msg = f"{path} is a folder; give the file to write"
        raise LoadError(msg)
    part, file = _beside(path)
    try:
        with file:
            yield file
            file.flush()
            _keep_mode(path, file)
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _beside(path: Path) -> tuple[Path, IO[bytes]]:
    """A new file in the folder of another, which nobody else can have put there, nor read."""
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.part")
    return part, os.fdopen(os.open(part, _NEW, 0o600), "wb")


def _keep_mode(path: Path, file: IO[bytes]) -> None:
    """Who may read the file that is replaced may read the new one, where that was for this user to say."""
    with suppress(FileNotFoundError):
        there = path.lstat()
        if stat.S_ISREG(there.st_mode) and there.st_uid == os.geteuid():
            os.fchmod(file.fileno(), stat.S_IMODE(there.st_mode) & 0o777)
