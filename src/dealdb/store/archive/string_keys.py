"""Keys of ours that hold a string, whatever another program may have put there."""

from __future__ import annotations

from dealdb.connection import Link
from dealdb.errors import ServerRefused


def read_string(link: Link, key: str) -> bytes | None:
    """What a key holds, or None where it holds nothing or is of another type. One round trip."""
    try:
        found: bytes | None = link.call("GET", key, retry=True)
    except ServerRefused as refusal:
        if not is_wrong_type(refusal):
            raise
        return None
    return found


def is_wrong_type(refusal: ServerRefused) -> bool:
    """Whether a key is of another type than it should be: then what it should hold is lost, and nothing else."""
    return refusal.reply == "WRONGTYPE"
