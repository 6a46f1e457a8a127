"""A connection of the Redis client's, without what the client would do behind our back."""

from __future__ import annotations

from typing import Any

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from dealdb.connection.protocol.redis_py import BoundedParser
from dealdb.connection.settings import Settings
from dealdb.secret import Secret

# how much of a reply is taken at a time: the client's own 32 KiB cost a process a fifth of its start
READ_BYTES = 262_144


def new_connection(settings: Settings, db: int) -> Any:
    """Build a connection of the client's, unconnected."""
    # Any: the client's classes are only half typed
    common: dict[str, Any] = {
        "db": db,
        "username": settings.username,
        "password": settings.password.reveal()
        if isinstance(settings.password, Secret)
        else settings.password,
        "socket_timeout": settings.socket_timeout_s,
        "socket_connect_timeout": settings.socket_timeout_s,
        "socket_read_size": READ_BYTES,
        "parser_class": BoundedParser,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "legacy_responses": True,
        "decode_responses": False,
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    kind: Any
    if settings.unix_socket is not None:
        kind, common["path"] = UnixDomainSocketConnection, str(settings.unix_socket)
        return kind(**common)
    common |= {"host": settings.host, "port": settings.port}
    if not settings.tls:
        kind = Connection
        return kind(**common)
    if settings.tls_insecure:
        common |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    files = {
        "ssl_ca_certs": settings.tls_ca,
        "ssl_certfile": settings.tls_cert,
        "ssl_keyfile": settings.tls_key,
    }
    common |= {name: path and str(path) for name, path in files.items()}
    # a key that is encrypted by now would make OpenSSL ask at the terminal
    common["ssl_password"] = ""
    kind = SSLConnection
    return kind(**common)
