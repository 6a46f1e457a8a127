"""Figure ``deal_history``: what happened to one deal, found by the indexes, against a read of the whole history."""

from __future__ import annotations

import random

import polars as pl

from benchmarks.bench import Bench, Loaded
from benchmarks.measure import Figure, Run, in_turn, timed
from dealdb import DealDatabase
from dealdb.connection import Link
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.history.changes import history_of
from dealdb.store.keys import Keys

_ROUNDS = 15
_UPDATES = 3
_SAVES = 2_000
_DELETED = 50
# commits that no checkpoint has sealed yet
_LATE = 500
_INDEX, _ALL, _FIRST = "deal_history", "a read of the whole history", "first call of a process"
_MANY = "deal_history, one of ten deals one after the other"
_GONE, _NEVER = "deal_history, deleted and saved again", "deal_history, no such deal"


def deal_history(bench: Bench, n: int) -> Figure:
    """The history of one deal after loads, updates, saves and deletes: milliseconds, each time another deal."""
    figure = Figure("deal_history", n)
    bench.drop_loaded()
    at = bench.loaded(n)
    draw = random.Random(n)
    gone = _made(at, draw)
    db = at.open(cache=False)
    seconds = in_turn(
        {
            _INDEX: lambda: timed(lambda: db.deal_history(_some(at, draw))),
            _MANY: lambda: timed(lambda: _ten(db, at, draw)) / 10,
            _GONE: lambda: timed(lambda: db.deal_history(draw.choice(gone))),
            _NEVER: lambda: timed(lambda: db.deal_history(f"none-{draw.random()}")),
            _ALL: lambda: timed(lambda: history_of(*_parts(db), _some(at, draw))),
            _FIRST: _first(at, draw),
        },
        _ROUNDS,
        warm=True,
    )
    # the one comes after others that read a whole history, or connect: the caches of the processor have nothing of it
    figure.times(seconds)
    for deal in (*gone[:5], _some(at, draw), "none"):
        assert db.deal_history(deal).equals(history_of(*_parts(db), deal)), deal
    figure.value("history of one deal", _INDEX, "deal_history")
    figure.value("history of one deal, first call of a process", _FIRST, "deal_history/first")
    figure.value("history of one deal, of ten one after the other", _MANY, "deal_history")
    figure.compare("history of one deal, against a read of all of it", _INDEX, _ALL, "speed")
    # it has other deals by now than the next figure expects
    bench.drop_loaded()
    return figure


def _made(at: Loaded, draw: random.Random) -> list[str]:
    """Change deals, and return those that were deleted and saved again."""
    for round_ in range(_UPDATES):
        ids = pl.Series("id", [_some(at, draw) for _ in range(at.n // 20)]).unique()
        amounts = pl.int_range(len(ids), eager=True) + round_
        at.writer.loader.load(pl.DataFrame([ids, amounts.alias("amount")]), bar=False)
    for k in range(_SAVES):
        at.writer.save_deal({"id": _some(at, draw), "amount": k})
    gone = [_some(at, draw) for _ in range(_DELETED)]
    for deal in gone:
        at.writer.delete_deal(deal)
        at.writer.save_deal({"id": deal, "amount": 1})
    at.writer.query.count()
    store = at.writer._store
    write_checkpoint(store.link, store.keys, store._live.replica())
    for k in range(_LATE):
        at.writer.save_deal({"id": _some(at, draw), "amount": k})
    return gone


def _some(at: Loaded, draw: random.Random) -> str:
    return f"D{draw.randrange(at.n) + 1}"


def _ten(db: DealDatabase, at: Loaded, draw: random.Random) -> None:
    for _ in range(10):
        db.deal_history(_some(at, draw))


def _parts(db: DealDatabase) -> tuple[Link, Keys]:
    return db._store.link, db._store.keys


def _first(at: Loaded, draw: random.Random) -> Run:
    def run() -> float:
        with DealDatabase.from_url(at.server.url, cache=False) as db:
            db.get_deal("none")
            return timed(lambda: db.deal_history(_some(at, draw)))

    return run
