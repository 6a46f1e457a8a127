"""Folding the log of a load into checkpoints, most of it while the load runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import cached_property
from types import TracebackType
from typing import Protocol, Self

from dealdb.errors import StoreError
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.checkpoint.schedule import MIN_CHANGES
from dealdb.store.live.worker import Worker

logger = logging.getLogger(__name__)


class Settles(Protocol):
    """What folds a load; see ``LiveColumns``."""

    def settle(self, *, so_far: bool = False) -> None:
        """Fold a load into a checkpoint."""
        ...

    def give_up_recent(self) -> None:
        """Free what is kept for the next checkpoint."""
        ...


class SettledTogether:
    """
    Columns of several partitions, which settle one after the other.

    Parameters
    ----------
    columns
        Those of each partition.
    """

    def __init__(self, columns: Sequence[Settles]) -> None:
        self._columns = columns

    def settle(self, *, so_far: bool = False) -> None:
        """See ``LiveColumns.settle``."""
        for each in self._columns:
            each.settle(so_far=so_far)

    def give_up_recent(self) -> None:
        """See ``LiveColumns.give_up_recent``."""
        for each in self._columns:
            each.give_up_recent()


class Settling:
    """
    Has the server keep what a load writes only once: as deals and chunks of a checkpoint, not in the log as well.

    Reading the log and packing columns takes a quarter of the time that the server takes to write the deals. So a
    thread does it during the writing, as far as that has come, and does the rest when the block ends.

    Parameters
    ----------
    live
        Gives the columns to work with; asked once, when there is anything to do.
    """

    def __init__(self, live: Callable[[], Settles]) -> None:
        self._give_live = live
        self._step: Future[None] | None = None
        self._n_written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self._n_written > MIN_CHANGES:
            self._worker.submit(self._fold, so_far=False)
        elif self._step:
            # no fold comes any more that would seal what the last one has kept
            self._worker.submit(self._live.give_up_recent)
        if "_worker" in self.__dict__:
            self._worker.close()

    def written(self, n: int) -> None:
        """Note that the load has written so many deals in all; what there is to do begins, and is not waited for."""
        self._n_written = n
        if n >= CHUNK_ROWS and (self._step is None or self._step.done()):
            self._step = self._worker.submit(self._fold, so_far=True)

    @cached_property
    def _worker(self) -> Worker:
        """Begun with the first step: a small load has none."""
        return Worker("dealdb-settle")

    @cached_property
    def _live(self) -> Settles:
        return self._give_live()

    def _fold(self, *, so_far: bool) -> None:
        try:
            self._live.settle(so_far=so_far)
        except StoreError as problem:
            # the deals are acknowledged by now
            logger.warning("no checkpoint of what was loaded: %s", problem)
