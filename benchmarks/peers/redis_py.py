"""redis-py alone: the same hashes, written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from benchmarks.deals import Hash
from benchmarks.servers import Server

Hashes = Sequence[tuple[str, Hash]]
_PIPELINE = 1_000


def one_connection_each(server: Server, hashes: Hashes) -> None:
    for id_, fields in hashes:
        with redis.Redis.from_url(server.url) as client:
            client.hset(f"deal:{id_}", mapping=fields)


def pooled(server: Server, hashes: Hashes) -> None:
    with redis.Redis.from_url(server.url) as client:
        for id_, fields in hashes:
            client.hset(f"deal:{id_}", mapping=fields)


def pipelined(server: Server, hashes: Hashes, prefix: str = "deal:") -> None:
    with redis.Redis.from_url(server.url) as client:
        pipeline = client.pipeline(transaction=False)
        for start in range(0, len(hashes), _PIPELINE):
            for id_, fields in hashes[start : start + _PIPELINE]:
                pipeline.hset(f"{prefix}{id_}", mapping=fields)
            pipeline.execute()
