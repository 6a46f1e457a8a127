"""The name of a chunk: what is in it, in 128 bits."""

from __future__ import annotations

import re
from hashlib import sha256

# 128 bits of a SHA-256
DIGITS = 32
_DIGEST = re.compile(r"[0-9a-f]{32}")


def digest_of(blob: bytes) -> str:
    """
    Digest of a chunk's bytes.

    Examples
    --------
    >>> digest_of(b"a chunk")
    'abbe7862de7660b333d1862141746d1d'
    """
    return sha256(blob).hexdigest()[:DIGITS]


def is_whole(digest: str, blob: bytes | None) -> bool:
    """
    Whether these are the bytes that the digest was made of.

    Examples
    --------
    >>> is_whole(digest_of(b"a chunk"), b"a chun"), is_whole(digest_of(b"a chunk"), None)
    (False, False)
    """
    return blob is not None and digest_of(blob) == digest


def checked_digest(found: object) -> str:
    """
    Digest of a document; ValueError for what is none, such as the path of a file.

    Examples
    --------
    >>> checked_digest("0" * 32) == "0" * 32
    True
    """
    if not isinstance(found, str) or not _DIGEST.fullmatch(found):
        msg = "not a digest"
        raise ValueError(msg)
    return found
