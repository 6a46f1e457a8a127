from __future__ import annotations

import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connected import connected, eventually, in_threads, sockets, wires_in_use
from dealdb.connection import RedisConnection, ServerHealth
from dealdb.connection.server.health import _warnings
from dealdb.connection.server.info import removes_deals
from dealdb.errors import AccessDenied, ServerUnavailable
from servers import Server, free_port

READER = ["+ping", "+select", "+get", "+set", "+hgetall"]


@contextmanager
def within_a_second() -> Iterator[None]:
    """The promise is a second; a busy machine may add to it, and what hangs takes the minute of these sockets."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 20


@contextmanager
def user(server: Server, commands: list[str]) -> Iterator[dict[str, str]]:
    with server.client() as client:
        client.acl_setuser("ann", enabled=True, passwords=["+pw"], keys="*", commands=commands)
        yield {"username": "ann", "password": "pw"}
        client.acl_deluser("ann")


def test_is_connected_to_a_server(server: Server) -> None:
    # a client of an earlier test may not be gone yet
    before = {entry["id"] for entry in sockets(server)}
    with connected(server) as connection:
        for _ in range(3):
            assert connection.is_connected()
        assert len({entry["id"] for entry in sockets(server)} - before) == 1


@pytest.mark.parametrize("host", ["no-such-host.invalid", "127.0.0.1"])
def test_is_not_connected_to_nothing(host: str) -> None:
    connection = RedisConnection().connect(host, free_port(), socket_timeout_s=60)
    with within_a_second():
        assert not connection.is_connected()


def test_is_not_connected_while_the_name_server_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    # a name server that never answers can't be had without a network
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: done.wait(60) and [])
    connection = RedisConnection().connect("db.example", socket_timeout_s=60)
    for _ in range(2):
        with within_a_second():
            assert not connection.is_connected()
    assert connection.pool_stats().open == 1
    done.set()


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged in less than the second that is promised, to save time where that isn't the point."""
    monkeypatch.setattr("dealdb.connection.server.probe.ANSWER_WITHIN_S", 0.25)


