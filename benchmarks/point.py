"""Figure ``point``: one deal saved or read, against the bare command over a pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import redis

from benchmarks.bench import Bench, Loaded
from benchmarks.measure import Figure, Run, in_turn, timed

_THREADS = (1, 8)
_OPERATIONS = 1_000
_ROUNDS = 7
_POOL = 10

Operation = Callable[[int], object]


def point(bench: Bench, n: int) -> Figure:
    """Saving a new deal, saving a change, reading a deal: microseconds for each."""
    figure = Figure("point", n)
    operations = _operations(bench.loaded(n))
    for threads in _THREADS:
        runs = {_name(way, threads): _run(each, threads) for way, each in operations.items()}
        seconds = in_turn(runs, _ROUNDS, warm=True)
        figure.rates(seconds, dict.fromkeys(runs, _OPERATIONS), "operations/s")
    for threads in _THREADS:
        for ours, theirs, budget in (
            ("save_deal, new", "HSET, new", "save"),
            ("save_deal, a change", "HSET, a change", "save"),
            ("get_deal", "HGETALL", "get"),
        ):
            mine, other = _name(ours, threads), _name(theirs, threads)
            figure.compare(f"{mine}, against redis-py {theirs}", mine, other, "cost", budget)
    return figure


def _name(way: str, threads: int) -> str:
    return way if threads == 1 else f"{way}, {threads} threads"


def _operations(at: Loaded) -> dict[str, Operation]:
    db = at.open(max_connections=_POOL)
    pool = redis.BlockingConnectionPool.from_url(at.server.url, max_connections=_POOL)
    bare = redis.Redis.from_pool(pool)
    ids = [str(id_) for id_ in at.deals.frame["id"].head(_OPERATIONS)]
    example, texts = at.deals.mappings(1)[0], at.deals.hashes(1)[0][1]
    given = {name: value for name, value in example.items() if name != "id"}
    new, amounts = count(), count(1)
    return {
        "save_deal, new": lambda _: db.save_deal({**given, "id": f"new-{next(new)}"}),
        "HSET, new": lambda _: bare.hset(f"bare:{next(new)}", mapping=texts),
        "save_deal, a change": lambda k: db.save_deal(
            {"id": ids[k % len(ids)], "amount": next(amounts)}
        ),
        "HSET, a change": lambda k: bare.hset(f"bare:{k}", mapping={"amount": next(amounts)}),
        "get_deal": lambda k: db.get_deal(ids[k % len(ids)]),
        "HGETALL": lambda k: bare.hgetall(f"deal:{ids[k % len(ids)]}"),
    }


def _run(operation: Operation, threads: int) -> Run:
    def one_thread(numbers: Sequence[int]) -> None:
        for number in numbers:
            operation(number)

    def run() -> float:
        if threads == 1:
            return timed(lambda: one_thread(range(_OPERATIONS)))
        shares = [range(k, _OPERATIONS, threads) for k in range(threads)]
        with ThreadPoolExecutor(threads) as pool:
            return timed(lambda: list(pool.map(one_thread, shares)))

    return run
