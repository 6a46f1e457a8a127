"""
Text files as blocks of UTF-8: plain, gzip or zstd, in any of the encodings that exports come in.

A stream can be read more than once, since columns are decided in a first pass and loaded in a second;
standard input is therefore kept in a temporary file while a load runs.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator, Sized
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TypeAlias, cast

from dealdb.errors import LoadError
from dealdb.formats.zstd import MAGIC, zstd_reader
from dealdb.loader.load_options import MAX_EXPANSION
from dealdb.loader.sources.encodings import encoding_by_lines, encoding_by_start

# hears how many bytes of a source were read, and of how many where that is known
Tell: TypeAlias = Callable[[int, int | None], None]
# some 20,000 rows: large enough for Polars, small enough for progress
BLOCK_BYTES = 2 * 1024 * 1024
SAMPLE_BYTES = 64 * 1024
# no row of a real file is longer
MAX_ROW_BYTES = 32 * 1024 * 1024
# what is smaller unpacked does no harm
_HARMLESS_BYTES = 64 * 1024 * 1024
# rows that any file may have; and of the expansion that is allowed, the part that rows may be of: 10 a byte
_HARMLESS_ROWS = 200_000
_ROWS_A_SHARE = 20


class ByteStream:
    """
    A text file, or what came through a pipe, as UTF-8.

    Attributes
    ----------
    name
        Path, or ``stdin``.
    encoding
        The one that was asked for; else ``utf-8``, ``utf-16``, ``utf-32`` or ``cp1252``, detected.
    bytes_total
        Size on disk, compressed where it is compressed.
    max_expansion
        Times its size that it may have unpacked.

    Raises
    ------
    LoadError
        If it unpacks to more than ``max_expansion`` times its size, or is in another encoding that nobody named.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        max_expansion: int = MAX_EXPANSION,
        tell: Tell | None = None,
        encoding: str | None = None,
    ) -> None:
        self.name = name
        self.max_expansion = max_expansion
        self._path = path
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        self._zipped = start.startswith(b"\x1f\x8b")
        self._is_zstd = start == MAGIC
        self.bytes_total = path.stat().st_size
        self.encoding, self.has_bom = self._encoding(encoding, tell)

    def blocks(self) -> Iterator[tuple[bytes, int]]:
        """
        Pieces of the text as UTF-8 without byte order mark, each with the bytes of the file read so far.

        Raises
        ------
        LoadError
            If the file can't be read, or is damaged gzip, zstd or UTF-16.
        """
        if self.encoding != "utf-8":
            yield from self._transcoded()
            return
        for number, (block, done) in enumerate(self._raw_blocks()):
            first_with_bom = number == 0 and self.has_bom
            yield (block[len(codecs.BOM_UTF8) :] if first_with_bom else block), done

    @property
    def first_offset(self) -> int | None:
        """Byte of the unpacked file where the text begins; None where its bytes are not those of the text."""
        if self.encoding != "utf-8":
            return None
        return len(codecs.BOM_UTF8) if self.has_bom else 0

    def sample(self, n_bytes: int = SAMPLE_BYTES) -> bytes:
        """First ``n_bytes`` or so of the text."""
        return next((block[:n_bytes] for block, _ in self.blocks()), b"")

    def _raw_blocks(self) -> Iterator[tuple[bytes, int]]:
        with ExitStack() as files:
            on_disk = files.enter_context(self._path.open("rb"))
            text: IO[bytes] = on_disk
            if self._zipped:
                text = cast("IO[bytes]", files.enter_context(gzip.GzipFile(fileobj=on_disk)))
            if self._is_zstd:
                text = files.enter_context(zstd_reader(on_disk))
            unpacked = 0
            try:
                while block := text.read(BLOCK_BYTES):
                    unpacked += len(block)
                    check_expansion(self.name, unpacked, self.bytes_total, self.max_expansion)
                    yield block, on_disk.tell()
            except (EOFError, gzip.BadGzipFile, zlib.error, OSError) as problem:
                msg = f"{self.name} can't be read to its end: {problem}"
                raise LoadError(msg) from problem

    def _transcoded(self) -> Iterator[tuple[bytes, int]]:
        # a byte too few moves all that follows in wide encodings; in others it costs its row
        errors = "strict" if self.encoding.startswith(_WIDE) else "dealdb-damaged"
        decoder = codecs.getincrementaldecoder(self.encoding)(errors=errors)
        first = True
        try:
            for block, done in self._raw_blocks():
                text = decoder.decode(block)
                if first and text:
                    text, first = text.removeprefix("\ufeff"), False
                yield text.encode(errors="surrogateescape"), done
            rest = decoder.decode(b"", final=True)
        except UnicodeError as problem:
            msg = f"{self.name} begins as {self.encoding} but is not: {problem.args[-1]}"
            raise LoadError(msg) from problem
        if rest:
            yield rest.encode(errors="surrogateescape"), self.bytes_total

    def _encoding(self, asked: str | None, tell: Tell | None) -> tuple[str, bool]:
        start = next((block for block, _ in self._raw_blocks()), b"")
        if asked is not None:
            encoding = codecs.lookup(asked).name.removesuffix("-sig")
            return encoding, start.startswith(codecs.BOM_UTF8) and encoding == "utf-8"
        shown = encoding_by_start(start)
        if shown:
            return shown
        if all(map(_is_utf8, self._told_blocks(tell))):
            return "utf-8", False
        return encoding_by_lines(self.name, self._told_blocks(tell)), False

    def _told_blocks(self, tell: Tell | None) -> Iterator[bytes]:
        for block, done in self._raw_blocks():
            if tell and done < self.bytes_total:
                tell(done, self.bytes_total)
            yield block


