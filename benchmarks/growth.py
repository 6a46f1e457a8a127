"""Figure ``growth``: the same operations on collections of 10,000 to 3,000,000 deals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from math import log

import polars as pl

from benchmarks.bench import Bench, Loaded
from benchmarks.measure import Figure, Line, Run, Way, in_turn, timed
from dealdb import DealDatabase

_ROUNDS = 7
_POINTS = 200
_CHANGES = 10_000
# what may grow with the collection, linearly at worst, and what may not grow
_CATCH_UP = f"catching up with {_CHANGES:,} changes"
_LINEAR = ("load", "fresh group-by", "filter + top 20", "cold start", _CATCH_UP)
_FLAT = ("save_deal", "get_deal")
# below it, what costs the same at every size hides what grows
_LEAST = 100_000


def growth(bench: Bench, n: int) -> Figure:
    """Load, queries, catching up, cold start, one deal saved and read: milliseconds each."""
    figure = Figure("growth", n)
    bench.drop_loaded()
    at = bench.loaded(n)
    runs: dict[str, Run] = {
        "fresh group-by": _fresh(at, lambda: _grouped(at.reader.query.frame())),
        "filter + top 20": _fresh(
            at,
            lambda: at.reader.query.find(
                "stage = 'Won' AND amount > 50000", sort="-amount", limit=20
            ),
        ),
        "cold start": lambda: _cold(at),
        "save_deal": _each(at.commit),
        "get_deal": lambda: (
            timed(lambda: [at.writer.get_deal("D1") for _ in range(_POINTS)]) / _POINTS
        ),
    }
    figure.ways.append(Way("load", "ms", [1e3 * at.load_s]))
    figure.times(in_turn(runs, _ROUNDS, warm=True))
    # last: a cold start would have to read its changes from the log
    figure.times(in_turn({_CATCH_UP: _catching_up(at)}, _ROUNDS, warm=True))
    return figure


def exponents(figures: Sequence[Figure]) -> Figure | None:
    """With which power of the number of deals each operation grows, from 100,000 to the largest size."""
    sizes = sorted(figure.n for figure in figures if figure.name == "growth" and figure.n >= _LEAST)
    if len(sizes) < 2:
        return None
    least, most = (
        next(each for each in figures if each.name == "growth" and each.n == n)
        for n in (sizes[0], sizes[-1])
    )
    found = Figure("growth", most.n, machine=most.machine)
    for name in (*_LINEAR, *_FLAT):
        small, large = least.way(name), most.way(name)
        if small and large:
            power = log(large.median / small.median) / log(most.n / least.n)
            budget = "growth/flat" if name in _FLAT else "growth/linear"
            found.lines.append(
                Line(
                    f"growth from {least.n:,} deals, exponent: {name}",
                    name,
                    None,
                    "value",
                    [power],
                    budget,
                )
            )
    return found


def _each(operation: Callable[[], object]) -> Run:
    def all_of_them() -> None:
        for _ in range(_POINTS):
            operation()

    return lambda: timed(all_of_them) / _POINTS


def _grouped(frame: pl.DataFrame) -> object:
    return frame.group_by("stage").agg(pl.col("amount").sum(), pl.len())


def _fresh(at: Loaded, query: Callable[[], object]) -> Run:
    def run() -> float:
        # what others have left behind is not part of this
        at.reader.query.count()
        at.commit()
        return timed(query)

    return run


def _cold(at: Loaded) -> float:
    with DealDatabase.from_url(at.server.url) as db:
        return timed(lambda: db.query.count("stage = 'Won'"))


def _catching_up(at: Loaded) -> Run:
    ids = at.deals.frame.select("id").head(_CHANGES)
    rounds = count(1)

    def run() -> float:
        at.reader.query.count()
        amounts = pl.int_range(ids.height, eager=True) + next(rounds)
        at.writer.loader.load(ids.with_columns(amount=amounts), bar=False)
        return timed(at.reader.query.count)

    return run
