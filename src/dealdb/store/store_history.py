"""The past of one collection: what happened to a deal, what was so at a moment, and what happens from now on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING

from dealdb.connection import Link
from dealdb.model.fiscal import time_zone
from dealdb.store.keys import Keys

if TYPE_CHECKING:
    import polars as pl

    from dealdb.store.archive.chunk_cache import ChunkCache
    from dealdb.store.commit.definitions import Definitions
    from dealdb.store.facts.assumed import Assume
    from dealdb.store.facts.facts import Facts
    from dealdb.store.facts.following.fixed import FixedFacts
    from dealdb.store.facts.following.follower import FactsLog
    from dealdb.store.history.feed import Feed
    from dealdb.store.history.feed_start import Since
    from dealdb.store.history.index.one_deal import DealHistories
    from dealdb.store.log.entry import Position
    from dealdb.store.replica.snapshot import Snapshot
    from dealdb.store.upkeep.other_programs import OtherPrograms


class StoreHistory:
    """
    What a store knows of the past; Polars is imported with the first question.

    Parameters
    ----------
    link
        Way to the database.
    keys
        Of the collection.
    cache
        Where the chunks of checkpoints are looked for first; None for the server alone.
    """

    _definitions: Definitions
    _others: OtherPrograms

    def __init__(self, link: Link, keys: Keys, cache: ChunkCache | None = None) -> None:
        self.link = link
        self.keys = keys
        self._cache = cache
        self._lazy_histories: DealHistories | None = None
        self._lazy_facts: FactsLog | None = None

    def history(self, deal_id: str) -> pl.DataFrame:
        """Every change of one deal; see ``changes.history_of``."""
        from dealdb.store.history.changes import history_of
        from dealdb.store.history.index.one_deal import DealHistories

        self._others.shown()
        if self._lazy_histories is None:
            self._lazy_histories = DealHistories(self.link, self.keys, self._cache)
        return history_of(self.link, self.keys, deal_id, self._lazy_histories)

    def changes(self, until: Position) -> pl.DataFrame:
        """Every change of every deal up to a commit; see ``changes.changes_of``."""
        from dealdb.store.history.changes import changes_of

        self._others.shown()
        return changes_of(self.link, self.keys, until.seq)

    def feed(self, since: Since, timeout_s: float | None) -> Feed:
        """Commits as they happen, over a socket besides the pool's; see ``Feed``."""
        from dealdb.store.history.feed import Feed

        self._others.shown()
        return Feed(self.link.apart(), self.keys, since, timeout_s)

    def as_of(self, when: datetime | date) -> Snapshot:
        """All deals as they were at a moment, days being those of the pipeline; see ``as_of.replica_as_of``."""
        from dealdb.store.history.as_of import is_now, replica_as_of
        from dealdb.store.replica.snapshot import snapshot_of

        others, zone = self._others.snapshot(), self.zone_for(when)
        if others and is_now(when, zone):
            return others
        return snapshot_of(replica_as_of(self.link, self.keys, when, zone))

    def after(self, position: Position) -> Snapshot:
        """All deals as they were after a commit; see ``as_of.replica_at``."""
        from dealdb.store.history.as_of import replica_at
        from dealdb.store.replica.snapshot import snapshot_of

        self._others.shown()
        return snapshot_of(replica_at(self.link, self.keys, position.seq))

    def zone_for(self, when: object) -> tzinfo:
        """Zone in which a date begins and ends: the pipeline's, one round trip; UTC for what is no plain date."""
        if isinstance(when, datetime) or not isinstance(when, date):
            return UTC
        return time_zone(self._definitions.refresh().pipeline.zone)

    @property
    def _facts(self) -> FactsLog:
        from dealdb.store.facts.following.follower import FactsLog

        if self._lazy_facts is None:
            self._lazy_facts = FactsLog(self.link, self.keys, self._cache)
        return self._lazy_facts

    def facts(self) -> Facts:
        """The history of all deals as it was recorded; see ``FactsLog.recorded``."""
        self._others.shown()
        return self._facts.recorded()

    def stage_entries(self, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """Since when some deals stand in their stages; see ``FactsLog.stage_entries``."""
        self._others.shown()
        return self._facts.stage_entries(ids)

    def known_facts(self) -> tuple[pl.DataFrame, pl.Series]:
        """Facts that were imported, and the ids of all deals that there ever were; see ``FactsLog.imported``."""
        self._others.shown()
        return self._facts.imported()

    def spans(self) -> pl.DataFrame:
        """First and last fact of each field, as they happened; see ``FactsLog.spans``."""
        self._others.shown()
        return self._facts.spans()

    def event_as_of(self, when: datetime | date, known: datetime | date | None) -> Snapshot:
        """All deals as they were at a moment, by what is known now or was at another; see ``state.snapshot_at``."""
        from dealdb.store.facts.state import snapshot_at

        return snapshot_at(self.event_facts(known), when)

    def event_facts(self, known: datetime | date | None = None, assume: Assume = "birth") -> Facts:
        """The history of all deals as it happened; see ``FactsLog.event``."""
        self._others.shown()
        return self._facts.event(known, assume)

    def fixed_facts(self) -> FixedFacts:
        """The history of all deals up to now, to which no later commit is added; see ``FactsLog.fixed``."""
        self._others.shown()
        return self._facts.fixed()
