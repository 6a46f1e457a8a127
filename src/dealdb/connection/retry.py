"""
When to try again, and how long to wait before it.

The client's own retries are off: it resends whatever it sent last, so a save whose reply was lost would be
done twice. Here a command is sent again only when it is a read, when it provably never left, or when the server
knows a repeat by its counter and digest, as with commits.
"""

from __future__ import annotations

import math
import random
import time

# seconds before the second try; each further wait doubles up to the longest
FIRST_WAIT_S = 0.01
LONGEST_WAIT_S = 0.5


class Pauses:
    """
    Waits between tries that grow, with jitter, until a deadline.

    The n-th wait is drawn evenly from the upper half of ``min(0.01 * 2**n, 0.5)`` seconds, so that many
    clients of a server that restarts don't come back in step.

    Parameters
    ----------
    seconds
        How long after its making a further try may begin; without end by default.
    began
        When that was, on the monotonic clock, where it is made only once something has failed; None for now.
    """

    __slots__ = ("_ends_at", "_longest")

    def __init__(self, seconds: float = math.inf, began: float | None = None) -> None:
        self._ends_at = (time.monotonic() if began is None else began) + seconds
        self._longest = FIRST_WAIT_S

    @property
    def over(self) -> bool:
        """Whether the next try could only begin after the deadline."""
        return time.monotonic() + self._longest > self._ends_at

    def next_s(self) -> float:
        """Seconds until the next try is due, for who waits for something else meanwhile; each call makes them grow."""
        pause = random.uniform(self._longest / 2, self._longest)  # noqa: S311  # jitter, not a secret
        self._longest = min(self._longest * 2, LONGEST_WAIT_S)
        return pause

    def wait(self) -> None:
        """Sleep until the next try is due."""
        time.sleep(self.next_s())
