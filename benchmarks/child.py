"""
Processes of their own, for what can't be measured in one: memory, and many readers and writers at the same time.

``python -m benchmarks.child JOB ARGUMENT...`` prints one line of JSON for each answer.
"""

from __future__ import annotations

import json
import random
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Answer = dict[str, Any]
# saves a second of one writer: what a busy team does, not what the server can take
_PACE = 100
# slow enough to be kept: once late, every one after it would count as late too
_PINGS = 100


def load_csv(url: str, path: str) -> Iterator[Answer]:
    """Peak memory of a process that loads a file."""
    from dealdb import DealDatabase

    with DealDatabase.from_url(url) as db:
        report = db.loader.load(path, bar=False, rejects=False)
    yield {"loaded": report.inserted, "peak_mb": _status_mb("VmHWM")}


def load_parts(url: str, folder: str) -> Iterator[Answer]:
    """Seconds, processor time and peak memory of loads of files by one process, one behind the other."""
    from dealdb import DealDatabase

    for path in sorted(Path(folder).iterdir()):
        # the peak is that of this load
        Path("/proc/self/clear_refs").write_text("5")
        begun, used = time.perf_counter(), time.process_time()
        with DealDatabase.from_url(url) as db:
            db.loader.load(path, bar=False, rejects=False)
        yield {
            "s": time.perf_counter() - begun,
            "cpu_s": time.process_time() - used,
            "peak_mb": _status_mb("VmHWM"),
        }


def replica(url: str) -> Iterator[Answer]:
    """Memory of a process beyond its imports, once it has all columns."""
    import polars as pl

    from dealdb import DealDatabase

    pl.DataFrame({"a": [1]}).group_by("a").len()
    with DealDatabase.from_url(url) as db:
        db.connection.ping()
        before = _status_mb("VmRSS")
        frame = db.query.frame()
        _settle()
        yield {"mb": _status_mb("VmRSS") - before, "deals": frame.height}


def columns(path: str) -> Iterator[Answer]:
    """The same for a process that reads the columns from a file."""
    import polars as pl

    import dealdb.database  # noqa: F401  # the imports of the other one

    pl.DataFrame({"a": [1]}).group_by("a").len()
    before = _status_mb("VmRSS")
    frame = pl.read_ipc(Path(path).read_bytes())
    _settle()
    yield {"mb": _status_mb("VmRSS") - before, "deals": frame.height}


def word_index(url: str) -> Iterator[Answer]:
    """Processor time and memory of the index of words."""
    from dealdb import DealDatabase
    from dealdb.query.index.index_file import packed
    from dealdb.query.index.token_index import token_index
    from dealdb.query.results.rows import text_columns

    with DealDatabase.from_url(url, cache=False) as db:
        frame = db.query.frame()
    # what is imported at first use is not a cost of the index
    token_index(frame.head(1_000), text_columns(frame, None))
    _settle()
    before, used = _status_mb("VmRSS"), time.process_time()
    index = token_index(frame, text_columns(frame, None))
    used = time.process_time() - used
    _settle()
    yield {
        "cpu_s": used,
        "mb": _status_mb("VmRSS") - before,
        "bytes": index.nbytes,
        "file_bytes": len(packed(index)),
        "deals": frame.height,
    }


def finds(url: str, cache: str) -> Iterator[Answer]:
    """Seconds of the first finds of a process that has imported all, of other columns each."""
    import polars as pl

    from dealdb import DealDatabase
    from dealdb.query import QueryEngine

    QueryEngine.over(pl.DataFrame({"id": ["D1"], "stage": ["Won"]})).find("stage = 'Won'", limit=20)
    taken = []
    with DealDatabase.from_url(url, cache=cache == "on") as db:
        db.connection.ping()
        for where in ("stage = 'Won'", "amount > 50000", "created > '2025-01-01'"):
            begun = time.perf_counter()
            db.query.find(where, limit=20)
            taken.append(time.perf_counter() - begun)
    yield {"s": taken}


