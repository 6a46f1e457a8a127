"""
What other programs did to the hashes: found by comparing them with the log, and adopted by commits.

A plain ``HSET deal:7 ...`` is legal, and the log has not seen it. ``check`` finds such changes without changing
anything; ``repair`` commits the hashes as they are. Both work alongside other commits, and can be repeated
after any interruption.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import TypeVar

import msgpack

from dealdb.connection import Link
from dealdb.errors import StoreError
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.commit.change import Change, Condition
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.hashes import as_dict, scan_hashes
from dealdb.store.keys import Keys
from dealdb.store.live.columns import LiveColumns
from dealdb.store.upkeep.check import (
    CheckReport,
    Difference,
    Hash,
    Logged,
    Problem,
    compare,
    is_column,
)

logger = logging.getLogger(__name__)
BATCH = 200
# against other writers, each of which may come in between
_MAX_TRIES = 1000
# sets the number of deals as of a commit; 0 when there are later ones
_COUNT = b"""
local seq = redis.call('HGET', KEYS[1], 'seq') or '0'
if seq ~= ARGV[1] then return 0 end
if seq ~= '0' then redis.call('HSET', KEYS[1], 'deals', ARGV[2]) end
return 1
"""
T = TypeVar("T")
# rows that only the log has: nothing of a hash is to be adopted
_LEFT_OVER = (Problem.VANISHED, Problem.DOUBLED)


class Adopt(IntEnum):
    """How a hash is committed as it is; the numbers are those that ``commit.lua`` knows."""

    WHERE_IT_CHANGES = 0
    ALWAYS = 1
    # the row that it carries is another deal's
    WITH_NEW_ROW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
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
    """

    adopted: int
    removed: int
    remaining: tuple[Difference, ...]


