"""What a measurement of a server needs: how many sockets it took, and its keys gone afterwards."""

from __future__ import annotations

import re

from dealdb.connection.link import Link
from dealdb.connection.server.info import ask_info, whole

# what a pattern of SCAN makes something of
_SPECIAL = re.compile(r"([*?\[\]\\])")


def sockets_accepted(link: Link) -> int | None:
    """Connections that the server, or all nodes, have accepted so far, by their own count; None if one does not say."""
    counts = [
        whole(ask_info(node, "stats").get("total_connections_received"))
        for node in link.each_node()
    ]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def remove_keys(link: Link, prefix: str) -> int:
    """
    Remove the keys of the database that begin with a text, whoever made them; returns how many there were.

    Cost
    ----
    At most two round trips for every 1,000 keys of the database.
    """
    pattern, removed = _SPECIAL.sub(r"\\\1", prefix) + "*", 0
    for node in link.each_node():
        cursor = b""
        while cursor != b"0":
            cursor, keys = node.call("SCAN", cursor or b"0", "MATCH", pattern, "COUNT", 1000)
            # one by one: in a cluster they have nothing to do with one another
            removed += sum(link.calls([("UNLINK", key) for key in keys]))
    return removed
