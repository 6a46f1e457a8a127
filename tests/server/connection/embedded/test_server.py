from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connected import eventually, in_threads
from dealdb.connection import EmbeddedServer, Link, RedisConnection
from dealdb.connection.embedded import process
from dealdb.connection.embedded.folder import DataFolder
from dealdb.errors import ConfigError, StoreDamaged, StoreError

# what a second process does: use the server, say so, and wait for its standard input to close
USER = """
    import sys
    from dealdb.connection import EmbeddedServer, RedisConnection
    server = EmbeddedServer.start(sys.argv[1])
    connection = RedisConnection().connect(unix_socket=server.socket)
    print(connection.link().call("INCR", "users"), flush=True)
    {then}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "d"
    yield path
    if path.exists() and not DataFolder(path).is_free():
        process.stop(DataFolder(path))
        pytest.fail("a server was left running")


def link_to(server: EmbeddedServer) -> Link:
    connection = RedisConnection().connect(unix_socket=server.socket, revive=server.ensure_running)
    return connection.link()


def server_pid(server: EmbeddedServer) -> int:
    info: bytes = link_to(server).call("INFO", "server")
    found = re.search(rb"process_id:(\d+)", info)
    assert found is not None
    return int(found[1])


def another_user(folder: Path, then: str = "sys.stdin.read()") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(USER.format(then=then)), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    return process


def leave(process: subprocess.Popen[str], number: signal.Signals | None = None) -> None:
    if number is not None:
        process.send_signal(number)
    process.communicate()
    assert process.returncode == (-number if number else 0)


def is_running(folder: Path) -> bool:
    return not DataFolder(folder).is_free()


def test_serves_keeps_and_stops(folder: Path) -> None:
    with EmbeddedServer.start(folder) as server:
        assert link_to(server).call("SET", "k", "v") == b"OK"
        assert server.path == folder.resolve()
    assert not is_running(folder)
    assert not server.socket.exists()
    with EmbeddedServer.start(str(folder)) as server:  # type: ignore[arg-type]  # a text is taken too
        assert link_to(server).call("GET", "k") == b"v"


def test_is_private_durable_and_has_no_port(folder: Path) -> None:
    before = os.umask(0)
    try:
        server = EmbeddedServer.start(folder)
    finally:
        os.umask(before)
    with server:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        link = link_to(server)
        told = {}
        for name in (
            "port",
            "tls-port",
            "appendonly",
            "appendfsync",
            "maxmemory-policy",
            "save",
            "aof-load-truncated",
        ):
            reply = link.call("CONFIG", "GET", name)
            told[name] = reply[1].decode()
        assert told == {
            "port": "0", "tls-port": "0", "appendonly": "yes", "appendfsync": "always",
            "maxmemory-policy": "noeviction", "save": "", "aof-load-truncated": "yes",
        }  # fmt: skip
        health = RedisConnection().connect(unix_socket=server.socket).health()
        assert (health.persistence, health.warnings) == ("aof always", ())


def test_default_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with EmbeddedServer.start() as server:
        assert server.path == (tmp_path / "data" / "dealdb").resolve()
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    with EmbeddedServer.start() as server:
        assert server.path == (tmp_path / ".local" / "share" / "dealdb").resolve()


def test_second_process_attaches_and_the_last_one_stops_it(folder: Path) -> None:
    with EmbeddedServer.start(folder) as server:
        pid = server_pid(server)
        other = another_user(folder)
        assert link_to(server).call("GET", "users") == b"1"
        assert server_pid(server) == pid
    assert is_running(folder)
    leave(other)
    assert not is_running(folder)


def test_two_in_one_process_count_as_two(folder: Path) -> None:
    first, second = EmbeddedServer.start(folder), EmbeddedServer.start(folder)
    first.close()
    first.close()
    assert link_to(second).call("PING") == b"PONG"
    second.close()
    assert not is_running(folder)


def test_stops_when_its_process_ends_without_close(folder: Path) -> None:
    leave(another_user(folder, then="sys.exit()"))
    assert not is_running(folder)
    leave(another_user(folder, then="pass"))
    assert not is_running(folder)


def test_killed_owner_takes_nothing_along(folder: Path) -> None:
    owner = another_user(folder)
    with EmbeddedServer.start(folder) as server:
        pid = server_pid(server)
        leave(owner, signal.SIGKILL)
        assert link_to(server).call("INCR", "users") == 2
        assert server_pid(server) == pid
    assert not is_running(folder)


def test_orphaned_server_serves_the_next_one_and_stops_after_it(folder: Path) -> None:
    leave(another_user(folder), signal.SIGKILL)
    assert is_running(folder)
    with EmbeddedServer.start(folder) as server:
        assert link_to(server).call("GET", "users") == b"1"
    assert not is_running(folder)


def test_ctrl_c_in_the_owners_terminal_does_not_reach_the_server(folder: Path) -> None:
    owner = another_user(folder, then="try: sys.stdin.read()\n    except KeyboardInterrupt: pass")
    with EmbeddedServer.start(folder) as server:
        pid = server_pid(server)
        # a terminal sends it to all processes of the group
        os.killpg(owner.pid, signal.SIGINT)
        owner.communicate()
        assert server_pid(server) == pid
    assert not is_running(folder)


def test_killed_server_loses_nothing_and_is_started_again(folder: Path) -> None:
    with EmbeddedServer.start(folder) as server:
        connection = RedisConnection().connect(
            unix_socket=server.socket, revive=server.ensure_running
        )
        link = connection.link()
        acknowledged = 0
        for _ in range(50):
            acknowledged = link.calls([("INCR", "n")] * 100)[-1]
        assert acknowledged == 5000
        os.kill(server_pid(server), signal.SIGKILL)
        assert link.call("GET", "n", retry=True) == b"5000"
        os.kill(server_pid(server), signal.SIGKILL)
        assert eventually(DataFolder(folder).is_free)
        assert link.call("INCR", "n") == 5001
        connection.close()


def test_killed_server_is_a_clear_error_without_revive(folder: Path) -> None:
    with EmbeddedServer.start(folder) as server:
        connection = RedisConnection().connect(unix_socket=server.socket, retry_deadline_s=0.1)
        connection.ping()
        os.kill(server_pid(server), signal.SIGKILL)
        with pytest.raises(StoreError, match="can't be reached"):
            connection.link().call("PING", retry=True)


def test_many_starts_at_once_share_one_server(folder: Path) -> None:
    pids: list[int] = []
    together = threading.Barrier(8)

    def use(_: int) -> None:
        with EmbeddedServer.start(folder) as server:
            link_to(server).call("INCR", "n")
            pids.append(server_pid(server))
            together.wait()

    assert in_threads(8, use) == []
    assert len(set(pids)) == 1
    assert not is_running(folder)


def test_starts_and_stops_of_many_processes_never_collide(folder: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from dealdb.connection import EmbeddedServer, RedisConnection
        for _ in range(6):
            with EmbeddedServer.start(sys.argv[1]) as server:
                with RedisConnection().connect(unix_socket=server.socket) as connection:
                    connection.link().call("INCR", "n")
    """)
    processes = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", script, str(folder)])
        for _ in range(3)
    ]
    assert [process.wait() for process in processes] == [0] * 3
    assert not is_running(folder)
    with EmbeddedServer.start(folder) as server:
        assert link_to(server).call("GET", "n") == b"18"


