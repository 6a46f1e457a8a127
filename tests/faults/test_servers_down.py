"""Servers that are killed, frozen or no primary while many write."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from connected import eventually, in_threads
from dealdb import DealDatabase
from dealdb.errors import OutcomeUnknown, ServerRefused, StoreError
from faults.test_links import told
from servers import Server


@pytest.mark.parametrize("down_s", [pytest.param(0.0, marks=pytest.mark.slow), 1.0])
def test_a_server_that_is_killed_and_starts_again(durable: Server, down_s: float) -> None:
    saved: list[int] = [0] * 4
    stop = threading.Event()
    with (
        DealDatabase(port=durable.port, retry_deadline_s=30) as db,
        DealDatabase(port=durable.port, retry_deadline_s=30) as reader,
        db.changes(0, timeout_s=0) as feed,
    ):
        db.save_deal({"id": "warm", "n": 0})
        assert reader.query.count() == len(list(feed)[-1].deals) == 1

        def save(thread: int) -> None:
            while not stop.is_set():
                assert db.save_deal({"id": thread, "n": saved[thread]}).rev
                saved[thread] += 1

        saving = threading.Thread(target=lambda: failures.extend(in_threads(4, save)))
        failures: list[BaseException] = []
        saving.start()
        for _ in range(1 if down_s else 3):
            goal = sum(saved) + 200
            assert eventually(lambda: sum(saved) > goal)  # noqa: B023
            durable.kill()
            time.sleep(down_s)
            durable.start()
            assert reader.query.count() == 5
        goal = sum(saved) + 200
        assert eventually(lambda: sum(saved) > goal)
        stop.set()
        saving.join(60)
        assert failures == []
        everything = {(str(t), str(n)): 1 for t, count in enumerate(saved) for n in range(count)}
        assert told(durable) == Counter({**everything, ("warm", "0"): 1})
        assert sum(len(commit.deals) for commit in feed) == sum(saved)
        frame = reader.query.frame()
        assert dict(frame.select("id", "n").rows()) == {
            **{str(thread): count - 1 for thread, count in enumerate(saved)},
            "warm": 0,
        }
        assert db.check().ok


def test_a_server_that_stands_still(durable: Server) -> None:
    with (
        DealDatabase(port=durable.port, socket_timeout_s=0.2, retry_deadline_s=30) as patient,
        DealDatabase(port=durable.port, socket_timeout_s=0.2, retry_deadline_s=0.5) as db,
    ):
        for each in (patient, db):
            each.save_deal({"id": "before", "n": 0})
            assert each.query.count() == 1
        with durable.frozen():
            began = time.monotonic()
            saving = threading.Thread(target=patient.save_deal, args=({"id": "patient", "n": 1},))
            saving.start()
            with pytest.raises(OutcomeUnknown) as caught:
                db.save_deal({"id": "impatient", "n": 1})
            for read in (lambda: db.get_deal("before"), db.query.frame):
                with pytest.raises(StoreError):
                    read()
            assert time.monotonic() - began < 30
        saving.join(30)
        # all its copies wait for the server to go on
        assert caught.value.resolve() is True
        assert [deal and deal["n"] for deal in db.get_deals(["patient", "impatient"])] == [1, 1]
        assert db.check().ok
    assert set(told(durable).values()) == {1}


def test_a_replica_as_the_address(new_server: Callable[..., Server]) -> None:
    primary, replica = (new_server("--repl-diskless-sync-delay", "0") for _ in range(2))
    with DealDatabase(port=primary.port) as db:
        db.save_deal({"id": 1, "n": 1})
        replica.demote(primary)
        with DealDatabase(port=replica.port) as there, replica.client() as client:
            assert eventually(lambda: there.get_deal(1) is not None)
            changes: list[Callable[[], object]] = [
                lambda: there.save_deal({"id": 1, "n": 2}),
                lambda: there.save_deal({"id": 2, "n": 2, "new": True}),
                lambda: there.delete_deal(1),
                lambda: there.loader.load([{"id": 3, "n": 3}], rejects=False),
            ]
            for change in changes:
                client.config_resetstat()
                began = time.monotonic()
                with pytest.raises(StoreError, match=r"(?i)replica.*primary"):
                    change()
                assert time.monotonic() - began < 60
                # no storm: some tries, in case the server has just changed its part
                assert len(sent(client)) < 30
            assert there.query.frame().height == len(there) == 1
            db.save_deal({"id": 4, "n": 4})
            assert eventually(lambda: there.query.count() == 2)
            assert any("is a replica" in warning for warning in there.health().warnings)
        assert db.check().ok


def test_a_full_server_can_be_read(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with DealDatabase(port=server.port) as db, server.client() as client:
        for n in range(20):
            db.save_deal({"id": n, "n": n})
        # a first reader notes what it has looked for, where it can
        client.hdel("deals:meta", "adopted")
        client.config_set("maxmemory", 1)
        with DealDatabase(port=server.port) as fresh:
            assert fresh.query.frame().height == len(fresh) == 20
            with pytest.raises(ServerRefused, match="OOM"):
                fresh.save_deal({"id": 1, "n": -1})
            assert fresh.get_deal(1)["n"] == 1  # type: ignore[index]
        client.config_set("maxmemory", 0)
        assert db.save_deal({"id": 1, "n": -1}).outcome == "updated"
        assert db.check().ok


def sent(client: object) -> list[str]:
    """Changes that clients have sent to a server since its statistics were reset."""
    stats = client.info("commandstats")  # type: ignore[attr-defined]
    names = ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_hset")
    return [
        name
        for name in names
        for _ in range(
            stats.get(name, {}).get("calls", 0) + stats.get(name, {}).get("rejected_calls", 0)
        )
    ]
