"""Figure ``word_index``: what the index of words takes, and what a search costs after many deals have changed."""

from __future__ import annotations

from itertools import count

import polars as pl

from benchmarks.bench import Bench, Loaded
from benchmarks.children import asked
from benchmarks.measure import Figure, Way, in_turn, timed
from benchmarks.queries import have_index

_ROUNDS = 5
_MB, _WORDS = 1e6, "meridian renewal"


def word_index(bench: Bench, n: int) -> Figure:
    """The index of words: memory and time that it takes, and a search after some of the deals have other names."""
    figure = Figure("word_index", n)
    bench.drop_loaded()
    at = bench.loaded(n)
    _made(figure, at)
    have_index(lambda: at.reader.query.search(_WORDS))
    for changed in (100, 1_000, 10_000):
        if changed * 10 <= n:
            _after(figure, at, changed)
    figure.notes.append(
        "a load of somebody else gives the deals other names; the first search after it takes these in, too"
    )
    # it has other names by now than the next figure expects
    bench.drop_loaded()
    return figure


def _made(figure: Figure, at: Loaded) -> None:
    found = asked("word_index", at.server.url)
    assert found["deals"] == at.n
    kept = "its file in the folder of the cache"
    arrays, memory = (
        "arrays of the index, a deal",
        "memory of a process, more with it than without, a deal",
    )
    figure.ways += [
        Way("processor time to make it", "s", [found["cpu_s"]]),
        Way(arrays, "bytes", [found["bytes"] / at.n]),
        Way(memory, "bytes", [found["mb"] * _MB / at.n]),
        Way(kept, "bytes", [found["file_bytes"] / at.n], note="a deal"),
    ]
    figure.value("arrays of the index of words, a deal", arrays, "words/bytes")


def _after(figure: Figure, at: Loaded, changed: int) -> None:
    """The first search after a load of other names, and the next ones."""
    what = f"search after {changed:,} changed deals"
    following = f"{what}, the next one"
    ids = at.deals.frame["id"].gather_every(at.n // changed).head(changed)
    loads = count(1)

    def search() -> object:
        return at.reader.query.search(_WORDS, limit=20)

    def first() -> float:
        load = next(loads)
        names = pl.Series("name", [f"Meridian {load} {k}" for k in range(changed)])
        at.writer.loader.load(pl.DataFrame([ids, names]), bar=False)
        return timed(search)

    figure.times(in_turn({what: first, following: lambda: timed(search)}, _ROUNDS, warm=True))
    figure.value(what, what, "words/changed" if changed == 10_000 else "")
