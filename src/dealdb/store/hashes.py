"""The hashes of the deals, as they come from the server."""

from __future__ import annotations

from collections.abc import Iterator

from dealdb.connection import Link
from dealdb.store.keys import Keys

_SCAN_COUNT = 1000


def scan_hashes(link: Link, keys: Keys) -> Iterator[dict[str, dict[bytes, bytes]]]:
    """
    Every hash of the collection by deal id, some hundreds at a time; one that changes meanwhile may come twice.

    Cost
    ----
    Two round trips for every 1,000 keys of the database.
    """
    prefix = len(keys.deal_prefix.encode())
    for found in scan_names(link, keys):
        hashes = link.calls([("HGETALL", key) for key in found], retry=True) if found else []
        # a hash that was deleted in between is empty by now
        yield {
            key[prefix:].decode(errors="surrogateescape"): as_dict(pairs)
            for key, pairs in zip(found, hashes, strict=True)
            if pairs
        }


def scan_names(link: Link, keys: Keys) -> Iterator[list[bytes]]:
    """Keys of every hash of the collection, some hundreds at a time. A round trip for every 1,000 keys there are."""
    cursor, pattern = b"0", keys.deal_prefix.encode() + b"*"
    while True:
        cursor, found = link.call(
            "SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT, "TYPE", "hash", retry=True
        )
        yield found
        if cursor == b"0":
            return


def as_dict(flat: list[bytes]) -> dict[bytes, bytes]:
    """HGETALL's reply as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def strays(hashes: dict[str, dict[bytes, bytes]]) -> list[str]:
    """Deals whose hash dealdb did not write: they have no row."""
    return [deal for deal, fields in hashes.items() if b"_row" not in fields]
