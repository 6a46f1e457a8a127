"""What a server is and what ails it, told by errors, ``health`` and ``doctor``: on servers in that state."""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from cli_runs import Ran, Run, run_fixture  # noqa: F401 a fixture
from connected import connected, eventually
from dealdb import DealDatabase
from dealdb.connection.server.dangers import Danger, find_dangers
from dealdb.connection.server.info import parse_info
from dealdb.errors import AccessDenied, ServerRefused, ServerUnavailable, StoreError
from servers import Server, free_port

NewServer = Callable[..., Server]


def failing(ran: Ran) -> dict[str, str]:
    """What doctor says and advises, by the check that fails."""
    return {
        row["check"]: f"{row['found']} -> {row['advice']}"
        for row in ran.json
        if row["state"] == "fail"
    }


def warned(server: Server) -> str:
    with connected(server) as connection:
        return "\n".join(connection.health().warnings)


# what a server is ------------------------------------------------------------------------------------------------


@contextmanager
def program(*command: str | Path) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


USES: list[Callable[[DealDatabase], object]] = [
    lambda db: db.save_deal({"id": 1}),
    lambda db: db.get_deal(1),
    lambda db: db.query.count(),
]


def test_a_sentinel_names_the_primary(
    run: Run, server: Server, binary: Path, tmp_path: Path
) -> None:
    port = free_port()
    settings = tmp_path / "sentinel.conf"
    settings.write_text(f"port {port}\nsentinel monitor mine 127.0.0.1 {server.port} 1\n")
    known_as = f"redis+sentinel://127.0.0.1:{port}/mine"
    said = f"this is a Sentinel, which holds no deals: connect to {known_as} (now 127.0.0.1:{server.port})"
    with program(binary, settings, "--sentinel"):
        assert eventually(lambda: listens(port))
        for url in (f"redis://127.0.0.1:{port}", f"redis://127.0.0.1:{port}/3"):
            with DealDatabase.from_url(url) as db:
                for use in USES:
                    with pytest.raises(ServerRefused, match="this is a Sentinel") as caught:
                        use(db)
                    assert str(caught.value) == f"{db.connection.settings.where}: {said}"
                    assert caught.value.reply == "ERR"
                assert any(said in warning for warning in db.health().warnings)
        ran = run("doctor", "--json", "--url", f"redis://127.0.0.1:{port}")
        with DealDatabase.from_url(known_as) as db:
            assert db.save_deal({"id": 1}).outcome == "inserted"
    assert ran.code == 1
    assert list(failing(ran)) == ["server"]
    assert said == failing(ran)["server"].replace(" -> ", ": ")
    assert "--collection" not in ran.out


def test_a_node_of_a_cluster(run: Run, new_server: NewServer) -> None:
    server = new_server("--cluster-enabled", "yes")
    said = "a node of a cluster: connect by redis+cluster:// and its address"
    known_as = f"redis+cluster://127.0.0.1:{server.port}/"
    with DealDatabase.from_url(server.url + "?retry_deadline_s=0.1") as db:
        with pytest.raises(ServerUnavailable, match=re.escape(said)):
            db.get_deal(1)
        assert any(said in warning for warning in db.health().warnings)
        with server.client() as client:
            client.cluster("ADDSLOTS", *range(16_384))
            assert eventually(
                lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO")
            )
        with pytest.raises(ServerRefused, match=rf"CROSSSLOT .*{re.escape(said)}"):
            db.save_deal({"id": 1})
    ran = run("doctor", "--json", "--url", server.url)
    assert (ran.code, list(failing(ran))) == (1, ["cluster"])
    with DealDatabase.from_url(known_as) as db:
        assert db.save_deal({"id": 1}).outcome == "inserted"
        assert not any(said in warning for warning in db.health().warnings)


@contextmanager
def cutting_proxy(server: Server, *cut: bytes) -> Iterator[int]:
    """A port that passes everything to the server, but ends a connection that brings one of these commands."""
    words = [b"$%d\r\n%s\r\n" % (len(word), word) for word in cut]
    threads: list[threading.Thread] = []

    def pass_on(source: socket.socket, target: socket.socket, *, watched: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if watched and any(word in data for word in words):
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", server.port)) as far:
            back = threading.Thread(target=pass_on, args=(far, near), kwargs={"watched": False})
            back.start()
            pass_on(near, far, watched=True)
            back.join()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for thread in [accepting, *threads]:
            thread.join()


def test_a_proxy_that_cuts_a_read_and_one_that_cuts_scripts(run: Run, server: Server) -> None:
    said = "ends the connection at {}: it is a proxy that does not pass this command"
    with cutting_proxy(server, b"XRANGE") as port:
        url = f"redis://127.0.0.1:{port}?retry_deadline_s=0.1"
        with DealDatabase.from_url(url) as db:
            db.save_deal({"id": 1})
            with pytest.raises(ServerUnavailable, match=said.format("XRANGE")):
                db.deal_history(1)
    with cutting_proxy(server, b"EVALSHA", b"EVAL", b"INFO") as port:
        url = f"redis://127.0.0.1:{port}?retry_deadline_s=0.1"
        with DealDatabase.from_url(url) as db:
            with pytest.raises(StoreError) as caught:
                db.save_deal({"id": 2})
            chain = [caught.value, caught.value.__cause__]
            assert any(said.format("EVALSHA") in str(error) for error in chain)
        ran = run("doctor", "--json", "--url", url)
        assert (ran.code, list(failing(ran))) == (1, ["server"])
        assert said.format("INFO") in failing(ran)["server"]
        assert failing(ran)["server"].endswith("-> ")


def kill_others(server: Server) -> None:
    with server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)


