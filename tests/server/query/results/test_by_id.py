"""The same deals give the same answers, in whatever order they were saved, and in however many partitions they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import Any

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.errors import DealDBError
from dealdb.query import Page, QueryEngine
from dealdb.query.index import kept_index
from dealdb.query.results.facets import Facet
from every_metric import OF_THE_PRESENT, PAST
from search_cases import made
from servers import Server

# more than are ranked have the same score
N = 3_000
# what happened since is of the clock
AS_OF = date(2026, 4, 30)
SORTS: list[Any] = [
    "owner",
    "-amount",
    "tags",
    "-tags",
    ["stage", "-seats"],
    "-created",
    "empty",
    "-id",
]
WORDS = ("acme", "acm", "acme renewal", "renewal acme", "renwal", "ann", "pilot 7", "akme", "won")
METRIC_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "concentration": [{"by": by, "k": k} for by in ("owner", "company") for k in (1, 2, 3)]
    + [{"by": ["owner", "company"], "of": "open", "k": 4}],
    **{
        name: [{}, {"by": "owner"}, {"by": ["company", "currency"]}]
        for name in OF_THE_PRESENT - {"concentration"}
    },
}


def deal(random: Random, number: int) -> dict[str, Any]:
    """One of many that are alike."""
    created = date(2026, 1, 1) + timedelta(days=random.randrange(6))
    return {
        "id": f"{random.choice('abc')}{number}",
        "name": random.choice(["Acme renewal", "acme pilot 7", "Acmes Renewal", "Globex"]),
        "company": random.choice(["Acme", "Globex", "Initech", None]),
        "owner": random.choice(["Ann", "Bob", "Zoe", None]),
        "stage": random.choice(["Lead", "Demo", "Won", "Lost"]),
        "amount": random.choice(["10.00", "12.50", None]),
        "currency": random.choice(["EUR", "USD"]),
        "tags": random.choice([["a"], ["b", "a"], [], None]),
        "seats": random.choice([1, 2, None]),
        "empty": "x" if number == 1 else None,
        "created": created,
        "closed": created + timedelta(days=random.randrange(40)),
        "expected_close": created + timedelta(days=random.randrange(90)),
        "loss_reason": random.choice(["Price", "Time", None]),
    }


def plain(found: object) -> object:
    """An answer as what can be compared."""
    match found:
        case pl.DataFrame():
            return found.drop("updated", strict=False).rows()
        case Page():
            return plain(found.items), found.total, found.next
        case Facet():
            return found.table.rows(), found.others
        case dict():
            return {name: plain(each) for name, each in found.items()}
    return found


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    random = Random(5)
    return [deal(random, number) for number in range(N)]


@pytest.fixture
def dbs(
    server: Server, rows: list[dict[str, Any]], request: pytest.FixtureRequest
) -> Iterator[dict[str, DealDatabase]]:
    """The same deals in three collections; the first of them only, if a test wants fewer."""
    count = getattr(request, "param", N)
    shuffled = Random(6).sample(rows[:count], count)
    with ExitStack() as stack:
        found = {}
        for name, own, partitions in (
            ("one", rows[:count], None),
            ("shuffled", shuffled, None),
            ("parted", shuffled[::-1], 4),
        ):
            db = DealDatabase.from_url(server.url, collection=name, partitions=partitions)
            found[name] = stack.enter_context(db)
            db.loader.load(own, bar=False)
        yield found


def assert_alike(dbs: dict[str, DealDatabase], ask: Callable[[DealDatabase], object]) -> None:
    one, *others = ((name, answer(db, ask)) for name, db in dbs.items())
    for name, found in others:
        assert found == one[1], name


def answer(db: DealDatabase, ask: Callable[[DealDatabase], object]) -> object:
    try:
        return plain(ask(db))
    except DealDBError as problem:
        return type(problem), str(problem)


# search ------------------------------------------------------------------------------------------


def search(words: str, **options: Any) -> Callable[[DealDatabase], object]:
    return lambda db: db.query.search(words, **options)


@pytest.mark.parametrize("has_index", [False, True])
def test_search(
    dbs: dict[str, DealDatabase], monkeypatch: pytest.MonkeyPatch, *, has_index: bool
) -> None:
    if not has_index:
        monkeypatch.setattr(kept_index, "_SEARCHES", 10**9)
    for _ in range(2):
        for db in dbs.values():
            db.query.search("acme")
            made()
    for words in WORDS:
        for limit in (1, 20, 1_500, 10_000):
            assert_alike(dbs, search(words, limit=limit))
        assert_alike(dbs, search(words, where="owner = 'Ann' OR seats = 2", limit=500))
        assert_alike(dbs, search(words, columns=["company", "name"], limit=3))


def test_search_of_deals_that_were_saved_since_the_index_was_made(
    dbs: dict[str, DealDatabase], rows: list[dict[str, Any]]
) -> None:
    for _ in range(2):
        for db in dbs.values():
            db.query.search("acme")
            made()
    random = Random(7)
    changed = [{**deal(random, 0), "id": row["id"]} for row in random.sample(rows, 60)]
    new = [{**deal(random, 0), "id": f"{random.choice('0b~')}{n}"} for n in range(60)]
    for db in dbs.values():
        # in another order in each
        for own in random.sample([*changed, *new], 120):
            db.save_deal(own)
        for own in rows[:9]:
            db.delete_deal(own["id"])
    for words in WORDS:
        for limit in (20, 10_000):
            assert_alike(dbs, search(words, limit=limit))
    # the same as without an index
    frame = dbs["one"].query.frame()
    for words in WORDS:
        expected = QueryEngine.over(frame).search(words, limit=10_000)
        assert plain(dbs["one"].query.search(words, limit=10_000)) == plain(expected)


# other queries -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", SORTS, ids=str)
def test_sorted_deals(dbs: dict[str, DealDatabase], sort: Any) -> None:
    for options in (
        {},
        {"limit": 1},
        {"limit": 20},
        {"limit": 700, "offset": 30},
        {"where": "seats = 1", "limit": 40},
        {"where": "seats = 1", "columns": ["id", "amount"]},
    ):
        assert_alike(dbs, found(sort, options))
    assert_alike(dbs, lambda db: db.query.page(sort=sort, size=7))


def found(sort: Any, options: Mapping[str, Any]) -> Callable[[DealDatabase], object]:
    return lambda db: db.query.find(sort=sort, **options)


def test_pages_and_facets(dbs: dict[str, DealDatabase]) -> None:
    assert_alike(dbs, lambda db: db.query.page(size=9))
    names = ["name", "owner", "stage", "amount", "tags", "seats", "created", "loss_reason", "id"]
    for limit in (1, 2, 20):
        assert_alike(dbs, partial(facets, names=names, limit=limit))


def facets(db: DealDatabase, names: list[str], limit: int) -> object:
    return db.query.facets(names, limit=limit)


# metrics -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dbs", [120], indirect=True)
def test_metrics(dbs: dict[str, DealDatabase]) -> None:
    for name, options in METRIC_OPTIONS.items():
        for present in options:
            assert_alike(dbs, metric(name, present))
    for name, asked in PAST.items():
        for own in asked.options:
            for by in asked.groups[:2]:
                assert_alike(dbs, metric(name, {**own, "by": by, "as_of": AS_OF}))
            assert_alike(dbs, metric(name, {**own, "deals": True, "as_of": AS_OF}))


def metric(name: str, options: dict[str, Any]) -> Callable[[DealDatabase], object]:
    def ask(db: DealDatabase) -> object:
        try:
            found = getattr(db.analytics, name)(**options)
        except TypeError as problem:
            return str(problem)
        # how many commits there were depends on the partitions
        return plain(found.frame.drop("bulk", strict=False)), found.basis.n, found.basis.warnings

    return ask
