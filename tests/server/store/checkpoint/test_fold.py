"""Loads that are folded into a checkpoint without its rows: the next one is that of all columns, digest for digest."""

from __future__ import annotations

import random
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from dealdb import DealDatabase
from dealdb.connection import Link
from dealdb.errors import SchemaError
from dealdb.model.schema import Field, FieldType
from dealdb.store import Store
from dealdb.store.archive.digest import is_whole
from dealdb.store.archive.manifest import Generation, read_manifest
from dealdb.store.checkpoint.fold import Folded
from dealdb.store.checkpoint.lease import give_back, take
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.commit.batch import Batch
from dealdb.store.history.reading import read_history
from dealdb.store.live.columns import LiveColumns
from dealdb.store.replica.replica import Replica
from folds import assert_same_chunks, make_small
from servers import Server

# the loads of a random history often fill a chunk, but for one row
ROWS = 10


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch.setattr, ROWS)


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
        n = self._random.choice((1, 3, ROWS, 3 * ROWS, 6 * ROWS))
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


def begun(store: Store, n_chunks: int = 3) -> LiveColumns:
    """Columns that wait on a checkpoint of some full chunks and half a one."""
    bulk(store, 0, n_chunks * ROWS + ROWS // 2, company="c")
    folding(store).settle()
    columns = folding(store)
    columns.settle()
    assert not columns._replica.has_all
    return columns


def chunk_of(store: Store, name: str, number: int) -> str:
    columns = newest(store).columns
    assert columns
    return store.keys.chunk(columns.digests[name][number])


def assert_folded(store: Store) -> None:
    """The newest checkpoint has the last commit, and what it has is right."""
    generation, now = newest(store), whole(store)
    assert generation.position == now.position
    assert_same_chunks(generation, now)
    assert_right(store)


def assert_right(store: Store) -> None:
    """The columns are what the hashes have, and no commit is missing in the history."""
    assert not Store(store.link).check().differences
    seqs = [entry.position.seq for entry in read_history(store.link, store.keys)]
    assert seqs == list(range(1, store.newest().seq + 1))


def test_chunks_that_nothing_changes_are_not_read(store: Store, folded: list[Folded]) -> None:
    columns = begun(store)
    store.save({"id": f"d{ROWS}", "name": "another"})
    bulk(store, 1_000, 3)
    untouched = [chunk_of(store, "name", n) for n in (0, 2)]
    for key in untouched:
        store.link.call("SET", key, b"not what was written")
    columns.settle()
    assert folded
    assert columns.columns_bytes() == 0
    assert newest(store).position == store.newest()


def test_an_updating_load_is_folded_while_it_goes_on(store: Store, folded: list[Folded]) -> None:
    """It fills no chunk, and what it changes is held only so long."""
    columns = begun(store, 6)
    for n in range(3 * ROWS):
        store.save({"id": f"d{n}", "name": "another"})
        if n % ROWS == 0:
            columns.settle(so_far=True)
            assert columns._replica.changes <= 6 * ROWS
    assert folded
    assert columns.columns_bytes() == 0
    columns.settle()
    assert_folded(store)


def test_a_busy_lease_leaves_it_to_others(
    store: Store, folded: list[Folded], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dealdb")
    columns = begun(store)
    before = newest(store)
    bulk(store, 1_000, 3 * ROWS)
    assert take(store.link, store.keys, "another")
    for so_far in (True, False):
        columns.settle(so_far=so_far)
        assert newest(store) == before
        # nor are the older rows read, which would help nothing
        assert columns.columns_bytes() == 0
    assert "another process is writing one" in caplog.text
    give_back(store.link, store.keys, "another")
    columns.settle()
    assert folded
    assert columns.columns_bytes() == 0
    assert_folded(store)


def test_others_publish_meanwhile(store: Store) -> None:
    columns = begun(store)
    for n in range(3):
        bulk(store, 1_000 * (n + 1), 2 * ROWS)
        store.save({"id": "d1", "company": f"{n}"})
        # each takes the place of the one before, at last of what the columns wait on
        assert write_checkpoint(store.link, store.keys, whole(store))
    bulk(store, 10_000, 3)
    columns.settle()
    assert_folded(store)


@pytest.mark.parametrize("also", ["manifest", "chunks"])
def test_the_checkpoint_disappears(store: Store, also: str) -> None:
    columns = begun(store)
    bulk(store, 1_000, 3 * ROWS)
    keys = store.link.call("SMEMBERS", store.keys.chunks) if also == "chunks" else []
    store.link.calls([("DEL", key) for key in (store.keys.checkpoint, *keys)])
    columns.settle()
    assert newest(store).position == store.newest()
    assert_same_chunks(newest(store), whole(store))
    deals = Store(store.link).snapshot().frame
    assert deals.height == 6 * ROWS + ROWS // 2


@pytest.mark.parametrize("how", ["lost", "damaged", "another's"])
@pytest.mark.parametrize("number", [0, 1, 3], ids=["untouched", "changed", "last"])
def test_a_chunk_is_not_what_was_written(store: Store, number: int, how: str) -> None:
    """The next checkpoint is made of other sources where a fold needs it or the server lacks it."""
    columns = begun(store)
    key, other = chunk_of(store, "name", number), chunk_of(store, "company", 0)
    store.save({"id": f"d{ROWS}", "name": "another"})
    bulk(store, 1_000, ROWS)
    match how:
        case "lost":
            store.link.call("DEL", key)
        case "damaged":
            store.link.call("SETRANGE", key, 50, "damage")
        case _:
            store.link.call("SET", key, store.link.call("GET", other))
    columns.settle()
    assert newest(store).position == store.newest()
    if number == 0 and how != "lost":
        # nothing of it was read; who reads it begins with the hashes, and its next checkpoint mends that
        assert whole(store).height == 4 * ROWS + ROWS // 2
        store.save({"id": "d20", "name": "another"})
        assert write_checkpoint(store.link, store.keys, whole(store))
    assert_same_chunks(newest(store), whole(store))
    now = chunk_of(store, "name", number)
    assert is_whole(now.rpartition(":")[2], store.link.call("GET", now))
    deals = Store(store.link).snapshot().frame
    assert deals.filter(id=f"d{ROWS}")["name"].to_list() == ["another"]
    assert deals.height == 4 * ROWS + ROWS // 2
    assert not Store(store.link).check().differences


def test_more_stages_than_a_manifest_names(store: Store) -> None:
    """They are read from their column, which may be gone."""
    ids = [f"d{n}" for n in range(16 * ROWS)]
    store.add(store.schema(), [Batch.of(ids, {"stage": [f"s{n}" for n in range(len(ids))]})])
    folding(store).settle()
    assert newest(store).stages is None
    columns = folding(store)
    columns.settle()
    store.link.call("DEL", chunk_of(store, "stage", 0))
    bulk(store, 1_000, ROWS)
    columns.settle()
    assert_folded(store)


@pytest.mark.parametrize("deletes", [False, True], ids=["", "rows were deleted"])
def test_columns_come_and_change(store: Store, folded: list[Folded], *, deletes: bool) -> None:
    """A load declares a column, and finds that another needs decimals; lists and deleted rows are among it."""
    store.declare([Field("tags", FieldType.LIST), Field("seats", FieldType.INT)])
    columns = begun(store)
    store.save({"id": "d2", "tags": ["a", "b"], "seats": 7})
    if deletes:
        store.delete_many(["d1", "d9", "d26"])
    store.declare([Field("region", FieldType.TEXT)])
    bulk(store, 1_000, 4 * ROWS - newest(store).height % ROWS, region="r")
    columns.settle(so_far=True)
    assert folded
    store.save({"id": "d3", "seats": Decimal("1.5"), "region": "north"})
    store.save({"id": "d2", "tags": ["b"]})
    bulk(store, 2_000, ROWS + 1, region="s", seats="2")
    if deletes:
        store.delete_many(["d2", "d1003", "d2001"])
        store.save({"id": "d1", "company": "again"})
    columns.settle()
    assert_folded(store)


def test_a_load_deletes_what_is_missing(server: Server, store: Store, folded: list[Folded]) -> None:
    before = [{"id": n, "name": f"deal {n}", "stage": "won"} for n in range(8 * ROWS)]
    # every third is missing, every fifth has changed
    left = [deal | {"stage": "won" if n % 5 else "lost"} for n, deal in enumerate(before) if n % 3]
    with DealDatabase.from_url(server.url) as db:
        db.loader.load(before, bar=False)
        db.loader.load([{"id": "x"}, *before], bar=False)
        left += [{"id": f"y{n}"} for n in range(ROWS)]
        report = db.loader.load(left, delete_missing=True, everything=True, bar=False)
        assert report.deleted == len(before) - len(left) + ROWS + 1
    assert folded
    assert_folded(store)


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 200))]
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
    assert_right(store)
