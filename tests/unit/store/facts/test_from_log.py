"""Recorded facts of commits that are made up: what the state machine of the store can't bring about."""

from __future__ import annotations

import msgpack
import polars as pl
import pytest

from dealdb.errors import StoreDamaged
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.encoding import packed
from dealdb.store.facts.from_log import recorded_facts
from dealdb.store.ledger.ledger import Ledger
from dealdb.store.log.entry import Entry, Position


def ledger_of(*commits: tuple[str, int, list[int], bytes]) -> Ledger:
    """Ledger of commits: kind, time, rows and data; a schema comes before them."""
    ledger, height = Ledger(), 0
    entries = [entry(1, "schema", 0, 0, [], Schema.standard().to_json().encode())]
    for seq, (kind, time, rows, data) in enumerate(commits, 2):
        entries.append(entry(seq, kind, time, height, rows, data))
        height = (
            max([height, *(row + 1 for row in entries[-1].rows)]) if kind != "delete" else height
        )
    ledger.take(entries)
    return ledger


def entry(seq: int, kind: str, time: int, height: int, rows: list[int], data: bytes) -> Entry:
    packed_rows = b"" if kind == "add" else msgpack.packb(rows)
    return Entry(Position(seq, b""), time, "w", seq, "Ann", kind, height, packed_rows, data)


def change(ids: list[str], **columns: list[str | None]) -> bytes:
    found: bytes = msgpack.packb([ids, list(columns), list(columns.values())])
    return found


def test_a_clock_that_is_set_back_leaves_the_order_of_commits() -> None:
    facts = recorded_facts(
        ledger_of(
            ("set", 5_000, [0], change(["1"], stage=["Lead"])),
            ("set", 9_000, [0], change(["1"], stage=["Demo"])),
            ("set", 7_000, [0], change(["1"], stage=["Won"])),
        )
    )
    # at 7,000 the last commit is that of Won, and what came before it is overwritten
    assert facts.of("stage").select("at", "seq", "value").rows() == [
        (5_000, 2, "Lead"),
        (7_000, 4, "Won"),
    ]
    # the stamp is what the script wrote
    assert [value.second for value in facts.of("updated")["value"]] == [7]
    assert facts.commits.select("seq", "at", "who", "kind").rows() == [
        (2, 5_000, "Ann", "set"),
        (3, 7_000, "Ann", "set"),
        (4, 7_000, "Ann", "set"),
    ]


def test_new_deals_in_bulk_and_commits_of_other_fields_are_one_table() -> None:
    first = packed(pl.DataFrame({"id": ["1", "2"], "amount": ["5", None]}))
    second = packed(pl.DataFrame({"id": ["3"], "amount": ["7.5"], "note": ["x"]}))
    ledger = ledger_of(
        ("add", 1_000, [], first),
        ("add", 2_000, [], second),
        ("mend", 3_000, [1], change(["2"], amount=["6"])),
        ("delete", 4_000, [0], msgpack.packb([["1"]])),
        ("set", 5_000, [3], change(["1"], amount=["8"])),
    )
    facts = recorded_facts(ledger)
    assert facts.lives.select("id", "begin", "end").rows() == [
        ("1", 1_000, 4_000),
        ("2", 1_000, None),
        ("3", 2_000, None),
        ("1", 5_000, None),
    ]
    values = [(life, at, float(value)) for life, at, _, value in facts.of("amount").rows()]
    assert values == [(0, 1_000, 5), (1, 3_000, 6), (2, 2_000, 7.5), (3, 5_000, 8)]
    # it has no stamp: a mend is no save
    assert facts.of("updated").is_empty()


def test_two_deals_of_one_row_in_one_commit_keep_their_values() -> None:
    # another program has copied the hash of a deal to another, and its row with it
    facts = recorded_facts(
        ledger_of(
            ("set", 1_000, [0], change(["1"], name=["x"])),
            ("set", 2_000, [1], change(["2"], name=["y"])),
            ("set", 3_000, [1, 1], change(["2", "1"], name=["p", "q"])),
        )
    )
    lives = facts.lives.select("life", "id").rows()
    assert lives == [(0, "1"), (1, "2"), (2, "1")]
    assert facts.of("name").select("life", "at", "value").rows() == [
        (0, 1_000, "x"),
        (1, 2_000, "y"),
        (1, 3_000, "p"),
        (2, 3_000, "q"),
    ]
    assert facts.of("updated")["life"].to_list() == [1, 2]


def test_a_field_that_got_another_type_is_read_by_the_present_one() -> None:
    ledger = ledger_of(
        (
            "set",
            1_000,
            [0],
            change(
                ["1"],
                rank=[
                    "12",
                ],
            ),
        )
    )
    assert "rank" in ledger.fields
    wide = Schema.standard().with_fields([Field("rank", FieldType.INT)])
    ledger.take([entry(3, "schema", 2_000, 1, [], wide.to_json().encode())])
    assert recorded_facts(ledger).of("rank")["value"].to_list() == [12]


@pytest.mark.parametrize(
    ("kind", "rows", "data"),
    [
        ("set", [7], change(["1"], stage=["Lead"])),
        ("set", [0], b"\x91\xc4"),
        ("set", [0], msgpack.packb([["1"], ["stage"], [["Lead"]], [-1]])),
        ("set", [0], msgpack.packb([["1"], ["stage"], [["Lead"]], [1, 2]])),
        ("facts", [], b"nothing"),
        ("facts", [], packed(pl.DataFrame({"id": ["1"]}))),
        ("other", [], b""),
    ],
)
def test_what_dealdb_did_not_write_is_named(kind: str, rows: list[int], data: bytes) -> None:
    with pytest.raises(StoreDamaged, match="commit 2"):
        Ledger().take(
            [
                entry(1, "schema", 0, 0, [], Schema.standard().to_json().encode()),
                entry(2, kind, 1, 0, rows, data),
            ]
        )
