"""
The form of a backup file: parts one behind the other, each with its size and its SHA-256.

No byte of a file is without a checksum, so that damage is found, and reported with its place, before anything is used.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import IO, NamedTuple

from dealdb.errors import BackupError

# as in PNG: a transfer that cuts the 8th bit, changes the ends of lines or stops at a zero is seen immediately
MAGIC = b"\x89dealdb\r\n\x1a\n\x00"
FORMAT = 1
# of a collection of several partitions: what programs before them read as that of one would be a part of the deals
FORMAT_OF_MANY = 2
HEAD, COLUMN, HISTORY, LAST, END = b"HEAD", b"COLU", b"HIST", b"LAST", b"END."
# in a file of several partitions alone: its first part and its last
MANY, DONE = b"MANY", b"DONE"
KINDS = frozenset((HEAD, COLUMN, HISTORY, LAST, END, MANY, DONE))
# what a server keeps under one key at most
MAX_PART = 512 * 2**20

_OPENING = struct.Struct(">12sI")
# kind, number, size, digest; then as many bytes of the digest of these
_HEADER = struct.Struct(">4sIQ32s")
_CHECK_BYTES = 8
_HEADER_BYTES = _HEADER.size + _CHECK_BYTES


class Part(NamedTuple):
    """
    Where a part is.

    Attributes
    ----------
    kind
        One of ``KINDS``.
    number
        Its place among the parts, from 0.
    offset
        Byte of the file that its header begins with.
    size
        Bytes of what it holds.
    digest
        SHA-256 of what it holds.
    """

    kind: bytes
    number: int
    offset: int
    size: int
    digest: bytes

    @property
    def start(self) -> int:
        """Byte of the file that what it holds begins with."""
        return self.offset + _HEADER_BYTES


class PartWriter:
    """
    Writes the parts of a file, from its beginning.

    Parameters
    ----------
    file
        Open and empty.
    form
        Its format.

    Attributes
    ----------
    n_parts, n_bytes
        How many, and how long the file is by now.
    """

    def __init__(self, file: IO[bytes], form: int = FORMAT) -> None:
        self._file = file
        self._digest = sha256()
        self.n_parts = self.n_bytes = 0
        self._put(_OPENING.pack(MAGIC, form))

    def write(self, kind: bytes, payload: bytes) -> str:
        """Append a part; returns the SHA-256 of what it holds, hexadecimal."""
        digest = sha256(payload)
        self._put(_header(kind, self.n_parts, len(payload), digest.digest()))
        self._put(payload)
        self.n_parts += 1
        return digest.hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 of the file so far, hexadecimal."""
        return self._digest.hexdigest()

    def _put(self, blob: bytes) -> None:
        self._file.write(blob)
        self._digest.update(blob)
        self.n_bytes += len(blob)


class PartReader:
    """
    Reads the parts of a file.

    Parameters
    ----------
    file
        Open at any place; it has to be one that can be read again.
    name
        Of the file, for errors.

    Attributes
    ----------
    size
        Bytes of the file.
    form
        Its format, once it was gone into.
    digest
        SHA-256 of all of it, hexadecimal, once it was gone through.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self.size = file.seek(0, 2)
        self.form = 0
        self.digest = ""

    def all(self) -> Iterator[tuple[Part, bytes, str]]:
        """
        Go through the file: each part, what it holds, and the SHA-256 of all that is before its header.

        Raises
        ------
        BackupError
            At the first byte that is not as it was written; names the part and its place.
        """
        running = sha256(self._opening())
        offset, number, ended = _OPENING.size, 0, False
        while not ended:
            part, header = self._header(offset, number)
            payload = self.read(part)
            yield part, payload, running.hexdigest()
            running.update(header)
            running.update(payload)
            last = DONE if self.form == FORMAT_OF_MANY else END
            offset, number, ended = part.start + part.size, number + 1, part.kind == last
        if offset != self.size:
            raise self.trouble("there are bytes after the last part", number, offset)
        self.digest = running.hexdigest()

    def read(self, part: Part) -> bytes:
        """
        What a part holds; compared with its checksum each time.

        Raises
        ------
        BackupError
            If it is not what was written.
        """
        if part.size > min(MAX_PART, self.size - part.start):
            problem = f"it should have {part.size:,} bytes, and the file ends before, or no part is so large"
            raise self.trouble(problem, part.number, part.offset)
        payload = self._bytes(part.start, part.size)
        if sha256(payload).digest() != part.digest:
            raise self.trouble("what it holds has another SHA-256", part.number, part.offset)
        return payload

    def trouble(
        self, problem: str, part: int | None = None, offset: int | None = None
    ) -> BackupError:
        """Error about a place of the file."""
        place = "" if part is None else f" in part {part}, at byte {offset:,}"
        msg = f"{self._name}: the backup is damaged{place}: {problem}; nothing was restored, take another copy"
        return BackupError(msg, part=part, offset=offset)

    def _opening(self) -> bytes:
        opening = self._bytes(0, _OPENING.size)
        if len(opening) < _OPENING.size or not opening.startswith(MAGIC):
            msg = f"{self._name} is not a backup of dealdb: it does not begin like one"
            raise BackupError(msg, offset=0)
        _, found = _OPENING.unpack(opening)
        if found > FORMAT_OF_MANY:
            msg = (
                f"{self._name} is a backup of format {found}, and this dealdb reads formats up to {FORMAT_OF_MANY}: "
                "upgrade it"
            )
            raise BackupError(msg, offset=len(MAGIC))
        if found < FORMAT:
            raise self.trouble(f"there is no format {found}", 0, len(MAGIC))
        self.form = found
        return opening

    def _header(self, offset: int, number: int) -> tuple[Part, bytes]:
        header = self._bytes(offset, _HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            raise self.trouble("the file is cut off here", number, offset)
        kind, found, size, digest = _HEADER.unpack_from(header)
        if header[_HEADER.size :] != _check_of(header[: _HEADER.size]) or kind not in KINDS:
            raise self.trouble("its header is not what was written", number, offset)
        if found != number:
            raise self.trouble(f"part {found} is in its place", number, offset)
        return Part(kind, number, offset, size, digest), header

    def _bytes(self, start: int, size: int) -> bytes:
        try:
            self._file.seek(start)
            return self._file.read(size)
        except OSError as problem:
            msg = f"{self._name}: can't be read at byte {start:,}: {problem.strerror}"
            raise BackupError(msg, offset=start) from problem


def _header(kind: bytes, number: int, size: int, digest: bytes) -> bytes:
    header = _HEADER.pack(kind, number, size, digest)
    return header + _check_of(header)


def _check_of(header: bytes) -> bytes:
    return sha256(header).digest()[:_CHECK_BYTES]
