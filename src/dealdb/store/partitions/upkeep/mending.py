"""
A repair of a collection of partitions: each by itself, then what was in the wrong one.

All of it can be interrupted and repeated: what was repaired stays, and a repeat goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import chain

import polars as pl

from dealdb.connection import Link
from dealdb.store.foreign.frames import frame_of_pages
from dealdb.store.hashes import Hash
from dealdb.store.partitions.layout import partition_of
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.upkeep.checking import Checked, checked, foreign
from dealdb.store.partitions.upkeep.scanning import scan_partitions
from dealdb.store.partitions.upkeep.strays import Strays
from dealdb.store.upkeep.adopter import Learned
from dealdb.store.upkeep.check import Difference, Problem
from dealdb.store.upkeep.repair import RepairReport

# what a log has and no hash: whichever partition the deal belongs to, it is to go from this log
_ONLY_IN_LOG = (Problem.VANISHED, Problem.DOUBLED)


class PartitionedRepair:
    """
    A repair of all partitions.

    Parameters
    ----------
    link
        Way to the database.
    partitions
        All of them, the head first.
    finish
        Goes on with fields that leave, and with stages that some do not have yet.
    """

    def __init__(
        self, link: Link, partitions: Sequence[Partition], finish: Callable[[], object]
    ) -> None:
        self._link = link
        self._partitions = partitions
        self._finish = finish

    def repair(self, mapping: Mapping[str, str | None] | None = None) -> RepairReport:
        """
        Adopt what the hashes of each partition hold, and bring those that are in the wrong one where they belong.

        A hash that is in the wrong partition is moved if its deal is missing in the right one, or has all that it has;
        else it is left, and remains as ``foreign``. So does one of which nobody can tell whose it is.

        Cost
        ----
        That of a check, some round trips for each partition, and two for every 200 deals that differ. With a mapping
        all hashes are read once more.
        """
        found = self._checked()
        strays = Strays(self._link, self._partitions, found.foreign)
        differences = self._with_brought(found.differences, strays.copy())

        @cache
        def learned() -> Learned | None:
            # of all together: what one partition's hashes say alone may be read in two ways
            if not (mapping or any(differences)):
                return None
            return self._partitions[0].others.adopter(self._all_raw).relearned(mapping)

        reports = []
        for number, (part, each) in enumerate(zip(self._partitions, differences, strict=True)):
            learn = partial(self._part_of, learned, number)
            reports.append(part.others.audit().repair_found(each, learn, mapping))
        moved = strays.remove()
        return _together(reports, moved=len(moved), left=strays.left())

    def put_back(self) -> RepairReport:
        """
        Give the hashes of each partition what its history has; what is in the wrong one stays, and remains.

        Cost
        ----
        That of a check, some round trips for each partition, and two for every 200 deals that differ.
        """
        found = self._checked()
        reports = [
            part.others.audit().put_back_found(_own(part, each))
            for part, each in zip(self._partitions, found.differences, strict=True)
        ]
        return _together(reports, left=found.foreign)

    def _checked(self) -> Checked:
        """What a check finds, once each partition can be committed to, and no field leaves."""
        for part in self._partitions:
            part.others.mend_state()
        # what leaves in the hashes alone would look like what other programs have written
        self._finish()
        return checked(self._partitions)

    def _with_brought(
        self, differences: Sequence[Sequence[Difference]], copied: Collection[str]
    ) -> list[list[Difference]]:
        """What each partition is to mend, with the hashes that were brought to it, which no log has seen."""
        n = len(self._partitions)
        mended = [
            [each for each in _own(part, some) if each.deal not in copied]
            for part, some in zip(self._partitions, differences, strict=True)
        ]
        for deal in sorted(copied):
            brought = Difference(deal=deal, problem=Problem.UNLOGGED)
            mended[partition_of(deal, n)].append(brought)
        return mended

    def _all_raw(self) -> pl.DataFrame:
        return frame_of_pages(self._pages())

    def _pages(self) -> Iterator[dict[str, Hash]]:
        keys = [part.keys for part in self._partitions]
        for found in scan_partitions(self._link, keys):
            for number, hashes in found.within.items():
                part = self._partitions[number]
                # of a deal that is in two partitions, the one that queries show
                yield {deal: each for deal, each in hashes.items() if not part.is_elsewhere(deal)}

    def _part_of(self, learn: Callable[[], Learned | None], number: int) -> Learned | None:
        """What the hashes of one partition say."""
        learned = learn()
        if learned is None:
            return None
        n = len(self._partitions)
        is_here = [partition_of(deal, n) == number for deal in learned.raw["id"]]
        return Learned(learned.raw.filter(pl.Series(is_here, dtype=pl.Boolean)), learned.reading)


def _own(part: Partition, differences: Sequence[Difference]) -> list[Difference]:
    """Those that are a partition's to mend."""
    return [
        each
        for each in differences
        if each.problem in _ONLY_IN_LOG or not part.is_elsewhere(each.deal)
    ]


def _together(
    reports: Sequence[RepairReport], *, left: Iterable[str], moved: int = 0
) -> RepairReport:
    """What was done in all partitions."""
    remaining = chain.from_iterable(each.remaining for each in reports)
    return RepairReport(
        adopted=sum(each.adopted for each in reports),
        removed=sum(each.removed for each in reports),
        remaining=(*remaining, *map(foreign, left)),
        mapping=next((each.mapping for each in reports if each.mapping), {}),
        notes=tuple(dict.fromkeys(chain.from_iterable(each.notes for each in reports))),
        changed=tuple(chain.from_iterable(each.changed for each in reports)),
        restored=sum(each.restored for each in reports),
        moved=moved,
    )
