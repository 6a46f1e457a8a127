"""
How much what the server holds may take: bytes that something unpacks to, and rows that a collection can have.

The bounds are far beyond what dealdb writes. They hold before memory is taken.
"""

from __future__ import annotations

from dealdb.connection import Link
from dealdb.errors import AccessDenied, ServerRefused, StoreDamaged
from dealdb.store.keys import Keys

# what takes less than this is harmless, however small it was packed
HARMLESS_BYTES = 64 * 2**20
# more than this no packing saves with deals, where it comes to so many bytes
_MOST_EXPANSION = 20
# texts that are shorter on average are those of categories: packed, they take next to nothing
_LONG_TEXT = 256
# cells that a collection may have, whatever it holds: a million rows of the usual columns
HARMLESS_CELLS = 14_000_000
# rows for each key of the database; those of deleted deals count, and are never given out again
_ROWS_A_KEY = 1_000


def check_bytes(unpacked: int, packed: int) -> None:
    """Raise ValueError where something packed would take far more memory than its size lets expect."""
    if unpacked > max(HARMLESS_BYTES, _MOST_EXPANSION * packed):
        msg = f"{packed:,} bytes would unpack to {unpacked:,}"
        raise ValueError(msg)


def check_texts(total: int, n: int, packed: int) -> None:
    """Raise ValueError where texts are far longer together than what they were unpacked from lets expect."""
    if total > _LONG_TEXT * n:
        check_bytes(total, packed)


def check_rows(link: Link, keys: Keys, rows: int, n_fields: int, said_by: str) -> None:
    """
    Refuse more rows than a collection can have had.

    Parameters
    ----------
    rows, n_fields
        Of the columns that are to be made.
    said_by
        Where the number of rows comes from, in words.

    Raises
    ------
    StoreDamaged
        If they would take much memory, and the database has few keys.

    Cost
    ----
    None where they would take little; else one round trip.
    """
    if rows * max(n_fields, 1) <= HARMLESS_CELLS:
        return
    n_keys = _keys_of(link, keys)
    if rows > HARMLESS_CELLS // max(n_fields, 1) + _ROWS_A_KEY * n_keys:
        msg = (
            f"{link.settings.where}: {said_by} says that {keys.collection!r} has had {rows:,} rows, far more than a "
            f"database of {n_keys:,} keys lets expect: it was damaged, or another program changed it; dealdb repair "
            "makes it again from the log; else restore a backup"
        )
        raise StoreDamaged(msg)


def _keys_of(link: Link, keys: Keys) -> int:
    """Keys of the database, or where its user may not ask that, the deals that the collection says to have."""
    try:
        return int(link.call("DBSIZE", retry=True))
    except (AccessDenied, ServerRefused):
        found: bytes | None = link.call("HGET", keys.meta, "deals", retry=True)
        return int(found) if found and found.isdigit() and len(found) < 10 else 0
