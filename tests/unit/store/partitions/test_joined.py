from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from dealdb.model.columns import nulls
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.store.log.entry import Position
from dealdb.store.partitions.joined import joined
from dealdb.store.partitions.vector import positions_of
from dealdb.store.replica.snapshot import Snapshot, nothing

ID, N = Field("id", FieldType.TEXT), Field("n", FieldType.INT)
WIDE, NOTE = Field("n", FieldType.DECIMAL, 2), Field("note", FieldType.TEXT)
HEAD = Schema(3, (ID, WIDE, NOTE), 4)


def piece(fields: tuple[Field, ...], seq: int, **columns: list[object]) -> Snapshot:
    rows = pl.DataFrame(
        [
            pl.Series(field.name, columns[field.name], dtype=nulls(field, 0).dtype)
            for field in fields
        ]
    )
    gone = rows["id"].is_null()
    return Snapshot(
        frame=rows,
        kept=~gone if gone.any() else None,
        schema=Schema(seq, fields, 4),
        pipeline=Pipeline(),
        seq=seq,
        position=Position(seq, b"%d" % seq),
    )


PIECES = [
    piece(HEAD.fields, 3, id=["a", "b"], n=[Decimal("1.5"), None], note=["x", None]),
    nothing(Schema(0, ())),
    # has had neither the last change of a field nor the new one
    piece((ID, N), 1, id=["c", None, "d"], n=[7, None, None]),
    piece((ID, WIDE), 2, id=["e"], n=[Decimal(2)]),
]
WHOLE = [
    ("a", Decimal("1.50"), "x"),
    ("b", None, None),
    ("c", Decimal("7.00"), None),
    (None, None, None),
    ("d", None, None),
    ("e", Decimal("2.00"), None),
]


def test_columns_are_those_of_the_head() -> None:
    deals = joined(PIECES, Pipeline())
    assert deals.schema.fields == HEAD.fields
    assert deals.rows.rows() == WHOLE
    assert deals.frame.rows() == [row for row in WHOLE if row[0]]
    assert deals.height == 5


def test_the_position_is_that_of_all() -> None:
    deals = joined(PIECES, Pipeline())
    assert deals.position is not None
    assert deals.seq == 6
    assert positions_of(deals.position, 4) == [piece.position for piece in PIECES]


@pytest.mark.parametrize("rows", [[5, 0, 2], [4, 3, 1, 0], [2], []])
def test_whole_rows_come_in_the_order_that_they_are_asked_for(rows: list[int]) -> None:
    deals = joined(PIECES, Pipeline(), ["n"])
    assert deals.rows.columns == ["n"]
    found = deals.whole_rows(pl.Series(rows, dtype=pl.UInt32))
    assert found is not None
    assert found.rows() == [WHOLE[row] for row in rows]
    assert found.columns == list(HEAD)


def test_what_the_head_lacks_of_a_past_that_clocks_do_not_agree_on_is_there() -> None:
    color, seats = Field("color", FieldType.TEXT), Field("seats", FieldType.DATE)
    pieces = [
        piece((ID, N, seats), 1, id=["a"], n=[1], seats=[date(2026, 1, 2)]),
        piece((ID, WIDE, color), 3, id=["b"], n=[Decimal("1.5")], color=["red"]),
        piece((ID, Field("seats", FieldType.INT)), 2, id=["c"], seats=[5]),
    ]
    deals = joined(pieces, Pipeline())
    assert list(deals.schema) == ["id", "n", "seats", "color"]
    assert deals.schema["n"] == WIDE
    whole = [
        ("a", Decimal("1.00"), "2026-01-02", None),
        ("b", Decimal("1.50"), None, "red"),
        ("c", None, "5", None),
    ]
    assert deals.rows.rows() == whole
    found = joined(pieces, Pipeline(), ["id"]).whole_rows(pl.Series([2, 1], dtype=pl.UInt32))
    assert found is not None
    assert found.rows() == [whole[2], whole[1]]