@pytest.fixture
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers counts as connected, however long a busy machine takes over it."""
    monkeypatch.setattr("dealdb.connection.server.probe.ANSWER_WITHIN_S", 15)


@pytest.mark.usefixtures("_hasty")
def test_is_not_connected_to_a_listener_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for password in (None, "hunter2"):
            connection = RedisConnection().connect(
                "127.0.0.1", port, password=password, socket_timeout_s=60
            )
            with connection, within_a_second():
                assert not connection.is_connected()


def test_is_not_connected_to_a_frozen_server_and_again_when_it_thaws(
    new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server()
    with connected(server, socket_timeout_s=60) as connection:
        assert connection.is_connected()
        server.freeze()
        with within_a_second():
            assert not connection.is_connected()
        server.thaw()
        with monkeypatch.context() as patch, within_a_second():
            patch.setattr("dealdb.connection.server.probe.ANSWER_WITHIN_S", 15)
            assert connection.is_connected()
        server.kill()
        with within_a_second():
            assert not connection.is_connected()


def test_is_not_connected_with_a_wrong_password(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with server.client() as client:
        client.config_set("requirepass", "right-one")
        for settings in ({"password": "wrong"}, {}):
            with connected(server, **settings) as connection, within_a_second():
                assert not connection.is_connected()
        client.execute_command("AUTH", "right-one")
        client.config_set("requirepass", "")


def test_is_connected_also_without_the_right_to_ping(server: Server) -> None:
    with user(server, ["+get", "+select"]) as login, connected(server, **login) as connection:
        assert connection.is_connected()
        with pytest.raises(AccessDenied):
            connection.ping()
        health = connection.health()
        assert (health.reachable, health.ping_ms) == (True, None)


@pytest.mark.usefixtures("_unhurried")
def test_is_connected_while_every_socket_is_busy(server: Server) -> None:
    done = threading.Event()
    with connected(server, max_connections=2, pool_timeout_s=60) as connection:
        link = connection.link()

        def hammer(thread: int) -> None:
            while not done.is_set():
                link.call("PING")

        hammering = threading.Thread(target=in_threads, args=(8, hammer))
        hammering.start()
        for _ in range(20):
            with within_a_second():
                assert connection.is_connected()
        done.set()
        hammering.join()
        assert connection.pool_stats().open <= 2


@pytest.mark.usefixtures("_hasty")
def test_busy_pool_is_judged_by_what_the_server_answered_meanwhile(server: Server) -> None:
    with connected(server, max_connections=2) as connection:
        pool = connection._open_pool
        with wires_in_use(pool, 2) as held:
            held[0].connect()
            with within_a_second():
                assert not connection.is_connected()
            answering = threading.Timer(0.1, lambda: setattr(pool, "answered_at", time.monotonic()))
            answering.start()
            with within_a_second():
                assert connection.is_connected()
        # the PING itself, which nobody waits for any more, is on its way
        assert eventually(lambda: connection.pool_stats().in_use == 0)


def without_known_hole(health: ServerHealth) -> ServerHealth:
    """The same without the warning that Redis 6.2 of the tests has a known hole."""
    kept = tuple(warning for warning in health.warnings if "CVE-" not in warning)
    return dataclasses.replace(health, warnings=kept)


def test_health_of_a_server(server: Server, flavor: str) -> None:
    with connected(server, max_connections=3) as connection:
        health = without_known_hole(connection.health())
        with server.client() as client:
            info = client.info()
    assert health == ServerHealth(
        reachable=True,
        flavor="valkey" if flavor.startswith("valkey") else "redis",
        version=info.get("valkey_version", info["redis_version"]),
        role="master",
        ping_ms=health.ping_ms,
        memory_used_bytes=health.memory_used_bytes,
        memory_max_bytes=0,
        memory_policy="noeviction",
        persistence="none",
        durability=("memory",),
        pool_size=3,
        warnings=(
            "the server keeps nothing on disk: a restart loses every deal; set appendonly yes",
        ),
    )
    assert health.ping_ms is not None
    assert 0 < health.ping_ms < 5000
    assert health.memory_used_bytes is not None
    assert health.memory_used_bytes > 100_000
    with pytest.raises(dataclasses.FrozenInstanceError):
        health.reachable = False  # type: ignore[misc]


def test_health_counts_who_had_to_wait(server: Server) -> None:
    with connected(server, max_connections=2) as connection:
        link = connection.link()
        assert in_threads(8, lambda _: [link.call("PING") for _ in range(50)][-1] and None) == []
        assert connection.health().pool_waited == connection.pool_stats().waited > 0


@pytest.mark.parametrize(
    ("options", "persistence", "warning"),
    [
        (("--appendonly", "yes"), "aof everysec", None),
        (("--appendonly", "yes", "--appendfsync", "always"), "aof always", None),
        (("--appendonly", "yes", "--maxmemory", "100mb"), "aof everysec", None),
        (
            ("--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"),
            "aof everysec",
            "the server removes deals at its limit of 104857600 bytes: its policy is allkeys-lru; set noeviction",
        ),
        (
            ("--appendonly", "yes", "--maxmemory-policy", "allkeys-random"),
            "aof everysec",
            "the server removes deals as soon as it gets a limit (maxmemory): "
            "its policy is allkeys-random; set noeviction",
        ),
        (
            ("--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"),
            "aof everysec",
            "the server removes keys at its limit of 104857600 bytes, though not deals: volatile-lru",
        ),
    ],
)  # fmt: skip
def test_health_names_what_threatens_the_data(
    new_server: Callable[..., Server],
    options: tuple[str, ...],
    persistence: str,
    warning: str | None,
) -> None:
    with connected(new_server(*options)) as connection:
        health = without_known_hole(connection.health())
    assert health.persistence == persistence
    assert health.warnings == ((warning,) if warning else ())


@pytest.mark.parametrize(
    ("options", "persistence"), [((), "rdb"), (("--appendonly", "yes"), "aof everysec, rdb")]
)
def test_health_with_snapshots(
    new_server: Callable[..., Server], options: tuple[str, ...], persistence: str
) -> None:
    server = new_server(*options)
    with server.client() as client:
        client.config_set("save", "3600 1")
    with connected(server) as connection:
        health = without_known_hole(connection.health())
    assert (health.persistence, health.warnings) == (persistence, ())


def test_health_of_a_replica(new_server: Callable[..., Server]) -> None:
    server = new_server("--replicaof", "127.0.0.1", str(free_port()))
    with connected(server) as connection:
        health = connection.health()
    assert health.role == "slave"
    assert any("is a replica" in warning for warning in health.warnings)


def test_health_without_the_rights_to_ask(server: Server) -> None:
    with user(server, READER) as login, connected(server, **login) as connection:
        health = connection.health()
    assert health == ServerHealth(reachable=True, ping_ms=health.ping_ms, pool_size=10)
    assert health.ping_ms is not None
    with user(server, [*READER, "+info"]) as login, connected(server, **login) as connection:
        health = connection.health()
    assert (health.role, health.persistence) == ("master", "unknown")


def test_health_of_a_server_that_is_not_there() -> None:
    connection = RedisConnection().connect("127.0.0.1", free_port(), password="hunter2")
    health = connection.health()
    assert (health.reachable, health.ping_ms, health.version, health.pool_size) == (
        False,
        None,
        None,
        10,
    )
    assert len(health.warnings) == 1
    assert "Connection refused" in health.warnings[0]
    assert "hunter2" not in repr(health)


def test_health_with_a_wrong_password(server: Server) -> None:
    with (
        user(server, READER) as login,
        connected(server, **{**login, "password": "hunter2"}) as connection,
    ):
        health = connection.health()
    assert not health.reachable
    assert "refused the user or password" in health.warnings[0]


def test_ping_takes_milliseconds_or_says_why_not(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with connected(server, socket_timeout_s=0.8) as connection:
        assert 0 < connection.ping() < 5000
        server.freeze()
        with pytest.raises(ServerUnavailable, match="did not answer in time"):
            connection.ping()
        server.thaw()


def test_a_policy_that_is_not_known_removes_no_deals_by_its_name() -> None:
    """One rule for the warning, for the doctor and for the refusal of changes."""
    assert removes_deals("allkeys-lrm")
    assert not removes_deals("volatile-lrm")
    health = ServerHealth(reachable=True, memory_policy="volatile-lrm", memory_max_bytes=1000)
    assert not any("removes deals" in warning for warning in _warnings(health))


def test_a_right_that_is_missing_is_asked_for_once(server: Server) -> None:
    with (
        user(server, READER) as login,
        connected(server, **login) as connection,
        server.client() as client,
    ):
        client.acl_log_reset()
        for _ in range(5):
            assert connection.health().flavor is None
        entries = [each for each in client.acl_log() if each["username"] == "ann"]
        assert sum(int(each["count"]) for each in entries) <= 2
        client.acl_setuser("ann", enabled=True, commands=["+info", "+config|get"])
        connection.link().denied.clear()
        assert connection.health().flavor is not None
