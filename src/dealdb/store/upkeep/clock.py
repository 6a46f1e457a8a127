"""Whether commits have times that are still to come, because the server's clock was ahead when they were made."""

from __future__ import annotations

from dealdb.connection import Link
from dealdb.model.moments import from_epoch_ms
from dealdb.store.bounds.wall import time_in
from dealdb.store.keys import Keys

# clocks that are set by the network differ by less
_TOLERANCE_MS = 60_000


def times_to_come(link: Link, keys: Keys) -> str | None:
    """
    What to say where commits have times in the future; None if none do.

    Raises
    ------
    StoreError
        If the server can't be asked.

    Cost
    ----
    One round trip.
    """
    (seconds, micros), (last, latest) = link.calls(
        [("TIME",), ("HMGET", keys.meta, "time", "future")], retry=True
    )
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    # of the last commit, and of earlier ones that were ahead of the clock
    furthest_ms = max(
        time_in(f"time in {keys.meta!r}", last), time_in(f"future in {keys.meta!r}", latest)
    )
    if furthest_ms <= now_ms + _TOLERANCE_MS:
        return None
    until = from_epoch_ms(furthest_ms)
    return (
        f"commits have times in the future: up to {until:%Y-%m-%dT%H:%MZ}; "
        "the history shows them with that time, the order of commits is right"
    )
