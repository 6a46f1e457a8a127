"""The hashes of the deals, as they come from the server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TypeAlias

from dealdb.connection import Link
from dealdb.store.keys import Keys

logger = logging.getLogger(__name__)

# texts by field, as the server has them
Hash: TypeAlias = dict[bytes, bytes]

_SCAN_COUNT = 1000


def scan_hashes(link: Link, keys: Keys) -> Iterator[dict[str, Hash]]:
    """
    Every hash of the collection by deal id, some hundreds at a time; one may come twice.

    Cost
    ----
    Two round trips for every 1,000 keys of the database; as ``scan_names``, that twice on some clusters.
    """
    prefix = len(keys.deal_prefix.encode())
    for found in scan_names(link, keys):
        hashes = link.calls([("HGETALL", key) for key in found], retry=True) if found else []
        # a hash that was deleted in between is empty by now
        yield {
            key[prefix:].decode(): as_dict(pairs)
            for key, pairs in zip(found, hashes, strict=True)
            if pairs
        }


def scan_names(link: Link, keys: Keys) -> Iterator[list[bytes]]:
    """
    Keys of every hash of the collection, some hundreds at a time; one may come twice.

    An id is text: a key that isn't UTF-8 is not a deal, since nobody could ask for it.

    Cost
    ----
    A round trip for every 1,000 keys there are. On a cluster two more to each node; and all of it twice where slots
    move meanwhile, or where the user may not ask whether they do.
    """
    before = link.whereabouts()
    yield from _names_on_all(link, keys)
    if before is None or link.whereabouts() != before:
        # what went to a node that had been read by then is there now
        yield from _names_on_all(link, keys)


def _names_on_all(link: Link, keys: Keys) -> Iterator[list[bytes]]:
    for node in link.each_node():
        yield from _names_on(node, keys)


def _names_on(link: Link, keys: Keys) -> Iterator[list[bytes]]:
    cursor, pattern = b"0", keys.deal_prefix.encode() + b"*"
    while True:
        cursor, found = link.call(
            "SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT, "TYPE", "hash", retry=True
        )
        names = [key for key in found if _is_text(key)]
        if len(names) < len(found):
            logger.warning(
                "keys of %r are not UTF-8 and left out: %d",
                keys.collection,
                len(found) - len(names),
            )
        yield names
        if cursor == b"0":
            return


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def as_dict(flat: list[bytes]) -> Hash:
    """HGETALL's reply as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def as_texts(flat: list[bytes]) -> dict[str, str]:
    """HGETALL's reply as texts; what isn't UTF-8 is shown as such."""
    texts = [each.decode(errors="replace") for each in flat]
    return dict(zip(texts[::2], texts[1::2], strict=True))


def strays(hashes: dict[str, Hash]) -> list[str]:
    """Deals whose hash dealdb did not write: they have no row."""
    return [deal for deal, fields in hashes.items() if b"_row" not in fields]
