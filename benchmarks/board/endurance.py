"""Figure ``board_hour``: memory of the board while commits come in, and pages come and go, for an hour."""

from __future__ import annotations

import os
import time
from statistics import linear_regression

from benchmarks.bench import Bench
from benchmarks.board.saving import Saving
from benchmarks.board.started import started_board
from benchmarks.board.streams import Streams
from benchmarks.measure import Figure, Way

# a shorter one says less: DEALDB_BENCH_BOARD_MINUTES=5
MINUTES = "DEALDB_BENCH_BOARD_MINUTES"
_STAY = ["/"] * 25
_COME_AND_GO = ["/"] * 13 + ["/deals"] * 12
_COMMITS, _PAUSE_S = 50, 0.1
_SETTLES_S = 3.0
# what is made once, such as caches, is there by half time
_WARM = 0.5
# a line through less time says nothing of an hour
_ENOUGH = 30


def board_hour(bench: Bench, n: int) -> Figure:
    """Memory of the board in an hour with 50 pages, half of which come and go; runs only when it is named."""
    figure = Figure("board_hour", n)
    minutes = float(os.environ.get(MINUTES, "60"))
    bench.drop_loaded()
    at = bench.loaded(n)
    with started_board(at.server.url) as ours:
        save, begun, files = Saving(at), time.monotonic(), ours.files()
        samples: list[tuple[float, float]] = []
        with Streams(ours, _STAY) as staying:
            while time.monotonic() < begun + 60 * minutes or len(samples) < 3:
                with Streams(ours, _COME_AND_GO):
                    for _ in range(_COMMITS):
                        last = save()
                        time.sleep(_PAUSE_S)
                samples.append(((time.monotonic() - begun) / 60, ours.memory_mb()))
            staying.wait_for(last)
        # the board hears a little later that pages are gone
        time.sleep(_SETTLES_S)
        told(figure, minutes, samples)
        figure.notes.append(
            f"{len(_STAY)} pages stay and {len(_COME_AND_GO)} come and go every {_COMMITS} commits; {save.saves:,} "
            f"commits in all; files that the board had open: {files} before, {ours.files()} after"
        )
    bench.drop_loaded()
    return figure


def told(figure: Figure, minutes: float, samples: list[tuple[float, float]]) -> None:
    """Add minutes and MB to a figure, with the growth that they show."""
    found = [mb for _, mb in samples]
    for quarter in range(5):
        at = min(len(samples) - 1, len(samples) * quarter // 4)
        name = f"memory of the board after {minutes * quarter / 4:g} minutes"
        figure.ways.append(Way(name, "MB", found[at : at + 1]))
    if minutes < _ENOUGH:
        return
    second_half = samples[int(len(samples) * _WARM) :]
    slope = linear_regression(*zip(*second_half, strict=True)).slope * 60
    growth = "growth of the board's memory an hour"
    figure.ways.append(Way(growth, "MB", [slope], note="line through the second half"))
    figure.value(growth, growth, "board/growth")
