"""What a process asks of a collection before it has anything of it, in one round trip."""

from __future__ import annotations

from typing import NamedTuple

from dealdb.connection import Link
from dealdb.errors import ServerRefused
from dealdb.store.archive.manifest import Manifest
from dealdb.store.archive.string_keys import is_wrong_type, read_string
from dealdb.store.keys import Keys, check_format


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
    look = ("HMGET", keys.meta, "format", "adopted")
    try:
        (found, adopted), text = link.calls([look, ("GET", keys.checkpoint)], retry=True)
    except ServerRefused as refusal:
        if not is_wrong_type(refusal):
            raise
        # one by one, to see which of the two it is
        (found, adopted), text = link.call(*look, retry=True), read_string(link, keys.checkpoint)
    check_format(keys, found)
    return FirstLook(bool(adopted), Manifest.from_bytes(text))
