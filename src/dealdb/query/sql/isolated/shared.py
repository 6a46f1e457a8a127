"""Data frames in files that have no name and are nowhere but in memory, where the system has such."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import polars as pl

_MEMORY = Path("/dev/shm")  # noqa: S108  # nosec B108  # a file there has no name once it is open


class SharedFile:
    """A file without a name; written again, it takes the memory that it has."""

    def __init__(self) -> None:
        self.fd = _open()

    def write(self, frame: pl.DataFrame) -> None:
        """Put a frame into it, in place of what is there."""
        os.lseek(self.fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self.fd), "wb", closefd=True) as file:
            frame.write_ipc(file, compression="uncompressed", compat_level=pl.CompatLevel.newest())
        os.ftruncate(self.fd, os.lseek(self.fd, 0, os.SEEK_CUR))

    def read(self) -> pl.DataFrame:
        """The frame in it."""
        os.lseek(self.fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self.fd), "rb") as file:
            return pl.read_ipc(file)

    def close(self) -> None:
        """Give it back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _open() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("dealdb-sql", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(dir=_MEMORY if _MEMORY.is_dir() else None) as file:
        return os.dup(file.fileno())
