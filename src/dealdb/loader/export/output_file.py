"""
Where an export goes: a file that appears complete or not at all, or a stream.

A file is written in the same folder under another name, and gets its own name when it is complete. So a
program that watches the folder, or an older export, never meets half of one.
"""

from __future__ import annotations

import gzip
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOBase
from pathlib import Path
from typing import IO, Any, cast

from dealdb.errors import LoadError
from dealdb.formats.zstd import zstd_writer

STDOUT = "-"


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


@contextmanager
def _place(path: Path) -> Iterator[IO[bytes]]:
    path = path.resolve()
    if path.exists() and not path.is_file() and not path.is_dir():
        # a pipe or a device can't be replaced by a file
        with path.open("wb") as file:
            yield file
        return
    if path.is_dir():
        msg = f"{path} is a folder; give the file to write"
        raise LoadError(msg)
    part = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
