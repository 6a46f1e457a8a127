"""Figure ``board``: first paint, commit to page with 50 of them open, bytes, processor time and memory."""

from __future__ import annotations

import importlib.util
import os
import random
import sqlite3
import sys
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import polars as pl

from benchmarks.bench import Bench, Loaded
from benchmarks.board.browsing import browsing, first_paint_s, seen_after_s
from benchmarks.board.started import Started, started_board, started_server
from benchmarks.board.streams import Streams
from benchmarks.measure import Figure, Run, Way, in_turn

# an hour of it: DEALDB_BENCH_BOARD_MINUTES=60
MINUTES = "DEALDB_BENCH_BOARD_MINUTES"
_PAGES = {"board": "/", "deals": "/deals", "a deal": "/deals/D1"}
_CLIENTS, _COMMITS, _PAUSE_S, _ROUNDS = 50, 60, 0.2, 7
_WAITS = 0.5


def board(bench: Bench, n: int) -> Figure:
    """The board in a browser, and 50 open pages while deals are saved."""
    figure = Figure("board", n)
    bench.drop_loaded()
    at = bench.loaded(n)
    with ExitStack() as opened:
        ours = opened.enter_context(started_board(at.server.url))
        peers = {"dealdb": ours}
        if importlib.util.find_spec("datasette"):
            peers["Datasette"] = opened.enter_context(_datasette(bench.folder, at))
        _paint(figure, peers)
        _bytes(figure, ours)
        _live(figure, ours, at)
        _endurance(figure, ours, at)
    if "Datasette" not in peers:
        figure.notes.append("Datasette is not installed here: it was not measured")
    figure.notes.append("NiceGUI was not measured: it has neither a board of cards nor permalinks")
    bench.drop_loaded()
    return figure


def _paint(figure: Figure, peers: dict[str, Started]) -> None:
    with browsing() as browser:

        def run(at: Started, path: str) -> Run:
            return lambda: first_paint_s(browser, at, path)

        runs = {f"first paint: {name}": run(peers["dealdb"], path) for name, path in _PAGES.items()}
        if "Datasette" in peers:
            runs["first paint: table of Datasette"] = run(peers["Datasette"], "/deals/deals")
        figure.times(in_turn(runs, _ROUNDS, warm=True))
    figure.value("first paint of the board", "first paint: board")
    figure.compare(
        "first paint of the table, against Datasette",
        "first paint: deals",
        "first paint: table of Datasette",
        "speed",
    )


def _bytes(figure: Figure, ours: Started) -> None:
    for name, path in _PAGES.items():
        figure.ways.append(Way(f"HTML: {name}", "kB", [len(ours.get(path)) / 1e3]))
        packed = len(ours.get(path, packed=True)) / 1e3
        figure.ways.append(Way(f"HTML: {name}, packed by gzip", "kB", [packed]))
    figure.ways.append(Way("scripts and styles of the board", "kB", [ours.assets("/") / 1e3]))
    figure.value("HTML of the board", "HTML: board")
    figure.value("scripts and styles of the board", "scripts and styles of the board")


class _Saving:
    """Saves of open deals, each with another amount, so that each is a commit and changes a sum."""

    def __init__(self, at: Loaded) -> None:
        self._db = at.writer
        self._draw = random.Random(at.n)
        self._n = at.n
        self._saves = 0

    def __call__(self) -> int:
        self._saves += 1
        deal = f"D{self._draw.randrange(self._n) + 1}"
        return self._db.save_deal({"id": deal, "amount": 10_000 + self._saves}).rev


def _live(figure: Figure, ours: Started, at: Loaded) -> None:
    save = _Saving(at)
    with Streams(ours, _CLIENTS) as streams:
        time.sleep(_WAITS)
        cpu = ours.cpu_s()
        commits = {}
        for _ in range(_COMMITS):
            begun = time.perf_counter()
            commits[save()] = begun
            time.sleep(_PAUSE_S)
        streams.wait_for(max(commits))
        used = ours.cpu_s() - cpu
        taken = streams.latencies(commits)
        _spread(figure, f"commit to {_CLIENTS} open pages", taken)
        figure.ways.append(Way("processor time a commit and view", "ms", [1e3 * used / _COMMITS]))
        with browsing() as browser:
            seen = sorted(seen_after_s(browser, ours, save, _COMMITS // 2, _PAUSE_S))
        _spread(figure, f"commit to what a browser shows, beside {_CLIENTS} open pages", seen)
    figure.value("processor time a commit and view", "processor time a commit and view")


def _spread(figure: Figure, name: str, taken: list[float]) -> None:
    for word, share in (("p50", 0.5), ("p99", 0.99)):
        figure.ways.append(Way(f"{name}, {word}", "ms", [1e3 * taken[int(len(taken) * share)]]))
        figure.value(f"{name}, {word}", f"{name}, {word}")


def _endurance(figure: Figure, ours: Started, at: Loaded) -> None:
    """Memory while commits come in and pages come and go."""
    minutes = float(os.environ.get(MINUTES, "1"))
    save = _Saving(at)
    end = time.monotonic() + 60 * minutes
    memory = []
    while time.monotonic() < end:
        with Streams(ours, _CLIENTS):
            for _ in range(50):
                save()
                time.sleep(_PAUSE_S / 2)
        memory.append(ours.memory_mb())
    name = f"memory of the board, {minutes:g} minutes of {_CLIENTS} pages"
    figure.ways.append(Way(name, "MB", memory))
    figure.value(name, name)


def _datasette(folder: Path, at: Loaded) -> AbstractContextManager[Started]:
    """The same deals in SQLite, served by Datasette with its usual settings."""
    path = folder / "deals.db"
    frame = at.deals.frame.with_columns(pl.all().cast(pl.String))
    with sqlite3.connect(path) as base:
        names = ", ".join(f'"{name}"' for name in frame.columns)
        base.execute("DROP TABLE IF EXISTS deals")
        base.execute(f"CREATE TABLE deals ({names}, PRIMARY KEY (id))")
        marks = ", ".join("?" * frame.width)
        base.executemany(f"INSERT INTO deals VALUES ({marks})", frame.iter_rows())
    base.close()
    command = [sys.executable, "-m", "datasette", "serve", str(path), "--port", "{port}"]
    return started_server(command, "/deals/deals")
