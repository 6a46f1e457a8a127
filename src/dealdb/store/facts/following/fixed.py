"""The history as of one commit, whatever is committed after it."""

from __future__ import annotations

from datetime import date, datetime

from dealdb.model.fiscal import time_zone
from dealdb.model.moments import end_of_day_ms
from dealdb.store.facts.assumed import Assume
from dealdb.store.facts.event import event_facts
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.from_log import present_pipeline, recorded_facts
from dealdb.store.ledger.ledger import Ledger


class FixedFacts:
    """
    Facts of all commits up to one, made when they are first asked for, and kept.

    Parameters
    ----------
    ledger
        Of these commits; nobody adds to it.
    facts
        As they happened, with what is assumed by default.
    """

    def __init__(self, ledger: Ledger, facts: Facts) -> None:
        self._ledger = ledger
        self._events: dict[tuple[int, Assume], Facts] = {(ledger.position.seq, "birth"): facts}
        self._recorded: Facts | None = None

    def recorded(self) -> Facts:
        """Facts as they were recorded; see ``FactsLog.recorded``."""
        if self._recorded is None:
            self._recorded = recorded_facts(self._ledger)
        return self._recorded

    def event(self, known: datetime | date | None = None, assume: Assume = "birth") -> Facts:
        """Facts as they happened; see ``FactsLog.event``."""
        until = known_until(self._ledger, known)
        if (until, assume) not in self._events:
            self._events[until, assume] = event_facts(self._ledger, until, assume)
        return self._events[until, assume]


def known_until(ledger: Ledger, known: datetime | date | None) -> int:
    """
    Number of the last commit that counts where only what was recorded until a moment does; of the last one for None.

    Parameters
    ----------
    known
        A date means the end of that day in the pipeline's zone.
    """
    if known is None:
        return ledger.position.seq
    return ledger.until(end_of_day_ms(known, time_zone(present_pipeline(ledger).zone)))