def first_sql(url: str, isolated: str) -> Iterator[Answer]:
    """Seconds of the first statement of a process that has all columns, and its memory beyond these."""
    from dealdb import DealDatabase

    with DealDatabase.from_url(url, sql_isolated=isolated == "on") as db:
        frame = db.query.frame()
        _settle()
        before = _whole_mb()
        begun = time.perf_counter()
        db.query.sql("SELECT stage, count(*) AS n, sum(amount) AS total FROM deals GROUP BY stage")
        first = time.perf_counter() - begun
        two = _whole_mb() - before
        db.query.sql("SELECT max(COLUMNS(*)) FROM deals")
        yield {
            "first_s": first,
            "mb": two,
            "all_mb": _whole_mb() - before,
            "deals": frame.height,
        }


def _whole_mb() -> float:
    """Memory of this process and its children; pages that they share count once."""
    children = [
        child
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return sum(_proportional_mb(pid) for pid in ("self", *children))


def _proportional_mb(pid: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _settle() -> None:
    """Wait until the allocator of Polars has given back what was only needed to read: it does so when used next."""
    import polars as pl

    for _ in range(3):
        time.sleep(1)
        pl.Series(range(100_000)).sort()


def read_dealdb(url: str) -> Iterator[Answer]:
    import polars as pl

    from dealdb import DealDatabase

    with DealDatabase.from_url(url) as db:
        yield from _runs(
            lambda _: db.query.frame().group_by("stage").agg(pl.col("amount").sum(), pl.len())
        )


def write_dealdb(url: str, deals: str) -> Iterator[Answer]:
    from dealdb import DealDatabase

    with DealDatabase.from_url(url) as db:
        yield from _runs(
            lambda k: db.save_deal({"id": f"D{_any_of(deals)}", "amount": k}), pace=_PACE
        )


def read_search(url: str) -> Iterator[Answer]:
    from benchmarks.peers.search import SearchIndex
    from benchmarks.servers import Server

    with Server(url) as server:
        index = SearchIndex(server)
        yield from _runs(lambda _: index.group_by_stage())


def write_search(url: str, deals: str) -> Iterator[Answer]:
    from benchmarks.peers.search import SearchIndex
    from benchmarks.servers import Server

    with Server(url) as server:
        index = SearchIndex(server)
        yield from _runs(lambda k: index.save(f"D{_any_of(deals)}", amount=k), pace=_PACE)


def ping(url: str) -> Iterator[Answer]:
    """Answers to PING, one after the other."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port)) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def once(_: int) -> None:
            link.sendall(b"PING\r\n")
            link.recv(16)

        yield from _runs(once, pace=_PINGS)


def _runs(action: Callable[[int], object], pace: float | None = None) -> Iterator[Answer]:
    """
    For each line with a number of seconds on standard input: what the action did in that time.

    With 0 seconds it continues until the next line.
    """
    action(0)
    yield {"ready": True}
    while line := sys.stdin.readline():
        yield _one_run(action, float(line), pace)


def _one_run(action: Callable[[int], object], seconds: float, pace: float | None) -> Answer:
    """Until the time is over; at a pace, a late action counts from when it should have begun."""
    taken: list[float] = []
    begun = now = time.perf_counter()
    while now - begun < seconds if seconds else not _line_waits():
        due = begun + len(taken) / pace if pace else now
        if due > now:
            time.sleep(due - now)
        action(len(taken) + 1)
        now = time.perf_counter()
        taken.append(now - due)
    taken.sort()
    return {
        "count": len(taken),
        "seconds": now - begun,
        "p50_ms": 1e3 * taken[len(taken) // 2],
        "p99_ms": 1e3 * taken[int(len(taken) * 0.99)],
        "max_ms": 1e3 * taken[-1],
    }


def _line_waits() -> bool:
    if not select.select([sys.stdin], [], [], 0)[0]:
        return False
    sys.stdin.readline()
    return True


def _any_of(deals: str) -> int:
    return random.randrange(int(deals)) + 1


def _status_mb(name: str) -> float:
    """A line of ``/proc/self/status``; the peak of the resource module would be that of the parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise KeyError(name)


JOBS: dict[str, Callable[..., Iterator[Answer]]] = {
    job.__name__: job
    for job in (
        load_csv, load_parts, replica, columns, word_index, finds, first_sql, read_dealdb, write_dealdb, read_search,
        write_search, ping,
    )
}  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    job, *rest = arguments
    for answer in JOBS[job](*rest):
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
