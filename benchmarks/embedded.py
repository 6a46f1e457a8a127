"""Figure ``embedded``: a command on the embedded server, while that lingers and when it has to be started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.measure import Figure, in_turn, timed
from dealdb import DealDatabase
from dealdb.connection import EmbeddedServer
from dealdb.connection.embedded import keeper
from dealdb.connection.embedded.process import OPTIONS, binary

_ROUNDS = 5
_LINGER_S = 3600.0
_LINGERS, _STARTS, _READS = "dealdb get, lingering", "dealdb get, started", "server alone, started"


def embedded(bench: Bench, n: int) -> Figure:
    """A whole ``dealdb get``, against the time that the server needs to read its compact file."""
    figure = Figure("embedded", n)
    home = bench.folder / f"embedded-{n}"
    folder = home / "dealdb"
    with DealDatabase.embedded(folder, linger_s=0) as db:
        db.loader.load(bench.deals(n).frame, bar=False)
        # at any size, also one whose tail is too short to be worth it
        db.connection.link().call("BGREWRITEAOF")
        while keeper.is_compacting(str(folder / "socket")):
            time.sleep(0.02)
    runs = {
        _LINGERS: lambda: _get(home, lingering=True),
        _STARTS: lambda: _get(home, lingering=False),
        _READS: lambda: _read(folder),
    }
    try:
        figure.times(in_turn(runs, _ROUNDS, warm=True))
    finally:
        _end(folder)
    figure.compare("get while the server lingers", _LINGERS, _READS, "cost")
    figure.compare("get when it has to be started", _STARTS, _READS, "cost")
    figure.notes.append(
        "started alone, the server is asked until it answers; its file is in the compact form"
    )
    return figure


def _get(home: Path, *, lingering: bool) -> float:
    if lingering:
        EmbeddedServer.start(home / "dealdb", linger_s=_LINGER_S).close()
    else:
        _end(home / "dealdb")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DEALDB_")}
    places = {"XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
    environment = {**kept, **places, "DEALDB_LINGER_S": str(_LINGER_S)}
    command = [str(Path(sys.executable).with_name("dealdb")), "get", "D1"]
    return timed(
        lambda: subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    )


def _read(folder: Path) -> float:
    _end(folder)
    socket = str(folder / "socket")
    command = [str(binary()), *OPTIONS, "--dir", str(folder), "--unixsocket", socket]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        while not keeper.ask(socket, b"PING").startswith(b"+PONG"):
            time.sleep(0.002)
        took = time.perf_counter() - began
        server.terminate()
    return took


def _end(folder: Path) -> None:
    EmbeddedServer.start(folder, linger_s=0).close()
