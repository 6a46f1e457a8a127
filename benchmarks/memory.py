"""Figure ``memory``: of the server, of the loader and of a process that queries."""

from __future__ import annotations

from benchmarks import raw
from benchmarks.bench import Bench
from benchmarks.children import asked
from benchmarks.measure import Figure, Way
from benchmarks.servers import Server
from dealdb import DealDatabase

_MB = 1e6
BARE, LOADED = "server, bare hashes", "server, after the bulk load"
CHECKPOINT = "server, after its checkpoint"
LOADER, REPLICA, COLUMNS = "loader of the CSV file, peak", "replica", "bare columns"


def memory(bench: Bench, n: int) -> Figure:
    """Megabytes beyond those of an empty server or a process that has imported all."""
    figure = Figure("memory", n)
    bench.drop_loaded()
    for name, mb in {**_bare(bench, n), **_dealdb(bench, n)}.items():
        figure.ways.append(Way(name, "MB", [mb]))
    figure.compare(
        "server memory after the load, against bare hashes", LOADED, BARE, "cost", "memory"
    )
    figure.compare(
        "server memory with checkpoint, against bare hashes", CHECKPOINT, BARE, "cost", "memory"
    )
    figure.compare("memory of a replica, against bare columns", REPLICA, COLUMNS, "cost")
    figure.value("peak memory of the loader", LOADER, "loader_rss")
    figure.notes.append("the loader's memory is that of its whole process, with Python and imports")
    return figure


def _bare(bench: Bench, n: int) -> dict[str, float]:
    deals = bench.deals(n)
    with bench.server() as server:
        empty = server.memory
        raw.send(server, raw.hset_batches(deals, internal=False), n)
        found = {BARE: (server.memory - empty) / _MB}
    path = bench.folder / "columns.arrow"
    deals.frame.write_ipc(path)
    found[COLUMNS] = _mb(asked("columns", path), n)
    path.unlink()
    return found


def _dealdb(bench: Bench, n: int) -> dict[str, float]:
    with bench.server() as server:
        empty = server.memory
        answer = asked("load_csv", server.url, bench.deals(n).csv(bench.folder))
        assert answer["loaded"] == n
        loaded = server.memory - empty
        _use(server)
        return {
            LOADED: loaded / _MB,
            CHECKPOINT: (server.memory - empty) / _MB,
            LOADER: answer["peak_mb"],
            REPLICA: _mb(asked("replica", server.url), n),
        }


def _use(server: Server) -> None:
    """What follows a load: somebody queries, somebody saves, somebody else queries."""
    for _ in range(2):
        with DealDatabase.from_url(server.url) as db:
            db.query.count()
            db.save_deal({"id": "D1", "amount": db.query.count(amount=1)})


def _mb(answer: dict[str, float], n: int) -> float:
    assert answer["deals"] == n
    return answer["mb"]
