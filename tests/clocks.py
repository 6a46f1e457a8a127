"""Commits that bear times of one's choice, as a server makes them whose clock is set."""

from __future__ import annotations

from hashlib import sha1
from typing import Any

import msgpack

from dealdb.connection import Link


def commit_at(link: Link, time_ms: int, amount: int, deal: str = "x") -> int:
    """Set the amount of a deal that is there, by a commit of this time; returns its number."""
    seq, before, rows = link.call("HMGET", "deals:meta", "seq", "hash", "rows")
    number, row = int(seq) + 1, int(link.call("HGET", f"deal:{deal}", "_row"))
    chain = sha1(b"%b %d clock %d %d" % (before, number, number, time_ms)).hexdigest()[:16]
    entry: dict[str, Any] = {
        "hash": chain, "time": time_ms, "writer": "clock", "counter": number, "actor": "",
        "kind": "set", "height": rows, "rows": msgpack.packb([row]),
        "data": msgpack.packb([[deal], ["amount"], [[str(amount)]]]),
    }  # fmt: skip
    words = [word for item in entry.items() for word in item]
    link.calls(
        [
            ("XADD", "deals:log", f"{number}-0", *words),
            ("HSET", f"deal:{deal}", "amount", amount, "_rev", number),
            ("HSET", "deals:meta", "seq", number, "hash", chain, "time", time_ms),
        ]
    )
    return number


def clock_of(link: Link) -> int:
    """The server's time, milliseconds since 1970."""
    seconds, micros = map(int, link.call("TIME"))
    return seconds * 1000 + micros // 1000
