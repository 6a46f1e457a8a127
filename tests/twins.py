"""A collection of partitions as one of one piece: the same commits, in the order of time, in one ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import msgpack

from dealdb.store.facts.facts import Facts
from dealdb.store.history.reading import read_history
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.log.entry import Entry, Position
from dealdb.store.partitions.partition import Partition

# rows of a partition
_ROWS = 1_000_000


def twin_of(partitions: Sequence[Partition]) -> Ledger:
    """What one log would say, if all commits had gone into it."""
    return ledger_of([list(read_history(part.link, part.keys)) for part in partitions])


def ledger_of(logs: Sequence[Sequence[Entry]]) -> Ledger:
    """The same of the commits of each partition."""
    schema = [entry.data for entry in logs[0] if entry.kind == "schema"][-1:]
    found = [entry for n, log in enumerate(logs) for entry in _placed(n, log, schema)]
    ledger = Ledger()
    ordered = sorted(found, key=lambda each: each[0])
    ledger.take(
        entry._replace(position=Position(seq, b"")) for seq, (*_, entry) in enumerate(ordered, 1)
    )
    return ledger


def _placed(
    number: int, entries: Sequence[Entry], schema: Sequence[bytes]
) -> Iterator[tuple[tuple[int, int, int], Entry]]:
    """Commits with what they are sorted by: the moment from which on each counts, and their places."""
    moments = [*accumulate((entry.time_ms for entry in reversed(entries)), min)][::-1]
    for place, (at, entry) in enumerate(zip(moments, entries, strict=True)):
        given: dict[str, Any] = {"height": entry.height + number * _ROWS}
        if entry.packed_rows:
            rows = msgpack.unpackb(entry.packed_rows)
            given["packed_rows"] = msgpack.packb([row + number * _ROWS for row in rows])
        if number and entry.kind in ("schema", "pipeline"):
            # of what the head has said it says nothing new, but its time is one of its partition's
            given |= {"kind": "schema", "data": schema[0]}
        yield (at, number, place), entry._replace(**given)


def assert_same(found: Facts, expected: Facts) -> None:
    """Compare facts, whatever numbers their commits have."""
    assert found.lives.rows() == expected.lives.rows()
    assert (found.schema, found.pipeline) == (expected.schema, expected.pipeline)
    assert found.pipelines == expected.pipelines
    assert (found.n_assumed, found.n_ghosts) == (expected.n_assumed, expected.n_ghosts)
    assert found.currencies == expected.currencies
    assert _commits(found) == _commits(expected)
    for name in expected.schema:
        assert _told(found, name) == _told(expected, name), name


def _commits(facts: Facts) -> list[tuple[object, ...]]:
    assert facts.commits["seq"].is_unique().all()
    return sorted(facts.commits.select("at", "who", "kind").rows())


def _told(facts: Facts, name: str) -> list[tuple[object, ...]]:
    """Facts of a field with what the commit was that told them."""
    table = facts.of(name).join(
        facts.commits.select("seq", recorded="at", by="who", how="kind"),
        on="seq",
        how="left",
        maintain_order="left",
    )
    return table.drop("seq").rows()
