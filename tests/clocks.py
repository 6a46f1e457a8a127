"""Commits that bear times of one's choice, as a server makes them whose clock is set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path
from typing import Any

import msgpack
import pytest

from dealdb.connection import Link
from dealdb.store.keys import Keys
from servers import Server

_KEYS = Keys("deal")


def commit_at(link: Link, time_ms: int, amount: int, deal: str = "x", keys: Keys = _KEYS) -> int:
    """Set the amount of a deal that is there, by a commit of this time; returns its number."""
    seq, before, rows = link.call("HMGET", keys.meta, "seq", "hash", "rows")
    number, row = int(seq) + 1, int(link.call("HGET", keys.deal(deal), "_row"))
    chain = sha1(b"%b %d clock %d %d" % (before, number, number, time_ms)).hexdigest()[:16]
    entry: dict[str, Any] = {
        "hash": chain, "time": time_ms, "writer": "clock", "counter": number, "actor": "",
        "kind": "set", "height": rows, "rows": msgpack.packb([row]),
        "data": msgpack.packb([[deal], ["amount"], [[str(amount)]]]),
    }  # fmt: skip
    words = [word for item in entry.items() for word in item]
    link.calls(
        [
            ("XADD", keys.log, f"{number}-0", *words),
            ("HSET", keys.deal(deal), "amount", amount, "_rev", number),
            ("HSET", keys.meta, "seq", number, "hash", chain, "time", time_ms),
        ]
    )
    return number


def clock_of(link: Link) -> int:
    """The server's time, milliseconds since 1970."""
    seconds, micros = map(int, link.call("TIME"))
    return seconds * 1000 + micros // 1000


def faketime() -> Path | None:
    """The library that gives a server another clock, where it is installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@contextmanager
def with_clock(server: Server, folder: Path) -> Iterator[Callable[[str], None]]:
    """Start a server of which the clock can be set: ``+365d``, ``-7200`` seconds, ``+0``."""
    library, spec = faketime(), folder / "clock"
    spec.write_text("+0\n")
    names = {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(spec), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip

    def set_clock(to: str) -> None:
        before = _seconds(server)
        spec.write_text(f"{to}\n")
        deadline = time.monotonic() + 30
        while abs(_seconds(server) - before) < 60 and time.monotonic() < deadline:
            time.sleep(0.01)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        server.start()
    yield set_clock


def _seconds(server: Server) -> int:
    with server.client() as client:
        return int(client.time()[0])
