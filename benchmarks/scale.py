"""
``python -m benchmarks.scale``: the same operations on 100,000, 1,000,000 and 10,000,000 deals, and how they grow.

Results and page are its own: it takes half an hour and 16 GB, so that it is not part of a whole run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from math import log
from pathlib import Path

import polars as pl

from benchmarks import deals
from benchmarks.__main__ import SEARCH_URL, machine_of, memory_gb
from benchmarks.bench import Bench
from benchmarks.children import Child, asked
from benchmarks.measure import Figure, Way, in_turn, timed
from benchmarks.peers.search import SearchIndex
from benchmarks.queries import have_index
from benchmarks.report import header, machine_lines, number, row
from benchmarks.servers import Server
from dealdb import DealDatabase
from dealdb.errors import NotYetKnown

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results" / "scale", HERE.parent / "docs" / "benchmarks-10m.md"
SIZES = (100_000, 1_000_000, 10_000_000)
# so much do server, loader, reader and the generated deals take together at the largest size
LEAST_GB = 16
# deals of one load
PART = 1_000_000
# deals of one updating load
CHANGED = 100_000
# the search module has its index in memory beside the hashes, and makes it while they are saved
MOST_SEARCHED = 1_000_000

_MB = 1e6
_ROUNDS, _POINTS = 5, 200
_PROCESSOR, _REDISEARCH = ", processor time", ", RediSearch"
_WHERE = "stage = 'Won' AND amount > 50000"
_WORDS = "meridian renewal"
_SINCE, _UNTIL = "2026-01-01", "2026-04-01"

_Asked = Callable[[DealDatabase], object]
_Took = tuple[float, float]
_Run = Callable[[], _Took]
_QUERIES: dict[str, _Asked] = {
    "count": lambda db: db.query.count(_WHERE),
    "group-by": lambda db: db.query.frame().group_by("stage").agg(pl.col("amount").sum(), pl.len()),
    "filter + top 20": lambda db: db.query.find(_WHERE, sort="-amount", limit=20),
    "a page of 50": lambda db: db.query.page(_WHERE, sort="-amount"),
    "facets of two columns": lambda db: db.query.facets(["owner", "stage"]),
    "search for two words": lambda db: db.query.search(_WORDS),
    "SQL, group-by": lambda db: db.query.sql(
        "SELECT stage, count(*) AS n, sum(amount) AS total FROM deals GROUP BY stage"
    ),
}
_METRICS: dict[str, Mapping[str, object]] = {
    "activity": {}, "ageing": {}, "calibration": {"since": _SINCE}, "cohorts": {},
    "concentration": {}, "coverage": {"since": _SINCE, "until": _UNTIL, "target": 10_000_000},
    "deal_size": {}, "forecast": {"since": _SINCE, "until": _UNTIL}, "forecast_error": {},
    "funnel": {}, "late_entry": {}, "leaderboard": {}, "losses": {}, "pipeline": {}, "ramp": {},
    "rotting": {}, "sales_cycle": {}, "seasonality": {},
    "slippage": {"since": _SINCE, "until": _UNTIL}, "stage_chances": {}, "summary": {},
    "survival": {"stage": "Proposal"}, "time_in_stage": {}, "time_to_close": {}, "trend": {},
    "velocity": {}, "waterfall": {"since": _SINCE}, "win_loss": {}, "win_rate": {},
}  # fmt: skip


def scale(bench: Bench, n: int, *, with_metrics: bool = True) -> Figure:
    """A collection that is loaded by millions, and what everything then costs."""
    figure = Figure("scale", n)
    with ExitStack() as keep:
        server = keep.enter_context(bench.server())
        empty = server.memory
        _load(figure, server, n)
        figure.ways.append(Way("memory of the server", "MB", [(server.memory - empty) / _MB]))
        reader, writer = (keep.enter_context(DealDatabase.from_url(server.url)) for _ in range(2))
        figure.times(in_turn({"cold start to a count": partial(_cold, server.url)}, 3))
        found = asked("replica", server.url)
        assert found["deals"] == n
        figure.ways.append(Way("memory of a process with all columns", "MB", [found["mb"]]))
        commit = _commits(writer, n)
        _update(figure, server, n)
        _measure(
            figure,
            {
                "save_deal": _each(commit),
                "get_deal": _each(partial(writer.get_deal, "D1")),
                "deal_history": _each(partial(writer.deal_history, "D7"), 20),
            },
        )
        have_index(lambda: reader.query.search(_WORDS))
        _measure(figure, {name: _fresh(reader, commit, ask) for name, ask in _QUERIES.items()})
        _beside_search(figure, bench, n)
        if with_metrics:
            _measure_metrics(figure, reader)
    return figure


def _measure_metrics(figure: Figure, reader: DealDatabase) -> None:
    metrics, unknown = _metrics(reader)
    _measure(figure, metrics, rounds=3)
    if unknown:
        told = f"deals that were loaded a moment ago have no history for {', '.join(unknown)}"
        figure.notes.append(told)


def _load(figure: Figure, server: Server, n: int) -> None:
    """Each part from a file of its own, all in one process."""
    part = min(n, PART)
    with tempfile.TemporaryDirectory(prefix="dealdb-parts") as folder:
        for first in range(0, n, part):
            # made here, so that the loader has no more in memory than it needs
            frame = deals.plain(part, first=first).frame
            frame.write_parquet(Path(folder) / f"{first:010}.parquet")
        with Child("load_parts", server.url, folder) as child:
            parts = [child.answer() for _ in range(n // part)]
    _add_loads(figure, "a part loaded", parts)


def _update(figure: Figure, server: Server, n: int) -> None:
    """Other amounts for deals that follow one another, and for as many from all over the collection."""
    for place, step in (("that follow one another", 1), ("from all over", n // CHANGED)):
        with tempfile.TemporaryDirectory(prefix="dealdb-changed") as folder:
            for round_ in range(3):
                numbers = pl.int_range(CHANGED, eager=True) * step + 1
                ids = ("D" + numbers.cast(pl.String)).alias("id")
                amounts = (numbers % 1_000 + round_).alias("amount")
                pl.DataFrame([ids, amounts]).write_parquet(Path(folder) / f"{round_}.parquet")
            with Child("load_parts", server.url, folder) as child:
                loads = [child.answer() for _ in range(3)]
        _add_loads(figure, f"{CHANGED:,} deals {place} changed", loads)


def _add_loads(figure: Figure, what: str, loads: Sequence[Mapping[str, float]]) -> None:
    for name, unit, key in (
        (what, "s", "s"),
        (f"{what}, processor time of the loader", "s", "cpu_s"),
        (f"{what}, peak memory of the loader", "MB", "peak_mb"),
    ):
        values = [each[key] for each in loads]
        note = f"one after the other: {', '.join(number(value) for value in values)}"
        figure.ways.append(Way(name, unit, values, note=note if len(loads) > 1 else ""))


def _cold(url: str) -> float:
    with DealDatabase.from_url(url, cache=False) as db:
        return timed(lambda: db.query.count("stage = 'Won'"))


def _commits(writer: DealDatabase, n: int) -> Callable[[], object]:
    """Saves of one deal, each another amount."""
    saves = iter(range(1, sys.maxsize))

    def commit() -> None:
        k = next(saves)
        writer.save_deal({"id": f"D{k * 7_919 % n + 1}", "amount": k})

    return commit


def _each(operation: Callable[[], object], times: int = _POINTS) -> _Run:
    def all_of_them() -> None:
        for _ in range(times):
            operation()

    def run() -> _Took:
        wall, processor = _took(all_of_them)
        return wall / times, processor / times

    return run


def _fresh(reader: DealDatabase, commit: Callable[[], object], ask: _Asked) -> _Run:
    def run() -> _Took:
        # what others have left behind is not part of this
        reader.query.count()
        commit()
        return _took(lambda: ask(reader))

    return run


def _metrics(reader: DealDatabase) -> tuple[dict[str, _Run], list[str]]:
    """Those that have an answer, and the names of the others."""
    known, unknown = dict[str, _Run](), list[str]()
    for name, options in _METRICS.items():
        ask = partial(getattr(reader.analytics, name), **options)
        try:
            ask()
        except NotYetKnown:
            unknown.append(name)
        else:
            known[name] = partial(_took, ask)
    return known, unknown


def _took(action: Callable[[], object]) -> _Took:
    """Seconds of wall time, and of processor time of this process, all its threads together."""
    before = time.process_time()
    wall = timed(action)
    return wall, time.process_time() - before


def _measure(figure: Figure, runs: Mapping[str, _Run], *, rounds: int = _ROUNDS) -> None:
    """Both times of each, once each has run before."""
    used: dict[str, list[float]] = {name + _PROCESSOR: [] for name in runs}

    def wall_of(name: str, run: _Run) -> float:
        wall, processor = run()
        used[name + _PROCESSOR].append(processor)
        return wall

    figure.times(
        in_turn(
            {name: partial(wall_of, name, run) for name, run in runs.items()}, rounds, warm=True
        )
    )
    # the first is that of the run that warms up
    figure.times({name: seconds[1:] for name, seconds in used.items()})


def _beside_search(figure: Figure, bench: Bench, n: int) -> None:
    if bench.search is None or n > MOST_SEARCHED:
        return
    index = SearchIndex(bench.search)
    index.fill(deals.plain(n))
    runs: dict[str, Callable[[], object]] = {
        "group-by": index.group_by_stage,
        "filter + top 20": index.top_won,
        "search for two words": partial(index.words, _WORDS),
    }
    found = in_turn({name: partial(timed, run) for name, run in runs.items()}, _ROUNDS, warm=True)
    figure.times({name + _REDISEARCH: seconds for name, seconds in found.items()})


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--n", help="sizes, such as 100000,1000000")
    parser.add_argument("--render", action="store_true", help="run nothing, only write the page")
    parser.add_argument("--no-metrics", action="store_true", help="the other operations alone")
    options = parser.parse_args()
    sizes = [int(n) for n in options.n.split(",")] if options.n else SIZES
    if not options.render:
        if max(sizes) > MOST_SEARCHED and memory_gb() < LEAST_GB:
            print(f"skipped: it needs {LEAST_GB} GB of memory, and this machine has {memory_gb()}")
            return
        _run(sizes, with_metrics=not options.no_metrics)
    PAGE.write_text("\n".join(_page([Figure.load(path) for path in RESULTS.glob("*.json")])) + "\n")
    print(f"written: {PAGE}")


def _run(sizes: Sequence[int], *, with_metrics: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="dealdb-bench") as folder:
        bench = Bench(Path(folder), search_url=os.environ.get(SEARCH_URL))
        machine = machine_of(bench) | {"command": "make bench-10m"}
        try:
            for n in sizes:
                begun = time.monotonic()
                print(f"{n:,} deals ...", end=" ", flush=True)
                figure = scale(bench, n, with_metrics=with_metrics)
                load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
                figure.notes.append(f"load of the machine at the end: {load} (1, 5 and 15 minutes)")
                figure.took_s, figure.machine = time.monotonic() - begun, machine
                figure.save(RESULTS)
                print(f"{figure.took_s:.0f} s", flush=True)
        finally:
            bench.close()


def _page(figures: Sequence[Figure]) -> Iterator[str]:
    figures = sorted(figures, key=lambda figure: figure.n)
    sizes = [figure.n for figure in figures]
    yield "# Benchmarks at ten million deals\n"
    yield (
        "Written by `make bench-10m`, from its results: the same operations on collections of growing size, all on one "
        "machine\nover loopback TCP, with the server, the process that loads and the one that asks sharing its cores. "
        "Times are\nmilliseconds, the median of the rounds; each query follows a commit of another process.\n"
    )
    yield from machine_lines(figures)
    yield (
        "\nThe exponent is the power of the number of deals with which the processor time grows from "
        f"{sizes[0]:,} deals\nto the most that were measured: 1 is in proportion, 0 is the same at every size.\n"
    )
    yield "## Times\n"
    yield from header("what", *(f"{n:,}" for n in sizes), "processor, most", "exponent")
    ways = {way.name: way.unit for figure in figures for way in figure.ways}
    for name, unit in ways.items():
        if unit == "ms" and not name.endswith((_PROCESSOR, _REDISEARCH)):
            yield _line(figures, name)
    yield "\n## Loading and memory\n"
    yield from header("what", *(f"{n:,}" for n in sizes), "of the largest")
    for name, unit in ways.items():
        if unit != "ms":
            found = [figure.way(name) for figure in figures]
            cells = (f"{number(way.median)} {unit}" if way else "" for way in found)
            yield row(name, *cells, found[-1].note if found[-1] else "")
    searched = [figure for figure in figures if figure.way("group-by" + _REDISEARCH)]
    if searched:
        yield from _search_table(searched)
    for figure in figures:
        lacking = [] if figure.way("pipeline") else ["the metrics were not measured"]
        yield f"\n{figure.n:,} deals took {figure.took_s:.0f} s; {'; '.join([*lacking, *figure.notes])}."


def _line(figures: Sequence[Figure], name: str) -> str:
    cells = (number(way.median) if (way := figure.way(name)) else "" for figure in figures)
    used = [(figure.n, way.median) for figure in figures if (way := figure.way(name + _PROCESSOR))]
    power = ""
    if len(used) > 1:
        (least, quick), (most, slow) = used[0], used[-1]
        power = number(log(slow / quick) / log(most / least))
    return row(name, *cells, number(used[-1][1]) if used else "", power)


def _search_table(figures: Sequence[Figure]) -> Iterator[str]:
    yield "\n## Beside RediSearch\n"
    yield f"Up to {MOST_SEARCHED:,} deals; above, its index and its loading take more than the rest of this page.\n"
    yield from header(
        "what", *(f"{each.n:,}, {who}" for each in figures for who in ("dealdb", "RediSearch"))
    )
    for name in ("group-by", "filter + top 20", "search for two words"):
        cells = (
            number(way.median) if (way := figure.way(name + end)) else ""
            for figure in figures
            for end in ("", _REDISEARCH)
        )
        yield row(name, *cells)


if __name__ == "__main__":
    main()
