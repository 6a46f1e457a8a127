"""Figures ``catch_up`` and ``cold_start``: how soon a process knows what others have done."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import polars as pl

from benchmarks.bench import Bench, Loaded
from benchmarks.deals import plain
from benchmarks.measure import Figure, Run, in_turn, timed
from dealdb import DealDatabase

_SINGLES, _BULK = 10_000, 100_000
_THREADS = 8
_ROUNDS = 7

Query = Callable[[DealDatabase], object]


def catch_up(bench: Bench, n: int) -> Figure:
    """Changes a second that a process applies before its first query after them."""
    figure = Figure("catch_up", n)
    at = bench.loaded(n)
    # what a first query costs is figure cold_start
    at.reader.query.frame()
    singles, bulk = min(_SINGLES, n), min(_BULK, n)
    ways = {
        f"after {singles:,} single saves": (_singles(at, singles), singles),
        f"after a bulk load of {bulk:,} new deals": (_bulk(at, bulk), bulk),
    }
    runs = {name: run for name, (run, _) in ways.items()}
    counts = {name: changes for name, (_, changes) in ways.items()}
    for name, seconds in in_turn(runs, bench.repeats).items():
        figure.rates({name: seconds}, counts, "changes/s")
        figure.value(f"catching up {name}", name, "catch_up")
    # it has more deals by now than the next figure expects
    bench.drop_loaded()
    return figure


def _singles(at: Loaded, changes: int) -> Run:
    writer = at.open(max_connections=_THREADS)
    amounts = count()

    def save(number: int) -> None:
        writer.save_deal({"id": f"D{number + 1}", "amount": next(amounts)})

    def run() -> float:
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(save, range(changes)))
        return timed(at.reader.query.frame)

    return run


def _bulk(at: Loaded, changes: int) -> Run:
    rounds: Iterator[int] = count()

    def run() -> float:
        more = plain(changes, first=10 * at.n + changes * next(rounds))
        at.writer.loader.load(more.frame, bar=False)
        return timed(at.reader.query.frame)

    return run


def cold_start(bench: Bench, n: int) -> Figure:
    """A new database object up to its first answer, against reading the same columns from memory."""
    figure = Figure("cold_start", n)
    # what figures before have changed would have to be read from the log
    bench.drop_loaded()
    at = bench.loaded(n)
    runs: dict[str, Run] = {}
    for name, query, columns, local in _QUERIES:
        runs[f"dealdb, {name}"] = _first(at, query)
        runs[f"dealdb with its cache, {name}"] = _first(at, query, cache=bench.folder / "cache")
        runs[f"read_ipc, {name}"] = _from_memory(at, columns, local)
    figure.times(in_turn(runs, _ROUNDS, warm=True))
    name, query, columns, local = _QUERIES[0]
    changes = min(_SINGLES, n)
    _singles(at, changes)()
    ours, theirs = (f"{way}, {name}, {changes:,} saves later" for way in ("dealdb", "read_ipc"))
    later = {ours: _first(at, query), theirs: _from_memory(at, columns, local)}
    figure.times(in_turn(later, _ROUNDS, warm=True))
    figure.compare(f"cold start to {name}, {changes:,} single saves later", ours, theirs, "cost")
    # nor are they to be read again by what other figures start
    bench.drop_loaded()
    for name, *_ in _QUERIES:
        figure.compare(
            f"cold start to {name}", f"dealdb, {name}", f"read_ipc, {name}", "cost", "cold_start"
        )
        figure.compare(
            f"second start to {name}, with a cache",
            f"dealdb with its cache, {name}",
            f"read_ipc, {name}",
            "cost",
        )
    figure.notes.append(
        "read_ipc reads one file of the columns that the query needs, zstd as in a checkpoint"
    )
    figure.notes.append(
        "the cache has all columns from an earlier start; the server is on the same machine, so the cache saves little"
    )
    return figure


def _first(at: Loaded, query: Query, cache: Path | bool = False) -> Run:
    def run() -> float:
        with DealDatabase.from_url(at.server.url, cache=cache) as db:
            return timed(lambda: query(db))

    return run


def _from_memory(at: Loaded, columns: list[str], query: Callable[[pl.DataFrame], object]) -> Run:
    file = io.BytesIO()
    frame = at.reader.query.frame()
    frame.select(columns or frame.columns).write_ipc(file, compression="zstd")
    data = file.getvalue()
    return lambda: timed(lambda: query(pl.read_ipc(data)))


def _grouped(frame: pl.DataFrame) -> object:
    return frame.group_by("stage").agg(pl.col("amount").sum())


# what is asked, of dealdb, of which columns, and of the columns alone
_QUERIES: tuple[tuple[str, Query, list[str], Callable[[pl.DataFrame], object]], ...] = (
    (
        "a count",
        lambda db: db.query.count("stage = 'Won'"),
        ["stage"],
        lambda frame: frame.select((pl.col("stage") == "Won").sum()),
    ),
    (
        "a group-by of two columns",
        lambda db: _grouped(db.query.find(columns=["stage", "amount"])),
        ["stage", "amount"],
        _grouped,
    ),
    ("all columns", lambda db: db.query.frame(), [], lambda frame: frame),
)