def test_a_cut_that_does_not_come_back_is_no_proxy(server: Server) -> None:
    with connected(server, retry_deadline_s=0.05) as connection:
        connection.ping()
        killing = threading.Timer(0.2, kill_others, [server])
        killing.start()
        with pytest.raises(ServerUnavailable) as caught:
            connection.link().call("BLPOP", "nothing", 1)
        killing.join()
    assert "closed by server" in str(caught.value)
    assert "proxy" not in str(caught.value)


def test_twemproxy(run: Run, server: Server, tmp_path: Path) -> None:
    nutcracker = shutil.which("nutcracker", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if nutcracker is None:
        pytest.skip("no nutcracker (twemproxy) on this machine; Debian has a package of that name")
    port = free_port()
    settings = tmp_path / "nutcracker.yml"
    settings.write_text(
        f"a:\n  listen: 127.0.0.1:{port}\n  redis: true\n  servers:\n   - 127.0.0.1:{server.port}:1\n"
    )
    with program(nutcracker, "-c", settings, "-s", str(free_port())):
        assert eventually(lambda: listens(port))
        for path in ("", "/3"):
            url = f"redis://127.0.0.1:{port}{path}?retry_deadline_s=0.1"
            with (
                DealDatabase.from_url(url) as db,
                pytest.raises(StoreError, match="such as twemproxy"),
            ):
                db.save_deal({"id": 1})
        assert "such as twemproxy" in failing(run("doctor", "--json", "--url", url))["server"]


# commands that are not there ---------------------------------------------------------------------------------------


def renamed(*names: str) -> list[str]:
    return [word for name in names for word in ("--rename-command", name, "")]


@pytest.mark.parametrize("names", [("EVAL", "EVALSHA"), ("EVAL",)])
def test_no_scripts(run: Run, new_server: NewServer, names: tuple[str, ...]) -> None:
    server = new_server(*renamed(*names))
    with (
        DealDatabase.from_url(server.url) as db,
        pytest.raises(
            ServerRefused, match=rf"unknown command .{names[-1]}.; it is renamed or removed there"
        ),
    ):
        db.save_deal({"id": 1})
    ran = run("doctor", "--json", "--url", server.url)
    assert ran.code == 1
    assert "renamed or removed" in failing(ran)["rights"]


def test_nothing_that_may_be_asked(run: Run, new_server: NewServer) -> None:
    server = new_server(*renamed("INFO", "CONFIG", "SCAN"))
    ran = run("doctor", "--json", "--url", server.url)
    assert ran.code == 1
    assert failing(ran)["rights"].startswith("this server does not know scan -> ")
    assert "acl_check_cmd" not in ran.out
    assert "+info" not in ran.out
    assert "this server has no CONFIG and INFO, as is usual for managed services" in ran.out


def test_no_config_as_in_managed_services(run: Run, new_server: NewServer) -> None:
    server = new_server(*renamed("CONFIG"))
    ran = run("doctor", "--json", "--url", server.url)
    assert ran.code == 0
    [persistence] = [row for row in ran.json if row["check"] == "persistence"]
    assert persistence["state"] == "warn"
    assert (
        persistence["advice"]
        == "this server has no CONFIG, as is usual for managed services: look in its console"
    )


# what ails a server ---------------------------------------------------------------------------------------------------


def refused(server: Server, said: str, kind: type[StoreError] = ServerRefused) -> str:
    """The error of a save, which has to say this."""
    with DealDatabase.from_url(server.url + "?retry_deadline_s=0.1") as db:
        with pytest.raises(kind, match=said) as caught:
            db.save_deal({"id": "1", "name": "CONFIDENTIAL"})
        assert "user_script" not in str(caught.value)
        assert "CONFIDENTIAL" not in str(caught.value)
        return str(caught.value)


def test_replicas_that_are_missing(run: Run, new_server: NewServer) -> None:
    server = new_server("--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0")
    refused(
        server,
        "NOREPLICAS .*; fewer replicas are in step than min-replicas-to-write asks for: bring them back",
    )
    said = (
        "the server takes changes only with 1 replicas in step (min-replicas-to-write), and has 0"
    )
    assert said in warned(server)
    ran = run("doctor", "--json", "--url", server.url)
    assert (ran.code, list(failing(ran))) == (1, ["replicas"])
    replica = new_server("--replicaof", "127.0.0.1", str(server.port))
    assert eventually(lambda: said not in warned(server))
    with server.client() as client:
        client.config_set("min-replicas-to-write", 2)
        assert "only with 2 replicas" in warned(server)
        client.config_set("min-replicas-to-write", 0)
        assert "replicas in step" not in warned(server)
    refused(replica, "READONLY .*; it is a replica, or has become one: connect to the primary")


def test_memory_that_is_full(run: Run, new_server: NewServer) -> None:
    server = new_server()
    with server.client() as client:
        client.setrange("big", 50_000_000, "v")
        client.config_set("maxmemory", int(client.info()["used_memory"] / 0.95))
        assert "the server's memory is nearly full" in warned(server)
        ran = run("doctor", "--json", "--url", server.url)
        assert (ran.code, {row["check"]: row["state"] for row in ran.json}["memory"]) == (0, "warn")
        client.config_set("maxmemory", 1000)
    refused(server, "OOM .*; its memory is full: raise maxmemory")
    assert "the server's memory is full" in warned(server)
    assert list(failing(run("doctor", "--json", "--url", server.url))) == ["memory"]


def test_a_snapshot_that_failed(run: Run, new_server: NewServer) -> None:
    server = new_server()
    (server.folder / "dump.rdb" / "in the way").mkdir(parents=True)
    with server.client() as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        assert eventually(lambda: client.info()["rdb_last_bgsave_status"] == "err")
        try:
            refused(
                server,
                "MISCONF .*; it can't write to its disk, and takes no changes until it can: free space on it",
            )
            said = "the server could not write its last snapshot, "
            assert said + "and takes no changes until it can" in warned(server)
            assert "disk" in failing(run("doctor", "--json", "--url", server.url))
            client.config_set("stop-writes-on-bgsave-error", "no")
            assert said + "which the next restart may need" in warned(server)
            assert failing(run("doctor", "--json", "--url", server.url)) == {}
        finally:
            # a server that has to save before it ends would not end
            client.config_set("save", "")


def test_an_append_only_file_that_cannot_grow(
    run: Run, new_server: NewServer, binary: Path, tmp_path: Path
) -> None:
    # like a full disk: the limit of a process on the size of its files, of which it is told by an error
    wrapper = tmp_path / "server"
    wrapper.write_text(f"#!/bin/sh\ntrap '' XFSZ\nexec {binary} \"$@\"\n")
    wrapper.chmod(0o755)
    server = Server(wrapper, tmp_path.parent / "f", "--appendonly", "yes").start()
    try:
        assert server.process is not None
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        with server.client() as client, contextlib.suppress(redis.RedisError):
            for number in range(20):
                client.set(f"k{number}", "v" * 1000)
        assert eventually(lambda: "can't write its append-only file" in warned(server))
        refused(server, "MISCONF [^.]*; it can't write to its disk")
        assert "disk" in failing(run("doctor", "--json", "--url", server.url))
    finally:
        server.kill()


def test_a_replica_that_takes_changes_and_one_that_shows_nothing(
    run: Run, new_server: NewServer
) -> None:
    nowhere = ("--replicaof", "127.0.0.1", str(free_port()))
    writable = new_server(*nowhere, "--replica-read-only", "no")
    said = warned(writable)
    assert (
        "a replica that takes changes (replica-read-only no), and drops them with its next sync"
        in said
    )
    assert "a replica without a link to its primary: what it shows is old" in said
    assert "replica" in failing(run("doctor", "--json", "--url", writable.url))
    silent = new_server(*nowhere)
    with silent.client() as client:
        client.config_set("replica-serve-stale-data", "no")
    refused(
        silent,
        "MASTERDOWN .*; it is a replica that has lost its primary: connect to the primary",
        ServerUnavailable,
    )


def test_a_server_that_holds_changes_back(new_server: NewServer, flavor: str) -> None:
    if flavor in ("redis62", "redis7"):
        pytest.skip("this server does not tell that its clients are paused")
    server = new_server()
    with server.client() as client:
        client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
        assert "the server holds changes back for" in warned(server)
        client.execute_command("CLIENT", "UNPAUSE")
    assert "holds changes back" not in warned(server)


def test_a_server_without_room_for_connections(new_server: NewServer) -> None:
    server = new_server()
    with server.client() as first, server.client() as second:
        first.config_set("maxclients", 3)
        second.ping()
        assert "the server has 3 of at most 3 connections, and refuses more" in warned(server)
        with server.client() as third:
            third.ping()
            said = "other connections take all its slots: raise maxclients, or close some"
            refused(server, said, ServerUnavailable)


def is_busy(server: Server) -> bool:
    with server.client() as client:
        try:
            client.get("some key")
        except redis.ResponseError as error:
            return "BUSY" in str(error)
    return False


def test_a_script_that_does_not_end(new_server: NewServer) -> None:
    server = new_server("--lua-time-limit", "20")

    def spin() -> None:
        with server.client() as client, contextlib.suppress(redis.RedisError):
            client.eval("while true do end", 0)

    spinning = threading.Thread(target=spin)
    spinning.start()
    assert eventually(lambda: is_busy(server))
    said = "can't answer yet: BUSY .*; some client's script has been running for too long: end it with SCRIPT KILL"
    refused(server, said, ServerUnavailable)
    with server.client() as client:
        client.script_kill()
    spinning.join()


def test_a_server_that_talks_only_to_its_own_machine(new_server: NewServer, flavor: str) -> None:
    addresses = subprocess.run(
        ["hostname", "-I"], capture_output=True, text=True, check=False
    ).stdout.split()
    address = next(
        (text for text in addresses if "." in text and not text.startswith("127.")), None
    )
    if address is None or flavor == "redis62":
        pytest.skip(
            "this machine has no address of its own, or Redis 6.2, which an address that is given unlocks"
        )
    server = new_server("--bind", "*", "--protected-mode", "yes")
    with DealDatabase(address, server.port) as db, pytest.raises(AccessDenied) as caught:
        db.save_deal({"id": 1})
    assert "DENIED" in str(caught.value)
    assert "set one on the server (requirepass)" in str(caught.value)


@pytest.mark.parametrize(
    ("version", "repaired"),
    [("redis_version:6.2.14", "6.2.20"), ("redis_version:8.2.1", "8.2.2"), ("redis_version:7.0.15", None),
     ("redis_version:7.2.11", None), ("server_name:valkey\r\nvalkey_version:8.1.3\r\nredis_version:7.2.4", "8.1.4"),
     ("server_name:valkey\r\nvalkey_version:9.1.2\r\nredis_version:7.2.4", None)],
)  # fmt: skip
def test_versions_with_a_known_hole(server: Server, version: str, repaired: str | None) -> None:
    # servers of these versions are not at hand
    with connected(server) as connection:
        found = find_dangers(connection.link(), parse_info(version.encode()))
    assert [danger.check for danger in found] == (["security"] if repaired else [])
    assert all(f"upgrade it to {repaired} or later" == danger.advice for danger in found)


def test_a_danger_is_one_sentence() -> None:
    danger = Danger(check="disk", grave=True, found="the disk is full", advice="free space")
    assert str(danger) == "the disk is full: free space"


# the clock ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["time", "future"])
def test_commits_of_the_future(run: Run, server: Server, field: str) -> None:
    said = (
        "commits have times in the future: up to 2099-11-26T12:00Z; the history shows them with that time, "
        "the order of commits is right"
    )
    with DealDatabase.from_url(server.url) as db:
        db.save_deal({"id": 1})
        assert not any("future" in warning for warning in db.health().warnings)
        with server.client() as client:
            client.hset("deals:meta", field, 4_099_377_600_000)
        assert said in db.health().warnings
    ran = run("doctor", "--json")
    [clock] = [row for row in ran.json if row["check"] == "clock"]
    assert (ran.code, clock["state"]) == (0, "warn")
    assert said == f"{clock['found']}; {clock['advice']}"


# where things are ------------------------------------------------------------------------------------------------


def test_info_and_doctor_where_no_server_can_be_started(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEALDB_URL")
    # the superuser may write anywhere else
    monkeypatch.setenv("XDG_DATA_HOME", "/proc/data")
    info = run("info")
    assert info.code == 2
    assert (
        "none: /proc/data/dealdb can't hold data: No such file or directory (default)" in info.out
    )
    assert info.err == "error: /proc/data/dealdb can't hold data: No such file or directory\n"
    doctor = run("doctor", "--json")
    assert doctor.code == 1
    assert "/proc/data/dealdb can't hold data" in failing(doctor)["server"]


def test_info_of_a_server_that_is_down_tells_the_settings(run: Run) -> None:
    ran = run("info", "--json", "--url", "redis://localhost:1/3")
    assert ran.code == 3
    assert ran.json["server"] == "redis://localhost:1/3"
    assert ran.json["settings_from"]["server"] == "--url"


def test_a_url_that_ends_with_a_line_feed(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEALDB_URL", server.url + "\n")
    ran = run("find")
    assert (ran.code, ran.err) == (
        2,
        "error: the URL ends with a line feed: remove it where the URL is kept\n",
    )
