"""Loads that are folded into a checkpoint without its rows: the next one is that of all columns, digest for digest."""

from __future__ import annotations

import random
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from dealdb.connection import Link
from dealdb.errors import SchemaError
from dealdb.model.schema import Field, FieldType
from dealdb.store import Store
from dealdb.store.archive.manifest import Generation, read_manifest
from dealdb.store.checkpoint.fold import Folded
from dealdb.store.commit.batch import Batch
from dealdb.store.history.reading import read_history
from dealdb.store.live.columns import LiveColumns
from dealdb.store.replica.replica import Replica
from folds import assert_same_chunks

ROWS = 8


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = ("archive.chunks", "live.columns", "checkpoint.fold", "replica.replica")
    for module in (*modules, "checkpoint.schedule"):
        monkeypatch.setattr(f"dealdb.store.{module}.CHUNK_ROWS", ROWS)
    schedule = "dealdb.store.checkpoint.schedule"
    monkeypatch.setattr(f"{schedule}.MIN_CHANGES", 0)
    monkeypatch.setattr(f"{schedule}._CHANGES_SO_FAR", 0)
    monkeypatch.setattr(f"{schedule}._DEALS_A_CHANGE_SO_FAR", 10**9)
    monkeypatch.setattr(f"{schedule}._DEALS_A_LOADED_CHANGE", 10**9)
    monkeypatch.setattr(f"{schedule}._SETTLING_PAUSES_S", (0.0,))
    # neighbours are merged, again and again
    monkeypatch.setattr("dealdb.store.archive.merging.FAN_OUT", 2)


@pytest.fixture
def store(link: Link) -> Store:
    return Store(link)


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[Folded]:
    """Every fold that is made."""
    made: list[Folded] = []
    begin = Folded.__init__

    def noted(self: Folded, *parts: Any) -> None:
        made.append(self)
        begin(self, *parts)

    monkeypatch.setattr(Folded, "__init__", noted)
    return made


def folding(store: Store, link: Link | None = None) -> LiveColumns:
    return LiveColumns(link or store.link, store.keys, store._definitions.anchor, only_settles=True)


def newest(store: Store) -> Generation:
    manifest = read_manifest(store.link, store.keys)
    assert manifest
    return manifest.generations[0]


def whole(store: Store) -> Replica:
    """All columns, from the log and the hashes alone where that can be."""
    return LiveColumns(store.link, store.keys, store._definitions.anchor).replica()


def bulk(store: Store, first: int, n: int, **columns: str) -> None:
    ids = [f"d{number}" for number in range(first, first + n)]
    given = {name: [f"{text}{number % 5}" for number in range(n)] for name, text in columns.items()}
    store.add(store.schema(), [Batch.of(ids, {"name": ids, "stage": ["Lead"] * n, **given})])


class Changes:
    """Changes of all kinds, chosen at random, by two stores."""

    def __init__(self, store: Store, seed: int) -> None:
        self._stores = store, Store(store.link)
        self._random = random.Random(seed)
        self._n = self._n_fields = 0
        self.saved: dict[str, dict[str, object]] = {}

    def finish(self) -> None:
        """Wait for checkpoints that their queries have begun, which hold the lease."""
        for store in self._stores:
            store.finish()

    def one(self) -> None:
        rest = [self.add, self.save, self.delete, self.field, self.widen, self.retype, self.drop]
        change = self._random.choices(rest, (6, 6, 2, 1, 1, 1, 1))[0]
        change(self._random.choice(self._stores))

    def add(self, store: Store) -> None:
        n = self._random.choice((1, 3, ROWS, 3 * ROWS, 20 * ROWS))
        more = {"company": "c"} if self._random.random() < 0.5 else {}
        bulk(store, self._n, n, **more)
        self._n += n

    def save(self, store: Store) -> None:
        for _ in range(self._random.choice((1, 2, 30))):
            deal: dict[str, object] = {"id": f"d{self._random.randrange(self._n + 1)}"}
            for name in store.schema():
                if self._random.random() < 0.3:
                    deal[name] = self._value(store, name) if name != "id" else deal["id"]
            store.save(deal)

    def _value(self, store: Store, name: str) -> object:
        match store.schema()[name].type:
            case FieldType.TEXT:
                return self._random.choice(["a", "b", None, "Won"])
            case FieldType.INT | FieldType.DECIMAL:
                return self._random.choice([0, 1, None])
            case FieldType.LIST:
                return self._random.choice([["x"], [], None])
        return None

    def delete(self, store: Store) -> None:
        ids = [
            f"d{self._random.randrange(self._n + 1)}" for _ in range(self._random.choice((1, 9)))
        ]
        store.delete_many(list(dict.fromkeys(ids)))

    def field(self, store: Store) -> None:
        self._n_fields += 1
        kind = self._random.choice([FieldType.INT, FieldType.TEXT, FieldType.LIST])
        store.declare([Field(f"f{self._n_fields}", kind)])

    def widen(self, store: Store) -> None:
        narrow = [field for field in store.schema().fields if field.type is FieldType.INT]
        if narrow:
            store.save({"id": "d0", narrow[0].name: Decimal("1.25")})

    def retype(self, store: Store) -> None:
        own = [f for f in store.schema().fields if f.name.startswith("f")]
        if own:
            kind = self._random.choice([FieldType.TEXT, FieldType.INT])
            # texts that are none of its numbers are cleared
            with suppress(SchemaError):
                store.reshape().retype(Field(self._random.choice(own).name, kind), clears=True)

    def drop(self, store: Store) -> None:
        own = [f for f in store.schema().fields if f.name.startswith("f")]
        if own:
            store.reshape().drop(self._random.choice(own).name)


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 200))]
)
def test_random_histories(store: Store, seed: int, folded: list[Folded]) -> None:
    changes, choose = Changes(store, seed), random.Random(seed)
    changes.add(store)
    columns = folding(store)
    columns.settle()
    for _ in range(15):
        for _ in range(choose.choice((1, 1, 4))):
            changes.one()
        # another process's checkpoint, as a query begins it, and a load of another process
        if choose.random() < 0.2:
            folding(store).settle()
        elif choose.random() < 0.5:
            columns = folding(store)
        columns.settle(so_far=choose.random() < 0.5)
        generation, now = newest(store), whole(store)
        if generation.position == now.position:
            assert_same_chunks(generation, now)
    # a single change would leave none due
    bulk(store, 10**6, 3)
    changes.finish()
    columns.settle()
    assert_same_chunks(newest(store), whole(store))
    assert folded
    assert not store.check().differences
    seqs = [entry.position.seq for entry in read_history(store.link, store.keys)]
    assert seqs == list(range(1, store.newest().seq + 1))
