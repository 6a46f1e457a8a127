"""
``python -m benchmarks.cluster``: the same deals on one server, and on clusters of one and of three primaries.

Results and page are its own. Servers, clients and what is measured share the cores of one machine, so that the clusters
show what partitions cost, and hardly what further machines would give.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import polars as pl
import redis
from redis.cluster import ClusterNode, RedisCluster

from benchmarks import deals, hundred_million
from benchmarks.__main__ import machine_of
from benchmarks.bench import Bench
from benchmarks.measure import Figure, in_turn, timed
from benchmarks.queries import have_index
from benchmarks.report import header, machine_lines, number, row
from benchmarks.servers import Server, running
from dealdb import DealDatabase
from dealdb.query.index import kept_index

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results" / "cluster", HERE.parent / "docs" / "benchmarks-cluster.md"
SIZE = 300_000
PARTITIONS = (1, 16, 64, 256)
PRIMARIES = (1, 3)
_SLOTS = 16_384
_THREADS, _SAVES = 8, 250
_ROUNDS, _LOADS = 7, 3
_LAST = f"load{_LOADS - 1}"
_PROCESSOR = ", client"
_SERVERS = ", servers"


class Place:
    """Servers under one URL, and how many partitions a collection there is made of."""

    def __init__(
        self, name: str, url: str, servers: Sequence[Server], partitions: int | None
    ) -> None:
        self.name, self.url, self.servers, self.partitions = name, url, servers, partitions

    def open(self, collection: str) -> DealDatabase:
        return DealDatabase.from_url(
            self.url,
            collection=f"{collection}p{self.partitions or 0}",
            partitions=self.partitions,
            cache=False,
        )

    @property
    def cpu_s(self) -> float:
        return sum(server.cpu_s for server in self.servers)


def cluster(bench: Bench, n: int) -> Figure:
    """Loads, saves and queries at each number of partitions, and redis-py's own cluster client beside them."""
    figure = Figure("cluster", n)
    with ExitStack() as keep:
        server = keep.enter_context(bench.server())
        clusters = {k: _cluster(bench, keep, k) for k in PRIMARIES}
        places = [Place("one server", server.url, [server], None)]
        for k, (url, nodes) in clusters.items():
            named = f"{k} primar{'y' if k == 1 else 'ies'}"
            places += [Place(f"{named}, {p} partitions", url, nodes, p) for p in PARTITIONS]
        frame = deals.plain(n).frame
        _loads(figure, places, frame)
        _saves(figure, places, clusters)
        _queries(figure, places, n)
        _checks(figure, places, clusters)
    return figure


