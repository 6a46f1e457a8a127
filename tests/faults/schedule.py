"""Which faults come when: drawn from a seed alone, so that a run has the same ones again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# how often each comes, of all; the seconds that it lasts are between two numbers, mostly near the first
WEIGHTS: dict[str, tuple[float, float, float]] = {
    # of the server
    "kill": (5, 0.0, 0.4),
    "freeze": (3, 0.5, 8.0),
    "client_kill": (6, 0.0, 0.0),
    "client_pause": (4, 0.1, 1.5),
    "script_flush": (6, 0.0, 0.0),
    "out_of_memory": (5, 0.05, 0.6),
    "rights": (6, 0.05, 0.5),
    "demote": (4, 0.05, 0.8),
    "rewrite": (2, 0.0, 0.0),
    "lease": (4, 0.0, 0.0),
    # of the network
    "refuse": (5, 0.1, 0.8),
    "hold": (5, 0.1, 2.0),
    "lose_replies": (7, 0.05, 1.6),
    "mute": (5, 0.05, 1.6),
    "chop": (4, 0.1, 0.5),
    "slow": (4, 0.1, 0.5),
    "cut": (6, 0.0, 0.0),
    "rst": (6, 0.0, 0.0),
    "half_close": (5, 0.0, 0.0),
    "chance": (12, 0.2, 1.2),
    "exchanges": (10, 0.1, 0.3),
    # of a process
    "kill_worker": (4, 0.0, 0.0),
    # where there is libfaketime
    "clock": (3, 0.1, 0.6),
}
KINDS = tuple(WEIGHTS)
_PAUSE_S = (0.1, 0.45)


@dataclass(frozen=True)
class Planned:
    """
    One fault.

    Attributes
    ----------
    kind
        One of ``KINDS``.
    seconds
        How long it lasts; 0 where it is over at once.
    pause_s
        How long to wait after it.
    draw
        Decides what the kind leaves open, from 0 to 1.
    """

    kind: str
    seconds: float
    pause_s: float
    draw: float


def schedule(seed: int, kinds: Sequence[str] = KINDS) -> Iterator[Planned]:
    """Faults without end; each kind once at first, then at random by its weight."""
    rng = random.Random(f"schedule {seed}")
    first = rng.sample(kinds, len(kinds))
    weights = [WEIGHTS[kind][0] for kind in kinds]
    while True:
        kind = first.pop() if first else rng.choices(kinds, weights)[0]
        _, least, most = WEIGHTS[kind]
        seconds = least + (most - least) * rng.random() ** 4
        yield Planned(kind, seconds, rng.uniform(*_PAUSE_S), rng.random())
