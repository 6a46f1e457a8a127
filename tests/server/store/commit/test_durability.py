"""A change is acknowledged where it was asked to be: asked of the server that has it, counted and compared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connected import documented_rule, eventually
from dealdb import DealDatabase, NotDurable
from dealdb.errors import ConfigError, SchemaError
from faults.proxy import Proxy
from servers import Server

AOF = ("--appendonly", "yes", "--appendfsync")
IMPATIENT = {"socket_timeout_s": 0.5, "retry_deadline_s": 3}


def waits(server: Server) -> dict[str, int]:
    """How often the server was asked to wait."""
    with server.client() as client:
        stats: dict[str, dict[str, int]] = client.info("commandstats")
    names = {"cmdstat_waitaof": "disk", "cmdstat_wait": "replicated"}
    return {name: stats[stat]["calls"] for stat, name in names.items() if stat in stats}


@pytest.fixture
def disk(new_server: Callable[..., Server], flavor: str) -> Server:
    if flavor != "valkey9":
        pytest.skip("this server has no WAITAOF")
    return new_server(*AOF, "everysec")


@pytest.fixture
def pair(new_server: Callable[..., Server]) -> tuple[Server, Server]:
    """A server and its replica."""
    primary, replica = new_server("--repl-diskless-sync-delay", "0"), new_server()
    with replica.client() as client:
        client.replicaof("127.0.0.1", primary.port)
        assert eventually(lambda: client.info("replication").get("master_link_status") == "up")
    # the primary counts it from its first acknowledgement on, which may be a second later
    with primary.client() as client:
        assert eventually(
            lambda: client.info("replication").get("slave0", {}).get("state") == "online"
        )
    return primary, replica


def test_nothing_is_waited_for_unless_it_is_asked_for(disk: Server) -> None:
    with DealDatabase(port=disk.port) as db:
        db.save_deal({"id": 1, "n": 1})
        db.save_deal({"id": 1, "n": 2}, durability="memory")
    assert waits(disk) == {}


def test_each_change_may_ask_for_the_disk(disk: Server) -> None:
    with DealDatabase(port=disk.port) as db:
        db.save_deal({"id": 1, "n": 1})
        assert db.save_deal({"id": 2, "n": 1}, durability="disk").outcome == "inserted"
        # whether the server can, and for the deal itself
        assert waits(disk)["disk"] == 2
        assert db.update_deal(1, n=2, durability="disk").outcome == "updated"
        assert db.delete_deal(1, durability="disk")
        assert waits(disk)["disk"] == 4
        db.save_deal({"id": 1, "n": 1})
        assert waits(disk)["disk"] == 4


def test_what_changed_nothing_is_on_the_disk_too(disk: Server) -> None:
    with (
        DealDatabase(port=disk.port) as db,
        DealDatabase(port=disk.port, durability="disk") as other,
    ):
        db.save_deal({"id": 1, "n": 1})
        assert other.save_deal({"id": 1, "n": 1}).outcome == "unchanged"
        with disk.client() as client:
            # the server begins such a job each second by itself, which a busy disk takes its time for
            assert eventually(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0)
        # asked twice: the commit wrote nothing, and the server waits only for what a connection has written
        assert waits(disk)["disk"] == 3


def test_database_that_asks_for_the_disk_asks_once_a_load(disk: Server) -> None:
    rows = [{"id": f"L{n}", "n": n} for n in range(20_000)]
    with DealDatabase(port=disk.port, durability="disk") as db:
        db.save_deal({"id": 1, "n": 1})
        before = waits(disk)["disk"]
        assert db.loader.load(rows, rejects=False).inserted == 20_000
        assert waits(disk)["disk"] == before + 1
    with DealDatabase(port=disk.port) as db:
        report = db.loader.load([{"id": "L0", "n": -1}], rejects=False, durability="disk")
        assert report.updated == 1
        assert waits(disk)["disk"] == before + 3


def test_answer_that_was_lost_is_waited_for_on_the_next_link(disk: Server) -> None:
    with Proxy(disk.port) as proxy, DealDatabase(port=proxy.port, **IMPATIENT) as db:  # type: ignore[arg-type]
        db.save_deal({"id": 1, "n": 1}, durability="disk")
        before = waits(disk)["disk"]
        proxy.fault("lose_reply", matching=b"EVALSHA")
        assert db.save_deal({"id": 1, "n": 2}, durability="disk").outcome == "updated"
        # with the commit, with its repeat, and behind a write on the link that the repeat came over
        assert waits(disk)["disk"] == before + 3
        assert db.check().ok


def test_server_without_a_file_promises_no_disk(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with DealDatabase(port=server.port) as db:
        with pytest.raises(NotDurable, match="appendonly yes") as caught:
            db.save_deal({"id": 1}, durability="disk")
        assert (caught.value.code, caught.value.done) == ("not-durable", False)
        with pytest.raises(NotDurable, match="nothing was written"):
            db.loader.load([{"id": 1}], rejects=False, durability="disk")
        assert len(db) == 0


def test_file_that_is_closed_meanwhile_is_told(disk: Server) -> None:
    with DealDatabase(port=disk.port, durability="disk") as db:
        db.save_deal({"id": 1, "n": 1})
        with disk.client() as client:
            client.config_set("appendonly", "no")
        with pytest.raises(NotDurable, match="was not confirmed") as caught:
            db.save_deal({"id": 1, "n": 2})
        assert caught.value.done
        deal = db.get_deal(1)
        assert deal is not None
        assert deal["n"] == 2
        assert db.save_deal({"id": 1, "n": 3}, durability="memory").outcome == "updated"


def test_disk_without_the_command_takes_a_sync_before_each_answer(
    new_server: Callable[..., Server], flavor: str
) -> None:
    if flavor == "valkey9":
        pytest.skip("this server has WAITAOF")
    with (
        DealDatabase(port=new_server(*AOF, "everysec").port) as db,
        pytest.raises(NotDurable, match="appendfsync always"),
    ):
        db.save_deal({"id": 1}, durability="disk")
    with DealDatabase(port=new_server(*AOF, "always").port) as db:
        assert db.save_deal({"id": 1}, durability="disk").outcome == "inserted"


def test_replicated_is_in_the_replica(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    with DealDatabase(port=primary.port, durability="replicated") as db, replica.client() as copy:
        for n in range(20):
            db.save_deal({"id": n, "n": n})
            assert copy.hget(f"deal:{n}", "n") == b"%d" % n
        rows = [{"id": f"L{n}", "n": n} for n in range(5_000)]
        before = waits(primary)["replicated"]
        assert db.loader.load(rows, rejects=False).inserted == 5_000
        assert waits(primary)["replicated"] == before + 1
        assert copy.hget("deals:meta", "deals") == b"5020"


def test_replica_that_stands_still_is_told(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    with DealDatabase(port=primary.port, **IMPATIENT) as db:  # type: ignore[arg-type]
        db.save_deal({"id": 1, "n": 1})
        # a new replica may take a second to its first acknowledgement
        assert eventually(lambda: _replicated(db, n=1))
        replica.freeze()
        try:
            with pytest.raises(NotDurable, match="'replicated' was not confirmed") as caught:
                db.save_deal({"id": 1, "n": 2}, durability="replicated")
            assert caught.value.done
            with pytest.raises(NotDurable):
                db.loader.load([{"id": 2, "n": 2}], rejects=False, durability="replicated")
        finally:
            replica.thaw()
        # saving again asks again
        assert eventually(lambda: _replicated(db, n=2))
        with replica.client() as copy:
            assert copy.hget("deal:1", "n") == b"2"


def _replicated(db: DealDatabase, n: int) -> bool:
    try:
        return db.save_deal({"id": 1, "n": n}, durability="replicated").outcome == "unchanged"
    except NotDurable:
        return False


def test_server_without_a_replica_promises_none(server: Server) -> None:
    with DealDatabase(port=server.port, durability="replicated") as db:
        with pytest.raises(NotDurable, match="has no replica") as caught:
            db.save_deal({"id": 1})
        assert not caught.value.done
        assert len(db) == 0


def test_right_that_is_missing_is_told(disk: Server) -> None:
    with disk.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-waitaof", "-config")
    with (
        DealDatabase(port=disk.port) as db,
        pytest.raises(NotDurable, match="waitaof"),
    ):
        db.save_deal({"id": 1}, durability="disk")


def test_documented_rights_are_enough(disk: Server) -> None:
    with disk.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", *documented_rule(), "+waitaof")
    with DealDatabase(port=disk.port, username="ann", password="pw", durability="disk") as db:
        assert db.save_deal({"id": 1}).outcome == "inserted"
    assert waits(disk)["disk"] == 2


def test_replicated_takes_one_more_right(pair: tuple[Server, Server]) -> None:
    primary, _ = pair
    with primary.client() as client:
        client.execute_command("ACL", "SETUSER", "ann", "on", ">pw", *documented_rule(), "+wait")
    with DealDatabase(
        port=primary.port, username="ann", password="pw", durability="replicated"
    ) as db:
        assert db.save_deal({"id": 1}).outcome == "inserted"


def test_file_that_is_not_kept_is_told_where_info_is_hidden(
    new_server: Callable[..., Server],
) -> None:
    server = new_server("--appendonly", "no", "--appendfsync", "always")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-info")
    with (
        DealDatabase(port=server.port, durability="disk") as db,
        pytest.raises(NotDurable, match="durability='disk'"),
    ):
        db.save_deal({"id": 1})


def test_killed_server_has_what_was_asked_to_be_on_disk(disk: Server) -> None:
    with DealDatabase(port=disk.port, retry_deadline_s=20) as db:
        for n in range(5):
            db.save_deal({"id": n, "n": n}, durability="disk")
            disk.kill()
            disk.start()
            assert str(n) in db


def test_other_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="memory, disk or replicated: got 'tape'"):
        DealDatabase(durability="tape")
    with DealDatabase() as db, pytest.raises(ConfigError, match="got 'tape'"):
        db.save_deal({"id": 1}, durability="tape")


def test_durability_of_a_call_ends_with_it(disk: Server) -> None:
    with DealDatabase(port=disk.port) as db:
        with pytest.raises(SchemaError):
            db.save_deal({"id": 1, "amount": object()}, durability="disk")
        before = waits(disk).get("disk", 0)
        db.save_deal({"id": 1, "n": 1})
        assert waits(disk).get("disk", 0) == before
