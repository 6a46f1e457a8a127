"""A table that is read when it is needed has its rows once, whoever asks for them."""

from __future__ import annotations

import polars as pl

from dealdb.store.ledger.tables import Pieces

SCHEMA: dict[str, pl.DataType] = {"seq": pl.UInt32()}


def rows(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"seq": numbers}, SCHEMA)


def test_rows_that_another_thread_has_loaded_are_not_added_again() -> None:
    table = Pieces(SCHEMA, lambda: rows(1, 2))
    table.append(rows(3))
    assert (table.waits, table.n_appended) == (True, 1)
    # one thread reads several tables at once, and another this one meanwhile
    first = rows(1, 2)
    assert table.table()["seq"].to_list() == [1, 2, 3]
    table.begin_with(first)
    assert table.table()["seq"].to_list() == [1, 2, 3]


def test_a_table_begins_with_what_was_loaded_for_it() -> None:
    table = Pieces(SCHEMA, lambda: rows(9))
    table.append(rows(3))
    table.begin_with(rows(1, 2))
    assert not table.waits
    assert table.table()["seq"].to_list() == [1, 2, 3]


def test_a_table_and_its_copies_are_read_once() -> None:
    reads: list[int] = []

    def load() -> pl.DataFrame:
        reads.append(1)
        return rows(1, 2)

    table = Pieces(SCHEMA, load)
    copy = table.copy()
    copy.append(rows(3))
    assert copy.table()["seq"].to_list() == [1, 2, 3]
    assert not table.waits
    assert table.table()["seq"].to_list() == [1, 2]
    assert len(reads) == 1
