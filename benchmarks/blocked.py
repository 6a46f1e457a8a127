"""Figure ``blocked``: how long others wait while deals are loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks import raw
from benchmarks.bench import Bench
from benchmarks.children import Child
from benchmarks.deals import Deals
from benchmarks.measure import Figure, Way, in_turn
from benchmarks.servers import Server
from dealdb import DealDatabase

_MOST = 100_000
_PAUSE_S = 1.0
_KINDS = {"8 fields": "plain", "40 fields": "wide"}


def blocked(bench: Bench, n: int) -> Figure:
    """The longest command of a bulk load by the server's own clock, and the longest PING of another client."""
    figure = Figure("blocked", n)
    bench.drop_loaded()
    with bench.server() as server, Child("ping", server.url) as pinger:
        pinger.answer()
        server.client.config_set("latency-monitor-threshold", 1)
        measured = _Measured(server, pinger)
        for label, kind in _KINDS.items():
            deals = bench.deals(min(n, _MOST), kind)
            measured.add(f"dealdb, {label}", _loading(server, deals))
            measured.add(f"raw HSET, {label}", _sending(server, deals))
        measured.add("nothing", lambda: time.sleep(_PAUSE_S))
        in_turn(measured.runs, bench.repeats)
    figure.ways += measured.ways()
    for label in _KINDS:
        what = f"longest command of a load, {label}"
        figure.value(what, f"dealdb, {label}: longest command", "blocked")
        name = f"{label}: longest PING"
        figure.compare(
            f"longest PING during a load, {label}, against raw HSET",
            f"dealdb, {name}",
            f"raw HSET, {name}",
            "cost",
        )
    figure.notes.append(
        "the longest is in whole milliseconds, rounded up, and includes waiting for a core, of which the loader, the "
        "server and the pinging process need three: so the longest HSET is as long. A commit is the command that took "
        "most of the time: for raw HSET one deal, for nothing one question of the measurement"
    )
    return figure


class _Seen(NamedTuple):
    """What came out of one load, in milliseconds."""

    longest: float
    p99: float
    p50: float
    ping: dict[str, Any]


class _Measured:
    """Ways of loading, with what the server and another client saw meanwhile."""

    def __init__(self, server: Server, pinger: Child) -> None:
        self._server = server
        self._pinger = pinger
        self.runs: dict[str, Callable[[], float]] = {}
        self._seen: dict[str, list[_Seen]] = {}

    def add(self, name: str, load: Callable[[], object]) -> None:
        self._seen[name] = []

        def run() -> float:
            self._server.empty()
            self._server.call("LATENCY", "RESET")
            self._server.client.config_resetstat()
            self._pinger.tell(0)
            load()
            # any line ends it
            self._pinger.tell(0)
            ping = self._pinger.answer()
            self._seen[name].append(_Seen(self._longest_ms(), *self._usual_ms(), ping))
            return 1.0

        self.runs[name] = run

    def _longest_ms(self) -> float:
        """Of all commands; the monitor leaves out what took less than a millisecond."""
        events = self._server.call("LATENCY", "LATEST")
        return 1 + max((event[3] for event in events if b"command" in event[0]), default=0)

    def _usual_ms(self) -> tuple[float, float]:
        """99 % and half of the calls of the command that took most of the server's time took no longer."""
        stats: dict[str, dict[str, float]] = self._server.client.info("commandstats")
        most = max(stats, key=lambda name: stats[name]["usec"]).removeprefix("cmdstat_")
        latencies: dict[str, dict[str, float]] = self._server.client.info("latencystats")
        found = latencies[f"latency_percentiles_usec_{most}"]
        return found["p99"] / 1e3, found["p50"] / 1e3

    def ways(self) -> list[Way]:
        return [
            way
            for name, seen in self._seen.items()
            for way in (
                Way(f"{name}: longest command", "ms", [each.longest for each in seen]),
                Way(f"{name}: 99 % of the commits", "ms", [each.p99 for each in seen]),
                Way(f"{name}: half of the commits", "ms", [each.p50 for each in seen]),
                Way(f"{name}: longest PING", "ms", [each.ping["max_ms"] for each in seen]),
                Way(f"{name}: PING, 99 %", "ms", [each.ping["p99_ms"] for each in seen]),
            )
        ]


def _loading(server: Server, deals: Deals) -> Callable[[], None]:
    def load() -> None:
        with DealDatabase.from_url(server.url) as db:
            db.loader.load(deals.frame, bar=False)

    return load


def _sending(server: Server, deals: Deals) -> Callable[[], object]:
    batches = raw.hset_batches(deals)
    return lambda: raw.send(server, batches, len(deals))
