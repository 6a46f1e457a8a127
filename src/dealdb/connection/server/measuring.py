"""What a measurement of a server needs: how many sockets it took, and its keys gone afterwards."""

from __future__ import annotations

import re

from dealdb.connection.link import Link
from dealdb.connection.server.info import ask_info, whole

# what a pattern of SCAN makes something of
_SPECIAL = re.compile(r"([*?\[\]\\])")


def sockets_accepted(link: Link) -> int | None:
    """Connections that the server has accepted since it started, by its own count; None if it does not say."""
    return whole(ask_info(link, "stats").get("total_connections_received"))


def remove_keys(link: Link, prefix: str) -> int:
    """
    Remove the keys of the database that begin with a text, whoever made them; returns how many there were.

    Cost
    ----
    At most two round trips for every 1,000 keys of the database.
    """
    pattern, cursor, removed = _SPECIAL.sub(r"\\\1", prefix) + "*", b"", 0
    while cursor != b"0":
        cursor, keys = link.call("SCAN", cursor or b"0", "MATCH", pattern, "COUNT", 1000)
        if keys:
            removed += link.call("UNLINK", *keys)
    return removed
