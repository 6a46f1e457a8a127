"""The name of a chunk: what is in it, in 128 bits."""

from __future__ import annotations

from hashlib import sha256

# 128 bits of a SHA-256
DIGITS = 32


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