def test_forked_child_does_not_stop_the_parents_server(folder: Path) -> None:
    with EmbeddedServer.start(folder) as server:
        child = os.fork()
        if child == 0:
            server.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert link_to(server).call("PING") == b"PONG"
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)
            alive = link_to(server).call("PING") == b"PONG"
            server.close()
            os._exit(0 if alive else 1)
        os.close(read)
    # the child still shares in it, and is the last to leave
    assert is_running(folder)
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
    assert not is_running(folder)


def test_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    with EmbeddedServer.start(folder) as server, EmbeddedServer.start(folder) as again:
        assert len(os.fsencode(server.socket)) < 104
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        assert server.socket == again.socket
        assert link_to(server).call("PING") == b"PONG"
    assert not is_running(folder)


def test_path_with_blanks_quotes_and_other_scripts(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path / "a 'b' \"c\" $d é") as server:
        assert link_to(server).call("PING") == b"PONG"


def test_symlink_is_the_same_folder(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with EmbeddedServer.start(folder) as server, EmbeddedServer.start(tmp_path / "link") as again:
        assert (server.path, server.socket) == (again.path, again.socket)


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    mode = tmp_path.stat().st_mode
    with pytest.raises(ConfigError, match=r"holds other files \('thesis.tex'"):
        EmbeddedServer.start(tmp_path)
    with pytest.raises(ConfigError, match="can't hold data"):
        EmbeddedServer.start(tmp_path / "thesis.tex")
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]
    assert tmp_path.stat().st_mode == mode


