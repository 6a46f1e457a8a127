"""
What each worker writes down before and after every change, and the figures that processes share.

A journal is a file of lines, fields apart by tabs, written at once and not synced: it survives ``kill -9`` of its
process.

===========================================  =====================================================================
``I time kind change deal n``                a change is about to be made: ``save``, ``delete``, ``load``, ...
``O time change outcome detail``             ``ok``, ``unknown`` or ``not`` (certainly not there), or ``alien``
``R time change happened``                   what ``resolve()`` said, ``True`` or ``False``
``W time what``                              a wrong read, in words
``N time kind checks``                       a read of that kind was compared with so many known values
``F time seq token kind n deal mark``        a commit that a feed told
===========================================  =====================================================================
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path


class Journal:
    """One thread's record of what it did."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def note(self, letter: str, *fields: object) -> None:
        line = "\t".join([letter, f"{time.monotonic():.6f}", *map(str, fields)])
        os.write(self._file, line.replace("\n", " ").encode() + b"\n")


def read_journal(path: Path) -> Iterator[list[str]]:
    """Lines of a journal; one that was cut off by the end of its process is left out."""
    with path.open(newline="\n") as file:
        for line in file:
            if line.endswith("\n"):
                yield line[:-1].split("\t")


# a thread's block in the board, in words of 64 bits
CELLS = 12
_BLOCK = 8 + 2 * CELLS
_HEAD = 8
THREADS = 64


class Board:
    """
    Numbers in a file that all processes of a run map: who has been promised what, at this moment.

    A word is written at once, so a reader sees the old or the new number. Each thread has a block of its own.
    """

    def __init__(self, path: Path, threads: int = THREADS) -> None:
        size = 8 * (_HEAD + threads * _BLOCK)
        if not path.exists():
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), size)
        self.words = memoryview(self._map).cast("q")

    @property
    def is_over(self) -> bool:
        """Whether workers are to end."""
        return bool(self.words[0])

    @property
    def last_seq(self) -> int:
        """The last commit, once everybody who writes has ended; 0 before."""
        return self.words[1]

    def end(self) -> None:
        self.words[0] = 1

    def settle(self, seq: int) -> None:
        self.words[1] = seq

    def block(self, thread: int) -> Block:
        return Block(self.words[_HEAD + thread * _BLOCK : _HEAD + (thread + 1) * _BLOCK])


class Block:
    """
    A thread's figures: generation of the process, changes acknowledged by kind, and its cells.

    A cell is a deal that counts up. ``acknowledged[c]`` is the greatest number that the server has confirmed, and
    ``attempted[c]`` the greatest that was ever sent; a read in between has to lie in between.
    """

    def __init__(self, words: memoryview[int]) -> None:
        self._words = words
        self.acknowledged = words[8 : 8 + CELLS]
        self.attempted = words[8 + CELLS :]

    def _get(self, place: int) -> int:
        return self._words[place]

    @property
    def generation(self) -> int:
        """How often the process was started; its deals have it in their names."""
        return self._words[0]

    @generation.setter
    def generation(self, value: int) -> None:
        self._words[0] = value

    @property
    def saves(self) -> int:
        return self._words[1]

    @property
    def deletes(self) -> int:
        return self._words[2]

    @property
    def rows(self) -> int:
        return self._words[3]

    @property
    def reads(self) -> int:
        return self._words[4]

    def count(self, kind: str, number: int = 1) -> None:
        """Add acknowledged ``saves``, ``deletes``, ``rows``, or ``reads`` that were compared."""
        self._words[("saves", "deletes", "rows", "reads").index(kind) + 1] += number
