"""``python -m benchmarks``: runs figures, keeps their results, and writes the page and the pictures."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from benchmarks import (
    blocked,
    catching_up,
    cli,
    deal_history,
    embedded,
    first_finds,
    growth,
    isolated,
    load,
    many,
    memory,
    point,
    queries,
    words,
)
from benchmarks.bench import Bench
from benchmarks.board.endurance import board_hour
from benchmarks.board.figure import board
from benchmarks.measure import Figure
from benchmarks.past.figure import history
from benchmarks.servers import BINARIES, DEFAULT, running

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
# where the results of a server go, and the page that is made of them
PLACES = {
    "valkey9": (HERE / "results", DOCS / "benchmarks.md"),
    "redis7": (HERE / "results" / "redis7", DOCS / "benchmarks-redis7.md"),
}
SEARCH_URL = "DEALDB_BENCH_SEARCH_URL"

Run = Callable[[Bench, int], Figure]
_SMALL, _MIDDLE, _LARGE = 1_600, 100_000, 1_000_000
_ALL = (_SMALL, _MIDDLE, _LARGE)

# each with the sizes that it runs at; those that load on their own come first, those that add deals last
FIGURES: dict[str, tuple[Run, Sequence[int]]] = {
    "load": (load.load, _ALL),
    "load_wide": (load.load_wide, (_SMALL, _MIDDLE)),
    "load_dirty": (load.load_dirty, (_SMALL, _MIDDLE)),
    "blocked": (blocked.blocked, (_MIDDLE,)),
    "memory": (memory.memory, (_MIDDLE, _LARGE)),
    "growth": (growth.growth, (10_000, _MIDDLE, _LARGE, 3_000_000)),
    "cold_start": (catching_up.cold_start, _ALL),
    "first_finds": (first_finds.first_finds, (_MIDDLE, _LARGE)),
    "group_by": (queries.group_by, _ALL),
    "filter_top20": (queries.filter_top20, _ALL),
    "search": (queries.search, (*_ALL, 3_000_000)),
    "word_index": (words.word_index, (_MIDDLE, _LARGE)),
    "sql": (queries.sql, _ALL),
    "sql_isolated": (isolated.sql_isolated, (_MIDDLE, _LARGE)),
    "cli": (cli.cli, (_SMALL, _LARGE)),
    "embedded": (embedded.embedded, _ALL),
    "many": (many.many, (_LARGE,)),
    "point": (point.point, _ALL),
    "deal_history": (deal_history.deal_history, (_MIDDLE, _LARGE)),
    "history": (history, (_MIDDLE, _LARGE)),
    "board": (board, (_MIDDLE, _LARGE)),
    "board_hour": (board_hour, (_MIDDLE,)),
    "catch_up": (catching_up.catch_up, _ALL),
}
# not run by default
_LONG = {"board_hour"}
_PACKAGES = (
    "dealdb",
    "redis",
    "hiredis",
    "polars",
    "duckdb",
    "pandas",
    "redis-om",
    "walrus",
    "rom",
    "starlette",
    "uvicorn",
    "playwright",
    "datasette",
    "nicegui",
)


def main() -> None:
    options = _parsed()
    if options.list:
        for name, (run, sizes) in FIGURES.items():
            shown = ", ".join(f"{n:,}" for n in sizes)
            print(f"{name:14} {(run.__doc__ or '').splitlines()[0]} ({shown})")
        return
    # a run that is ended from outside takes its servers with it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = [] if options.render else run_all(options)
    if options.page:
        from benchmarks.report import write_page

        write_page(options.results, options.page)
        print(f"written: {options.page}")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "figure", nargs="*", help="figures to run; by default all but those that take an hour"
    )
    parser.add_argument("--list", action="store_true", help="name the figures and their sizes")
    parser.add_argument("--n", help="sizes, such as 1600,100000; each figure's own by default")
    parser.add_argument("--repeats", type=int, default=4, help="rounds of what takes seconds")
    parser.add_argument("--server", choices=sorted(BINARIES), default=DEFAULT)
    parser.add_argument(
        "--search",
        default=os.environ.get(SEARCH_URL),
        help=f"URL of a server with the search module, which is EMPTIED; by default {SEARCH_URL}",
    )
    parser.add_argument("--results", type=Path, help="folder of the results; one for each server")
    parser.add_argument("--page", type=Path, help="page to write, pictures next to it")
    parser.add_argument("--no-page", action="store_true", help="write none")
    parser.add_argument("--render", action="store_true", help="run nothing, only write the page")
    options = parser.parse_args()
    for name in set(options.figure) - set(FIGURES):
        parser.error(f"no figure {name!r}; the figures are {', '.join(FIGURES)}")
    results, page = PLACES[options.server]
    options.results = options.results or results
    options.page = None if options.no_page else options.page or page
    return options


def run_all(options: argparse.Namespace) -> list[str]:
    """Run the figures, and return those that failed; a run takes too long to be ended by one of them."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="dealdb-bench") as folder:
        bench = Bench(Path(folder), options.server, options.search, options.repeats)
        machine = machine_of(bench)
        try:
            for n, name, run in _chosen(options):
                start = time.monotonic()
                print(f"{name} at {n:,} ...", end=" ", flush=True)
                try:
                    figure = run(bench, n)
                except Exception:  # noqa: BLE001  # whatever it was, it is shown and told at the end
                    traceback.print_exc()
                    failed.append(f"{name} at {n:,}")
                    bench.drop_loaded()
                    continue
                figure.took_s, figure.machine = time.monotonic() - start, machine
                figure.save(options.results)
                print(f"{figure.took_s:.1f} s", flush=True)
        finally:
            bench.close()
    return failed


def _chosen(options: argparse.Namespace) -> Iterator[tuple[int, str, Run]]:
    """Size by size, so that figures find the deals of the one before."""
    names = options.figure or [name for name in FIGURES if name not in _LONG]
    given = [int(n) for n in options.n.split(",")] if options.n else None
    sizes = given or sorted({n for name in names for n in FIGURES[name][1]})
    for n in sizes:
        for name in names:
            run, own = FIGURES[name]
            if given or n in own:
                yield n, name, run


def machine_of(bench: Bench) -> dict[str, str]:
    """What is measured on, and with what."""
    with running(bench.flavor, bench.folder) as server:
        servers = [server.version()]
    if bench.search is not None:
        modules = bench.search.client.module_list()
        named = [f"{_text(each[b'name'])} {each[b'ver']}" for each in modules]
        servers.append(f"{bench.search.version()} with {' and '.join(named)}")
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {memory_gb()} GB, {platform.system()}",
        "server": "; ".join(servers),
        "flavor": bench.flavor,
        "packages": ", ".join(_versions()),
        "commit": _commit(),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for name in _PACKAGES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue


def _cpu() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def memory_gb() -> int:
    """Memory of this machine."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    main()
