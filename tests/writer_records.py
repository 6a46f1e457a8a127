"""The records of the writers as the server holds them, and how to let them grow old."""

from __future__ import annotations

import re

from dealdb.connection import Link

RECORD = re.compile(rb"(\d+) #([0-9a-f]*) (\d+) (.*)")


def records(link: Link) -> dict[bytes, bytes]:
    flat = link.call("HGETALL", "deals:writers")
    return dict(zip(flat[::2], flat[1::2], strict=True))


def age(link: Link, seconds: int) -> None:
    """Let the time of each writer's last use be longer ago."""
    for name, text in records(link).items():
        found = RECORD.fullmatch(text)
        assert found
        counter, digest, used_at, answer = found.groups()
        earlier = str(int(used_at) - seconds).encode()
        record = b" ".join((counter, b"#" + digest, earlier, answer))
        link.call("HSET", "deals:writers", name, record)
    link.call("HDEL", "deals:meta", "swept")
