"""What a process asks of a collection before it has anything of it, in one round trip."""

from __future__ import annotations

from typing import NamedTuple

from dealdb.connection import Link
from dealdb.store.keys import FORMAT, Keys
from dealdb.store.manifest import Manifest
from dealdb.store.writer import wrong_format


class FirstLook(NamedTuple):
    """
    What there is.

    Attributes
    ----------
    adopted
        Whether somebody has looked for the hashes that were there before dealdb.
    manifest
        Manifest in force, or None.
    """

    adopted: bool
    manifest: Manifest | None


def first_look(link: Link, keys: Keys) -> FirstLook:
    """
    Look at a collection; while it is followed, its format can't change unseen.

    Raises
    ------
    StoreDamaged
        If a newer version of dealdb wrote it.

    Cost
    ----
    One round trip.
    """
    (found, adopted), text = link.calls(
        [("HMGET", keys.meta, "format", "adopted"), ("GET", keys.checkpoint)], retry=True
    )
    if found not in (None, FORMAT):
        raise wrong_format(keys, found)
    return FirstLook(bool(adopted), Manifest.from_bytes(text))
