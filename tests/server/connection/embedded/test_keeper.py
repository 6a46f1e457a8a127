"""The embedded server stays for a while after its last user, and nothing stays for ever: all on real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connected import eventually
from dealdb import DealDatabase
from dealdb.cli.main import main
from dealdb.connection import EmbeddedServer, Link, RedisConnection
from dealdb.connection.embedded import keeper, process
from dealdb.connection.embedded.folder import DataFolder
from dealdb.errors import ConfigError, OutcomeUnknown

LONG_S = 60.0
PROGRAM = str(Path(sys.executable).with_name("dealdb"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server is ended after the test; its keeper follows within a second."""
    path = tmp_path / "d"
    yield path
    if path.exists():
        EmbeddedServer.start(path, linger_s=0).close()


def keepers(folder: Path) -> list[int]:
    """Keepers of a folder that live, by the system's list of processes."""
    listed = subprocess.run(
        ["ps", "axww", "-o", "pid=,stat=,args="], capture_output=True, text=True
    )
    lines = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [
        int(pid)
        for pid, state, command in lines
        if "keeper.py" in command and f" {folder} " in command and not state.startswith("Z")
    ]


def keeper_of(folder: Path) -> int:
    # beside the one of a server that has just ended
    assert eventually(lambda: len(keepers(folder)) == 1)
    [pid] = keepers(folder)
    return pid


def link_to(server: EmbeddedServer) -> Link:
    connection = RedisConnection().connect(unix_socket=server.socket, revive=server.ensure_running)
    return connection.link()


def use(folder: Path, linger_s: float = LONG_S) -> int:
    """Use the server in one short visit; returns the server's process."""
    with EmbeddedServer.start(folder, linger_s=linger_s) as server:
        link_to(server).call("INCR", "visits")
        return pid_of(server)


def pid_of(server: EmbeddedServer) -> int:
    found = re.search(rb"process_id:(\d+)", link_to(server).call("INFO", "server"))
    assert found is not None
    return int(found[1])


def visits(folder: Path) -> int:
    with EmbeddedServer.start(folder, linger_s=LONG_S) as server:
        return int(link_to(server).call("GET", "visits"))


