"""
What comes through a pipe, kept in a file that has no name: it is gone with the process, however that ends.

A pipe may never end, and a disk that is full harms everybody on it.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, BinaryIO

from dealdb.errors import LoadError
from dealdb.loader.sources.encodings import encoding_by_start
from dealdb.loader.sources.text_file import Tell, check_row

# as much as a pipe holds
_PIPE_BYTES = 64 * 1024
# so much may be kept on any disk; of larger ones, a twentieth stays free for others
_HARMLESS_BYTES = 64 * 1024 * 1024
_FREE_SHARE = 20
# fewer bytes are looked at like a file
_LEAST_BINARY = 4096
_LOOK_EVERY = 16 * 1024 * 1024
# what has no lines: packed files, tables by columns, and JSON, which may be one line whatever its size
_WITHOUT_LINES = (b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"ARROW1", b"[", b"{")


def spool(file: BinaryIO, keep: ExitStack, tell: Tell) -> Path:
    """
    Path of a temporary file with all that a pipe has to say; ``keep`` removes it.

    Raises
    ------
    LoadError
        If a line of it has no end, or less than a twentieth of the disk is free.
    """
    # what is there already, where the file can tell: a pipe may take long to fill a block
    read = getattr(file, "read1", file.read)
    copy, path = _nameless(keep)
    start, line, n_since_line, looked_at = b"", 1, 0, 0
    while block := read(_PIPE_BYTES):
        copy.write(block)
        done = copy.tell()
        if not start:
            start = block.lstrip(b"\xef\xbb\xbf \t\r\n")[:8]
            _check_kind(block, start)
        if not start.startswith(_WITHOUT_LINES):
            last = max(block.rfind(b"\n"), block.rfind(b"\r"))
            line += block.count(b"\n")
            n_since_line = n_since_line + len(block) if last < 0 else len(block) - last - 1
            check_row("stdin", line, range(n_since_line))
        if done >= _HARMLESS_BYTES and done - looked_at >= _LOOK_EVERY:
            looked_at = done
            _check_disk(copy, done)
        tell(done, None)
    copy.flush()
    return path


def _check_kind(block: bytes, start: bytes) -> None:
    """Refuse what is neither text nor packed, before it fills the disk."""
    is_binary = b"\0" in block and not start.startswith(_WITHOUT_LINES)
    if is_binary and encoding_by_start(block) is None and len(block) >= _LEAST_BINARY:
        msg = "stdin is neither text nor Parquet: is it what its name says?"
        raise LoadError(msg)


def _nameless(keep: ExitStack) -> tuple[IO[bytes], Path]:
    """A file, and a path to read it by, as often as it takes."""
    number, name = tempfile.mkstemp(prefix="dealdb-")
    copy = keep.enter_context(os.fdopen(number, "w+b"))
    own = Path(f"/proc/self/fd/{number}")
    if own.exists():
        Path(name).unlink()
        return copy, own
    # elsewhere than on Linux it has to keep its name
    keep.callback(Path(name).unlink)
    return copy, Path(name)


def _check_disk(copy: IO[bytes], done: int) -> None:
    there = os.fstatvfs(copy.fileno())
    if there.f_bavail * _FREE_SHARE < there.f_blocks:
        msg = (
            f"stdin: less than a twentieth of the disk of {tempfile.gettempdir()} is left after {done:,} bytes; "
            "load a file, or name another folder with TMPDIR"
        )
        raise LoadError(msg)
