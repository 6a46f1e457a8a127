"""
How to reach a server, checked once and then immutable.

Every value is checked where it is given, so a wrong one fails at construction rather than at the first
command. No message, ``repr``, ``where``, ``asdict`` or pickle ever holds the password, which is a
``Secret``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from dealdb.connection.certificate import check_pair
from dealdb.connection.endpoint import (
    DEFAULT_PORT,
    DEFAULT_SENTINEL_PORT,
    NO_URL,
    is_url,
    parse_endpoint,
)
from dealdb.errors import ConfigError
from dealdb.secret import Secret

DEFAULT_HOST = "localhost"
MAX_PORT = 65_535
# a server's default is 16 databases; one started with another number needs the `databases` setting
DEFAULT_DATABASES = 16
# enough to keep one server thread busy from Python threads; each idle connection costs the server about 20 KiB
DEFAULT_MAX_CONNECTIONS = 10
# seconds a caller waits for a connection, for a connect or for one reply, and keeps repeating a read
DEFAULT_POOL_TIMEOUT_S = 5.0
DEFAULT_SOCKET_TIMEOUT_S = 5.0
DEFAULT_RETRY_DEADLINE_S = 5.0

# settings that name a file, and what is in it
_TLS_FILES = {
    "tls_ca": "PEM certificates",
    "tls_cert": "PEM certificates",
    "tls_key": "a private key in PEM",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    How to reach a server: checked, immutable, safe to print.

    Attributes
    ----------
    host, port
        Address of the server; not used with ``unix_socket``. Ports are 1 to 65535.
    db
        Number of the database to begin with, 0 to ``databases - 1``.
    username, password
        Login, or None; ``password.reveal()`` is the text. A user needs a password; a password alone logs in as
        ``default``.
    max_connections
        Most sockets that are open at any moment, idle ones included; at least 1.
    pool_timeout_s
        Seconds that a caller waits for a free connection before ``PoolTimeout``.
    socket_timeout_s
        Seconds for a connect, and for each wait on the socket for more of a reply.
    retry_deadline_s
        Seconds after its start in which a read may begin another try.
    databases
        How many databases the server has.
    tls
        Speak TLS, and check the server's certificate and name.
    tls_ca
        File of CA certificates (PEM) to trust instead of the system's, or None.
    tls_cert
        File of the certificate (PEM) that a server which asks for one is shown, or None.
    tls_key
        File of its private key (PEM); None where ``tls_cert`` has it too.
    tls_insecure
        Speak TLS without checking the certificate or name. Only a keyword argument can set it.
    unix_socket
        Path of the server's unix socket, or None for TCP.
    sentinels
        Addresses of Sentinels, as ``host`` or ``host:port``; they say where the primary is, instead of ``host``.
    sentinel_name
        What they call the primary.
    sentinel_username, sentinel_password
        Login to the Sentinels, or None; that of the server is never sent to them.
    cluster
        Addresses of some nodes of a cluster, as ``host`` or ``host:port``; they name the others. It has database 0

    Raises
    ------
    ConfigError
        If a value has the wrong type or is out of its range.

    Examples
    --------
    >>> Settings(host="db.example", db=3, password="s3cret").where
    'redis://:***@db.example:6379/3'
    >>> Settings(db=16)
    Traceback (most recent call last):
      ...
    dealdb.ConfigError: Redis database must be between 0 and 15: got 16
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    db: int = 0
    username: str | None = None
    password: Secret | str | None = field(default=None, repr=False)
    max_connections: int = DEFAULT_MAX_CONNECTIONS
    pool_timeout_s: float = DEFAULT_POOL_TIMEOUT_S
    socket_timeout_s: float = DEFAULT_SOCKET_TIMEOUT_S
    retry_deadline_s: float = DEFAULT_RETRY_DEADLINE_S
    databases: int = DEFAULT_DATABASES
    tls: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_insecure: bool = False
    unix_socket: Path | None = None
    sentinels: tuple[str, ...] = ()
    sentinel_name: str | None = None
    sentinel_username: str | None = None
    sentinel_password: Secret | str | None = field(default=None, repr=False)
    cluster: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_count("databases", self.databases)
        self._check_cluster()
        self.check_db(self.db)
        _check_port(self.port)
        _check_count("max_connections", self.max_connections)
        for name in ("pool_timeout_s", "socket_timeout_s", "retry_deadline_s"):
            _check_seconds(name, getattr(self, name))
        for name in ("tls", "tls_insecure"):
            _check_switch(name, getattr(self, name))
        for who in ("", "sentinel_"):
            self._check_login(f"{who}username", f"{who}password")
        self._check_address()
        self._check_sentinels()
        self._check_tls()

    def check_db(self, db: object) -> int:
        """
        ``db`` itself, once it is known to be a database that this server has.

        Raises
        ------
        ConfigError
            If it is not an integer, or out of range.
        """
        last = 0 if self.cluster else self.databases - 1
        if type(db) is not int or not 0 <= db <= last:
            if self.cluster:
                raise ConfigError(f"a cluster has only database 0: got {db!r}")
            raise ConfigError(f"Redis database must be between 0 and {last}: got {db!r}")
        return db

    def _check_login(self, username: str, password: str) -> None:
        for name in (username, password):
            value = getattr(self, name)
            if isinstance(value, Secret):
                value = value.reveal()
            if value is not None and (not isinstance(value, str) or not value):
                found = "an empty text" if value == "" else type(value).__name__
                raise ConfigError(f"{name} must be a text or None: got {found}")
        user, secret = getattr(self, username), getattr(self, password)
        if user is not None and secret is None:
            raise ConfigError(f"{username} {user!r} needs a {password}")
        if isinstance(secret, str):
            object.__setattr__(self, password, Secret(secret))

    def _check_address(self) -> None:
        host: object = self.host
        if isinstance(host, str) and is_url(host):
            raise ConfigError(f"host must be a host name or an address: {NO_URL}")
        if not isinstance(host, str) or not host or _has_blank(host):
            raise ConfigError(f"host must be a host name or an address: got {host!r}")
        for name in ("unix_socket", *_TLS_FILES):
            value = getattr(self, name)
            if value is not None and "://" in str(value):
                raise ConfigError(f"{name} must be a path or None: {NO_URL}")
            if isinstance(value, str) and value:
                object.__setattr__(self, name, Path(value))
            elif value is not None and not isinstance(value, Path):
                raise ConfigError(f"{name} must be a path or None: got {value!r}")

    def _check_endpoints(self, name: str, default_port: int) -> None:
        given: object = getattr(self, name)
        if isinstance(given, str) and is_url(given):
            raise ConfigError(f"{name} must be a list of addresses: {NO_URL}")
        if isinstance(given, str) or not all(isinstance(each, str) for each in _listed(given)):
            raise ConfigError(f"{name} must be a list of addresses: got {given!r}")
        addresses = [parse_endpoint(str(each), default_port) for each in _listed(given)]
        for address in addresses:
            _check_port(address.port)
        object.__setattr__(self, name, tuple(dict.fromkeys(map(str, addresses))))

    def _check_cluster(self) -> None:
        self._check_endpoints("cluster", DEFAULT_PORT)
        others = [name for name in ("unix_socket", "sentinels") if getattr(self, name)]
        if self.cluster and others:
            raise ConfigError(
                f"cluster and {others[0]} both say where the server is: leave one out"
            )

    def _check_sentinels(self) -> None:
        self._check_endpoints("sentinels", DEFAULT_SENTINEL_PORT)
        name: object = self.sentinel_name
        if name is not None and (not isinstance(name, str) or not name or _has_blank(name)):
            raise ConfigError(f"sentinel_name must be the name of a primary: got {name!r}")
        if bool(self.sentinels) != (name is not None):
            raise ConfigError("sentinels and sentinel_name need each other")
        if self.sentinel_password is not None and not self.sentinels:
            raise ConfigError("sentinel_password needs sentinels")
        if self.sentinels and self.unix_socket is not None:
            raise ConfigError(
                "unix_socket and sentinels both say where the server is: leave one out"
            )

    def _check_tls(self) -> None:
        files = {name: path for name in _TLS_FILES if (path := getattr(self, name)) is not None}
        if not self.tls and (files or self.tls_insecure):
            given = ", ".join(files) or "tls_insecure"
            raise ConfigError(f"TLS is off: {given} needs tls=True or a rediss:// URL")
        if self.tls and self.unix_socket is not None:
            raise ConfigError(
                "TLS over a unix socket is not supported: leave out tls or unix_socket"
            )
        for name, path in files.items():
            if not path.is_file():
                raise ConfigError(f"{name} must be a file of {_TLS_FILES[name]}: got {str(path)!r}")
        if self.tls_cert is not None:
            check_pair(self.tls_cert, self.tls_key)
        elif self.tls_key is not None:
            raise ConfigError("tls_key needs tls_cert: the certificate that the key belongs to")

    @property
    def where(self) -> str:
        """
        The server as a URL for people: with the user, without the password.

        Examples
        --------
        >>> Settings(unix_socket=Path("/run/redis.sock")).where
        'unix:///run/redis.sock?db=0'
        """
        return self.where_db(self.db)

    def where_db(self, db: int) -> str:
        """``where`` for another database of the same server."""
        secret = ":***" if self.password is not None else ""
        login = f"{self.username or ''}{secret}@" if secret else ""
        if self.unix_socket is not None:
            return f"unix://{login}{self.unix_socket}?db={db}"
        scheme = "rediss" if self.tls else "redis"
        if self.cluster:
            return f"{scheme}+cluster://{login}{','.join(self.cluster)}/"
        if self.sentinels:
            return (
                f"{scheme}+sentinel://{login}{','.join(self.sentinels)}/{self.sentinel_name}/{db}"
            )
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{login}{host}:{self.port}/{db}"


def make_settings(values: Mapping[str, object]) -> Settings:
    """
    Settings from names and values.

    Raises
    ------
    ConfigError
        If there is no setting of a name, or a value is refused.

    Examples
    --------
    >>> make_settings({"timeout": 3})
    Traceback (most recent call last):
      ...
    dealdb.ConfigError: there is no setting 'timeout'; the settings are cluster, databases, db, host, \
