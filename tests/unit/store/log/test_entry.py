"""A page of the log: entries one by one, or as runs, and nothing that dealdb did not write."""

from __future__ import annotations

import msgpack
import pytest

from dealdb.store.encoding import unpacked_all
from dealdb.store.log.entry import LogPage, Position, runs_of

Raw = tuple[bytes, list[bytes]]


def raw(seq: int, kind: str, **other: bytes) -> Raw:
    """Element of a reply."""
    values = {
        "hash": b"%016x" % seq,
        "time": b"%d" % (1_000 * seq),
        "writer": b"w",
        "counter": b"1",
        "actor": "Zoë".encode(),
        "kind": kind.encode(),
        "height": b"%d" % seq,
        "rows": msgpack.packb([seq]),
        "data": msgpack.packb([[str(seq)], ["name"], [["x"]]]),
        **other,
    }
    return b"%d-0" % seq, [
        word for name, value in values.items() for word in (name.encode(), value)
    ]


PAGE = LogPage(
    [raw(seq, kind) for seq, kind in enumerate(["set", "set", "mend", "delete", "set"], 1)]
)


def test_runs_of_a_page_are_those_of_its_entries() -> None:
    runs = list(runs_of(PAGE))
    assert runs == list(runs_of(list(PAGE)))
    assert [(run.kind, run.last.seq, len(run.data)) for run in runs] == [
        ("set", 2, 2),
        ("mend", 3, 1),
        ("delete", 4, 1),
        ("set", 5, 1),
    ]
    assert unpacked_all(runs[0].packed_rows) == [[1], [2]]


def test_entries_are_made_when_asked_for() -> None:
    entry = PAGE[1:][0]
    assert entry.position == Position(2, b"%016x" % 2)
    assert (entry.time_ms, entry.actor, entry.height, entry.rows) == (2_000, "Zoë", 2, [2])
    assert entry.change == (["2"], ["name"], [["x"]])


@pytest.mark.parametrize(
    "strange",
    [
        raw(1, "set", time=b"noon"),
        raw(1, "set", height=b""),
        raw(1, "set", actor=b"\xff"),
        raw(1, "set", more=b"1"),
        (b"1-0", [b"some", b"thing"]),
        (b"x-0", raw(1, "set")[1]),
    ],
    ids=["time", "height", "actor", "a field more", "other fields", "id"],
)
def test_what_dealdb_did_not_write_is_refused(strange: Raw) -> None:
    with pytest.raises((ValueError, IndexError)):
        LogPage([raw(1, "set"), strange])
