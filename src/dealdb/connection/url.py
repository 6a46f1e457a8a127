"""
Server URLs, read strictly.

``redis://[user[:password]@]host[:port][/db]``, ``unix://[user[:password]@]/path/to/socket[?db=n]``, and
``redis+sentinel://[user[:password]@]host[:port],host[:port]/name[/db]`` for the primary that Sentinels call
``name``; ``redis+cluster://[user[:password]@]host[:port],host[:port]/`` for a cluster by some of its nodes;
``rediss`` instead of ``redis`` for TLS. What is not understood is refused rather than dropped: the usual
parsers read ``/abc`` as database 0, print part of a password that holds ``#`` or ``/``, and let an option in the
URL switch the TLS checks off.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

from dealdb.connection.endpoint import DEFAULT_PORT, DEFAULT_SENTINEL_PORT, Endpoint
from dealdb.errors import ConfigError

_SENTINEL = ("redis+sentinel", "rediss+sentinel")
_CLUSTER = ("redis+cluster", "rediss+cluster")
SCHEMES = ("redis", "rediss", "unix", *_SENTINEL, *_CLUSTER)

# what the value of an option may be is for Settings to say
_OPTIONS: dict[str, Callable[[str], object]] = {
    "databases": int,
    "db": int,
    "max_connections": int,
    "pool_timeout_s": float,
    "retry_deadline_s": float,
    "socket_timeout_s": float,
    "tls_ca": Path,
    "tls_cert": Path,
    "tls_key": Path,
}
# what people try, in the words of other clients too
_OF_TLS = frozenset(
    {
        *("tls_ca", "tls_cert", "tls_key", "tls_insecure", "ssl"),
        *("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"),
    }
)
_ONLY_TLS = frozenset({"tls_ca", "tls_cert", "tls_key"})
_ENCODE_HINT = (
    "percent-encode the special characters of user and password: "
    "%23 for #, %2F for /, %3F for ?, %40 for @, %3A for :, %25 for %"
)
_TLS_HINT = "rediss:// turns TLS on, and only the argument tls_insecure=True turns its checks off"
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# int() and float() alone would also read 1_0, blanks and other scripts' digits
_NUMBER = re.compile(r"[0-9]{1,9}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_NO_NAME = "a redis+sentinel:// URL needs the Sentinels' name of the primary, such as redis+sentinel://s1,s2,s3/mymaster/0"
_NO_ADDRESS = (
    "the URL needs an address in each place between its commas, such as redis+cluster://h1,h2:6380/"
)
_SHOWN = 80


def parse_url(url: str) -> dict[str, object]:
    """
    Settings that a URL names, as keyword arguments of ``Settings``.

    Parameters
    ----------
    url
        ``redis://``, ``rediss://`` (TLS), ``unix://``, ``redis+sentinel://`` or ``redis+cluster://``, with user,
        password and database of the server. User, password, path and options are percent-decoded. Options after
        ``?``: ``databases db max_connections pool_timeout_s retry_deadline_s socket_timeout_s``, and with ``rediss``
        also ``tls_ca tls_cert tls_key``.

    Raises
    ------
    ConfigError
        If anything in it is not understood. The message never holds any part of the login.

    Examples
    --------
    >>> parse_url("redis://ann:s%23cret@db.example:6380/3?pool_timeout_s=2")
    {'host': 'db.example', 'port': 6380, 'username': 'ann', 'password': 's#cret', 'db': 3, 'pool_timeout_s': 2.0}
    >>> parse_url("redis://:a#b@host/0")
    Traceback (most recent call last):
      ...
    dealdb.ConfigError: the URL has a raw # in it: percent-encode the special characters of user and \
