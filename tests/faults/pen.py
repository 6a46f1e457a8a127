"""One thread that changes deals, and writes down before and after each change what it knows of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dealdb import DealDatabase
from dealdb.errors import DealDBError, OutcomeUnknown
from faults.journal import Block, Board, Journal

T = TypeVar("T")
# an application takes its time too: a loop of failing calls would only heat the machine
_PAUSE_S = 0.02
_LONGEST_END_S = 40.0


@dataclass(frozen=True, kw_only=True)
class Setup:
    """
    What all workers of a run know.

    Attributes
    ----------
    folder
        Of the run; journals and results go there.
    port
        Of the proxy.
    seed
        Of everything that is random.
    writers, threads, loaders, readers
        How many processes write, with how many threads each, load, and read.
    """

    folder: str
    port: int
    seed: int
    writers: int = 2
    threads: int = 3
    loaders: int = 1
    readers: int = 1

    @property
    def slots(self) -> int:
        """Blocks of the board: the writers' threads, then the loaders, then the rest."""
        return self.writers * self.threads + self.loaders + self.readers + 2

    @property
    def board(self) -> Board:
        return Board(Path(self.folder) / "board")

    def open(
        self, actor: str, *, retry_deadline_s: float = 1.0, socket_timeout_s: float = 0.6
    ) -> DealDatabase:
        """A database with short limits, so that a run of minutes sees many of them pass."""
        return DealDatabase(
            "127.0.0.1",
            self.port,
            password="secret",
            username="worker",
            actor=actor,
            retry_deadline_s=retry_deadline_s,
            socket_timeout_s=socket_timeout_s,
            pool_timeout_s=1.5,
        )


class Pen:
    """Makes changes in one thread; each has a name of its own, which the deal that it changes carries as ``mark``."""

    def __init__(self, setup: Setup, slot: int, generation: int) -> None:
        self.slot = slot
        self.generation = generation
        self.name = f"{slot}.{generation}"
        self.block: Block = setup.board.block(slot)
        self._board = setup.board
        self._parent = os.getppid()
        self._journal = Journal(Path(setup.folder) / f"worker-{slot}-{generation}.tsv")
        self._number = 0
        self._open: list[tuple[str, OutcomeUnknown]] = []

    @property
    def goes_on(self) -> bool:
        """Whether to work on."""
        return not self._board.is_over and self.is_wanted

    @property
    def is_wanted(self) -> bool:
        """Whether the run is still there."""
        return os.getppid() == self._parent

    def next_mark(self) -> str:
        self._number += 1
        return f"{self.name}:{self._number}"

    def change(
        self, kind: str, deal: str, mark: str, work: Callable[[], T], n: object = ""
    ) -> T | None:
        """Make one change; its result, or None where it was not acknowledged."""
        self._journal.note("I", kind, mark, deal, n)
        try:
            result = work()
        except OutcomeUnknown as problem:
            self._open.append((mark, problem))
            self._journal.note("O", mark, "unknown", problem)
        except DealDBError as problem:
            sent = getattr(problem, "sent", "")
            self._journal.note("O", mark, "not", f"{problem.code} {sent} {problem}"[:300])
        except Exception as problem:
            self._journal.note("O", mark, "alien", repr(problem)[:300])
        else:
            self._journal.note("O", mark, "ok", getattr(result, "outcome", result))
            self.resolve()
            return result
        time.sleep(_PAUSE_S)
        if self._number % 2:
            # the others find out by the next change of this thread
            self.resolve()
        return None

    def resolve(self) -> None:
        """Ask what became of the changes whose outcome is unknown."""
        while self._open:
            mark, problem = self._open[0]
            try:
                happened = problem.resolve()
            except DealDBError:
                return
            except Exception as alien:
                self._journal.note("O", mark, "alien", repr(alien)[:300])
                return
            self._journal.note("R", mark, happened)
            self._open.pop(0)

    def finish(self) -> None:
        """Ask until the last answer is there; there are no faults any more."""
        ends_at = time.monotonic() + _LONGEST_END_S
        while self._open and time.monotonic() < ends_at:
            self.resolve()
            time.sleep(0.05)
        for mark, problem in self._open:
            self.wrong(f"nobody can say what became of {mark}: {problem}")

    # reads -------------------------------------------------------------------------------------------------------

    def read(self, work: Callable[[], T]) -> T | None:
        """What a read gives, or None where it failed."""
        try:
            return work()
        except DealDBError as problem:
            self._journal.note("E", problem.code, str(problem)[:200])
        except Exception as problem:
            self._journal.note("O", "read", "alien", repr(problem)[:300])
        time.sleep(_PAUSE_S)
        return None

    def compared(self, kind: str, checks: int) -> None:
        """A read was compared with that many known values."""
        self.block.count("reads")
        self._journal.note("N", kind, checks)

    def wrong(self, *words: object) -> None:
        self._journal.note("W", " ".join(map(str, words)))

    def told(self, *fields: object) -> None:
        """A commit that a feed told."""
        self._journal.note("F", *fields)


def begin_generation(block: Block, generation: int) -> None:
    """Let a block count anew: readers look away meanwhile."""
    block.generation = -1
    for words in (block.acknowledged, block.attempted):
        for place in range(len(words)):
            words[place] = 0
    block.generation = generation
