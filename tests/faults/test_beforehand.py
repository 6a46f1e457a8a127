"""Changes that need other commits first: only their own outcome is ever unknown."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dealdb import DealDatabase, NotDurable, Pipeline, Stage
from dealdb.errors import OutcomeUnknown, ServerUnavailable
from dealdb.model.pipeline import Kind
from faults.proxy import Proxy
from servers import Server

STAGES = Pipeline((Stage("Lead", Kind.OPEN), Stage("Signed", Kind.WON)))
Change = Callable[[DealDatabase], object]
Look = Callable[[DealDatabase], bool]
# what is changed, the commits that it needs first, and whether it is there
CHANGES: dict[str, tuple[Change, int, Look]] = {
    "first deal": (lambda db: db.save_deal({"id": "new"}), 1, lambda db: "new" in db),
    "new field": (lambda db: db.save_deal({"id": "new", "n": 1}), 1, lambda db: "new" in db),
    "new stage": (
        lambda db: db.save_deal({"id": "new", "stage": "Signed"}), 2, lambda db: "new" in db,
    ),
    "first stages": (lambda db: db.set_pipeline(STAGES), 1, lambda db: "Signed" in db.pipeline),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_unknown_outcome_of_what_comes_first_is_none_of_the_change(
    proxy: Proxy, durable: Server, what: str
) -> None:
    change, n_first, is_there = CHANGES[what]
    with DealDatabase(port=durable.port) as db:
        # the server has the script
        db.save_deal({"id": "first"})
    for number in range(n_first + 1):
        with durable.client() as client:
            client.flushall()
        with (
            DealDatabase(port=durable.port) as direct,
            DealDatabase(port=proxy.port, retry_deadline_s=0.2) as db,
        ):
            assert not is_there(direct)
            proxy.fault("lose_reply", after=number, matching=b"EVAL", times=1_000)
            with pytest.raises((ServerUnavailable, OutcomeUnknown)) as caught:
                change(db)
            proxy.heal()
            error = caught.value
            # the change itself may have happened, and is there then
            happened = isinstance(error, OutcomeUnknown) and error.resolve()
            assert is_there(direct) == happened
            change(db)
            assert is_there(direct)
            assert direct.check().ok


def fill(db: DealDatabase) -> None:
    db.loader.load([{"id": f"d{n}", "note": f"n{n}"} for n in range(300)], rejects=False)


# in several commits, of which the last one is the change
LONG: dict[str, tuple[Change, Look]] = {
    "rename": (lambda db: db.rename_field("note", "remark"), lambda db: "note" not in db.schema),
    "drop": (lambda db: db.drop_field("note"), lambda db: "note" not in db.schema),
}


@pytest.mark.parametrize("what", LONG)
def test_change_in_many_commits_is_unknown_in_the_last_alone(
    proxy: Proxy, durable: Server, what: str
) -> None:
    change, is_there = LONG[what]
    for number in range(4):
        with durable.client() as client:
            client.flushall()
        with (
            DealDatabase(port=durable.port) as direct,
            DealDatabase(port=proxy.port, retry_deadline_s=0.2) as db,
        ):
            fill(direct)
            proxy.fault("lose_reply", after=number, matching=b"EVALSHA", times=1_000)
            error: Exception | None = None
            try:
                change(db)
            except (ServerUnavailable, OutcomeUnknown) as problem:
                error = problem
            proxy.heal()
            happened = isinstance(error, OutcomeUnknown) and error.resolve()
            assert is_there(direct) == (error is None or happened)
            if not is_there(direct):
                change(db)
            assert is_there(direct)
            assert direct.query.count() == 300
            assert direct.check().ok


@pytest.mark.parametrize("what", ["repair", "adoption"])
def test_repair_and_adoption_are_never_unknown(proxy: Proxy, durable: Server, what: str) -> None:
    with (
        DealDatabase(port=durable.port) as direct,
        DealDatabase(port=proxy.port, retry_deadline_s=0.2) as db,
        durable.client() as client,
    ):
        fill(direct)
        if what == "adoption":
            client.flushall()
        client.hset("deal:foreign", mapping={"name": "plain"})
        call = partial(db.repair, adopt=what == "adoption")
        proxy.fault("lose_reply", matching=b"EVALSHA", times=1_000)
        with pytest.raises(ServerUnavailable, match="make it again"):
            call()
        proxy.heal()
        call()
        assert "foreign" in list(db.query.frame()["id"])
        assert db.check().ok


def test_adoption_before_a_delete_is_not_the_delete(proxy: Proxy, durable: Server) -> None:
    with (
        DealDatabase(port=durable.port) as direct,
        DealDatabase(port=proxy.port, retry_deadline_s=0.2) as db,
        durable.client() as client,
    ):
        fill(direct)
        db.save_deal({"id": 1, "name": "a"})
        client.hset("deal:foreign", mapping={"name": "plain"})
        # the delete itself finds a hash that the log has not; only then is it adopted
        proxy.fault("lose_reply", after=1, matching=b"EVALSHA", times=1_000)
        error: Exception | None = None
        try:
            db.delete_deal("foreign")
        except (ServerUnavailable, OutcomeUnknown) as problem:
            error = problem
        proxy.heal()
        happened = isinstance(error, OutcomeUnknown) and error.resolve()
        assert error is not None
        assert happened == (client.exists("deal:foreign") == 0)


def waits(client: Any) -> int:
    stats: Any = client.info("commandstats")
    return int(stats["cmdstat_waitaof"]["calls"])


def test_only_the_change_is_waited_for(new_server: Callable[..., Server], flavor: str) -> None:
    if flavor != "valkey9":
        pytest.skip("this server has no WAITAOF")
    server = new_server("--appendonly", "yes")
    with (
        DealDatabase(port=server.port, durability="disk") as db,
        server.client() as client,
    ):
        db.save_deal({"id": 1})
        before = waits(client)
        db.save_deal({"id": 2, "n": 1, "stage": "Won"})
        assert waits(client) == before + 1
        client.hset("deal:foreign", mapping={"name": "plain"})
        assert db.repair().adopted == 1
        assert waits(client) == before + 2
        client.config_set("appendonly", "no")
        # what was confirmed last is the deal, and not its field
        with pytest.raises(NotDurable) as caught:
            db.save_deal({"id": 3, "more": 1})
        assert caught.value.done
        assert 3 in db
