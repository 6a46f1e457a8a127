"""What there is to say of a collection of partitions: of its server, of each, and how evenly they are filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dealdb.connection import Link, ServerHealth
from dealdb.errors import StoreError
from dealdb.store.partitions.partition import Partition
from dealdb.store.upkeep.doctor import Finding, State, examined, findings

# the chance that one is empty where there are so many on average is that of e to the power of minus this
_DEALS_A_PARTITION = 50


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
        yield from _apart(link, partitions)
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


def _apart(link: Link, partitions: Sequence[Partition]) -> Iterator[Finding]:
    """Partitions that have not what they should have: the stages of the first one, or any commit at all."""
    looks = [("HMGET", part.keys.meta, "pipeline_version", "seq", "deals") for part in partitions]
    found = link.calls(looks, retry=True)
    stages = found[0][0]
    behind = [n for n, (each, seq, _) in enumerate(found) if seq and each != stages]
    if behind:
        advice = "dealdb repair brings them up to date where the process that changed the stages has died"
        yield Finding.warn("stages", f"others than the first has: {_named(behind)}", advice)
    empty = [n for n, (_, seq, _) in enumerate(found) if not seq]
    n_deals = sum(int(n or 0) for *_, n in found)
    # ids are dealt out evenly: so many deals would not all be elsewhere by chance
    if empty and n_deals > _DEALS_A_PARTITION * len(partitions):
        what = f"without any commit: {_named(empty)}, where the others have {n_deals:,} deals"
        advice = (
            "another program has removed their keys, if their deals are missing; restore a backup"
        )
        yield Finding.warn("partitions", what, advice)


def _named(numbers: Sequence[int]) -> str:
    return f"partition{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


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
