"""Memory of the board while commits come in, and pages come and go."""

from __future__ import annotations

import os
import time
from statistics import linear_regression

from benchmarks.board.saving import Saving
from benchmarks.board.started import Started
from benchmarks.board.streams import Streams
from benchmarks.measure import Figure, Way

# an hour of it: DEALDB_BENCH_BOARD_MINUTES=60
MINUTES = "DEALDB_BENCH_BOARD_MINUTES"
_STAY = ["/"] * 25
_COME_AND_GO = ["/"] * 13 + ["/deals"] * 12
_COMMITS, _PAUSE_S = 50, 0.1
_SETTLES_S = 3.0
# what is made once, such as caches, is there after the first fifth
_WARM = 0.2
# a line through less time says nothing of an hour
_ENOUGH = 30


def endurance(figure: Figure, ours: Started, save: Saving) -> None:
    """Pages that stay and pages that come and go: memory at the start, at the end, and its growth."""
    minutes = float(os.environ.get(MINUTES, "1"))
    begun, files = time.monotonic(), ours.files()
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
        f"memory: {len(_STAY)} pages stay and {len(_COME_AND_GO)} come and go every {_COMMITS} commits; "
        f"{save.saves:,} commits in all; files that the board had open: {files} before, {ours.files()} after"
    )


def told(figure: Figure, minutes: float, samples: list[tuple[float, float]]) -> None:
    """Add minutes and MB to a figure, with the growth that they show."""
    name = f"memory of the board, {minutes:g} minutes of {len(_STAY + _COME_AND_GO)} pages"
    found = [mb for _, mb in samples]
    warm = samples[int(len(samples) * _WARM) :]
    slope = linear_regression(*zip(*warm, strict=True)).slope * 60
    figure.ways += [
        Way(name, "MB", found),
        Way(f"{name}, at the start", "MB", found[:1]),
        Way(f"{name}, at the end", "MB", found[-1:]),
        Way(
            "growth of its memory an hour",
            "MB",
            [slope],
            note="line through the samples but the first fifth",
        ),
    ]
    figure.value(
        "growth of the board's memory an hour",
        "growth of its memory an hour",
        "board/growth" if minutes >= _ENOUGH else "",
    )
