"""Commits to open pages: how soon 50 of them know, how soon a browser shows it, and what it takes."""

from __future__ import annotations

import time

from benchmarks.board.browsing import Look, browsing, can_browse, seen_after, watch, window
from benchmarks.board.saving import Saving
from benchmarks.board.started import Started
from benchmarks.board.streams import Streams
from benchmarks.measure import Figure, Way

OURS = Look(content=".card", commit="document.getElementById('board')?.dataset.seq")
_CLIENTS, _COMMITS, _IN_BROWSER, _PAUSE_S = 50, 60, 150, 0.2
# filters that keep different deals, so that each is a view of its own
_VIEWS = tuple(f"/?where=amount%20%3E%20{least}" for least in range(1_000, 6_000, 1_000))
_SETTLES_S = 0.5
_CPU = "processor time a commit and view"


def live(figure: Figure, ours: Started, save: Saving) -> None:
    """Many open pages while deals are saved, five commits a second."""
    with Streams(ours, ["/"] * _CLIENTS) as streams:
        told = f"commit to {_CLIENTS} open pages"
        _spread(figure, told, _streamed(figure, ours, save, streams))
        if can_browse():
            shown = f"commit to what a browser shows, beside {_CLIENTS} open pages"
            _spread(figure, shown, _in_browser(ours, save), "board/commit")
    with Streams(ours, _VIEWS * (_CLIENTS // len(_VIEWS))) as streams:
        used, commits = _used(ours, save, streams)
        views = f"{_CPU}, {len(_VIEWS)} views"
        figure.ways.append(Way(views, "ms", [1e3 * used / streams.renderings(commits)]))
    figure.value(_CPU, _CPU, "board/cpu")
    figure.value(views, views, "board/cpu")
    figure.notes.append("commits that a view was told of together count as one in processor time")
    figure.notes.append(
        "commit to page: from before the call that saves, by the clock of who calls, until the page has it; in"
        " Chromium the page itself notes when it does"
    )


def _streamed(figure: Figure, ours: Started, save: Saving, streams: Streams) -> list[float]:
    received = streams.received
    used, commits = _used(ours, save, streams)
    figure.ways.append(Way(_CPU, "ms", [1e3 * used / streams.renderings(commits)]))
    size = (streams.received - received) / 1e3 / _COMMITS / _CLIENTS
    figure.ways.append(Way("events a commit and page", "kB", [size]))
    return streams.latencies(commits)


def _used(ours: Started, save: Saving, streams: Streams) -> tuple[float, dict[int, float]]:
    """Seconds of processor time of commits, and when each was made, by its number."""
    time.sleep(_SETTLES_S)
    before, commits = ours.cpu_s(), {}
    for _ in range(_COMMITS):
        begun = time.perf_counter()
        commits[save()] = begun
        time.sleep(_PAUSE_S)
    streams.wait_for(max(commits))
    return ours.cpu_s() - before, commits


def _in_browser(ours: Started, save: Saving) -> list[float]:
    with browsing() as browser, window(browser, ours) as page:
        watch(page, ours, OURS)
        commits = {}
        for _ in range(_IN_BROWSER):
            # the page can only note a clock that it has, too
            begun = time.time()
            commits[save()] = begun
            time.sleep(_PAUSE_S)
        return sorted(seen_after(page, commits))


def _spread(figure: Figure, name: str, taken: list[float], budget: str = "") -> None:
    for word, share in (("p50", 0.5), ("p99", 0.99)):
        way = f"{name}, {word}"
        figure.ways.append(Way(way, "ms", [1e3 * taken[int(len(taken) * share)]]))
        figure.value(way, way, budget if word == "p99" else "")