class Audit:
    """Comparison of one collection's hashes with its log."""

    def __init__(
        self, link: Link, keys: Keys, definitions: Definitions, writers: Writers, live: LiveColumns
    ) -> None:
        self._link = link
        self._keys = keys
        self._definitions = definitions
        self._writers = writers
        self._live = live

    def check(self) -> CheckReport:
        """
        Compare every hash with the log.

        Cost
        ----
        Two round trips for every 1,000 keys of the database, and memory for the ids of all deals.
        """
        logged = Logged(*self._live.snapshot_with_rows())
        seen: set[str] = set()
        suspects: set[str] = set()
        for hashes in scan_hashes(self._link, self._keys):
            seen.update(hashes)
            suspects.update(d.deal for d in compare(hashes, logged))
        suspects.update(logged.ids - seen)
        suspects.update(logged.doubled)
        differences = [d for batch in _batches(sorted(suspects)) for d in self._settled(batch)]
        return CheckReport(deals=len(logged.ids), differences=tuple(differences))

    def _settled(self, ids: Sequence[str]) -> list[Difference]:
        """Differences of these deals that are not just a commit that happened during the comparison."""
        pending = list(ids)
        found: list[Difference] = []
        while pending:
            before = self._hashes(pending)
            logged = Logged(*self._live.snapshot_with_rows(), only=pending)
            after = self._hashes(pending)
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

    def _hashes(self, ids: Sequence[str]) -> dict[str, Hash]:
        replies = self._link.calls([("HGETALL", self._keys.deal(deal)) for deal in ids], retry=True)
        return {deal: as_dict(pairs) for deal, pairs in zip(ids, replies, strict=True) if pairs}

    def repair(self) -> RepairReport:
        """
        Commit what the hashes hold wherever the log says otherwise.

        Cost
        ----
        A check, and a round trip for every 200 deals that differ.
        """
        differences = self.check().differences
        affected = sorted({d.deal for d in differences})
        gone = {d.deal for d in differences if d.problem is Problem.VANISHED}
        with self._writers.beforehand():
            adopted = self._adopt([d for d in differences if d.problem not in _LEFT_OVER])
            removed = sum(len(gone & self._remove(batch)) for batch in _batches(affected))
        self._count()
        self._writers.assure()
        remaining = [d for batch in _batches(affected) for d in self._settled(batch)]
        return RepairReport(adopted=adopted, removed=removed, remaining=tuple(remaining))

    def _adopt(self, differences: Sequence[Difference]) -> int:
        by_deal: dict[str, set[Problem]] = {}
        for difference in differences:
            by_deal.setdefault(difference.deal, set()).add(difference.problem)
        # an unreadable text is in the log already, as it is: adopting it again would change nothing
        wanted = {deal: kinds for deal, kinds in by_deal.items() if kinds != {Problem.UNREADABLE}}
        marks = {
            deal: Adopt.WITH_NEW_ROW if Problem.MISPLACED in kinds else Adopt.ALWAYS
            for deal, kinds in wanted.items()
        }
        return self._logged(
            sum(
                self._adopt_batch({deal: marks[deal] for deal in batch})
                for batch in _batches(marks)
            )
        )

    def _adopt_batch(self, deals: Mapping[str, Adopt]) -> int:
        hashes = list(self._hashes(list(deals)).values())
        names = {name.decode(errors="replace") for each in hashes for name in each}
        schema = self._definitions.declare(
            _unknown_fields(names, self._definitions.refresh().schema)
        )
        # like a save: the stages get a meaning before there are deals in them
        self._definitions.cover_stages(_stages_of(hashes))
        fields = [name for name in schema if name != "id"]
        return self.mend(list(deals), fields, fields, list(deals.values()))

    def adopt_all(self, deals: Iterable[str]) -> int:
        """Commit hashes that the log has never seen; returns how many there were. Two round trips for each 200."""
        batches = (dict.fromkeys(batch, Adopt.ALWAYS) for batch in _batches(deals))
        return self._logged(sum(map(self._adopt_batch, batches)))

    def _logged(self, adopted: int) -> int:
        if adopted:
            logger.info("hashes of %r adopted: %d", self._keys.collection, adopted)
        return adopted

    def mend(
        self,
        ids: Sequence[str],
        fields: Sequence[str],
        sources: Sequence[str | None],
        marks: Sequence[int],
    ) -> int:
        """Give fields the values of others of the same hash; see ``commit.lua``. Returns the deals changed."""
        for _ in range(_MAX_TRIES):
            reply = self._writers.commit(
                Change(
                    kind="mend",
                    version=self._definitions.version_of(self._definitions.schema),
                    payload=msgpack.packb([list(ids), list(fields), list(sources), list(marks)]),
                    ids=ids,
                )
            )
            if reply.is_done:
                _, inserted, updated, _ = reply.counts
                return inserted + updated
            if reply.status != "stale":
                return 0
            self._definitions.refresh()
        raise self._never_done()

    def _remove(self, deals: Sequence[str]) -> set[str]:
        """Delete from the log what it has of these deals and their hashes have not; returns the deals concerned."""
        for _ in range(_MAX_TRIES):
            snapshot, rows = self._live.snapshot_with_rows()
            logged = Logged(snapshot, rows, only=deals)
            hashes = self._hashes(deals)
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
        raise self._never_done()

    def _count(self) -> None:
        """Correct the number of deals, which counts what commits insert and delete."""
        for _ in range(_MAX_TRIES):
            snapshot = self._live.snapshot()
            arguments = (self._keys.meta, snapshot.seq, snapshot.height)
            if self._link.call("EVAL", _COUNT, 1, *arguments):
                return
        raise self._never_done()

    def _never_done(self) -> StoreError:
        where, name = self._link.settings.where, self._keys.collection
        return StoreError(
            f"{where}: others changed {name!r} each time that this was tried; try again when it is quieter"
        )


def _unknown_fields(names: Iterable[str], schema: Schema) -> list[Field]:
    unknown = [name for name in sorted(names) if is_column(name) and name not in schema]
    return [Field(name, FieldType.TEXT) for name in unknown]


def _stages_of(hashes: Iterable[Hash]) -> Iterator[str]:
    for each in hashes:
        # a text that can't be read stays in the hash until a person has mended it
        with suppress(UnicodeDecodeError):
            yield each.get(b"stage", b"").decode()


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
