"""Addresses of servers, as they stand in URLs and settings."""

from __future__ import annotations

import re
from typing import NamedTuple

from dealdb.errors import ConfigError

DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26_379
# int() alone would also read 1_0, blanks and other scripts' digits
_PORT = re.compile(r"[0-9]{1,9}")


# what may hold a login is not shown
NO_URL = (
    "it has a scheme or a login in it; give host and port alone, or a URL where one is asked for"
)


def is_url(text: str) -> bool:
    """
    Whether what should be an address looks like a URL, or has a login in it: such a text is shown to nobody.

    Examples
    --------
    >>> is_url("redis://:s3cret@h1"), is_url("ann:s3cret@h1"), is_url("h1:6379")
    (True, True, False)
    """
    return "://" in text or "@" in text


class Endpoint(NamedTuple):
    """
    Where a server listens.

    Examples
    --------
    >>> str(Endpoint("::1", 6379))
    '[::1]:6379'
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_endpoint(text: str, default_port: int) -> Endpoint:
    """
    An address from ``host`` or ``host:port``; one of IPv6 is in brackets.

    Raises
    ------
    ConfigError
        If it is not one.

    Examples
    --------
    >>> parse_endpoint("s1", 26379), parse_endpoint("[::1]:5000", 26379)
    (Endpoint(host='s1', port=26379), Endpoint(host='::1', port=5000))
    """
    if is_url(text):
        raise ConfigError(f"not an address of a server: {NO_URL}")
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
    if (
        not host
        or any(map(str.isspace, text))
        or colon not in ("", ":")
        or bool(colon) != bool(port)
    ):
        raise ConfigError(
            f"not an address of a server: {text!r}; write host, host:port or [IPv6]:port"
        )
    if port and not _PORT.fullmatch(port):
        raise ConfigError(
            f"not an address of a server: {text!r}; ports are the integers 1 to 65535"
        )
    return Endpoint(host, int(port) if port else default_port)
