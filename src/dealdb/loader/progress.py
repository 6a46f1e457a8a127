"""A progress bar for people who watch; nothing for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dealdb.loader.report import Progress

ProgressCallback = Callable[[Progress], None]


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


@contextmanager
def _bar(name: str) -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None, rows=0)

        def show(progress: Progress) -> None:
            share = progress.share
            bar.update(
                task,
                description=f"{progress.phase} {name}",
                total=None if share is None else 1.0,
                completed=share or 0.0,
                rows=progress.rows,
            )

        yield show
