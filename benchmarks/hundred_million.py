"""A hundred million deals by simulation: one of 64 partitions is measured, and the ids of all are dealt out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from zlib import crc32

from benchmarks import deals
from benchmarks.bench import Bench
from benchmarks.children import asked
from benchmarks.measure import Figure, Way
from benchmarks.report import header, number, row
from benchmarks.servers import Server
from dealdb import DealDatabase

DEALS, PARTITIONS = 100_000_000, 64
_SHARE = DEALS // PARTITIONS
_SAVES = 20_000
_MB = 1e6
# what most reports read
_COLUMNS = ["stage", "owner", "amount", "created", "expected_close"]


def partition(bench: Bench, n: int = _SHARE) -> Figure:
    """One partition's share of the deals, in a collection of its own."""
    figure = Figure("partition", n)

    def value(name: str, unit: str, found: float) -> None:
        figure.ways.append(Way(name, unit, [found]))

    with ExitStack() as keep:
        server = keep.enter_context(bench.server())
        frame = deals.plain(n).frame
        empty, cpu = server.memory, server.cpu_s
        with DealDatabase.from_url(server.url, cache=False) as db:
            before, began = time.process_time(), time.perf_counter()
            db.loader.load(frame, bar=False)
            value("load", "s", time.perf_counter() - began)
            value("load, client's processor", "s", time.process_time() - before)
            value("load, server's processor", "s", server.cpu_s - cpu)
        del frame
        value("server", "MB", (server.memory - empty) / _MB)
        value("server, of it chunks", "MB", _chunks_mb(server))
        value("columns of a process, all", "MB", float(asked("replica", server.url)["mb"]))
        for name, columns in (("count", ["stage"]), ("report", _COLUMNS)):
            with DealDatabase.from_url(server.url, cache=False) as db:
                before, began = time.process_time(), time.perf_counter()
                db.query.find("stage = 'Won'", columns=columns, limit=1)
                value(f"cold start, {name}", "s", time.perf_counter() - began)
                value(f"cold start, {name}, processor", "s", time.process_time() - before)
                value(f"columns of a process, {name}", "MB", (db.health().columns_bytes or 0) / _MB)
        _saves(figure, server, n)
    return figure


def _chunks_mb(server: Server) -> float:
    keys = server.client.scan_iter(match="deals:chunk:*", count=10_000)
    return sum(int(server.call("MEMORY", "USAGE", key.decode())) for key in keys) / _MB


def _saves(figure: Figure, server: Server, n: int) -> None:
    """What a day of single saves leaves: in the log at first, then in sealed segments."""
    with DealDatabase.from_url(server.url, cache=False) as db:
        db.query.count()
        before = server.memory
        for k in range(_SAVES):
            db.save_deal({"id": f"D{k * 7_919 % n + 1}", "amount": k})
        log = int(server.call("MEMORY", "USAGE", "deals:log", "SAMPLES", "0"))
        db.query.count()
    # closing waits for a checkpoint that is under way
    with DealDatabase.from_url(server.url, cache=False) as db:
        db.query.count()
    sealed = server.memory - before
    figure.ways.append(Way("log of a save", "B", [log / _SAVES]))
    figure.ways.append(Way("what a save leaves", "B", [sealed / _SAVES]))


def spread(n: int = DEALS) -> Figure:
    """How evenly ids in sequence are dealt out."""
    counts = Counter(crc32(b"D%d" % k) >> 26 for k in range(1, n + 1))
    figure = Figure("spread", n)
    mean = n / PARTITIONS
    figure.ways.append(Way("most", "of the mean", [max(counts.values()) / mean]))
    figure.ways.append(Way("least", "of the mean", [min(counts.values()) / mean]))
    return figure


def section(one: Figure, dealt: Figure) -> Iterator[str]:
    """What the page says of it."""

    def of(name: str) -> float:
        way = one.way(name)
        assert way is not None
        return way.median

    def all_of_them(name: str, unit: str = "GB", by: float = 1e3) -> str:
        return f"{number(of(name) * PARTITIONS / by)} {unit}"

    most, least = (way.median for way in dealt.ways)
    yield "\n## A hundred million deals\n"
    yield (
        f"By simulation: one of {PARTITIONS} partitions has {one.n:,} of them, and is measured by itself. The rest is "
        f"arithmetic: {PARTITIONS} times as much.\nThe ids D1 to D{dealt.n:,} are dealt out evenly: the fullest "
        f"partition has {most:.4f} of the mean, the emptiest {least:.4f}.\n"
    )
    yield from header("what", "one partition", f"all {PARTITIONS}")
    for name in (
        "server",
        "server, of it chunks",
        "columns of a process, all",
        "columns of a process, report",
    ):
        yield row(name, f"{number(of(name))} MB", all_of_them(name))
    for name in (
        "load", "load, client's processor", "load, server's processor",
        "cold start, count", "cold start, report", "cold start, report, processor",
    ):  # fmt: skip
        yield row(name, f"{number(of(name))} s", all_of_them(name, "s", 1.0))
    day = DEALS // 100
    for name in ("log of a save", "what a save leaves"):
        yield row(
            f"{name}; of {day:,} a day",
            f"{number(of(name))} B",
            f"{number(of(name) * day / 1e6)} MB a day",
        )