max_connections, password, pool_timeout_s, port, retry_deadline_s, sentinel_name, sentinel_password, \
sentinel_username, sentinels, socket_timeout_s, tls, tls_ca, tls_cert, tls_insecure, tls_key, unix_socket, username
    """
    known = sorted(entry.name for entry in fields(Settings))
    for name in values:
        if name not in known:
            raise ConfigError(f"there is no setting {name!r}; the settings are {', '.join(known)}")
    return Settings(**values)  # type: ignore[arg-type]  # __post_init__ checks the types


def _check_port(port: object) -> None:
    if type(port) is not int or not 1 <= port <= MAX_PORT:
        raise ConfigError(f"Invalid port number: {port!r}; ports are the integers 1 to {MAX_PORT}")


def _check_count(name: str, value: object) -> None:
    # bool is a subclass of int, and True connections are nobody's intent
    if type(value) is not int or value < 1:
        raise ConfigError(f"{name} must be an integer of at least 1: got {value!r}")


def _check_seconds(name: str, value: object) -> None:
    if type(value) not in (int, float) or not 0 < value < math.inf:  # type: ignore[operator]  # a number by now
        msg = f"{name} must be a number of seconds above 0: got {value!r}; waiting forever is not possible"
        raise ConfigError(msg)


def _listed(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _check_switch(name: str, value: object) -> None:
    if type(value) is not bool:
        raise ConfigError(f"{name} must be True or False: got {value!r}")


def _has_blank(text: str) -> bool:
    return any(character.isspace() or not character.isprintable() for character in text)
