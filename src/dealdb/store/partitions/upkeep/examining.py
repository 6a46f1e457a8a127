"""What there is to say of a collection of partitions: of its server, of each, and how evenly they are filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dealdb.connection import Link, ServerHealth
from dealdb.errors import StoreError
from dealdb.store.partitions.partition import Partition
from dealdb.store.upkeep.doctor import Finding, State, examined, findings


def examine(
    link: Link, partitions: Sequence[Partition], health: ServerHealth, trouble: str | None
) -> Iterator[Finding]:
    """
    What there is to say; of the partitions behind the first one only what is not as it should be.

    Cost
    ----
    That of ``doctor.findings`` for the first, and some ten round trips for each other one.
    """
    head, *others = partitions
    yield from findings(link, head.keys, health, trouble)
    if not health.reachable:
        return
    for number, part in enumerate(others, 1):
        for finding in examined(link, part.keys):
            if finding.state is not State.OK:
                yield replace(finding, found=f"partition {number}: {finding.found}")
    yield from _leaving(head)
    try:
        yield _spread(link, partitions)
    except StoreError as error:
        # a node may be away
        yield Finding.fail("partitions", str(error))


def _leaving(head: Partition) -> Iterator[Finding]:
    """Fields that leave the partitions, maybe only until a process died."""
    try:
        leaving = head.leading.refresh().schema.leaving
    except StoreError:
        # the finding about the format says why
        return
    for each in leaving:
        advice = "dealdb repair goes on with it where the process that began it has died"
        yield Finding.warn("fields", f"{each.name!r} is {each.what}", advice)


def _spread(link: Link, partitions: Sequence[Partition]) -> Finding:
    metas = [part.keys.meta for part in partitions]
    counts = [
        int(n or 0) for n in link.calls([("HGET", meta, "deals") for meta in metas], retry=True)
    ]
    found = f"{len(partitions)}, with {min(counts):,} to {max(counts):,} deals each"
    places = filter(None, map(link.node_of, metas))
    nodes = Counter(node for _, node in places)
    shares = ", ".join(f"{n} on {node}" for node, n in sorted(nodes.items()))
    return Finding.ok("partitions", f"{found}; {shares}" if shares else found)