def test_folder_open_to_others_is_closed_to_them(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with EmbeddedServer.start(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_folder_that_others_could_fill_is_refused_unless_empty(folder: Path) -> None:
    with EmbeddedServer.start(folder, linger_s=0):
        pass
    for mode in (0o777, 0o770, 0o702):
        folder.chmod(mode)
        for _ in range(2):
            with pytest.raises(ConfigError, match=r"others could write to .* \(chmod 700\)"):
                EmbeddedServer.start(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == mode
    # only read by others
    folder.chmod(0o755)
    with EmbeddedServer.start(folder, linger_s=0):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "name", ["server.log", "server.binary", "linger", "users.lock", "starting.lock", "socket"]
)
def test_nothing_is_written_through_a_link(folder: Path, tmp_path: Path, name: str) -> None:
    folder.mkdir(mode=0o700)
    (folder / "starting.lock").touch()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "target")
    with pytest.raises(ConfigError, match="is a link"):
        EmbeddedServer.start(folder)
    assert not (tmp_path / "target").exists()
    (folder / name).unlink()


def incremental_file(folder: Path) -> Path:
    return next((folder / "appendonlydir").glob("*.incr.aof"))


def test_cut_off_tail_is_dropped(folder: Path) -> None:
    with EmbeddedServer.start(folder) as server:
        link_to(server).calls([("SET", "a", "1"), ("SET", "b", "2")])
    aof = incremental_file(folder)
    aof.write_bytes(aof.read_bytes()[:-3])
    with EmbeddedServer.start(folder) as server:
        assert link_to(server).calls([("GET", "a"), ("GET", "b")]) == [b"1", None]


def test_garbled_data_is_a_clear_error(folder: Path) -> None:
    with EmbeddedServer.start(folder) as server:
        link_to(server).call("SET", "a", "1")
    aof = incremental_file(folder)
    whole = aof.read_bytes()
    aof.write_bytes(whole + b"\0" * 100)
    for _ in range(2):
        with pytest.raises(StoreDamaged) as caught:
            EmbeddedServer.start(folder)
        assert str(folder) in str(caught.value)
        assert "Bad file format" in str(caught.value)
    aof.write_bytes(whole)
    with EmbeddedServer.start(folder) as server:
        assert link_to(server).call("GET", "a") == b"1"


def test_server_that_can_not_run_is_a_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "OPTIONS", ("--no-such-option", "1"))
    with pytest.raises(StoreError, match="no-such-option") as caught:
        EmbeddedServer.start(folder)
    assert type(caught.value) is StoreError


def test_closed_one_is_not_used_again(folder: Path) -> None:
    server = EmbeddedServer.start(folder)
    server.close()
    with pytest.raises(StoreError, match="was closed; start it again"):
        server.ensure_running()
    assert repr(server).endswith(", closed)")


def test_big_report_is_begun_anew(folder: Path) -> None:
    EmbeddedServer.start(folder).close()
    log = folder / "server.log"
    log.write_bytes(b"x" * (process.MAX_LOG_BYTES + 1))
    EmbeddedServer.start(folder).close()
    assert log.stat().st_size < 100_000
