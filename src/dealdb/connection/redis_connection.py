"""The connection: settings, pool and selected database of one server, behind one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from dealdb.connection.cluster.cluster_link import ClusterLink
from dealdb.connection.cluster.slots import SlotMap
from dealdb.connection.endpoint import DEFAULT_PORT
from dealdb.connection.link import Link
from dealdb.connection.pool import Pool
from dealdb.connection.pool_stats import PoolStats
from dealdb.connection.server.dangers import Danger
from dealdb.connection.server.health import ServerHealth, ask_server, ping
from dealdb.connection.server.nodes import dangers_of_all
from dealdb.connection.server.probe import Probe
from dealdb.connection.server.telling import TellingLink
from dealdb.connection.settings import DEFAULT_HOST, Settings, make_settings
from dealdb.connection.url import parse_url
from dealdb.errors import ConfigError, StoreError


class RedisConnection:
    """
    A pooled connection to one Redis or Valkey server.

    It opens nothing before the first command. Any number of threads may share it, and a forked child may keep
    using it: the child opens sockets of its own.

    Examples
    --------
    >>> connection = RedisConnection().connect("db.example", db=3, password="s3cret")
    >>> connection
    RedisConnection('redis://:***@db.example:6379/3')
    >>> connection.close()
    """

    def __init__(self) -> None:
        self._pool: Pool | None = None
        self._slots: SlotMap | None = None
        self._probe: Probe | None = None
        self._revive: Callable[[], None] | None = None
        self._trouble: Callable[[], str | None] | None = None

    def connect(
        self,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        db: int = 0,
        password: str | None = None,
        *,
        revive: Callable[[], None] | None = None,
        trouble: Callable[[], str | None] | None = None,
        **settings: object,
    ) -> Self:
        """
        Say which server to use; nothing is opened yet.

        Parameters
        ----------
        host, port, db, password
            As in ``Settings``.
        revive
            Called when a connect fails, to bring the server back: ``EmbeddedServer.ensure_running``.
        trouble
            Asked for a sentence on why the server fails, for errors and ``health``: ``EmbeddedServer.trouble``.
        settings
            Further attributes of ``Settings``: ``username max_connections pool_timeout_s socket_timeout_s
            retry_deadline_s databases tls tls_ca tls_cert tls_key tls_insecure unix_socket sentinels sentinel_name
            sentinel_username sentinel_password``.

        Raises
        ------
        ConfigError
            If a value is refused, or there is no setting of a name.

        Cost
        ----
        No round trip.
        """
        named = {"host": host, "port": port, "db": db, "password": password}
        return self._use(make_settings({**named, **settings}), revive, trouble)

    def connect_url(self, url: str, **settings: object) -> Self:
        """
        Say which server to use, by a URL; arguments win over what the URL says.

        Parameters
        ----------
        url
            ``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://`` or ``redis+cluster://``, see
            ``dealdb.connection.url``.
        settings
            Attributes of ``Settings``.

        Raises
        ------
        ConfigError
            If the URL is not understood, or a value is refused.

        Cost
        ----
        No round trip.

        Examples
        --------
        >>> RedisConnection().connect_url("redis://db.example/2", max_connections=4).settings.db
        2
        """
        return self._use(make_settings({**parse_url(url), **settings}), None)

    def _use(
        self,
        settings: Settings,
        revive: Callable[[], None] | None,
        trouble: Callable[[], str | None] | None = None,
    ) -> Self:
        self.close()
        self._pool = Pool(settings)
        self._slots = SlotMap(settings) if settings.cluster else None
        self._probe = Probe(self._pool, self._slots)
        self._revive = revive
        self._trouble = trouble
        return self

    def __repr__(self) -> str:
        where = repr(self._pool.settings.where_db(self._pool.db)) if self._pool else "not connected"
        return f"RedisConnection({where})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _open_pool(self) -> Pool:
        if self._pool is None:
            raise ConfigError("not connected to any server: call connect() or connect_url() first")
        return self._pool

    @property
    def settings(self) -> Settings:
        """How the server is reached, as it was given; ``db`` is the database to begin with."""
        return self._open_pool.settings

    @property
    def db(self) -> int:
        """Number of the database that is selected now."""
        return self._open_pool.db

    def link(self) -> Link:
        """
        A way to the database that is selected now, for good; of a cluster, to whichever node has the keys.

        Raises
        ------
        ConfigError
            If ``connect`` has not been called.

        Cost
        ----
        No round trip.
        """
        pool = self._open_pool
        if self._slots is not None:
            return ClusterLink(pool, self._slots)
        return TellingLink(pool, pool.db, self._revive, self._trouble)

    def select_db(self, db: int) -> None:
        """
        Move to another database of the server.

        Links made before stay on theirs, so what is in flight finishes where it began; the sockets of the
        old database are closed, idle ones now and those in use as soon as they come back. No socket is ever
        switched by SELECT.

        Raises
        ------
        ConfigError
            If there is no such database by the setting ``databases``.

        Cost
        ----
        No command; one round trip to close the idle sockets in order.
        """
        pool = self._open_pool
        pool.select(pool.settings.check_db(db))

    def ping(self) -> float:
        """
        Round trip of a PING, milliseconds.

        Raises
        ------
        AccessDenied, ServerRefused, ServerUnavailable, PoolTimeout
            If the server does not answer with a PONG.

        Cost
        ----
        One round trip, and a connect when the pool is empty.
        """
        return ping(self.link())

    def is_connected(self) -> bool:
        """
        Whether the server answers a PING now, and lets this user in; of a cluster, each node that has keys.

        Never raises, and answers within a second whatever the network does. The PING goes over a socket of
        the pool. When none becomes free in time, the answer is True if the server has answered any other
        caller meanwhile.

        Cost
        ----
        One round trip, and a connect when the pool is empty; of a cluster, for each node.
        """
        return self._probe is not None and self._probe.ask()

    def health(self) -> ServerHealth:
        """
        State of the server and of the pool.

        An unreachable server is not an error here: ``reachable`` is False, and a warning says why.

        Raises
        ------
        ConfigError
            If ``connect`` has not been called.

        Cost
        ----
        Four round trips: PING, INFO and two CONFIG GET; some more where something is suspicious. Of a cluster five for
        each node.
        """
        try:
            health = ask_server(self.link())
        except StoreError as error:
            health = ServerHealth(reachable=False, warnings=(str(error),))
        stats = self._open_pool.stats()
        if health.reachable and (trouble := self.trouble()):
            health = replace(health, warnings=(*health.warnings, trouble))
        return replace(
            health, pool_size=stats.size, pool_in_use=stats.in_use, pool_waited=stats.waited
        )

    def trouble(self) -> str | None:
        """A sentence on what keeps the server from its work, where it can't say so itself: a full disk."""
        return self._trouble() if self._trouble is not None else None

    def dangers(self) -> list[Danger]:
        """
        What threatens saves or data on the server, or on any node of a cluster, as far as its ACL lets this user ask.

        Raises
        ------
        AccessDenied, ServerUnavailable, PoolTimeout
            If there is no answer.

        Cost
        ----
        One round trip, and another for each CONFIG GET that something suspicious calls for. Of a cluster two for each
        node.
        """
        return dangers_of_all(self.link())

    def pool_stats(self) -> PoolStats:
        """
        State of the pool now.

        Raises
        ------
        ConfigError
            If ``connect`` has not been called.
        """
        return self._open_pool.stats()

    def close(self) -> None:
        """Close all sockets; a later command is a ``StoreError`` until ``connect`` is called again."""
        if self._pool is not None:
            self._pool.close()