def may_unpack_to(unpacked: int, packed: int, most: int) -> bool:
    """Whether a file of so many bytes may be as large as that unpacked."""
    return unpacked <= max(_HARMLESS_BYTES, most * packed)


def check_expansion(name: str, unpacked: int, packed: int, most: int) -> None:
    """
    Refuse a file that a few kilobytes make endless.

    Raises
    ------
    LoadError
        If it is more than ``most`` times as large unpacked, and that does harm.
    """
    if not may_unpack_to(unpacked, packed, most):
        msg = (
            f"{name} unpacks to more than {most} times its size of {packed:,} bytes, as no table does: "
            "if you trust it, raise max_expansion"
        )
        raise LoadError(msg)


def check_rows(name: str, n_rows: int, packed: int, most: int) -> None:
    """
    Refuse a small file of endless rows.

    Raises
    ------
    LoadError
        If it has more rows than so many bytes can tell apart, and that does harm.
    """
    if n_rows > max(_HARMLESS_ROWS, most // _ROWS_A_SHARE * packed):
        msg = (
            f"{name} has more than {n_rows - 1:,} rows in {packed:,} bytes, as no table has: "
            "if you trust it, raise max_expansion"
        )
        raise LoadError(msg)


def check_row(name: str, line: int, unfinished: Sized) -> None:
    """
    Refuse a row that has no end, before it fills the memory.

    Raises
    ------
    LoadError
        If it is longer than ``MAX_ROW_BYTES``.
    """
    if len(unfinished) > MAX_ROW_BYTES:
        msg = f"{name}, line {line}: the row is longer than {MAX_ROW_BYTES >> 20} MB; is it what its name says?"
        raise LoadError(msg)


def _is_utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        # a character may be cut in two by the end of the block
        codecs.getincrementaldecoder("utf-8")().decode(block.lstrip(_CONTINUATION_BYTES))
    except UnicodeDecodeError:
        return False
    return True


_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))
# encodings of two or four bytes a character
_WIDE = ("utf-16", "utf-32", "utf_16", "utf_32")
