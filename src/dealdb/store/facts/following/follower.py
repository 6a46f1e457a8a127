"""The ledger of a collection, kept in this process and brought up to date by the commits since."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import date, datetime

import polars as pl

from dealdb.connection import Link
from dealdb.connection.fork import renew_in_child
from dealdb.store.archive.chunk_cache import ChunkCache
from dealdb.store.archive.first_look import first_look
from dealdb.store.facts.assumed import Assume
from dealdb.store.facts.event import event_facts
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.following.continued import FactsBase
from dealdb.store.facts.following.fixed import FixedFacts, known_until
from dealdb.store.facts.following.stage_entries import StageEntries
from dealdb.store.facts.from_log import present_pipeline, present_schema, recorded_facts
from dealdb.store.facts.kept_tables import KeptTables, whole_ledger
from dealdb.store.history.reading import is_known, read_history, read_news
from dealdb.store.keys import Keys
from dealdb.store.ledger.kept import beginning_of, has_facts
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.log.reader import HistoryReset

_MOST_VIEWS = 4


class FactsLog:
    """
    The history of one collection as columns, for as long as the process lives.

    It begins with the tables that the newest checkpoint has kept, each of which is read when it is needed; else with
    the first commit.

    Parameters
    ----------
    link, keys
        Where it is.
    cache
        Where the pieces of tables are looked for first; None for the server alone.

    Raises
    ------
    StoreDamaged
        From ``recorded``, if a part of the history is missing.
    """

    def __init__(self, link: Link, keys: Keys, cache: ChunkCache | None = None) -> None:
        self._link = link
        self._keys = keys
        self._cache = cache
        self._lock = threading.Lock()
        self._ledger = Ledger()
        self._recorded: Facts | None = None
        # by the last commit that counts, and what is assumed
        self._events: dict[tuple[int, Assume], Facts] = {}
        # of all commits so far, from which those of the next ones are made
        self._bases: dict[Assume, FactsBase] = {}
        self._entries = StageEntries()
        renew_in_child(self)

    def renew(self) -> None:
        """Begin with a new lock, and anew, in a forked child: the parent may have been in the middle."""
        self._lock = threading.Lock()
        self._entries = StageEntries()
        self._forget()

    def recorded(self) -> Facts:
        """
        Facts as they were recorded, up to now.

        Cost
        ----
        One round trip where nothing is new; the first time, three and one for each MiB of log since the last
        checkpoint, and then one for each field that is asked for. Where no checkpoint has kept tables, or some of them
        are damaged, a read of the whole history.
        """
        with self._lock:
            ledger = self._current()
            if self._recorded is None:
                self._recorded = recorded_facts(ledger)
            return self._recorded

    def event(self, known: datetime | date | None = None, assume: Assume = "birth") -> Facts:
        """
        Facts as they happened; see ``event.event_facts``.

        Parameters
        ----------
        known
            Only what was recorded until then counts, that moment included; a date means the end of that day in the
            pipeline's zone. None for all.
        assume
            As of ``event_facts``.

        Cost
        ----
        As of ``recorded``. Where something was imported or saved with a moment of its own, and for ``"backfill"``, the
        first time reads all fields. After commits of few deals, a scan for the rows of these.
        """
        with self._lock:
            return self._event(self._current(), known, assume)

    def fixed(self) -> FixedFacts:
        """
        The history up to now, to which no later commit is added.

        Cost
        ----
        As of ``event``; what is first asked of it later costs no further round trip than that of its fields.
        """
        with self._lock:
            ledger = self._current()
            return FixedFacts(ledger, self._event(ledger, None, "birth"))

    def _event(self, ledger: Ledger, known: datetime | date | None, assume: Assume) -> Facts:
        until = known_until(ledger, known)
        if (until, assume) not in self._events:
            # a few views, not one for each moment that was ever asked for
            while len(self._events) >= _MOST_VIEWS:
                self._events.pop(next(iter(self._events)))
            is_present = until == ledger.position.seq
            self._events[until, assume] = (
                self._present(ledger, assume) if is_present else event_facts(ledger, until, assume)
            )
        return self._events[until, assume]

    def _present(self, ledger: Ledger, assume: Assume) -> Facts:
        """Facts of all commits, of which few are newer than what is known."""
        base = self._bases.get(assume)
        found = None if base is None else base.continued(ledger)
        if found is None:
            self._bases[assume] = base = FactsBase.of(ledger, assume)
            found = base.facts
        return found

    def stage_entries(self, ids: Collection[str]) -> dict[str, tuple[str, int]]:
        """
        Stage of some deals and the moment since when, as ``event`` has them; see ``StageEntries.read``.

        Cost
        ----
        As of ``recorded``; then a scan of the tables for deals that were not asked for before, or have changed since.
        """
        with self._lock:
            entries = self._entries
            # the ledger need not know what no deal is asked for
            self._follow(entries)
            missing, known = entries.missing(ids), entries.known(ids)
            return known | (entries.read(self._current(), missing) if missing else {})

    def _follow(self, entries: StageEntries) -> None:
        since = entries.position
        try:
            pages = read_news(self._link, self._keys, since) if since.seq else None
            for page in pages or ():
                entries.follow(page)
        except HistoryReset:
            pages = None
        if pages is None:
            entries.clear(self._current().position)

    def imported(self) -> tuple[pl.DataFrame, pl.Series]:
        """
        Facts that were imported, with the columns of ``IMPORT_SCHEMA``, and the ids of all deals that there ever were.

        Cost
        ----
        As of ``recorded``.
        """
        with self._lock:
            ledger = self._current()
            return ledger.imported.table(), ledger.ids.table()["id"].unique()

    def spans(self) -> pl.DataFrame:
        """
        Since when each field is known: ``field``, ``first``, ``last`` (moments, UTC) and ``n``, its facts.

        What is only assumed is not in it.

        Cost
        ----
        As of ``recorded``.
        """
        facts = self.event(assume="none")
        moment = pl.Datetime("ms", "UTC")
        rows = [
            facts.of(name).select(
                field=pl.lit(name),
                first=pl.col("at").min().cast(moment),
                last=pl.col("at").max().cast(moment),
                n=pl.len(),
            )
            for name in facts.schema
            if name != "id" and not facts.of(name).is_empty()
        ]
        columns: dict[str, pl.DataType] = {
            "field": pl.String(),
            "first": moment,
            "last": moment,
            "n": pl.UInt32(),
        }
        return pl.concat([pl.DataFrame(schema=columns), *rows])

    def _current(self) -> Ledger:
        """The ledger with all commits; what does not hold any more of what was made of an older one is dropped."""
        known = self._continued(self._ledger)
        if known is None:
            self._forget()
            known = self._begun()
        if known.position != self._ledger.position:
            self._outdate(known)
        self._ledger = known
        return known

    def _outdate(self, ledger: Ledger) -> None:
        """Drop what more commits have made another; what was known before them stays, as long as it means the same."""
        seq, self._recorded = self._ledger.position.seq, None
        # what fields and stages mean is read only for facts that may stay
        earlier = {key: facts for key, facts in self._events.items() if key[0] < seq}
        now = (present_schema(ledger), present_pipeline(ledger)) if earlier else None
        self._events = {
            key: facts for key, facts in earlier.items() if (facts.schema, facts.pipeline) == now
        }

    def _forget(self) -> None:
        self._ledger, self._recorded, self._events, self._bases = Ledger(), None, {}, {}

    def _continued(self, ledger: Ledger) -> Ledger | None:
        """The ledger with what is new; None where it is empty, or the history is another one by now."""
        since = ledger.position
        if not since.seq:
            return None
        # facts that were handed out go on reading the one before
        found = ledger.copy()
        try:
            pages = read_news(self._link, self._keys, since)
            if pages is not None:
                for page in pages:
                    found.take(page)
            elif is_known(self._link, self._keys, since):
                found.take(read_history(self._link, self._keys, since=since, as_frames=True))
            else:
                return None
        except HistoryReset:
            return None
        return found if found.position != since else ledger

    def _begun(self) -> Ledger:
        """A ledger with all commits."""
        return self._begun_with_tables() or whole_ledger(self._link, self._keys)

    def _begun_with_tables(self) -> Ledger | None:
        manifest = first_look(self._link, self._keys).manifest
        for generation in manifest.generations if manifest else ():
            if not has_facts(generation):
                continue
            tables = KeptTables(self._link, self._keys, generation, self._cache)
            ledger = Ledger(beginning_of(generation, tables.load))
            try:
                pages = read_news(self._link, self._keys, generation.position)
                if pages is not None:
                    for page in pages:
                        ledger.take(page)
                    return ledger
            except HistoryReset:
                continue
        return None
