"""What a server says of itself by INFO and CONFIG GET, as far as its ACL lets this user ask."""

from __future__ import annotations

import time
from collections.abc import Mapping

from dealdb.connection.link import Link
from dealdb.connection.protocol.translate import is_missing_right
from dealdb.errors import AccessDenied, ServerRefused, StoreError

# seconds in which a right that a user lacks is not asked for again by health: each try is an entry in the ACL LOG
DENIED_FOR_S = 600.0


def is_denied(link: Link, command: str) -> bool:
    """Whether the server has said a while ago, and not long, that this user may not run a command."""
    return time.monotonic() < link.denied.get(command, 0.0)


def _note_denied(link: Link, command: str, error: StoreError) -> None:
    if is_missing_right(error):
        link.denied[command] = time.monotonic() + DENIED_FOR_S


def ask_info(link: Link, section: str | None = None) -> dict[str, str]:
    """INFO as names and values; empty when it is denied. One round trip."""
    try:
        text: bytes = link.call("INFO", *([section] if section else []), retry=True)
    except (AccessDenied, ServerRefused) as error:
        _note_denied(link, "INFO", error)
        return {}
    return parse_info(text)


def parse_info(text: bytes) -> dict[str, str]:
    r"""
    Names and values of INFO's reply.

    Examples
    --------
    >>> parse_info(b"# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n")
    {'redis_version': '7.0.15', 'redis_mode': 'standalone'}
    """
    pairs = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in pairs if colon}


def ask_config(link: Link, name: str) -> str | None:
    """One configuration value; None when asking is denied, or the command renamed away. One round trip."""
    try:
        reply: list[bytes] = link.call("CONFIG", "GET", name, retry=True)
    except (AccessDenied, ServerRefused) as error:
        _note_denied(link, "CONFIG", error)
        return None
    return reply[1].decode(errors="replace") if len(reply) > 1 else None


def removes_deals(policy: str) -> bool:
    """Whether a server of this ``maxmemory-policy`` removes keys without a time to live, as those of deals are."""
    return policy.startswith("allkeys")


def flavor(info: Mapping[str, str]) -> str | None:
    """``valkey`` or ``redis``; None when nothing is known."""
    # only Valkey names itself; its redis_version is one that it is compatible with, not its own
    return (info.get("server_name") or "redis") if info else None


def mode(info: Mapping[str, str]) -> str | None:
    """``standalone``, ``cluster`` or ``sentinel``; None when nothing is known."""
    return info.get("server_mode") or info.get("redis_mode")


def whole(text: str | None) -> int | None:
    """A number of INFO."""
    return int(text) if text is not None else None
