"""Replies whose form depends on the protocol version."""

from __future__ import annotations


def as_dict(pairs: list[bytes] | dict[bytes, bytes]) -> dict[bytes, bytes]:
    """HGETALL's reply as a dict, whichever protocol it came by."""
    return pairs if isinstance(pairs, dict) else dict(zip(pairs[::2], pairs[1::2], strict=True))
