"""Zstandard streams, by the extra that has the codec."""

from __future__ import annotations

from typing import IO, Any

from dealdb.errors import MissingExtra

MAGIC = b"\x28\xb5\x2f\xfd"


def zstd_reader(file: IO[bytes]) -> Any:
    """
    Stream of what a compressed file holds.

    Raises
    ------
    MissingExtra
        If PyArrow is not installed.
    """
    return _arrow().CompressedInputStream(file, "zstd")


def zstd_writer(file: Any) -> Any:
    """
    Stream that compresses into a file, which stays open.

    Raises
    ------
    MissingExtra
        If PyArrow is not installed.
    """
    return _arrow().CompressedOutputStream(_Open(file), "zstd")


class _Open:
    """A file that the end of a compressed stream doesn't close."""

    closed = False

    def __init__(self, file: Any) -> None:
        self.write = file.write
        self.flush = file.flush

    def close(self) -> None:
        """The owner closes it."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def _arrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        msg = "zstd needs the extra 'sql': pip install 'dealdb[sql]'; gzip needs none"
        raise MissingExtra(msg) from None
    return pyarrow