password: %23 for #, %2F for /, %3F for ?, %40 for @, %3A for :, %25 for %
    """
    scheme, rest = _split_scheme(url)
    if "#" in rest:
        raise ConfigError(f"the URL has a raw # in it: {_ENCODE_HINT}")
    login, rest = _split_login(rest)
    body, _, query = rest.partition("?")
    db: dict[str, object]
    if scheme == "unix":
        address, db = _unix_address(body), {}
    elif scheme in _SENTINEL:
        address, db = _sentinels(body)
    elif scheme in _CLUSTER:
        authority, _, path = body.partition("/")
        address, db = {"cluster": _endpoints(authority, DEFAULT_PORT)}, _database(path)
    else:
        authority, _, path = body.partition("/")
        address, db = _tcp_address(authority), _database(path)
    options = _options(query, scheme=scheme)
    if db and "db" in options:
        raise ConfigError("the URL names the database twice: as its path and as the option db")
    tls: dict[str, object] = {"tls": True} if scheme.startswith("rediss") else {}
    return {**address, **tls, **login, **db, **options}


def _split_scheme(url: str) -> tuple[str, str]:
    if not isinstance(url, str):
        raise ConfigError(f"the URL must be a text: got {type(url).__name__}")
    if url != url.strip():
        # the URL itself may hold a login, so it isn't shown
        edge = url[-1] if url != url.rstrip() else url[0]
        name = {"\n": "line feed", "\r": "carriage return", "\t": "tab", " ": "blank"}.get(
            edge, repr(edge)
        )
        place = "ends" if url != url.rstrip() else "begins"
        raise ConfigError(f"the URL {place} with a {name}: remove it where the URL is kept")
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in SCHEMES:
        # without a scheme the first part may be a login, so it isn't shown
        raise ConfigError(
            "the URL must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, "
            "redis+cluster:// or rediss+cluster://"
        )
    return scheme, rest


def _split_login(rest: str) -> tuple[dict[str, object], str]:
    """User and password before the ``@``, decoded, and what follows it."""
    stop = len(rest) if (query := rest.find("?")) < 0 else query
    login, separator, after = rest[:stop].rpartition("@")
    if not separator:
        # an @ behind a raw ? is a password that was cut there
        if "@" in rest[stop:]:
            raise ConfigError(f"the URL has a raw ? before its @: {_ENCODE_HINT}")
        return {}, rest
    user, _, password = login.partition(":")
    if any(character in login for character in "/@") or ":" in password:
        raise ConfigError(f"the URL has a raw /, @ or : in its login: {_ENCODE_HINT}")
    found = {"username": _decode(user, "user"), "password": _decode(password, "password")}
    return {name: text for name, text in found.items() if text}, after + rest[stop:]


def _decode(text: str, part: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise ConfigError(f"the {part} of the URL has a raw % in it: {_ENCODE_HINT}")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ConfigError(
            f"the {part} of the URL is not UTF-8 once decoded: {_ENCODE_HINT}"
        ) from None


def _unix_address(body: str) -> dict[str, object]:
    path = _decode(body, "path")
    if not path.startswith("/"):
        raise ConfigError(f"a unix:// URL needs the socket's absolute path: got {_shown(path)}")
    return {"unix_socket": Path(path)}


def _tcp_address(authority: str) -> dict[str, object]:
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ConfigError(f"an IPv6 address must be in [brackets]: got {_shown(authority)}")
        port = port.removeprefix(":") if len(port) != 1 else " "
    else:
        host, colon, port = authority.partition(":")
        port = port if port or not colon else " "
    if port and not _NUMBER.fullmatch(port):
        # an unencoded password can end up here, so the text isn't shown
        raise ConfigError(
            "Invalid port number in the URL: ports are the integers 1 to 65535; "
            "an IPv6 address must be in [brackets], and a password needs an @ behind it"
        )
    found: dict[str, object] = {"host": _decode(host, "host")} if host else {}
    return {**found, "port": int(port)} if port else found


def _sentinels(body: str) -> tuple[dict[str, object], dict[str, object]]:
    authority, _, path = body.partition("/")
    name, _, db = path.partition("/")
    found = _endpoints(authority, DEFAULT_SENTINEL_PORT)
    if not name:
        raise ConfigError(_NO_NAME)
    return {"sentinels": found, "sentinel_name": _decode(name, "path")}, _database(db)


def _endpoints(authority: str, default_port: int) -> tuple[str, ...]:
    found = [_tcp_address(each) for each in authority.split(",")]
    if not all("host" in each for each in found):
        raise ConfigError(_NO_ADDRESS)
    pairs = [(str(each["host"]), int(str(each.get("port", default_port)))) for each in found]
    return tuple(str(Endpoint(host, port)) for host, port in pairs)


def _database(path: str) -> dict[str, object]:
    if not path:
        return {}
    if not _NUMBER.fullmatch(path):
        raise ConfigError(f"the URL's path must be the number of a database: got {_shown(path)}")
    return {"db": int(path)}


def _options(query: str, *, scheme: str) -> dict[str, object]:
    known = [name for name in _OPTIONS if name not in _ONLY_TLS or scheme.startswith("rediss")]
    found: dict[str, object] = {}
    for part in query.split("&") if query else ():
        name, _, text = part.partition("=")
        if name not in known:
            raise ConfigError(_no_option(name, known))
        if name in found:
            raise ConfigError(f"the URL gives the option {name} twice")
        found[name] = _option_value(name, _decode(text, f"option {name}"))
    return found


def _no_option(name: str, known: list[str]) -> str:
    """What is wrong with an option; its name may be the end of a password that holds a raw ``?``, so it isn't shown."""
    options = f"its options are {', '.join(known)}"
    if name in _OF_TLS:
        return f"the URL has no option {name!r}; {options}; {_TLS_HINT}"
    near = get_close_matches(name, known, n=1, cutoff=0.75)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"the URL has an option of a name that there is none of{meant}; {options}"


def _option_value(name: str, text: str) -> object:
    read = _OPTIONS[name]
    shape = {int: _NUMBER, float: _DECIMAL}.get(read)  # type: ignore[call-overload]  # a callable is a fine key
    if shape is not None and not shape.fullmatch(text):
        kind = "a whole number" if read is int else "a number"
        raise ConfigError(f"the URL's option {name} must be {kind}")
    return read(text)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
