"""Commits over a real link through the proxy: each kind of change, each fault, once and for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from connected import eventually
from dealdb import DealDatabase, Pipeline, Stage
from dealdb.connection import RedisConnection
from dealdb.errors import (
    AccessDenied,
    ConflictError,
    DealNotFound,
    OutcomeUnknown,
    ServerUnavailable,
)
from dealdb.model.pipeline import Kind
from faults.proxy import KINDS as ALL_KINDS
from faults.proxy import Kind as FaultKind
from faults.proxy import Proxy
from servers import Server

Change = Callable[[DealDatabase], object]


def define_stages(db: DealDatabase) -> None:
    db.set_pipeline(Pipeline((Stage("Lead", Kind.OPEN), Stage("Signed", Kind.WON))))


def value(db: DealDatabase, deal_id: str, field: str) -> object:
    deal = db.get_deal(deal_id)
    return None if deal is None else deal.get(field)


# what is changed, and whether it is there
CHANGES: dict[str, tuple[Change, Callable[[DealDatabase], bool]]] = {
    "insert": (lambda db: db.save_deal({"id": "new", "n": 1}), lambda db: "new" in db),
    "save": (
        lambda db: db.save_deal({"id": "old", "n": 2}),
        lambda db: value(db, "old", "n") == 2,
    ),
    "update": (
        lambda db: db.update_deal("old", name="renamed"),
        lambda db: value(db, "old", "name") == "renamed",
    ),
    "delete": (lambda db: db.delete_deal("old"), lambda db: "old" not in db),
    "field": (
        lambda db: db.save_deal({"id": "wide", "more": True}),
        lambda db: "wide" in db,
    ),
    "pipeline": (define_stages, lambda db: "Signed" in db.pipeline),
    "rename": (
        lambda db: db.rename_field("note", "remark"),
        lambda db: "remark" in db.schema and "note" not in db.schema,
    ),
    "drop": (lambda db: db.drop_field("note"), lambda db: "note" not in db.schema),
    "load": (
        lambda db: db.loader.load(
            [{"id": f"L{n}", "n": n} for n in range(1_000)], rejects=False
        ),
        lambda db: db.query.count("id LIKE 'L%'") == 1_000,
    ),
    "load again": (
        lambda db: db.loader.load(
            [{"id": "old", "n": 3}, {"id": "other", "n": 3}], rejects=False
        ),
        lambda db: [value(db, deal_id, "n") for deal_id in ("old", "other")] == [3, 3],
    ),
}  # fmt: skip
# of the others each is much like one of these
USUAL: tuple[FaultKind, ...] = ("lose_reply", "late")
KINDS = [
    kind if kind in USUAL else pytest.param(kind, marks=pytest.mark.slow) for kind in ALL_KINDS
]


@pytest.fixture
def direct(durable: Server) -> Iterator[DealDatabase]:
    """The same server without the proxy."""
    with DealDatabase(port=durable.port) as direct:
        direct.save_deal({"id": "old", "n": 1, "note": "old"})
        direct.save_deal({"id": "other", "n": 1})
        yield direct


@pytest.fixture
def db(proxy: Proxy, direct: DealDatabase) -> Iterator[DealDatabase]:
    with DealDatabase(port=proxy.port, socket_timeout_s=0.4, retry_deadline_s=5) as db:
        # the first changes of a process ask for more than the commit
        db.save_deal({"id": "warm", "n": 1})
        db.save_deal({"id": "warm", "n": 2})
        yield db


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", CHANGES)
def test_change_that_meets_a_fault_happens_once(
    proxy: Proxy, db: DealDatabase, direct: DealDatabase, what: str, kind: FaultKind
) -> None:
    change, is_there = CHANGES[what]
    before = direct.health().log_length
    proxy.fault(kind, matching=b"EVALSHA", seconds=0.05)
    change(db)
    assert proxy.is_idle()
    assert is_there(direct)
    n_commits = (direct.health().log_length or 0) - (before or 0)
    with DealDatabase(port=proxy.port, collection="calm") as calm:
        calm.save_deal({"id": "old", "n": 1, "note": "old"})
        calm.save_deal({"id": "other", "n": 1})
        calm.save_deal({"id": "warm", "n": 2})
        length = calm.health().log_length or 0
        change(calm)
        assert n_commits == (calm.health().log_length or 0) - length
    assert direct.check().ok
    # a copy that came late has changed nothing
    time.sleep(0.1 if kind == "late" else 0)
    assert is_there(direct)


@pytest.mark.parametrize("silent", [False, True], ids=["cut", "silent"])
@pytest.mark.parametrize("what", ["insert", "save", "update", "delete", "load again"])
def test_change_whose_answers_are_lost_for_good_is_unknown(
    proxy: Proxy, direct: DealDatabase, what: str, *, silent: bool
) -> None:
    change, is_there = CHANGES[what]
    impatient = {"socket_timeout_s": 0.6, "retry_deadline_s": 0.6}
    with DealDatabase(port=proxy.port, **impatient) as db:  # type: ignore[arg-type]
        db.save_deal({"id": "warm", "n": 1})
        db.save_deal({"id": "warm", "n": 2})
        proxy.fault("mute" if silent else "lose_reply", matching=b"EVALSHA", times=1_000)
        with pytest.raises(OutcomeUnknown) as caught:
            change(db)
        proxy.heal()
        # whatever the thread does next is kept, and is its own
        assert db.save_deal({"id": "next", "n": 777}).outcome == "inserted"
        assert value(direct, "next", "n") == 777
        assert caught.value.resolve() is True
        assert is_there(direct)
        assert not caught.value.retryable
    assert direct.check().ok


@pytest.mark.parametrize("what", ["insert", "delete"])
def test_change_that_never_arrives_is_known_not_to_happen(
    proxy: Proxy, direct: DealDatabase, what: str
) -> None:
    change, is_there = CHANGES[what]
    with DealDatabase(port=proxy.port, socket_timeout_s=0.6, retry_deadline_s=0.6) as db:
        db.save_deal({"id": "warm", "n": 1})
        db.save_deal({"id": "warm", "n": 2})
        proxy.fault("swallow", matching=b"EVALSHA", times=1_000)
        with pytest.raises(OutcomeUnknown) as caught:
            change(db)
        proxy.heal()
        assert caught.value.resolve() is False
        assert not is_there(direct)
        assert db.save_deal({"id": "next", "n": 1}).outcome == "inserted"
        # no socket can be had at all: that is no unknown outcome
        proxy.unlisten()
        proxy.cut_all()
        time.sleep(0.1)
        with pytest.raises(ServerUnavailable) as refused:
            change(db)
        assert not refused.value.sent
        assert not is_there(direct)


def test_late_copy_of_what_changed_nothing_takes_no_effect(
    proxy: Proxy, db: DealDatabase, direct: DealDatabase
) -> None:
    proxy.fault("late", matching=b"EVALSHA", seconds=0.3)
    assert db.save_deal({"id": "old", "n": 1}).outcome == "unchanged"
    direct.save_deal({"id": "old", "n": 3})
    time.sleep(0.5)
    assert value(direct, "old", "n") == 3
    assert db.save_deal({"id": "next", "n": 4}).outcome == "inserted"
    assert "next" in direct


def test_late_copy_of_what_met_a_conflict_takes_no_effect(
    proxy: Proxy, db: DealDatabase, direct: DealDatabase
) -> None:
    proxy.fault("late", matching=b"EVALSHA", seconds=0.3)
    with pytest.raises(DealNotFound):
        db.update_deal("created later", n=5)
    direct.save_deal({"id": "created later", "n": 1})
    time.sleep(0.5)
    assert value(direct, "created later", "n") == 1
    [old] = direct.get_deals(["old"])
    assert old is not None
    proxy.fault("lose_reply", matching=b"EVALSHA")
    with pytest.raises(ConflictError) as caught:
        db.save_deal({"id": "old", "n": 5}, expect_rev=old.rev + 10)
    assert caught.value.actual_rev == old.rev
    assert db.save_deal({"id": "next", "n": 4}).outcome == "inserted"
    assert "next" in direct


def test_late_copy_of_new_deals_that_were_known_takes_no_effect(
    proxy: Proxy, db: DealDatabase, direct: DealDatabase
) -> None:
    deals = [{"id": f"K{n}", "n": n} for n in range(100)]
    direct.loader.load(deals[:1], rejects=False)
    proxy.fault("late", matching=b"EVALSHA", seconds=0.5)
    assert db.loader.load(deals, rejects=False).inserted == 99
    for deal in deals:
        direct.delete_deal(str(deal["id"]))
    time.sleep(0.7)
    assert direct.query.count("id LIKE 'K%'") == 0
    assert direct.check().ok


def test_script_that_is_forgotten_while_a_link_breaks(
    proxy: Proxy, db: DealDatabase, durable: Server
) -> None:
    with durable.client() as client:
        for n in range(10):
            client.script_flush()
            proxy.fault("lose_reply", after=n % 2, matching=b"EVAL")
            assert db.save_deal({"id": n, "n": n}).outcome == "inserted"
            proxy.heal()
    assert db.check().ok


def test_commits_of_a_load_that_is_cut_anywhere(proxy: Proxy, direct: DealDatabase) -> None:
    rows = [{"id": f"R{n}", "n": n, "name": f"row {n}"} for n in range(3_000)]
    with DealDatabase(port=proxy.port, socket_timeout_s=0.5, retry_deadline_s=5) as db:
        proxy.rng.seed(4)
        proxy.chance(0.1, ("cut_request", "lose_reply", "cut_reply", "rst", "half_close"))
        assert db.loader.load(rows, rejects=False).inserted == 3_000
        proxy.heal()
    assert sum(proxy.counts.values()) > 0
    assert direct.query.count("id LIKE 'R%'") == 3_000
    assert direct.check().ok
    assert eventually(lambda: direct.health().pool_in_use == 0)


@pytest.mark.parametrize("in_a_batch", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in ALL_KINDS if kind != "delay"])
def test_a_link_says_that_it_may_have_sent(
    proxy: Proxy, kind: FaultKind, *, in_a_batch: bool
) -> None:
    """A writer that is told otherwise takes what it has sent for not made."""
    with RedisConnection().connect(port=proxy.port, socket_timeout_s=0.2) as connection:
        link = connection.link()
        link.call("SET", "n", 0, retry=True)
        proxy.fault(kind, matching=b"INCR", seconds=0.05)
        with pytest.raises(ServerUnavailable) as caught:
            link.calls([("INCR", "n"), ("INCR", "n")]) if in_a_batch else link.call("INCR", "n")
        assert caught.value.sent
        # it was sent once: a copy would be a change more
        time.sleep(0.1 if kind == "late" else 0)
        assert int(link.call("GET", "n", retry=True)) <= 1 + in_a_batch


def test_a_link_says_that_it_has_not_sent(proxy: Proxy, durable: Server) -> None:
    with RedisConnection().connect(port=proxy.port, retry_deadline_s=0.1) as connection:
        link = connection.link()
        link.call("SET", "n", 0)
        with durable.client() as client:
            client.execute_command("ACL", "SETUSER", "default", "-incr")
            with pytest.raises(AccessDenied) as denied:
                link.call("INCR", "n")
            client.execute_command("ACL", "SETUSER", "default", "+incr")
        assert not denied.value.sent
        proxy.unlisten()
        proxy.cut_all()
        time.sleep(0.1)
        with pytest.raises(ServerUnavailable) as caught:
            link.call("INCR", "n")
        assert not caught.value.sent
