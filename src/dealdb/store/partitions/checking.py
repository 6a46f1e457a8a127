"""A check of all partitions, and of what is in the wrong one or in none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from dealdb.store.hashes import scan_names
from dealdb.store.keys import Keys
from dealdb.store.partitions.partition import Partition
from dealdb.store.upkeep.check import CheckReport, Difference, Problem


def check_all(partitions: Sequence[Partition]) -> CheckReport:
    """
    Compare every hash with the log of its partition, and change nothing; see ``Audit.check``.

    Cost
    ----
    That of a check for each partition, every one of which goes through all keys of the database.
    """
    reports = [part.check() for part in partitions]
    foreign = set(_in_no_partition(partitions))
    found = [
        (number, difference)
        for number, report in enumerate(reports)
        for difference in report.differences
    ]
    foreign.update(chain.from_iterable(map(_logged_elsewhere, partitions)))
    kept = []
    for number, difference in found:
        part = partitions[number]
        if part.is_elsewhere(difference.deal):
            foreign.add(part.keys.key_of(difference.deal))
        else:
            kept.append(difference)
    return CheckReport(
        deals=sum(report.deals for report in reports),
        differences=(
            *kept,
            *(Difference(deal=name, problem=Problem.FOREIGN) for name in sorted(foreign)),
        ),
        lost_facts=tuple(chain.from_iterable(report.lost_facts for report in reports)),
    )


def _in_no_partition(partitions: Sequence[Partition]) -> Iterator[str]:
    """Keys of hashes that have the tag of no partition, as far as they are behind the name of the collection."""
    keys = Keys(partitions[0].keys.collection)
    known = tuple(part.keys.deal_prefix for part in partitions)
    for names in scan_names(partitions[0].link, keys):
        for name in map(bytes.decode, names):
            if not name.startswith(known):
                yield name.removeprefix(keys.deal_prefix)


def _logged_elsewhere(part: Partition) -> Iterator[str]:
    """Deals that the log of a partition has, and whose ids belong to another one."""
    for deal_id in part.snapshot(["id"]).frame["id"]:
        if part.is_elsewhere(deal_id):
            yield part.keys.key_of(deal_id)
