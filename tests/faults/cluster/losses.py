"""What was acknowledged and is not there: which of it asynchronous replication loses by design, and which not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

# a primary is that far behind with its replica at most, on loopback: older saves had reached it
TAIL_S = 0.25
# a deed is noted just before it is done
_AT_ONCE_S = 0.1


@dataclass
class Outage:
    """
    A primary that was gone.

    Attributes
    ----------
    began
        On the monotonic clock.
    slots
        Those that it had.
    replaced
        Whether another has taken its place.
    lasted_s
        After how many seconds.
    """

    kind: str
    began: float
    slots: set[int] = field(default_factory=set)
    replaced: bool = False
    lasted_s: float = 0.0


@dataclass(frozen=True)
class Loss:
    """An acknowledged save that is gone; ``acked`` is the moment of its answer."""

    what: str
    acked: float
    slot: int


def explained(loss: Loss, outages: Sequence[Outage]) -> Outage | None:
    """
    The outage that a save was lost by, as asynchronous replication loses some by design.

    Its primary was replaced, and it was acknowledged in the last moment before that. An answer that came later, when
    the old primary was back, is none: the client has to see through it.
    """
    for outage in outages:
        if (
            outage.replaced
            and loss.slot in outage.slots
            and outage.began - TAIL_S <= loss.acked <= outage.began + _AT_ONCE_S
        ):
            return outage
    return None
