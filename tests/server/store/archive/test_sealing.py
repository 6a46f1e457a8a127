"""What is sealed is the commits as they were: a deal that has changed is not read from the chunks of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from dealdb.connection import Link, RedisConnection
from dealdb.model.columns import encode_column
from dealdb.model.schema import Field, FieldType
from dealdb.store import Store
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.commit.batch import Batch
from dealdb.store.history.changes import history_of
from dealdb.store.history.reading import read_history
from dealdb.store.log.entry import Entry
from dealdb.store.log.reader import read_from
from servers import Server

CHANGES: dict[str, Callable[[Store], object]] = {
    "nothing": lambda store: None,
    "another value": lambda store: store.save({"id": "b2", "amount": -2}),
    "a value is cleared": lambda store: store.save({"id": "b2", "amount": None}),
    "a value was missing": lambda store: store.save({"id": "b2", "colour": "red"}),
    "the deal is deleted": lambda store: store.delete("b2"),
    "a field is renamed": lambda store: store.reshape().rename("colour", "paint"),
    "a field is dropped": lambda store: store.reshape().drop("colour"),
}


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    with RedisConnection().connect(unix_socket=server.socket) as connection:
        yield Store(connection.link())


def log(link: Link) -> list[Entry]:
    return [entry for page in read_from(link, "deals:log", 1) for entry in page]


def told(entry: Entry) -> tuple[Any, ...]:
    """All that an entry says, for comparison: the same deals can be packed in other bytes."""
    plain = entry._replace(data=b"") if entry.kind == "add" else entry
    return (*plain, entry.added.to_dicts() if entry.kind == "add" else None)


@pytest.mark.parametrize("change", CHANGES)
def test_deals_that_changed_since_are_sealed_as_they_were_added(store: Store, change: str) -> None:
    ids = [f"b{n}" for n in range(4)]
    columns: dict[str, list[str | None]] = {
        "amount": ["0", "1", "2", "3"],
        "colour": ["blue", "red", None, "green"],
    }
    assert (
        store.add(store.declare([Field("colour", FieldType.TEXT)]), [Batch.of(ids, columns)]) == 1
    )
    CHANGES[change](store)
    committed = [told(entry) for entry in log(store.link)]
    store.snapshot()
    assert write_checkpoint(store.link, store.keys, store._live._replica)
    # only the last entry is left, so that all others are those that were sealed
    store.link.call("XTRIM", "deals:log", "MAXLEN", 1)
    assert [told(entry) for entry in read_history(store.link, store.keys)] == committed
    [added] = [entry for entry in read_history(store.link, store.keys) if entry.kind == "add"]
    assert added.added.select("id", *columns).to_dict(as_series=False) == {"id": ids} | columns


def test_history_of_one_deal_encodes_the_columns_of_no_other_commit(store: Store) -> None:
    schema = store.declare([Field("colour", FieldType.TEXT)])
    batches = [Batch.of([f"b{n}"], {"colour": ["red"]}) for n in range(20)]
    assert store.add(schema, batches) == 20
    store.snapshot()
    assert write_checkpoint(store.link, store.keys, store._live._replica)
    store.link.call("XTRIM", "deals:log", "MAXLEN", 1)
    with patch("dealdb.store.archive.segments.encode_column", side_effect=encode_column) as encoded:
        whole = history_of(store.link, store.keys, "b3")
    told = whole.select("change", "field", "after").rows()
    assert told == [("inserted", "colour", "red")]
    # its id and its colour
    assert encoded.call_count == 2
