"""``PoolStats``: the state of a connection pool at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """
    State of a connection pool at one moment.

    Attributes
    ----------
    size
        Most sockets that the pool may hold.
    open
        Slots taken: sockets in use, and idle ones.
    in_use
        Sockets that a caller is using.
    waiting
        Callers that wait for one.
    waited
        How many callers have had to wait since the pool was made.
    """

    size: int
    open: int
    in_use: int
    waiting: int
    waited: int
