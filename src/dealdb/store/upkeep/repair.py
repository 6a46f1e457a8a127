"""
What other programs did to the hashes: found by comparing them with the log, and adopted by commits.

A plain ``HSET deal:7 ...`` is legal, and the log has not seen it. ``check`` finds such changes without changing
anything; ``repair`` commits the hashes as they are. Both work alongside other commits, and can be repeated
after any interruption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgpack

from dealdb.connection import Link
from dealdb.model.notebook import InNotebook
from dealdb.store.commit.change import Change, Condition
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.hashes import scan_hashes
from dealdb.store.history.state import damaged_state, trouble_of
from dealdb.store.keys import Keys
from dealdb.store.live.columns import LiveColumns
from dealdb.store.upkeep.adopter import MAX_TRIES, Adopter, Learned, batches, never_done
from dealdb.store.upkeep.check import (
    CheckReport,
    Comparison,
    Difference,
    Logged,
    Problem,
    compare,
)
from dealdb.store.upkeep.from_history import FromHistory

# sets the number of deals as of a commit; 0 when there are later ones
_COUNT = b"""
local seq = redis.call('HGET', KEYS[1], 'seq') or '0'
if seq ~= ARGV[1] then return 0 end
if seq ~= '0' then redis.call('HSET', KEYS[1], 'deals', ARGV[2]) end
return 1
"""
# rows that only the log has: nothing of a hash is to be adopted
_LEFT_OVER = (Problem.VANISHED, Problem.DOUBLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport(InNotebook):
    """
    What a repair did.

    Attributes
    ----------
    adopted
        Deals whose hash is in the log now as it is.
    removed
        Deals whose hash was gone, now deleted in the log too.
    remaining
        Differences that only a person can resolve: texts that do not fit their field's type.
    mapping
        Field that each hash field of another program has become, beside which it stays.
    notes
        How these were read.
    changed
        Fields in which hash and history differed before, with what each had.
    restored
        Deals whose hash got back what the history has.
    moved
        Deals whose hash was in another partition than that of their id, or in none, and is where it belongs now.
    facts
        Changes of deals that were kept once more, where that was asked for; else None.
    """

    adopted: int
    removed: int
    remaining: tuple[Difference, ...]
    mapping: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    changed: tuple[Difference, ...] = ()
    restored: int = 0
    moved: int = 0
    facts: int | None = None


def with_adopted(report: RepairReport, first: RepairReport) -> RepairReport:
    """What an adoption and the repair after it have done together."""
    remaining = tuple(dict.fromkeys((*first.remaining, *report.remaining)))
    adopted = first.adopted + report.adopted
    return replace(first, adopted=adopted, removed=report.removed, remaining=remaining)


def _changed(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    return tuple(d for d in differences if d.problem is Problem.CHANGED)


class Audit:
    """
    Comparison of one collection's hashes with its log.

    Parameters
    ----------
    link, keys, definitions, writers, live
        The collection.
    adopter
        Commits its hashes as they are.
    """

    def __init__(
        self,
        link: Link,
        keys: Keys,
        definitions: Definitions,
        writers: Writers,
        live: LiveColumns,
        adopter: Adopter,
    ) -> None:
        self._link = link
        self._keys = keys
        self._definitions = definitions
        self._writers = writers
        self._live = live
        self._adopter = adopter

    def check(self) -> CheckReport:
        """
        Compare every hash with the log.

        Cost
        ----
        Two round trips for every 1,000 keys of the database, and memory for the ids of all deals.

        Raises
        ------
        StoreDamaged
            If the state of the collection is gone or damaged; ``repair`` makes it again.
        """
        comparison = self.begin_check()
        for hashes in scan_hashes(self._link, self._keys):
            comparison.add(hashes)
        return self.end_check(comparison)

    def begin_check(self) -> Comparison:
        """Begin a check for which the caller reads the hashes. Raises what ``check`` does; some round trips."""
        logged = Logged(*self._live.snapshot_with_rows())
        # behind the log, which may be what is damaged
        if trouble := trouble_of(self._link, self._keys):
            raise damaged_state(self._link, trouble)
        return Comparison(logged)

    def end_check(self, comparison: Comparison) -> CheckReport:
        """What a check has found. Some round trips for every 200 deals that seem to differ."""
        suspects = comparison.suspects()
        differences = [d for batch in batches(suspects) for d in self._settled(batch)]
        return CheckReport(deals=len(comparison.logged.ids), differences=tuple(differences))

    def _settled(self, ids: Sequence[str]) -> list[Difference]:
        """Differences of these deals that are not just a commit that happened during the comparison."""
        pending = list(ids)
        found: list[Difference] = []
        while pending:
            before = self._adopter.hashes(pending)
            logged = Logged(*self._live.snapshot_with_rows(), only=pending)
            after = self._adopter.hashes(pending)
            # a deal that no commit touched from one read to the other can be compared with what is between
            stable = {deal for deal in pending if before.get(deal) == after.get(deal)}
            found += compare(
                {deal: after[deal] for deal in pending if deal in stable and deal in after}, logged
            )
            gone = [deal for deal in pending if deal in stable & logged.ids and deal not in after]
            found += [
                Difference(deal=deal, problem=Problem.VANISHED)
                for deal in self._still(logged, gone)
            ]
            pending = [deal for deal in pending if deal not in stable]
        return found

    def _still(self, logged: Logged, gone: Sequence[str]) -> Iterator[str]:
        """Those of the deals that the log has had all the while: not ones saved and deleted again in between."""
        if gone:
            now = Logged(*self._live.snapshot_with_rows(), only=gone)
            yield from (deal for deal in gone if now.rows_of(deal) == logged.rows_of(deal))

    def adopt_all(self, mapping: Mapping[str, str | None] | None = None) -> RepairReport:
        """
        Commit all hashes that the log has never seen, and decide which of their fields become others.

        Parameters
        ----------
        mapping
            Fields that hash fields become, None for one that stays what it is.

        Cost
        ----
        A read of all hashes, and two round trips for every 200 of them.
        """
        with self._writers.beforehand():
            learned = self._adopter.learned(mapping)
            adopted = self._adopter.all(learned)
        self._writers.assure()
        return RepairReport(
            adopted=adopted,
            removed=0,
            remaining=tuple(learned.unreadable(set(learned.raw["id"]))),
            mapping=learned.reading.mapping,
            notes=tuple(learned.reading.notes),
        )

    def repair(self, mapping: Mapping[str, str | None] | None = None) -> RepairReport:
        """
        Commit what the hashes hold wherever the log says otherwise.

        Parameters
        ----------
        mapping
            Fields that further hash fields become, in every deal.

        Cost
        ----
        A check, and a round trip for every 200 deals that differ; with a mapping a read of all hashes.
        """
        differences = self.check().differences

        def learn() -> Learned | None:
            return self._adopter.relearned(mapping) if mapping or differences else None

        return self.repair_found(differences, learn, mapping)

    def repair_found(
        self,
        differences: Sequence[Difference],
        learn: Callable[[], Learned | None],
        mapping: Mapping[str, str | None] | None = None,
    ) -> RepairReport:
        """As ``repair``, of what a check has found; ``learn`` says what the hashes say that is to be another field."""
        affected = sorted({d.deal for d in differences})
        gone = {d.deal for d in differences if d.problem is Problem.VANISHED}
        with self._writers.beforehand():
            learned = learn()
            adopted = self._adopter.differing(
                [d for d in differences if d.problem not in _LEFT_OVER], learned
            )
            if learned and mapping:
                adopted += self._adopter.convert(learned, mapping)
            removed = sum(len(gone & self._remove(batch)) for batch in batches(affected))
        self._count()
        self._writers.assure()
        remaining = [d for batch in batches(affected) for d in self._settled(batch)]
        if learned:
            remaining += learned.unreadable(set(learned.raw["id"] if mapping else affected))
        return RepairReport(
            adopted=adopted,
            removed=removed,
            remaining=tuple(dict.fromkeys(remaining)),
            mapping=learned.reading.mapping if learned else {},
            notes=tuple(learned.reading.notes) if learned and mapping else (),
            changed=_changed(differences),
        )

    def put_back(self) -> RepairReport:
        """
        Give the hashes what the history has, wherever they say otherwise; the opposite of ``repair``.

        Cost
        ----
        As of ``repair``, and a round trip for each deal whose hash is gone.
        """
        return self.put_back_found(self.check().differences)

    def put_back_found(self, differences: Sequence[Difference]) -> RepairReport:
        """As ``put_back``, of what a check has found."""
        affected = sorted({d.deal for d in differences})
        parts = (self._link, self._keys, self._definitions, self._writers, self._live)
        with self._writers.beforehand():
            restored = FromHistory(*parts, self._adopter).put_back(affected)
            there_twice = {d.deal for d in differences if d.problem is Problem.DOUBLED}
            for batch in batches(sorted(restored | there_twice)):
                self._remove(batch)
        self._count()
        self._writers.assure()
        remaining = [d for batch in batches(affected) for d in self._settled(batch)]
        return RepairReport(
            adopted=0,
            removed=0,
            remaining=tuple(remaining),
            changed=_changed(differences),
            restored=len(restored),
        )

    def _remove(self, deals: Sequence[str]) -> set[str]:
        """Delete from the log what it has of these deals and their hashes have not; returns the deals concerned."""
        for _ in range(MAX_TRIES):
            snapshot, rows = self._live.snapshot_with_rows()
            logged = Logged(snapshot, rows, only=deals)
            hashes = self._adopter.hashes(deals)
            left_over = [
                (deal, row)
                for deal in deals
                for row in logged.rows_of(deal)
                if str(row).encode() != hashes.get(deal, {}).get(b"_row")
            ]
            if not left_over:
                return set()
            ids = [deal for deal, _ in left_over]
            reply = self._writers.commit(
                Change(
                    kind="delete",
                    version=self._definitions.version_of(self._definitions.refresh().schema),
                    payload=msgpack.packb([ids, [row for _, row in left_over]]),
                    ids=ids,
                    # the rows are right only as long as nobody has deleted or saved the deals since
                    condition=Condition.no_commit_since(snapshot.seq),
                )
            )
            if reply.is_done or reply.status == "unchanged":
                return set(ids) if reply.is_done else set()
        raise never_done(self._link, self._keys)

    def _count(self) -> None:
        """Correct the number of deals, which counts what commits insert and delete."""
        for _ in range(MAX_TRIES):
            snapshot = self._live.snapshot()
            arguments = (self._keys.meta, snapshot.seq, snapshot.height)
            if self._link.call("EVAL", _COUNT, 1, *arguments):
                return
            if trouble := trouble_of(self._link, self._keys):
                # what the log says will never be what the state says
                raise damaged_state(self._link, trouble)
        raise never_done(self._link, self._keys)
