"""Saves by some threads while a primary is killed or frozen, and what became of those that were acknowledged."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from connected import eventually
from dealdb import DealDatabase
from dealdb.errors import OutcomeUnknown, StoreError

# each thread has its own, so that the last number says what has to be there
N_DEALS = 20


class Acked(NamedTuple):
    """
    A save that was acknowledged.

    Attributes
    ----------
    number
        What was saved.
    begun, told
        When the save began, and when its thread had the answer, on the monotonic clock.
    """

    number: int
    begun: float
    told: float


@dataclass
class Saves:
    """
    What was acknowledged.

    Attributes
    ----------
    acked
        Of each deal what was saved.
    unknown
        For each deal the numbers of saves that nobody knows the outcome of.
    refused
        Saves that certainly didn't happen.
    """

    acked: dict[str, list[Acked]] = field(default_factory=dict)
    unknown: dict[str, set[int]] = field(default_factory=dict)
    refused: int = 0


class Savers:
    """Threads that save until the block ends."""

    def __init__(self, url: str, n_threads: int = 4, **settings: Any) -> None:
        self.saves = Saves()
        self._db = DealDatabase.from_url(url, **settings)
        self._stop = threading.Event()
        # of each thread when the last save began that was acknowledged
        self._latest = dict.fromkeys(range(n_threads), 0.0)
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

    def have_saved_each(self, times: int) -> bool:
        """Whether each deal is acknowledged so many times, sooner or later."""
        n_deals = len(self._threads) * N_DEALS

        def have() -> bool:
            numbers = [len(acked) for acked in list(self.saves.acked.values())]
            return len(numbers) == n_deals and min(numbers) >= times

        return eventually(have)

    def go_on(self) -> bool:
        """Whether a save of each thread that begins from now on is acknowledged, sooner or later."""
        now = time.monotonic()
        return eventually(lambda: min(self._latest.values()) > now)

    def _save(self, who: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            deal, begun = f"{who}-{number % N_DEALS}", time.monotonic()
            try:
                self._db.save_deal({"id": deal, "amount": number})
            except OutcomeUnknown:
                self.saves.unknown.setdefault(deal, set()).add(number)
                continue
            except StoreError:
                self.saves.refused += 1
                time.sleep(0.01)
                continue
            acked = Acked(number, begun, time.monotonic())
            self.saves.acked.setdefault(deal, []).append(acked)
            self._latest[who] = begun


def lost(saves: Saves, url: str) -> list[Acked]:
    """The acknowledged saves whose deal has an older number now, and none that nobody knows about."""
    found: list[Acked] = []
    with DealDatabase.from_url(url) as db:
        frame = db.query.frame()
    has = dict(zip(frame["id"], map(int, frame["amount"]), strict=True))
    for deal, acked in saves.acked.items():
        allowed = saves.unknown.get(deal, set())
        now = has.get(deal, 0)
        assert now in allowed or now in {each.number for each in acked} or now == 0, (deal, now)
        found += [each for each in acked if each.number > now]
    return found
