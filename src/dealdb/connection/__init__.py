"""
The way to a server: settings and URLs, a blocking pool, health, and an embedded server.

The order of the parts; nothing imports from a part behind it:
certificate, retry, fork, endpoint, pool_stats, embedded → url → settings → protocol → sentinels, waiter → pool → link →
cluster, server → redis_connection.
"""

from __future__ import annotations

import logging

from dealdb.connection.embedded.server import EmbeddedServer
from dealdb.connection.link import Argument, Link, OwnLink, packed_command, round_trips
from dealdb.connection.pool_stats import PoolStats
from dealdb.connection.redis_connection import RedisConnection
from dealdb.connection.server.dangers import Danger
from dealdb.connection.server.health import ServerHealth
from dealdb.connection.server.nodes import NodeHealth
from dealdb.connection.settings import Settings

__all__ = [
    "Argument",
    "Danger",
    "EmbeddedServer",
    "Link",
    "NodeHealth",
    "OwnLink",
    "PoolStats",
    "RedisConnection",
    "ServerHealth",
    "Settings",
    "packed_command",
    "round_trips",
]

# every package that logs needs this one; a program that has not set up logging gets nothing on stderr
logging.getLogger("dealdb").addHandler(logging.NullHandler())
