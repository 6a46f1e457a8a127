"""Figure ``first_finds``: the first three finds of a process, which begins with none of the columns."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.children import asked
from benchmarks.measure import Figure

_ROUNDS = 9
_WHICH = ("first", "second", "third")


def first_finds(bench: Bench, n: int) -> Figure:
    """Three finds of a fresh process, one right after the other, each by other columns."""
    figure = Figure("first_finds", n)
    bench.drop_loaded()
    at = bench.loaded(n)
    for cache, how in (("off", ""), ("on", ", with its cache")):
        # the very first fills the cache, and brings the files of the libraries into memory
        asked("finds", at.server.url, cache)
        taken = [asked("finds", at.server.url, cache)["s"] for _ in range(_ROUNDS)]
        names = [f"{which} find of a process{how}" for which in _WHICH]
        figure.times(dict(zip(names, zip(*taken, strict=True), strict=True)))
        for name in names[1:]:
            figure.compare(f"{name}, against the first", name, names[0], "cost", "first_finds")
    return figure
