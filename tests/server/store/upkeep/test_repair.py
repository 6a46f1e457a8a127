"""What other programs do to the hashes is found, and adopted."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

import pytest

from dealdb.connection import Link
from dealdb.errors import NotAdopted, StoreDamaged, StoreError
from dealdb.model.pipeline import Kind
from dealdb.store import Store
from dealdb.store.upkeep.check import Difference, Problem
from servers import Server


def deals_of(store: Store) -> dict[str, dict[str, object]]:
    return {
        row["id"]: {n: v for n, v in row.items() if v is not None and n != "id"}
        for row in store.snapshot().frame.to_dicts()
    }


def test_plain_hashes_are_adopted(link: Link) -> None:
    for n in range(450):
        link.call(
            "HSET", f"deal:{n}", "id", n, "name", f"Deal {n}", "amount", "1250.50", "region", "EMEA"
        )
    store = Store(link)
    assert store.repair(adopt=True).adopted == 450
    assert store.count() == 450
    assert deals_of(store)["7"] == {
        "name": "Deal 7",
        "amount": Decimal("1250.50"),
        "region": "EMEA",
    }
    assert store.check().ok
    assert link.call("HGET", "deal:7", "amount") == b"1250.50"


def test_stages_of_plain_hashes_get_a_meaning(link: Link) -> None:
    link.call("HSET", "deal:1", "stage", "Closed Won")
    link.call("HSET", "deal:2", "name", "Without a stage")
    store = Store(link)
    assert store.snapshot().pipeline.names(Kind.WON) == ["Closed Won"]
    assert not store.pipeline()
    store.repair(adopt=True)
    assert store.snapshot().pipeline.names(Kind.WON) == ["Closed Won"]
    assert [stage.name for stage in store.pipeline()] == ["Closed Won"]
    link.call("HSET", "deal:1", "stage", "Gewonnen")
    store.repair()
    assert store.pipeline().names(Kind.WON) == ["Closed Won", "Gewonnen"]


def test_first_save_adopts_where_it_may(link: Link) -> None:
    link.call("HSET", "deal:old", "name", "Old")
    with pytest.raises(NotAdopted):
        Store(link).save({"id": "new", "name": "New"})
    assert link.call("KEYS", "*") == [b"deal:old"]
    Store(link, adopt=True).save({"id": "new", "name": "New"})
    assert set(deals_of(Store(link))) == {"old", "new"}


def test_interrupted_adoption_goes_on(link: Link) -> None:
    for n in range(5):
        link.call("HSET", f"deal:{n}", "name", f"Deal {n}")
    Store(link).repair(adopt=True)
    link.call("HSET", "deal:5", "name", "left over")
    link.call("HDEL", "deals:meta", "adopted")
    assert len(deals_of(Store(link))) == 6
    assert Store(link).repair(adopt=True).adopted == 1
    assert len(deals_of(Store(link))) == 6


def test_looking_at_an_empty_collection_writes_nothing(link: Link) -> None:
    store = Store(link)
    assert store.snapshot().frame.height == 0
    assert store.count() == 0
    assert store.check().ok
    assert link.call("DBSIZE") == 0


@pytest.fixture
def store(link: Link) -> Store:
    store = Store(link)
    for n in range(4):
        store.save({"id": n, "name": f"Deal {n}", "amount": 10 * n})
    return store


def test_check_finds_each_kind_of_difference(store: Store, link: Link) -> None:
    link.call("HSET", "deal:0", "amount", "99")
    link.call("HSET", "deal:1", "amount", "1,000")
    link.call("HSET", "deal:1", "colour", "red")
    link.call("DEL", "deal:2")
    link.call("HSET", "deal:9", "name", "outside")
    fields = link.call("HGETALL", "deal:3")
    link.call("HSET", "deal:8", *fields)
    before = {key: link.call("DUMP", key) for key in sorted(link.call("KEYS", "*"))}
    report = store.check()
    assert before == {key: link.call("DUMP", key) for key in sorted(link.call("KEYS", "*"))}
    assert report.deals == 4
    assert set(report.differences) == {
        Difference(deal="0", problem=Problem.CHANGED, field="amount"),
        Difference(deal="1", problem=Problem.CHANGED, field="amount"),
        Difference(deal="1", problem=Problem.CHANGED, field="colour"),
        Difference(deal="2", problem=Problem.VANISHED),
        Difference(deal="9", problem=Problem.UNLOGGED),
        Difference(deal="8", problem=Problem.MISPLACED),
    }


def test_repair_adopts_what_the_hashes_hold(store: Store, link: Link) -> None:
    link.call("HSET", "deal:0", "amount", "99", "colour", "red")
    link.call("HDEL", "deal:1", "name")
    link.call("DEL", "deal:2")
    link.call("HSET", "deal:9", "name", "outside")
    link.call("HSET", "deal:8", *link.call("HGETALL", "deal:3"))
    report = store.repair()
    assert (report.adopted, report.removed, report.remaining) == (4, 1, ())
    expected = {
        "0": {"name": "Deal 0", "amount": Decimal(99), "colour": "red"},
        "1": {"amount": Decimal(10)},
        "3": {"name": "Deal 3", "amount": Decimal(30)},
        "8": {"name": "Deal 3", "amount": Decimal(30)},
        "9": {"name": "outside"},
    }
    assert deals_of(store) == expected
    assert deals_of(Store(link)) == expected
    assert store.count() == 5
    assert store.check().ok
    assert store.repair().adopted == 0


def test_unreadable_text_stays_and_is_reported(store: Store, link: Link) -> None:
    link.call("HSET", "deal:0", "amount", "a lot")
    report = store.repair()
    assert report.remaining == (Difference(deal="0", problem=Problem.UNREADABLE, field="amount"),)
    assert link.call("HGET", "deal:0", "amount") == b"a lot"
    assert deals_of(store)["0"] == {"name": "Deal 0"}
    with pytest.raises(StoreDamaged, match=r"'amount'.*written by another program"):
        store.get_many(["0"])
    store.save({"id": 0, "amount": 5})
    assert store.check().ok


def test_text_in_another_form_is_no_difference(store: Store, link: Link) -> None:
    link.call("HSET", "deal:1", "amount", "10.000")
    assert store.check().ok


def test_check_and_repair_beside_writers(store: Store, link: Link) -> None:
    """Commits that happen during a check are no differences, and a repair loses none of them."""
    stop = threading.Event()
    counts = [0, 0]

    def write(n: int) -> None:
        writer = Store(link)
        while not stop.is_set():
            counts[n] += 1
            writer.save({"id": f"w{n}-{counts[n] % 7}", "amount": counts[n]})
            # a repair counts the deals in a moment without a commit, and a busy machine must have some
            time.sleep(0.005)
            if counts[n] % 5 == 0:
                writer.delete(f"w{n}-{(counts[n] // 5) % 7}")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        round_number = 0
        while round_number < 6 or min(counts) < 20:
            assert store.check().ok
            link.call("HSET", f"deal:{round_number % 4}", "amount", 1000 + round_number)
            assert store.repair().adopted == 1
            round_number += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert store.check().ok
    assert deals_of(store) == deals_of(Store(link))


def ids_of(store: Store) -> list[str]:
    """Every deal as often as it occurs: a dictionary would hide one that is there twice."""
    return sorted(store.snapshot().frame["id"])


def is_whole(store: Store, deals: list[str]) -> bool:
    return (
        ids_of(store) == ids_of(Store(store.link)) == deals
        and store.count() == len(deals)
        and store.check().ok
    )


def test_deal_removed_outside_and_saved_again_is_there_once(store: Store, link: Link) -> None:
    link.call("DEL", "deal:1")
    assert store.save({"id": 1, "name": "again"}).outcome == "inserted"
    assert store.check().differences == (Difference(deal="1", problem=Problem.DOUBLED),)
    report = store.repair()
    assert (report.adopted, report.removed, report.remaining) == (0, 0, ())
    assert is_whole(store, ["0", "1", "2", "3"])
    assert deals_of(store)["1"] == {"name": "again"}
    changes = store.history("1").select("change", "after").rows()
    assert changes == [("inserted", "Deal 1"), ("inserted", "10"), ("inserted", "again")]


def test_hash_replaced_outside_is_there_once(store: Store, link: Link) -> None:
    link.call("DEL", "deal:1")
    link.call("HSET", "deal:1", "name", "replaced")
    assert store.check().differences == (Difference(deal="1", problem=Problem.UNLOGGED),)
    store.repair()
    assert is_whole(store, ["0", "1", "2", "3"])
    assert deals_of(store)["1"] == {"name": "replaced"}


def test_hash_copied_over_another_is_there_once(store: Store, link: Link) -> None:
    link.call("HSET", "deal:1", *link.call("HGETALL", "deal:2"))
    assert store.check().differences == (Difference(deal="1", problem=Problem.MISPLACED),)
    store.repair()
    assert is_whole(store, ["0", "1", "2", "3"])
    assert deals_of(store)["1"] == deals_of(store)["2"]


def test_copy_that_was_saved_gives_the_row_back(store: Store, link: Link) -> None:
    """The copy carries the row of the other deal, which goes missing until the repair."""
    link.call("HSET", "deal:9", *link.call("HGETALL", "deal:1"))
    store.save({"id": 9, "name": "edited copy"})
    assert store.check().differences == (Difference(deal="1", problem=Problem.MISPLACED),)
    store.repair()
    assert is_whole(store, ["0", "1", "2", "3", "9"])
    assert deals_of(store)["1"] == {"name": "Deal 1", "amount": Decimal(10)}


def test_history_after_a_deal_vanished(store: Store, link: Link) -> None:
    link.call("DEL", "deal:1", "deal:2")
    assert store.repair().removed == 2
    assert store.history("1")["change"].to_list() == ["inserted", "inserted", "deleted"]
    assert is_whole(store, ["0", "3"])


@pytest.mark.parametrize("row", ["x", "1000", "-3", "0.5", "nan", "01", "1.0", "0x1", " 1"])
def test_row_of_another_collection_is_not_believed(store: Store, link: Link, row: str) -> None:
    link.call("HSET", "deal:9", "_row", row, "_rev", "x", "name", "from elsewhere", "owner", "Ann")
    assert Difference(deal="9", problem=Problem.MISPLACED) in store.check().differences
    assert store.save({"id": 9, "name": "saved"}).outcome == "inserted"
    assert store.check().differences == (
        Difference(deal="9", problem=Problem.CHANGED, field="owner"),
    )
    store.repair()
    link.call("DEL", "deals:log")
    assert is_whole(store, ["0", "1", "2", "3", "9"])


def test_copy_that_outlives_its_deal_is_read_alike_in_one_go_and_in_steps(
    store: Store, link: Link
) -> None:
    link.call("HSET", "deal:9", *link.call("HGETALL", "deal:1"))
    in_one_go = Store(link)
    assert in_one_go.snapshot().frame.height == 4
    store.delete("1")
    assert "1" not in ids_of(store)
    store.save({"id": 9, "name": "survivor"})
    assert ids_of(store) == ids_of(in_one_go) == ["0", "2", "3", "9"]
    store.repair()
    assert is_whole(store, ["0", "2", "3", "9"])


def test_hash_of_another_program_is_deleted_and_cleared(store: Store, link: Link) -> None:
    for deal in ("7", "8", "9"):
        link.call("HSET", f"deal:{deal}", "name", "outside", "owner", "Ann")
    assert store.delete("7")
    assert store.delete("8", expect_rev=0)
    assert store.history("8")["change"].to_list() == ["inserted", "inserted", "deleted"]
    store.save({"id": 9, "name": None, "owner": "Bob"})
    assert is_whole(store, ["0", "1", "2", "3", "9"])
    assert deals_of(store)["9"] == {"owner": "Bob"}


def test_a_key_that_is_no_text_is_no_deal(link: Link, server: Server) -> None:
    """Another program's; nobody could ask for it by an id, and it must not keep the others from being used."""
    with server.client() as client:
        client.hset(b"deal:\xff", mapping={"name": "x"})
        client.hset("deal:1", mapping={"name": "y"})
        store = Store(link, adopt=True)
        assert deals_of(store) == {"1": {"name": "y"}}
        assert store.save({"id": 2, "name": "z"}).outcome == "inserted"
        client.hset(b"deal:\xfe\xff", mapping={"name": "x"})
        assert store.check().ok
        assert store.repair().adopted == 0
        assert client.hgetall(b"deal:\xff") == {b"name": b"x"}


def test_what_never_settles_ends(link: Link, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is gone, in a collection whose format is gone too: every commit is refused as stale."""
    monkeypatch.setattr("dealdb.store.commit.definitions._MAX_TRIES", 5)
    store.save({"id": 1, "name": "a"})
    link.call("HDEL", "deals:meta", "format")
    link.call("DEL", "deals:log")
    with pytest.raises(StoreError):
        Store(link).snapshot()