def is_running(folder: Path) -> bool:
    return not DataFolder(folder).is_free()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def another_user(folder: Path, then: str, linger_s: float = LONG_S) -> subprocess.Popen[str]:
    script = f"""
        import sys, time
        from dealdb.connection import EmbeddedServer, RedisConnection
        server = EmbeddedServer.start(sys.argv[1], linger_s={linger_s})
        connection = RedisConnection().connect(unix_socket=server.socket)
        print(connection.link().call("INCR", "visits"), flush=True)
        {then}
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    return process


def test_next_user_finds_the_same_server(folder: Path) -> None:
    first = use(folder)
    assert is_running(folder)
    other = another_user(folder, then="sys.exit()")
    other.communicate()
    assert is_running(folder)
    assert use(folder) == first
    assert visits(folder) == 3


def test_zero_ends_it_at_once_also_a_lingering_one(folder: Path) -> None:
    use(folder, linger_s=0)
    assert not is_running(folder)
    use(folder)
    assert is_running(folder)
    use(folder, linger_s=0)
    assert not is_running(folder)
    assert eventually(lambda: keepers(folder) == [])


def test_it_ends_after_its_time_and_so_does_its_keeper(folder: Path) -> None:
    pid = use(folder, linger_s=0.5)
    assert eventually(lambda: not is_running(folder))
    assert eventually(lambda: keepers(folder) == [])
    assert not is_alive(pid)
    assert visits(folder) == 1


@pytest.mark.slow
def test_every_visit_begins_the_time_anew(folder: Path) -> None:
    began = left = time.monotonic()
    pid, longest_s = use(folder, linger_s=1.2), 0.0
    while time.monotonic() - began < 2.4:
        time.sleep(0.1)
        again = use(folder, linger_s=1.2)
        left, before = time.monotonic(), left
        longest_s = max(longest_s, left - before)
        # a machine that is too busy to come again in time proves nothing
        assert again == pid or longest_s > 1


def test_users_who_come_at_the_last_moment_never_fail(folder: Path) -> None:
    n_done, pids = 0, set[int]()
    while n_done < 20 or len(pids) < 2:
        # about as long as the keeper waits, so that some come while it ends the server
        time.sleep(0.045 + 0.002 * (n_done % 10))
        pids.add(use(folder, linger_s=0.04))
        n_done += 1
    assert visits(folder) == n_done


def test_two_who_leave_at_once_leave_one_server(folder: Path) -> None:
    pid = use(folder)
    users = [another_user(folder, then="sys.stdin.read(); server.close()") for _ in range(2)]
    for user in users:
        assert user.stdin is not None
        user.stdin.close()
    for user in users:
        assert user.stdout is not None
        user.stdout.close()
        assert user.wait() == 0
    assert use(folder) == pid


def test_a_forked_child_is_a_user_of_its_own(folder: Path) -> None:
    server = EmbeddedServer.start(folder, linger_s=0.2)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0 if link_to(server).call("PING") == b"PONG" else 1)
    os.close(read)
    server.close()
    time.sleep(1.2)
    assert is_running(folder)
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
    assert eventually(lambda: not is_running(folder))


def test_a_user_who_is_killed_leaves_it_for_its_time_only(folder: Path) -> None:
    user = another_user(folder, then="sys.stdin.read()", linger_s=0.5)
    user.kill()
    user.communicate()
    assert eventually(lambda: not is_running(folder))
    assert visits(folder) == 1


def test_killed_while_it_lingers_it_loses_nothing(folder: Path) -> None:
    pid = use(folder)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not is_alive(pid))
    assert visits(folder) == 1
    assert eventually(lambda: len(keepers(folder)) == 1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel has no such signal")
def test_no_server_outlives_its_keeper(folder: Path) -> None:
    pid = use(folder)
    os.kill(keeper_of(folder), signal.SIGKILL)
    assert eventually(lambda: not is_running(folder))
    assert not is_alive(pid)
    assert visits(folder) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel has no such signal")
def test_keeper_killed_in_the_middle_of_work_costs_no_change(folder: Path) -> None:
    with DealDatabase.embedded(folder, linger_s=0) as db:
        killed: set[int] = set()
        number = 0
        while len(killed) < 3:
            found = keepers(folder)
            for pid in found if number % 5 == 4 else []:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            number += 1
            try:
                db.save_deal({"id": f"D{number}", "stage": "Lead"})
            except OutcomeUnknown as problem:
                if not problem.resolve():
                    db.save_deal({"id": f"D{number}", "stage": "Lead"})
        assert len(db) == number
        assert db.check().ok


def test_without_a_keeper_the_last_user_ends_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as where the kernel can't end a server for its keeper
    _change_keeper(monkeypatch, folder.parent, 'sys.platform != "linux"', "True")
    use(folder)
    os.kill(keeper_of(folder), signal.SIGKILL)
    assert eventually(lambda: keepers(folder) == [])
    assert is_running(folder)
    use(folder)
    assert not is_running(folder)


def _change_keeper(monkeypatch: pytest.MonkeyPatch, place: Path, old: str, new: str) -> None:
    copy = place / "keeper.py"
    text = Path(keeper.__file__).read_text()
    assert text.count(old) == 1
    copy.write_text(text.replace(old, new))
    monkeypatch.setattr(keeper, "__file__", str(copy))


def test_killed_while_it_starts_it_is_started_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(folder, linger_s=0)
    mark = folder.parent / "mark"
    fatal = f"os.open({str(mark)!r}, os.O_CREAT | os.O_EXCL); os.kill(os.getpid(), 9)"
    _change_keeper(
        monkeypatch, folder.parent, "        os.close(own_lock)\n",
        f"        os.close(own_lock)\n        if not os.path.exists({str(mark)!r}): {fatal}\n",
    )  # fmt: skip
    assert visits(folder) == 1
    assert mark.exists()


def test_a_server_that_hangs_is_ended_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change_keeper(monkeypatch, folder.parent, "STOP_TIMEOUT_S = 10.0", "STOP_TIMEOUT_S = 0.3")
    pid = use(folder, linger_s=0.3)
    os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: not is_alive(pid))
    assert visits(folder) == 1


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_it_ends_when_its_folder_goes(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "d"
    pid = use(folder)
    kept = keeper_of(folder)
    if how == "removed":
        shutil.rmtree(folder)
    else:
        folder.rename(tmp_path / "e")
    # a new one at the same place is none of the keeper's business
    again = use(folder)
    assert again != pid
    assert eventually(lambda: not is_alive(pid) and not is_alive(kept))
    assert use(folder) == again
    use(folder, linger_s=0)
    if how == "renamed":
        assert visits(tmp_path / "e") == 1
        use(tmp_path / "e", linger_s=0)


def test_a_folder_that_is_being_removed_gets_no_new_files(folder: Path) -> None:
    pid = use(folder)
    (folder / "starting.lock").unlink()
    assert eventually(lambda: not is_alive(pid))
    assert not (folder / "starting.lock").exists()
    assert visits(folder) == 1


def test_after_an_upgrade_a_new_server_is_started_unless_others_use_the_old(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = use(folder)
    options = (*process.OPTIONS, "--hz", "11")
    with EmbeddedServer.start(folder, linger_s=LONG_S):
        monkeypatch.setattr(process, "OPTIONS", options)
        assert use(folder) == old
    new = use(folder)
    assert new != old
    assert use(folder) == new
    assert visits(folder) == 4


def filled(folder: Path, linger_s: float, megabytes: int = 6) -> int:
    """Bytes of the data's tail before the last user leaves."""
    with EmbeddedServer.start(folder, linger_s=linger_s) as server:
        link_to(server).calls([("SET", "k", b"x" * 1_000_000)] * megabytes)
        return keeper.outgrown_tail(str(folder))