def _cluster(bench: Bench, keep: ExitStack, n: int) -> tuple[str, list[Server]]:
    """Primaries with an even share of the slots."""
    nodes = [
        keep.enter_context(
            running(bench.flavor, bench.folder / f"{n}-{k}", "--cluster-enabled", "yes")
        )
        for k in range(n)
    ]
    bounds = [k * _SLOTS // n for k in range(n + 1)]
    for node, first, stop in zip(nodes, bounds, bounds[1:], strict=False):
        node.call("CLUSTER", "ADDSLOTS", *range(first, stop))
        node.call("CLUSTER", "MEET", *nodes[0].address)
    deadline = time.monotonic() + 30
    while not all(_is_ok(node, n) for node in nodes):
        if time.monotonic() > deadline:
            raise RuntimeError("the nodes did not become a cluster")
        time.sleep(0.05)
    host, port = nodes[0].address
    return f"redis+cluster://{host}:{port}/", nodes


def _is_ok(node: Server, n: int) -> bool:
    with suppress(redis.RedisError):
        about = node.call("CLUSTER", "INFO").decode()
        return "cluster_state:ok" in about and f"cluster_known_nodes:{n}\r" in about
    return False


def _took(
    figure: Figure,
    runs: Mapping[str, tuple[Place, Callable[[], object]]],
    rounds: int,
    each: int = 1,
) -> None:
    """Wall time of each, processor time of this process, and that of the servers."""
    used: dict[str, list[float]] = {}

    def run(name: str, place: Place, action: Callable[[], object]) -> float:
        before, servers = time.process_time(), place.cpu_s
        seconds = timed(action)
        used.setdefault(name + _PROCESSOR, []).append((time.process_time() - before) / each)
        used.setdefault(name + _SERVERS, []).append((place.cpu_s - servers) / each)
        return seconds / each

    walls = in_turn({name: partial(run, name, *how) for name, how in runs.items()}, rounds)
    figure.times(walls)
    figure.times(used)


def _loads(figure: Figure, places: Sequence[Place], frame: pl.DataFrame) -> None:
    def load(place: Place, collection: str) -> None:
        with place.open(collection) as db:
            db.loader.load(frame, bar=False)

    for place in places:
        # what is imported at first use is not a cost of loading
        with place.open("warm") as db:
            db.loader.load(frame.head(10), bar=False)
    for each in range(_LOADS):
        if each:
            # the last ones stay, for the queries
            _empty(places)
        runs = {f"load, {p.name}": (p, partial(load, p, f"load{each}")) for p in places}
        one_round = Figure("load", frame.height)
        _took(one_round, runs, 1, each=frame.height)
        for way in one_round.ways:
            known = figure.way(way.name)
            if known is None:
                figure.ways.append(way)
            else:
                known.values.extend(way.values)


def _empty(places: Sequence[Place]) -> None:
    for server in {server for place in places for server in place.servers}:
        server.empty()


def _saves(
    figure: Figure, places: Sequence[Place], clusters: dict[int, tuple[str, list[Server]]]
) -> None:
    """Saves of single deals by some threads, and the same fields by redis-py."""
    with ExitStack() as keep:
        runs: dict[str, tuple[Place, Callable[[], object]]] = {}
        for place in places:
            db = keep.enter_context(place.open("saves"))
            runs[f"save, {place.name}"] = (place, partial(_by_threads, partial(_save, db)))
        for k, (_, nodes) in clusters.items():
            client = keep.enter_context(_client(nodes))
            place = Place("", "", nodes, None)
            name = f"save, RedisCluster, {k} primar{'y' if k == 1 else 'ies'}"
            runs[name] = (place, partial(_by_threads, partial(_hset, client)))
        for _, action in runs.values():
            action()
        _took(figure, runs, 3, each=_THREADS * _SAVES)


def _by_threads(work: Callable[[int], object]) -> None:
    threads = [threading.Thread(target=work, args=(k,)) for k in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _deal(who: int, k: int) -> dict[str, object]:
    return {
        "id": f"s{who}-{k}",
        "name": "Acme renewal",
        "stage": "Won",
        "amount": time.perf_counter_ns(),
    }


def _save(db: DealDatabase, who: int) -> None:
    for k in range(_SAVES):
        db.save_deal(_deal(who, k))


def _hset(client: RedisCluster, who: int) -> None:
    for k in range(_SAVES):
        deal = _deal(who, k)
        client.hset(f"raw:{deal.pop('id')}", mapping=deal)  # type: ignore[arg-type]  # as redis-py declares it


def _client(nodes: Sequence[Server]) -> RedisCluster:
    host, port = nodes[0].address
    first = ClusterNode(host, port)  # type: ignore[no-untyped-call]  # it has no types
    return RedisCluster(startup_nodes=[first], protocol=2)


def _queries(figure: Figure, places: Sequence[Place], n: int) -> None:
    """Queries of a process that is up to date but for one commit, and of one that begins."""
    with ExitStack() as keep:
        fresh: dict[str, tuple[Place, Callable[[], object]]] = {}
        grouped: dict[str, tuple[Place, Callable[[], object]]] = {}
        cold: dict[str, tuple[Place, Callable[[], object]]] = {}
        scanned: dict[str, tuple[Place, Callable[[], object]]] = {}
        searched: dict[str, tuple[Place, Callable[[], object]]] = {}
        readers: list[DealDatabase] = []
        for place in places:
            writer, reader = (keep.enter_context(place.open(_LAST)) for _ in range(2))
            assert reader.query.count() == n
            fresh[f"count after a commit, {place.name}"] = (place, partial(_count, writer, reader))
            grouped[f"group-by after a commit, {place.name}"] = (
                place,
                partial(_group, writer, reader),
            )
            cold[f"cold start, {place.name}"] = (place, partial(_cold, place))
            scanned[f"scan after a commit, {place.name}"] = (
                place,
                partial(_search, writer, reader),
            )
            searched[f"search after a commit, {place.name}"] = (
                place,
                partial(_search, writer, reader),
            )
            readers.append(reader)
        for runs in (fresh, grouped):
            for _, action in runs.values():
                action()
            _took(figure, runs, _ROUNDS)
        with _no_index():
            _took(figure, scanned, 3)
        for reader in readers:
            have_index(partial(_words, reader))
        _took(figure, searched, _ROUNDS)
        _took(figure, cold, 3)


_AMOUNTS = iter(range(1, 10**9))


def _commit(writer: DealDatabase) -> None:
    writer.save_deal({"id": "D1", "amount": next(_AMOUNTS)})


def _count(writer: DealDatabase, reader: DealDatabase) -> None:
    _commit(writer)
    reader.query.count("amount > 50000")


def _group(writer: DealDatabase, reader: DealDatabase) -> None:
    _commit(writer)
    reader.query.frame().group_by("stage").agg(pl.col("amount").sum(), pl.len())


def _search(writer: DealDatabase, reader: DealDatabase) -> None:
    _commit(writer)
    _words(reader)


def _words(reader: DealDatabase) -> None:
    reader.query.search("meridian renewal", limit=20)


@contextmanager
def _no_index() -> Iterator[None]:
    """Let no search have an index of words made, as the first one of a process has none."""
    searches, kept_index._SEARCHES = kept_index._SEARCHES, 1_000_000
    try:
        yield
    finally:
        kept_index._SEARCHES = searches


def _cold(place: Place) -> None:
    with place.open(_LAST) as db:
        db.query.count("stage = 'Won'")


def _checks(
    figure: Figure, places: Sequence[Place], clusters: dict[int, tuple[str, list[Server]]]
) -> None:
    """What a query asks where nothing is new: dealdb's way, and the same commands by redis-py."""
    with ExitStack() as keep:
        runs: dict[str, tuple[Place, Callable[[], object]]] = {}
        for place in places:
            db = keep.enter_context(place.open(_LAST))
            db.query.count()
            runs[f"check, {place.name}"] = (place, partial(_often, db.query.count))
        for k, (_, nodes) in clusters.items():
            client = keep.enter_context(_client(nodes))
            for p in PARTITIONS:
                metas = [f"checks:{{{n}}}:meta" for n in range(p)]
                place = Place("", "", nodes, None)
                name = f"check, RedisCluster, {k} primar{'y' if k == 1 else 'ies'}, {p} hashes"
                runs[name] = (place, partial(_often, partial(_ask_all, client, metas)))
        for _, action in runs.values():
            action()
        _took(figure, runs, _ROUNDS, each=_OFTEN)


_OFTEN = 50


def _often(action: Callable[[], object]) -> None:
    for _ in range(_OFTEN):
        action()


def _ask_all(client: RedisCluster, metas: Sequence[str]) -> object:
    pipeline = client.pipeline()  # type: ignore[no-untyped-call]  # it has no types
    for meta in metas:
        pipeline.hmget(meta, "seq", "hash")
    return pipeline.execute()


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--n", type=int, default=SIZE, help="deals; default %(default)s")
    parser.add_argument("--only", choices=("cluster", "simulation"), help="one part of the page")
    parser.add_argument("--render", action="store_true", help="run nothing, only write the page")
    options = parser.parse_args()
    if not options.render:
        with tempfile.TemporaryDirectory(prefix="dealdb-bench") as folder:
            bench = Bench(Path(folder))
            try:
                if options.only != "simulation":
                    _keep(bench, lambda: cluster(bench, options.n))
                if options.only != "cluster":
                    _keep(bench, lambda: hundred_million.partition(bench))
                    _keep(bench, hundred_million.spread)
            finally:
                bench.close()
    figures = {(figure := Figure.load(path)).name: figure for path in RESULTS.glob("*.json")}
    PAGE.write_text("\n".join(_page(figures)) + "\n")
    print(f"written: {PAGE}")


def _keep(bench: Bench, measure: Callable[[], Figure]) -> None:
    begun = time.monotonic()
    figure = measure()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    figure.notes.append(f"load of the machine at the end: {load} (1, 5 and 15 minutes)")
    figure.took_s = time.monotonic() - begun
    figure.machine = machine_of(bench) | {"command": "make bench-cluster"}
    for old in RESULTS.glob(f"{figure.name}-*.json"):
        old.unlink()
    figure.save(RESULTS)
    print(f"{figure.name}: {figure.took_s:.0f} s", flush=True)


def _page(figures: Mapping[str, Figure]) -> Iterator[str]:
    figure = figures["cluster"]
    yield "# Benchmarks on clusters\n"
    yield (
        f"Written by `make bench-cluster`, from its results: {figure.n:,} deals of 8 fields on one server, and on "
        "clusters of one and of three\nprimaries without replicas. **All of them share the cores of one machine**, "
        "which is what limits the clusters here: read the\nprocessor times of client and servers, and the ratios in a "
        "table. Medians of the rounds, in which each way has its turn.\n"
    )
    yield from machine_lines([figure])
    for what, unit, scale in (
        ("load", "us a deal", 1e3),
        ("save", "us a save, 8 threads", 1e3),
        ("check", "ms, nothing new", 1.0),
        ("count after a commit", "ms, commit included", 1.0),
        ("group-by after a commit", "ms, commit included", 1.0),
        (
            "scan after a commit",
            "ms, a search for two words without an index, commit included",
            1.0,
        ),
        ("search after a commit", "ms, the same with an index, commit included", 1.0),
        ("cold start", "ms to a count", 1.0),
    ):
        yield f"\n## {what.capitalize()} ({unit})\n"
        yield from header(
            "where", "time", "against one server", "client's processor", "servers' processors"
        )
        base = figure.way(f"{what}, one server")
        names = [way.name for way in figure.ways if way.name.startswith(f"{what}, ")]
        for name in names:
            if name.endswith((_PROCESSOR, _SERVERS)):
                continue
            wall, client, servers = (figure.way(name + end) for end in ("", _PROCESSOR, _SERVERS))
            assert base is not None
            assert wall is not None
            assert client is not None
            assert servers is not None
            ratio = wall.median / base.median
            cells = (number(scale * way.median) for way in (wall, client, servers))
            time_, of_client, of_servers = cells
            yield row(
                name.removeprefix(f"{what}, "), time_, f"{number(ratio)} x", of_client, of_servers
            )
    yield f"\nIt took {figure.took_s:.0f} s; {'; '.join(figure.notes)}."
    yield from hundred_million.section(figures["partition"], figures["spread"])


if __name__ == "__main__":
    main()
