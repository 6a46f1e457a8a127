"""
When to try again, and how long to wait before it.

The client's own retries are off: it resends whatever it sent last, so a save whose reply was lost would be
done twice. Here a command is sent again only when it is a read, or when it provably never left.
"""

from __future__ import annotations

import random
import time

# seconds before the second try; each further wait doubles up to the longest
FIRST_WAIT_S = 0.01
LONGEST_WAIT_S = 0.5


class Deadline:
    """
    Waits that grow, with jitter, until a deadline.

    The n-th wait is drawn evenly from the upper half of ``min(0.01 * 2**n, 0.5)`` seconds, so that many
    clients of a server that restarts don't come back in step.

    Parameters
    ----------
    seconds
        How long after its making a further try may begin.
    """

    __slots__ = ("_ends_at", "_longest")

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._longest = FIRST_WAIT_S

    def wait(self) -> bool:
        """Sleep until the next try is due; False at once, when the deadline comes before it."""
        pause = random.uniform(self._longest / 2, self._longest)  # noqa: S311  # jitter, not a secret
        if time.monotonic() + pause > self._ends_at:
            return False
        time.sleep(pause)
        self._longest = min(self._longest * 2, LONGEST_WAIT_S)
        return True
