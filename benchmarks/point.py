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
# reads and writes of a commit that changes one field, without a check: no save with a log entry can be quicker
_LEAST = """
local call = redis.call
call('HGET', KEYS[3], ARGV[1])
call('HMGET', KEYS[1], 'format', 'seq', 'hash', 'rows', 'deals', 'time', 'schema_version')
call('HMGET', KEYS[4], '_row', '_rev', 'amount')
call('XADD', KEYS[2], '*', 'hash', ARGV[3], 'time', ARGV[2], 'writer', ARGV[1], 'counter', ARGV[2], 'actor', ARGV[1],
  'kind', 'set', 'height', ARGV[2], 'rows', ARGV[2], 'data', ARGV[3])
call('HSET', KEYS[4], '_rev', ARGV[2], 'amount', ARGV[2], 'updated', ARGV[3])
call('HSET', KEYS[1], 'seq', ARGV[2], 'hash', ARGV[3], 'time', ARGV[2])
call('HSET', KEYS[3], ARGV[1], ARGV[3])
"""
_LEAST_KEYS = ("least:meta", "least:log", "least:writers")

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
            ("save_deal, a change", "least script, a change", ""),
            ("get_deal", "HGETALL", "get"),
        ):
            mine, other = _name(ours, threads), _name(theirs, threads)
            figure.compare(f"{mine}, against redis-py {theirs}", mine, other, "cost", budget)
        least, bare = (_name(way, threads) for way in ("least script, a change", "HSET, a change"))
        figure.compare(f"{least}, against redis-py HSET, a change", least, bare, "cost")
    figure.notes.append(
        "the least script has the reads and writes of a save, its log entry too, and checks nothing; redis-py sends it"
    )
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
    least = bare.register_script(_LEAST)
    return {
        "save_deal, new": lambda _: db.save_deal({**given, "id": f"new-{next(new)}"}),
        "HSET, new": lambda _: bare.hset(f"bare:{next(new)}", mapping=texts),
        "save_deal, a change": lambda k: db.save_deal(
            {"id": ids[k % len(ids)], "amount": next(amounts)}
        ),
        "HSET, a change": lambda k: bare.hset(f"bare:{k}", mapping={"amount": next(amounts)}),
        "least script, a change": lambda k: least(
            keys=[*_LEAST_KEYS, f"bare:{k}"],
            args=["0123456789abcdef", next(amounts), "2026-01-01T00:00:00Z"],
        ),
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
