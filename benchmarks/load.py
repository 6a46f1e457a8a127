"""Figures ``load``, ``load_wide`` and ``load_dirty``: deals a second into an empty server."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from benchmarks import raw
from benchmarks.bench import Bench
from benchmarks.deals import Deals
from benchmarks.measure import Figure, Run, in_turn, timed
from benchmarks.peers import local, models, redis_py
from benchmarks.peers.models import Rows
from benchmarks.peers.search import SearchIndex, hashes_of
from benchmarks.servers import Server
from dealdb import DealDatabase

RAW, FRAME, CSV = "raw HSET, encoded before", "dealdb, Polars frame", "dealdb, CSV file"
PIPELINE = "redis-py, pipeline"
SEARCH = "RediSearch index, pipeline"
# deals that a slow way is measured on, so that a run ends within the hour; it is given per deal
_MOST = {
    "redis-py, one connection a deal": 1_600,
    "redis-py, pooled": 20_000,
    "redis-om add": 100_000,
    "redis-om save": 2_000,
    "walrus create": 1_000,
    "rom commit": 2_000,
}
_REDIS_PY = {
    "redis-py, one connection a deal": redis_py.one_connection_each,
    "redis-py, pooled": redis_py.pooled,
    PIPELINE: redis_py.pipelined,
}
_SMALL = 10_000


class _Ways:
    """Ways of loading, each with how many deals it loads."""

    def __init__(self, bench: Bench, server: Server, deals: Deals) -> None:
        self._bench = bench
        self._server = server
        self._deals = deals
        self.runs: dict[str, Run] = {}
        self.counts: dict[str, int] = {}

    def dealdb(self) -> None:
        self._add(FRAME, lambda: self._load(self._deals.frame))
        path = self._deals.csv(self._bench.folder)
        self._add(CSV, lambda: self._load(path))

    def _load(self, source: object) -> None:
        with DealDatabase.from_url(self._server.url) as db:
            report = db.loader.load(source, bar=False, rejects=False)
            assert report.inserted == len(self._deals), report

    def raw(self) -> None:
        batches = raw.hset_batches(self._deals)

        def run() -> float:
            self._server.empty()
            return raw.send(self._server, batches, len(self._deals))

        self.runs[RAW], self.counts[RAW] = run, len(self._deals)

    def redis_py(self, *names: str) -> None:
        for name in names:
            hashes = self._deals.hashes(self._count(name))
            self._add(name, _bound(_REDIS_PY[name], self._server, hashes), len(hashes))

    def local(self) -> None:
        names, rows = self._deals.frame.columns, local.sqlite_rows(self._deals.frame)
        self._add("SQLite, executemany", lambda: local.sqlite_loaded(names, rows), in_process=True)
        self._add(
            "DuckDB, from the frame",
            lambda: local.duckdb_loaded(self._deals.frame),
            in_process=True,
        )

    def search(self, server: Server) -> None:
        index = SearchIndex(server)
        hashes = hashes_of(self._deals)

        def run() -> float:
            index.create()
            seconds = timed(lambda: index.load(hashes))
            assert index.count() == len(hashes)
            return seconds

        self.runs[SEARCH], self.counts[SEARCH] = run, len(hashes)

    def models(self, search: Server | None) -> None:
        if find_spec("walrus"):
            rows = self._deals.mappings(self._count("walrus create"))
            self._add("walrus create", models.walrus_way(self._server, rows), len(rows))
        if find_spec("rom"):
            rows = self._deals.mappings(self._count("rom commit"))
            self._add("rom commit", models.rom_way(self._server, rows), len(rows))
        if find_spec("redis_om") and search is not None:
            for name in ("redis-om add", "redis-om save"):
                rows = self._deals.mappings(self._count(name))
                self._om(name, search, rows)

    def _om(self, name: str, search: Server, rows: Rows) -> None:
        def run() -> float:
            SearchIndex(search).drop_all()
            return timed(models.redis_om_ways(search, rows)[name])

        self.runs[name], self.counts[name] = run, len(rows)

    def _count(self, name: str) -> int:
        return min(_MOST.get(name, len(self._deals)), len(self._deals))

    def _add(
        self,
        name: str,
        load: Callable[[], object],
        count: int | None = None,
        *,
        in_process: bool = False,
    ) -> None:
        count = count or len(self._deals)

        def run() -> float:
            self._server.empty()
            seconds = timed(load)
            # what did not arrive would have been loaded in no time
            assert in_process or self._server.client.dbsize() >= count, name
            return seconds

        self.runs[name], self.counts[name] = run, count


def _bound(
    load: Callable[[Server, redis_py.Hashes], None], server: Server, hashes: redis_py.Hashes
) -> Callable[[], None]:
    return lambda: load(server, hashes)


def load(bench: Bench, n: int) -> Figure:
    """All peers, deals of 8 fields."""
    figure = Figure("load", n)
    with bench.server() as server:
        ways = _Ways(bench, server, bench.deals(n))
        ways.raw()
        ways.dealdb()
        ways.redis_py(*_REDIS_PY)
        ways.local()
        ways.models(bench.search)
        if bench.search is not None:
            # last: the next figures find its index filled
            ways.search(bench.search)
        figure.rates(_measured(bench, n, ways), ways.counts, "deals/s")
    _compare(figure)
    figure.compare("load, frame, against a RediSearch index", FRAME, SEARCH, "speed", "load/search")
    figure.compare("load, frame, against redis-om add", FRAME, "redis-om add", "speed", "load/om")
    for name in ways.runs:
        if name not in (RAW, FRAME, CSV, PIPELINE, SEARCH, "redis-om add"):
            figure.compare(f"load, frame, against {name}", FRAME, name, "speed")
    return figure


def load_wide(bench: Bench, n: int) -> Figure:
    """Deals of 40 fields."""
    return _plain_peers(bench, n, "wide")


def load_dirty(bench: Bench, n: int) -> Figure:
    """Deals with nulls and long texts."""
    return _plain_peers(bench, n, "dirty")


def _plain_peers(bench: Bench, n: int, kind: str) -> Figure:
    figure = Figure(f"load_{kind}", n)
    with bench.server() as server:
        ways = _Ways(bench, server, bench.deals(n, kind))
        ways.raw()
        ways.dealdb()
        ways.redis_py(PIPELINE)
        figure.rates(_measured(bench, n, ways), ways.counts, "deals/s")
    _compare(figure)
    return figure


def _compare(figure: Figure) -> None:
    name = figure.name.replace("_", ", ")
    figure.compare(f"{name}, frame, against raw HSET", FRAME, RAW, "speed", "load/raw")
    figure.compare(f"{name}, CSV, against raw HSET", CSV, RAW, "speed", "load/raw")
    figure.compare(f"{name}, frame, against a pipeline", FRAME, PIPELINE, "speed", "load/pipeline")


def _measured(bench: Bench, n: int, ways: _Ways) -> dict[str, list[float]]:
    # imports at first use are not a cost of loading
    ways.runs[FRAME](), ways.runs[CSV]()
    return in_turn(ways.runs, 2 * bench.repeats - 1 if n <= _SMALL else bench.repeats)
