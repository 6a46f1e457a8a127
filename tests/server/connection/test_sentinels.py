"""Sentinels say where the primary is: real ones, of servers that are killed, frozen and replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from clusters import PATIENT
from connected import eventually, replicated
from dealdb import DealDatabase
from dealdb.connection import RedisConnection, sentinels
from dealdb.connection.sentinels import Sentinels
from dealdb.errors import DealDBError, ServerUnavailable
from failovers import Savers, lost
from servers import Server, free_port
from watched import NAME, Watch, Watched, watched


@pytest.fixture
def group(new_server: Callable[..., Server], tmp_path: Path) -> Iterator[Watched]:
    with watched(new_server, tmp_path) as found:
        yield found


def test_the_primary_is_found_and_the_next_one_when_it_is_killed(group: Watched) -> None:
    with DealDatabase.from_url(group.url, **PATIENT) as db:
        db.save_deal({"id": "d1", "amount": 1})
        assert db.get_deal("d1") is not None
        old = group.primary()
        assert [each for each in group.servers if roles(each) == "master"] == [old]
        assert replicated(old, 2)
        old.kill()
        # the same database object, and no word of the other server
        assert db.save_deal({"id": "d1", "amount": 2}).outcome == "updated"
        assert db.query.frame()["amount"].to_list() == [2]
        # the Sentinels that did not lead hear of it later
        assert group.wait_for_another(old) is not old


def roles(server: Server) -> str:
    with server.client() as client:
        return str(client.info("replication")["role"])


def test_a_primary_that_froze_is_left_before_it_knows_that_it_was_replaced(group: Watched) -> None:
    with DealDatabase.from_url(group.url, **PATIENT) as db:
        for n in range(3):
            db.save_deal({"id": n, "amount": 0})
        old = group.primary()
        assert replicated(old, 2)
        with old.frozen():
            new = group.wait_for_another(old)
        # it takes changes still, over the socket that the pool has kept
        assert roles(old) == "master"
        # that is asked first: a command that can't be sent again would have failed
        assert db._store.link.call("SET", "key", "value") == b"OK"
        for n in range(3):
            db.save_deal({"id": n, "amount": n + 1})
        with new.client() as client:
            assert client.get("key") == b"value"
            assert [client.hget(f"deal:{n}", "amount") for n in range(3)] == [b"1", b"2", b"3"]


def test_what_a_replaced_primary_answers_is_not_taken_for_an_answer(group: Watched) -> None:
    """The command is on its way while it freezes: it carries it out when it wakes, and then drops it."""
    with RedisConnection().connect_url(
        group.url, socket_timeout_s=30, retry_deadline_s=0.1
    ) as connection:
        link = connection.link()
        link.call("SET", "key", "before")
        old = group.primary()
        failures: list[DealDBError] = []

        def write() -> None:
            try:
                link.call("SET", "key", "during")
            except DealDBError as problem:
                failures.append(problem)

        with old.frozen():
            writer = threading.Thread(target=write)
            writer.start()
            new = group.wait_for_another(old)
        writer.join(30)
        [failure] = failures
        assert isinstance(failure, ServerUnavailable)
        assert failure.sent
        assert f"127.0.0.1:{old.port}" in str(failure)
        with new.client() as client:
            assert client.get("key") == b"before"


def test_a_sentinel_that_is_gone_or_hangs_is_left_alone(group: Watched) -> None:
    gone, hanging, last = group.sentinels
    gone.end()
    hanging.signal(signal.SIGSTOP)
    try:
        with RedisConnection().connect_url(group.url) as connection:
            began = time.monotonic()
            connection.link().call("SET", "key", "value")
            assert time.monotonic() - began < 10
            began, n = time.monotonic(), 0
            while time.monotonic() - began < 3 * sentinels.TRUSTED_S:
                connection.link().call("GET", "key")
                n += 1
            # each would wait for half a second else
            assert n > 10
            last.signal(signal.SIGSTOP)
            # nobody watches any more, and the server is as it was
            time.sleep(sentinels.TRUSTED_S)
            assert connection.link().call("GET", "key") == b"value"
            last.signal(signal.SIGCONT)
    finally:
        hanging.signal(signal.SIGCONT)


def test_the_sentinel_of_the_latest_election_is_believed(group: Watched, tmp_path: Path) -> None:
    """One that slept knows the old primary only, until the others tell it."""
    old = group.primary()
    sleeper = group.sentinels[0]
    sleeper.signal(signal.SIGSTOP)
    old.kill()
    new = group.wait_for_another(old)
    found = Sentinels(RedisConnection().connect_url(group.url).settings)
    try:
        assert found.primary().port == new.port
        sleeper.signal(signal.SIGCONT)
        # whatever it says at this moment
        assert found.primary().port == new.port
    finally:
        found.close()


def test_a_replica_that_they_name_is_not_asked_until_it_is_a_primary(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, other = new_server(), new_server()
    sentinel = Watch(server.binary, tmp_path / "s", server)
    settings: dict[str, Any] = {
        "sentinels": [sentinel.address],
        "sentinel_name": NAME,
        "retry_deadline_s": 0.5,
    }
    try:
        with RedisConnection().connect(**settings) as connection:
            assert wait_for_ping(connection)
        server.demote(other)
        with RedisConnection().connect(**settings) as connection:
            with pytest.raises(ServerUnavailable, match="is not a primary yet"):
                connection.link().call("GET", "key", retry=True)
            server.promote()
            assert connection.link().call("GET", "key", retry=True) is None
    finally:
        sentinel.end()


def test_sentinels_that_nobody_can_ask_are_named(tmp_path: Path) -> None:
    port = free_port()
    with RedisConnection().connect_url(f"redis+sentinel://127.0.0.1:{port}/m") as connection:
        began = time.monotonic()
        with pytest.raises(ServerUnavailable, match="no Sentinel names the primary") as caught:
            connection.link().call("PING")
        assert time.monotonic() - began < 10
        assert f"127.0.0.1:{port}" in str(caught.value)
        assert not connection.is_connected()


def test_a_name_that_nobody_has_and_a_forked_child_with_sockets_of_its_own(group: Watched) -> None:
    url = group.url.replace(f"/{NAME}/", "/others/")
    with (
        RedisConnection().connect_url(url) as connection,
        pytest.raises(ServerUnavailable, match="No such master with that name"),
    ):
        connection.link().call("PING")
    with RedisConnection().connect_url(group.url) as connection:
        link = connection.link()
        link.call("SET", "n", 0)
        child = os.fork()
        if child == 0:
            try:
                time.sleep(sentinels.TRUSTED_S)
                os._exit(0 if link.call("INCR", "n") >= 1 else 1)
            finally:
                os._exit(2)
        time.sleep(sentinels.TRUSTED_S)
        link.call("INCR", "n")
        assert os.waitpid(child, 0)[1] == 0
        assert link.call("GET", "n") == b"2"


def test_they_have_a_login_of_their_own(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server("--requirepass", "deals", "--masterauth", "deals")
    lines = f"sentinel auth-pass {NAME} deals", "requirepass watch"
    sentinel = Watch(server.binary, tmp_path / "s", server, *lines)
    try:
        settings: dict[str, Any] = {
            "sentinels": [sentinel.address],
            "sentinel_name": NAME,
            "password": "deals",
        }
        with RedisConnection().connect(**settings, sentinel_password="watch") as connection:
            assert wait_for_ping(connection)
            assert "watch" not in repr(connection.settings)
        with (
            RedisConnection().connect(**settings) as connection,
            pytest.raises(ServerUnavailable, match="it wants a login"),
        ):
            connection.link().call("PING")
    finally:
        sentinel.end()


def wait_for_ping(connection: RedisConnection) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            connection.link().call("PING")
        except ServerUnavailable:
            time.sleep(0.05)
        else:
            return True
    return False


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_saves_go_on_while_a_primary_is_replaced(group: Watched, fault: str) -> None:
    """Of those that were acknowledged a killed primary takes the last ones with it, that no replica had."""
    with Savers(group.url, **PATIENT) as savers:
        assert savers.have_saved_each(1)
        old, copied_at = group.primary(), time.monotonic()
        assert replicated(old, 2)
        if fault == "kill":
            old.kill()
            gone_at = time.monotonic()
            group.wait_for_another(old)
        else:
            with old.frozen():
                group.wait_for_another(old)
            # it takes itself for the primary, until the Sentinels tell it in some seconds
            time.sleep(2)
        assert savers.go_on()
        assert savers.have_saved_each(2)
    gone = lost(savers.saves, group.url)
    if fault == "freeze":
        assert gone == []
    assert all(each.told > copied_at and each.begun < gone_at for each in gone), (copied_at, gone)


def test_a_sentinel_that_never_answers_is_asked_once_a_try() -> None:
    """What fails is left alone from then on, and not asked again for having been left alone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"redis+sentinel://127.0.0.1:{listener.getsockname()[1]}/{NAME}"
        found = Sentinels(RedisConnection().connect_url(url).settings)
        for _ in range(2):
            with pytest.raises(ServerUnavailable, match="no Sentinel names the primary"):
                found.primary()
        found.close()
        listener.settimeout(0.2)
        n_asked = 0
        with contextlib.suppress(TimeoutError):
            while True:
                listener.accept()[0].close()
                n_asked += 1
    assert n_asked == 2


def test_one_of_three_does_not_take_back_what_the_others_have_said(
    group: Watched, tmp_path: Path
) -> None:
    """It is cut off from them, and has not heard of the election."""
    old = group.primary()
    old.kill()
    new = group.wait_for_another(old)
    first, second, _ = group.sentinels
    cut_off = Watch(old.binary, tmp_path / "cut_off", old)
    names = [each.address for each in (first, second, cut_off)]
    settings = RedisConnection().connect(sentinels=names, sentinel_name=NAME).settings
    found = Sentinels(settings)
    try:
        assert eventually(lambda: is_named_by(cut_off, old))
        assert found.primary().port == new.port
        first.end()
        second.end()
        assert found.primary().port == new.port
        assert found.still_name(found.primary())
        # but where it is all that anybody has ever heard
        alone = Sentinels(settings)
        assert alone.primary().port == old.port
        alone.close()
    finally:
        found.close()
        cut_off.end()


def is_named_by(sentinel: Watch, server: Server) -> bool:
    with contextlib.suppress(redis.RedisError):
        return int(sentinel.ask("GET-MASTER-ADDR-BY-NAME")[1]) == server.port
    return False
