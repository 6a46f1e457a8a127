"""Figure ``many``: processes that query while others write, next to the same load on RediSearch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from benchmarks.bench import Bench
from benchmarks.children import Child
from benchmarks.measure import Figure, Way, in_turn
from benchmarks.peers.search import SearchIndex
from benchmarks.servers import Server

_READERS = (1, 4, 16)
_WRITERS = 2
_SECONDS = 3.0


def many(bench: Bench, n: int) -> Figure:
    """1, 4 and 16 processes group by stage as fast as they can, while 2 write 100 changes a second each."""
    figure = Figure("many", n)
    at = bench.loaded(n)
    with ExitStack() as keep:
        crowds = {"dealdb": _Crowd(at.server, keep, "dealdb", n)}
        if bench.search is not None:
            SearchIndex(bench.search).fill(at.deals)
            crowds["RediSearch"] = _Crowd(bench.search, keep, "search", n)
        for readers in _READERS:
            runs = {name: partial(crowd.run, readers) for name, crowd in crowds.items()}
            in_turn(runs, bench.repeats)
            for name, crowd in crowds.items():
                figure.ways += crowd.ways(f"{name}, {readers} reading")
            _compare(figure, readers)
    figure.notes.append(
        f"{_WRITERS} writers at a steady pace; a write that is late counts from when it was due. Readers, writers and "
        "server share the cores"
    )
    return figure


def _compare(figure: Figure, readers: int) -> None:
    ours, theirs = f"dealdb, {readers} reading", f"RediSearch, {readers} reading"
    for what, sense in (
        ("reads", "speed"),
        ("write p50", "cost"),
        ("write p99", "cost"),
        ("server CPU a read", "cost"),
    ):
        figure.compare(
            f"{readers} reading, 2 writing: {what}", f"{ours}: {what}", f"{theirs}: {what}", sense
        )


@dataclass
class _Crowd:
    """Processes that read and write one server; those that a round does not need wait."""

    server: Server
    keep: ExitStack
    kind: str
    n: int
    rounds: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._readers = self._started(max(_READERS), f"read_{self.kind}")
        self._writers = self._started(_WRITERS, f"write_{self.kind}", self.n)

    def _started(self, count: int, job: str, *arguments: int) -> list[Child]:
        children = [
            self.keep.enter_context(Child(job, self.server.url, *arguments)) for _ in range(count)
        ]
        for child in children:
            child.answer()
        return children

    def run(self, readers: int) -> float:
        reading = self._readers[:readers]
        before, start = self.server.cpu_s, time.perf_counter()
        for child in (*self._writers, *reading):
            child.tell(_SECONDS)
        read = [child.answer() for child in reading]
        written = [child.answer() for child in self._writers]
        # what was begun in time may end late
        cpu, seconds = self.server.cpu_s - before, time.perf_counter() - start
        reads = sum(each["count"] for each in read)
        self.rounds.append(
            {
                "reads": sum(each["count"] / each["seconds"] for each in read),
                "read p50": median(each["p50_ms"] for each in read),
                "write p50": median(each["p50_ms"] for each in written),
                "write p99": max(each["p99_ms"] for each in written),
                "writes": sum(each["count"] / each["seconds"] for each in written),
                "server CPU": 100 * cpu / seconds,
                "server CPU a read": 1e3 * cpu / reads,
            }
        )
        return seconds

    def ways(self, name: str) -> Iterator[Way]:
        """What the rounds came to; the next ones are counted from zero."""
        rounds, self.rounds = self.rounds, []
        for what, unit in _UNITS.items():
            values = [each[what] for each in rounds]
            yield Way(f"{name}: {what}", unit, values, more=unit.endswith("/s"))


_UNITS = {
    "reads": "reads/s",
    "read p50": "ms",
    "writes": "writes/s",
    "write p50": "ms",
    "write p99": "ms",
    "server CPU": "% of a core",
    "server CPU a read": "ms",
}
