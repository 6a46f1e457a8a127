"""
A text file that grows: its complete lines as they are appended, also after it was truncated or replaced.

The file is looked at again and again rather than watched by the operating system, which reports nothing about files on
network shares.
"""

from __future__ import annotations

import codecs
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from dealdb.errors import LoadError
from dealdb.loader.chunk import RowPlace
from dealdb.loader.sources.text_file import BLOCK_BYTES, check_row

# a program that rotates its log may still write to the old file after the new one is there
GRACE_S = 1.0
# bytes before the position that show whether the file is still the one that was read
_MARK_BYTES = 256


class Lines(NamedTuple):
    """
    Some complete lines.

    Attributes
    ----------
    texts
        The lines, without their ends.
    first
        Where the first one is.
    """

    texts: Sequence[bytes]
    first: RowPlace


class Tail:
    """
    Reads a file that grows. A line is read when its end is there, or when the file ends for good.

    Parameters
    ----------
    path
        The file.
    from_end
        Whether to leave out the lines that are there already.
    tell
        Gets a message when the file is truncated, replaced or gone.

    Raises
    ------
    LoadError
        If the file can't be read.
    """

    def __init__(self, path: Path, *, from_end: bool, tell: Callable[[str], None]) -> None:
        self._path = path
        self._tell = tell
        self._is_gone = False
        self._replaced_at: float | None = None
        try:
            self._file = path.open("rb", buffering=0)
            self._start()
            while from_end and self.read():
                pass
        except OSError as problem:
            msg = f"{path} can't be read: {problem.strerror or problem}"
            raise LoadError(msg) from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self) -> Lines | None:
        """
        Lines that have become complete; None when nothing new is there.

        Raises
        ------
        LoadError
            If a line has no end, or nobody could hold it.
        """
        if self._is_truncated():
            self._tell(f"{self._path} was truncated; it is read from its beginning")
            os.lseek(self._file.fileno(), 0, os.SEEK_SET)
            return self._ended()
        block = self._file.read(BLOCK_BYTES)
        if block:
            return self._complete(block)
        return self._next_file() if self._is_replaced() else None

    def _start(self) -> None:
        """Stand at the beginning of the open file."""
        self._done = 0
        self._mark = b""
        # the line that has no end yet, where it is, and its number
        self._rest, self._at, self._line = b"", 0, 1

    def _complete(self, block: bytes) -> Lines | None:
        if not self._done and block.startswith(codecs.BOM_UTF8):
            self._at = len(codecs.BOM_UTF8)
            self._rest = block[self._at :]
        else:
            self._rest += block
        self._done += len(block)
        self._mark = (self._mark + block)[-_MARK_BYTES:]
        text, first = self._rest, RowPlace(self._line, "", self._at)
        *complete, self._rest = text.split(b"\n")
        check_row(str(self._path), self._line + len(complete), self._rest)
        self._line += len(complete)
        self._at += len(text) - len(self._rest)
        return Lines(complete, first) if complete else self.read()

    def _ended(self) -> Lines | None:
        """The last line of a file that nobody will complete any more, and begin again."""
        last = Lines([self._rest], RowPlace(self._line, "", self._at))
        self._start()
        return last if last.texts[0].strip() else self.read()

    def _is_truncated(self) -> bool:
        # it may have grown beyond the position again
        before = os.pread(self._file.fileno(), len(self._mark), self._done - len(self._mark))
        return before != self._mark

    def _is_replaced(self) -> bool:
        """Whether another file has the name, and the old one has had its grace."""
        try:
            there = self._path.stat()
        except OSError:
            if not self._is_gone:
                self._tell(f"{self._path} is gone; waiting for the next of its name")
            self._is_gone = True
            return False
        self._is_gone = False
        if os.path.samestat(there, os.fstat(self._file.fileno())):
            return False
        if self._replaced_at is None:
            self._replaced_at = time.monotonic()
        return time.monotonic() - self._replaced_at >= GRACE_S

    def _next_file(self) -> Lines | None:
        try:
            file = self._path.open("rb", buffering=0)
        except OSError:
            # gone again, or not readable yet
            return None
        self._tell(f"{self._path} was replaced; the new file is read from its beginning")
        self._file.close()
        self._file, self._replaced_at = file, None
        return self._ended()
