"""How long what was read of the hashes of another program is shown before they are read again."""

from __future__ import annotations

# at least, in seconds; and so many times as long as it took
FRESH_S = 10.0
_TIMES_AS_LONG = 9


def pause_after(took_s: float) -> float:
    """
    Seconds until hashes that took so long to read are read again.

    Examples
    --------
    >>> pause_after(0.5), pause_after(3)
    (10.0, 27)
    """
    return max(FRESH_S, _TIMES_AS_LONG * took_s)
