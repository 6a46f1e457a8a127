"""How many deals and commits a collection has."""

from __future__ import annotations

from dealdb.connection import Link
from dealdb.store.bounds.wall import number_in
from dealdb.store.keys import Keys, check_format

# somebody may empty the collection between two commands
_MAX_TRIES = 2


def sizes_of(link: Link, keys: Keys) -> tuple[int, int]:
    """
    Number of deals and of entries in the log.

    Raises
    ------
    StoreDamaged
        If there are commits, and the state, which says how many deals there are, is gone.
    WrongFormat
        If the collection has another format.

    Cost
    ----
    One round trip.
    """
    # before the state: the first commit makes both
    state = ("HMGET", keys.meta, "deals", "format")
    looks = [("XLEN", keys.log), ("EXISTS", keys.checkpoint), state]
    for _ in range(_MAX_TRIES):
        entries, sealed, (deals, form) = link.calls(looks, retry=True)
        check_format(keys, form)
        if deals is not None or not (entries or sealed):
            return number_in(f"deals in {keys.meta!r}", deals), int(entries)
    # not at the top: Polars takes longer to import than this takes
    from dealdb.store.history.state import state_gone

    raise state_gone(link, [keys])
