"""Saves by some threads while a primary is killed or frozen, and what became of those that were acknowledged."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self

from dealdb import DealDatabase
from dealdb.errors import OutcomeUnknown, StoreError

# each thread has its own, so that the last number says what has to be there
N_DEALS = 20


@dataclass
class Saves:
    """
    What was acknowledged.

    Attributes
    ----------
    acked
        For each deal the numbers that were saved, and when, on the monotonic clock.
    unknown
        For each deal the numbers of saves that nobody knows the outcome of.
    refused
        Saves that certainly didn't happen.
    longest_s
        The longest time from one acknowledged save of a thread to the next.
    """

    acked: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    unknown: dict[str, set[int]] = field(default_factory=dict)
    refused: int = 0
    longest_s: float = 0.0

    @property
    def n_acked(self) -> int:
        return sum(map(len, self.acked.values()))


class Savers:
    """Threads that save until the block ends."""

    def __init__(self, url: str, n_threads: int = 4, **settings: Any) -> None:
        self.saves = Saves()
        self._db = DealDatabase.from_url(url, **settings)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._save, args=(n,)) for n in range(n_threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        self._db.close()

    def _save(self, who: int) -> None:
        number, last = 0, time.monotonic()
        while not self._stop.is_set():
            number += 1
            deal = f"{who}-{number % N_DEALS}"
            try:
                self._db.save_deal({"id": deal, "amount": number})
            except OutcomeUnknown:
                self.saves.unknown.setdefault(deal, set()).add(number)
                continue
            except StoreError:
                self.saves.refused += 1
                time.sleep(0.01)
                continue
            now = time.monotonic()
            self.saves.acked.setdefault(deal, []).append((number, now))
            self.saves.longest_s, last = max(self.saves.longest_s, now - last), now


def lost(saves: Saves, url: str) -> list[float]:
    """When each acknowledged save was made whose deal has an older number now, and none that nobody knows about."""
    found = []
    with DealDatabase.from_url(url) as db:
        frame = db.query.frame()
    has = dict(zip(frame["id"], map(int, frame["amount"]), strict=True))
    for deal, acked in saves.acked.items():
        allowed = saves.unknown.get(deal, set())
        now = has.get(deal, 0)
        assert now in allowed or now in {number for number, _ in acked} or now == 0, (deal, now)
        found += [when for number, when in acked if number > now]
    return found