def tail_bytes(files: Path) -> int | None:
    """Bytes of the files that the server appends to; None where one of them has just gone."""
    try:
        return sum(f.stat().st_size for f in files.glob("*.incr.aof"))
    except FileNotFoundError:
        return None


def test_data_are_compact_soon_after_the_last_user_left(folder: Path) -> None:
    assert filled(folder, LONG_S) > 6_000_000
    tail = folder / "appendonlydir"
    assert eventually(lambda: tail_bytes(tail) == 0)
    assert keeper.outgrown_tail(str(folder)) == 0
    with EmbeddedServer.start(folder, linger_s=0) as server:
        assert len(link_to(server).call("GET", "k")) == 1_000_000


def test_data_are_compact_before_a_server_ends_at_once(folder: Path) -> None:
    assert filled(folder, 0) > 6_000_000
    assert not is_running(folder)
    assert keeper.outgrown_tail(str(folder)) == 0
    files = sorted(file.name for file in (folder / "appendonlydir").iterdir())
    assert filled(folder, 0, megabytes=1) == 0
    # a short tail is not worth it
    assert sorted(file.name for file in (folder / "appendonlydir").iterdir()) == files


def test_killed_while_it_rewrites_its_data_it_loses_nothing(folder: Path) -> None:
    with EmbeddedServer.start(folder, linger_s=0.3) as server:
        link = link_to(server)
        link.calls([("SET", f"k{n}", os.urandom(100_000)) for n in range(60)])
        # microseconds a key
        link.call("CONFIG", "SET", "rdb-key-save-delay", "500000")
        pid = pid_of(server)
    assert eventually(lambda: keeper.is_compacting(str(server.socket)))
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not is_alive(pid))
    with EmbeddedServer.start(folder, linger_s=0) as server:
        assert link_to(server).call("DBSIZE") == 60


def test_a_pipe_ends_with_its_command_and_no_place_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("DEALDB_LINGER_S", str(LONG_S))
    monkeypatch.setenv("DEALDB_PASSWORD", "s3cret")
    folder = (tmp_path / "dealdb").resolve()
    here = tmp_path / "here"
    here.mkdir()
    # communicate returns at the end of both pipes, so only when nobody holds them any more
    process = subprocess.Popen(
        [PROGRAM, "health"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=here
    )  # fmt: skip
    out, _ = process.communicate(timeout=30)
    assert b"reachable" in out
    assert is_running(folder)
    pid = keeper_of(folder)
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    held = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert held == {"/dev/null", str(folder / "server.log"), str(folder / "keeper.lock")}
    assert b"s3cret" not in Path(f"/proc/{pid}/environ").read_bytes()
    # as light as it is meant to be
    status = Path(f"/proc/{pid}/status").read_text()
    assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) < 20_000  # type: ignore[index]
    use(folder, linger_s=0)


def test_it_stays_when_the_terminal_is_closed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("DEALDB_LINGER_S", str(LONG_S))
    folder = (tmp_path / "dealdb").resolve()
    # a terminal of its own, whose end sends SIGHUP to all that belong to it
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    done = subprocess.run(
        [sys.executable, "-c", script, PROGRAM, "health"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    pid = keeper_of(folder)
    time.sleep(0.3)
    assert is_running(folder)
    assert keeper_of(folder) == pid
    use(folder, linger_s=0)


def test_the_time_is_set_in_the_configuration_file_too(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("DEALDB_LINGER_S")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    file = tmp_path / "config" / "dealdb" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("linger_s = 45\n")
    assert main(["info", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["linger_s"], told["settings_from"]["linger_s"]) == (45, str(file))
    assert is_running(tmp_path / "dealdb")
    use(tmp_path / "dealdb", linger_s=0)


def test_the_time_is_set_by_argument_and_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedServer.start(folder) as server:
        assert server.linger_s == 0
    monkeypatch.delenv("DEALDB_LINGER_S")
    with DealDatabase.embedded(folder) as db, EmbeddedServer.start(folder, linger_s=1):
        assert db.linger_s == 300
    monkeypatch.setenv("DEALDB_LINGER_S", "soon")
    with pytest.raises(ConfigError, match="DEALDB_LINGER_S must be between 0 and 86400 seconds"):
        EmbeddedServer.start(folder)
    for wrong in (-1, float("nan"), float("inf"), 86_401, "x"):
        with pytest.raises(ConfigError, match="linger_s must be between 0 and 86400 seconds"):
            EmbeddedServer.start(folder, linger_s=wrong)  # type: ignore[arg-type]
