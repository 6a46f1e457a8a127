"""A progress bar for people who watch; nothing for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from dealdb.formats.controls import visible
from dealdb.loader.chunk import Chunk, Source
from dealdb.loader.report import Progress

ProgressCallback = Callable[[Progress], None]


def read_meter(show: ProgressCallback) -> Callable[[int, int | None], None]:
    """What reports how much of a source was read, before anybody knows how many rows that is."""
    begun = time.monotonic()

    def tell(done: int, total: int | None) -> None:
        rate = done / ((time.monotonic() - begun) or 1.0)
        left = None if total is None else (total - done) / (rate or 1.0)
        show(
            Progress(
                phase="reading",
                rows=0,
                bytes_done=done,
                bytes_total=total,
                rate=rate,
                seconds_left=left,
            )
        )

    return tell


def step_meter(show: ProgressCallback) -> Callable[[str, int, int, str], None]:
    """What reports how far a task of several phases is: phase, how much is done, of how much, and of what."""
    current, begun, given = "", 0.0, 0

    def tell(phase: str, done: int, total: int, unit: str) -> None:
        nonlocal current, begun, given
        if phase != current:
            current, begun, given = phase, time.monotonic(), done
        seconds = time.monotonic() - begun
        rate = (done - given) / seconds if seconds else 0.0
        left = (total - done) / rate if rate else None
        show(
            Progress(
                phase=phase, rows=done, rows_total=total, rate=rate, seconds_left=left, unit=unit
            )
        )

    return tell


class Meter:
    """
    Reports how far a load is: what was checked, then what was acknowledged, how fast, and how long the rest takes.

    Parameters
    ----------
    source
        What is loaded.
    show
        Where to report it.
    """

    def __init__(self, source: Source, show: ProgressCallback) -> None:
        self._source = source
        self._show = show
        self._rows_total = source.rows_total
        self._rows = 0
        self._bytes: float | None = None
        self._begun = time.monotonic()
        # rows and share that took no time, since an earlier run had written them
        self._given = (0, 0.0)

    def checked(self, chunk: Chunk) -> None:
        """Rows of one more chunk were looked at."""
        self._rows += chunk.frame.height
        self._tell("checking", chunk.bytes_done)

    def begin_loading(self) -> None:
        """All rows were looked at, if any: from now on those that were written count."""
        self._rows_total = self._rows or self._rows_total
        self._rows, self._bytes = 0, 0
        self._begun = time.monotonic()

    def written(self, n_rows: int, of: int, bytes_done: int | None, *, before: bool) -> None:
        """
        Rows were written.

        Parameters
        ----------
        n_rows, of
            How many, and how many of the chunk had not been by then.
        bytes_done
            Bytes of the source up to the end of the chunk.
        before
            Whether an earlier run wrote them.
        """
        self._rows += n_rows
        if bytes_done is not None and self._bytes is not None:
            self._bytes += (bytes_done - self._bytes) * n_rows / of
        told = self._tell("loading", None if bytes_done is None else round(self._bytes or 0))
        if before:
            self._given = (self._rows, told.share or 0.0)
            self._begun = time.monotonic()

    def _tell(self, phase: str, bytes_done: int | None) -> Progress:
        progress = Progress(
            phase=phase,
            rows=self._rows,
            rows_total=self._rows_total,
            bytes_done=bytes_done,
            bytes_total=self._source.bytes_total,
        )
        seconds = time.monotonic() - self._begun
        given_rows, given_share = self._given
        done = (progress.share or 0.0) - given_share
        progress = replace(
            progress,
            rate=(self._rows - given_rows) / seconds if seconds else 0.0,
            seconds_left=seconds * (1 - (progress.share or 0.0)) / done if done > 0 else None,
        )
        self._show(progress)
        return progress


@contextmanager
def shown(name: str, callback: ProgressCallback | None, *, bar: bool) -> Iterator[ProgressCallback]:
    """
    Where to report progress: the caller's function, a bar on standard error, or nowhere.

    Parameters
    ----------
    name
        What the bar says is being loaded.
    callback
        The caller's function; with one there is no bar.
    bar
        Whether a bar is wanted at all; it only appears on a terminal.
    """
    if callback is not None:
        yield callback
    elif bar and sys.stderr.isatty():
        with _bar(name) as show:
            yield show
    else:
        yield _ignore


def _ignore(_: Progress) -> None:
    """Nobody watches."""


def _done(progress: Progress) -> str:
    if progress.phase == "reading":
        return f"{(progress.bytes_done or 0) / 1e6:,.1f} MB, {progress.rate / 1e6:,.1f} MB"
    return f"{progress.rows:,} {progress.unit}, {progress.rate:,.0f}"


@contextmanager
def _bar(name: str) -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    # the name is anybody's: it must neither steer the terminal nor be read as colours and links
    name = escape(visible(name))

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[done]}/s, {task.fields[left]} left"),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None, done="0 rows, 0", left="?")

        def show(progress: Progress) -> None:
            share = progress.share
            left = progress.seconds_left
            bar.update(
                task,
                description=f"{progress.phase} {name}",
                total=None if share is None else 1.0,
                completed=share or 0.0,
                done=_done(progress),
                left="?" if left is None else str(timedelta(seconds=round(left))),
            )

        yield show
