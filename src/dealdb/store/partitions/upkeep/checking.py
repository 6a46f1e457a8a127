"""A check of all partitions, and of what is in the wrong one or in none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from dealdb.store.facts.rebuild import lost_pieces
from dealdb.store.partitions.partition import Partition
from dealdb.store.partitions.upkeep.scanning import scan_partitions
from dealdb.store.upkeep.check import CheckReport, Difference, Problem


@dataclass(frozen=True, slots=True)
class Checked:
    """
    What a check of all partitions has found.

    Attributes
    ----------
    deals
        Deals that the logs know.
    differences
        Those of each partition, as a check of it alone finds them, also of deals that belong to another.
    foreign
        What the keys have behind the name of the collection, of hashes that are not in the partition of their id; and
        whether the log of the partition that they are in has them.
    """

    deals: int
    differences: list[list[Difference]]
    foreign: dict[str, bool]


def check_all(partitions: Sequence[Partition]) -> CheckReport:
    """
    Compare every hash with the log of its partition, and change nothing; see ``Audit.check``.

    Cost
    ----
    Two round trips for every 1,000 keys of the database, and some for each partition.
    """
    found = checked(partitions)
    return CheckReport(
        deals=found.deals,
        differences=(
            *(
                each
                for part, differences in zip(partitions, found.differences, strict=True)
                for each in differences
                if not part.is_elsewhere(each.deal)
            ),
            *map(foreign, found.foreign),
        ),
        lost_facts=tuple(chain.from_iterable(_lost_facts(partitions))),
    )


def foreign(name: str) -> Difference:
    """A hash that is not in the partition of its id, by what its key has behind the name of the collection."""
    return Difference(deal=name, problem=Problem.FOREIGN)


def checked(partitions: Sequence[Partition]) -> Checked:
    """Compare every hash with the log of its partition, each node being scanned once."""
    audits = [part.others.audit() for part in partitions]
    comparisons = [audit.begin_check() for audit in audits]
    strange: dict[str, bool] = {}
    for found in scan_partitions(partitions[0].link, [part.keys for part in partitions]):
        strange.update(dict.fromkeys(found.nowhere, False))
        for number, hashes in found.within.items():
            comparisons[number].add(hashes)
    differences = []
    for part, audit, comparison in zip(partitions, audits, comparisons, strict=True):
        report = audit.end_check(comparison)
        differences.append(list(report.differences))
        known = comparison.logged.ids
        for deal in chain((each.deal for each in report.differences), known):
            if part.is_elsewhere(deal):
                strange[part.keys.key_of(deal)] = deal in known
    n_deals = sum(len(comparison.logged.ids) for comparison in comparisons)
    return Checked(n_deals, differences, dict(sorted(strange.items())))


def _lost_facts(partitions: Sequence[Partition]) -> Iterator[list[str]]:
    looks = [("EXISTS", part.keys.checkpoint) for part in partitions]
    are_there = partitions[0].link.calls(looks, retry=True)
    for part, is_there in zip(partitions, are_there, strict=True):
        if is_there:
            yield lost_pieces(part.link, part.keys)
