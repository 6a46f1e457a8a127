from __future__ import annotations

import contextlib
import itertools
import linecache
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from connected import connected, eventually, in_threads, sockets, wires_in_use
from dealdb.connection import Link, RedisConnection
from dealdb.connection.link import packed_command
from dealdb.errors import AccessDenied, PoolTimeout, SchemaError, ServerRefused, ServerUnavailable
from servers import Server, free_port

# under everysec a kill may lose what the server has not yet written, because a sync is under way
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
# some work for the server, so that there is time to interrupt
PINGS = "for i = 1, 300 do redis.call('PING') end"


@contextmanager
def silent_listener(answer: bytes = b"") -> Iterator[int]:
    """A port that accepts, says ``answer`` at once, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        links: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    links.append(listener.accept()[0])
                except OSError:
                    return
                links[-1].sendall(answer)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for link in links:
                link.close()


def kill_sockets(server: Server) -> None:
    with server.client() as client:
        for entry in sockets(server):
            client.client_kill_filter(_id=entry["id"])


def test_killed_idle_socket_is_replaced_before_use(server: Server) -> None:
    with connected(server) as connection:
        for number in range(20):
            assert connection.link().call("INCR", "n") == number + 1
            kill_sockets(server)
            # the server closes its end after it has answered
            assert eventually(lambda: not sockets(server))


def test_reads_survive_a_loop_of_client_kill(server: Server) -> None:
    done = threading.Event()

    def kill_on() -> None:
        while not done.is_set():
            kill_sockets(server)
            time.sleep(0.005)

    with connected(server, max_connections=4) as connection:
        link = connection.link()
        link.call("SET", "k", "v")

        def read(thread: int) -> None:
            for number in range(100):
                word = f"{thread}/{number}"
                assert link.call("ECHO", word, retry=True) == word.encode()

        killer = threading.Thread(target=kill_on)
        killer.start()
        failures = in_threads(8, read)
        done.set()
        killer.join()
    assert failures == []


def test_write_is_sent_once_when_its_reply_is_late(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with connected(server, socket_timeout_s=0.2) as connection:
        connection.ping()
        server.freeze()
        with pytest.raises(ServerUnavailable, match="did not answer in time") as caught:
            connection.link().call("INCR", "n")
        server.thaw()
        assert caught.value.retryable
        # the late reply of the INCR is not taken for the answer to this
        assert connection.link().call("GET", "n") == b"1"


def test_read_is_sent_again_until_its_deadline(new_server: Callable[..., Server]) -> None:
    server = new_server()
    with connected(server, socket_timeout_s=0.1, retry_deadline_s=10) as connection:
        connection.link().call("SET", "k", "v")
        server.freeze()
        thawing = threading.Timer(0.5, server.thaw)
        thawing.start()
        assert connection.link().call("GET", "k", retry=True) == b"v"
        thawing.join()
        server.freeze()
    with connected(server, socket_timeout_s=0.1, retry_deadline_s=0.3) as connection:
        with pytest.raises(ServerUnavailable):
            connection.link().call("GET", "k", retry=True)
        server.thaw()


def test_restart_is_waited_for_by_reads_and_by_writes_not_yet_sent(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(*DURABLE)
    with connected(server) as connection:
        assert connection.link().call("INCR", "n") == 1
        for number in (2, 3):
            with restarting(server):
                assert connection.link().call("GET", "n", retry=True) == b"%d" % (number - 1)
            with restarting(server):
                assert connection.link().call("INCR", "n") == number


@contextmanager
def restarting(server: Server) -> Iterator[None]:
    """Killed now, and started again a moment later."""
    server.kill()
    starting = threading.Timer(0.1, server.start)
    starting.start()
    yield
    starting.join()


def test_nothing_listens() -> None:
    connection = RedisConnection().connect("127.0.0.1", free_port(), password="hunter2")
    with pytest.raises(
        ServerUnavailable, match=r"redis://:\*\*\*@127.0.0.1:\d+/0 can't be reached"
    ) as caught:
        connection.link().call("GET", "k", retry=True)
    assert "hunter2" not in str(caught.value)
    assert connection.pool_stats().in_use == 0


def test_no_such_host() -> None:
    with pytest.raises(ServerUnavailable, match="no such host"):
        RedisConnection().connect("no-such-host.invalid").link().call("PING", retry=True)


def test_no_such_unix_socket(tmp_path: object) -> None:
    with pytest.raises(ServerUnavailable, match=r"unix://.*/none"):
        RedisConnection().connect(unix_socket=f"{tmp_path}/none").link().call("PING")


def test_something_else_listens() -> None:
    with silent_listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        connection = RedisConnection().connect("127.0.0.1", port)
        with pytest.raises(ServerUnavailable, match="does not speak the Redis protocol"):
            connection.link().call("PING", retry=True)
        connection.close()


@pytest.mark.parametrize("size", [1, 16])
def test_wrong_password_fails_at_once(new_server: Callable[..., Server], size: int) -> None:
    server = new_server()
    with server.client() as client:
        client.config_set("requirepass", "right-one")
        for login in ({"password": "hunter2"}, {"username": "ann", "password": "hunter2"}, {}):
            with connected(server, max_connections=size, **login) as connection:
                with pytest.raises(AccessDenied, match="refused the user or password") as caught:
                    connection.link().call("GET", "k", retry=True)
                assert "hunter2" not in str(caught.value)
                assert not connection.is_connected()
        with connected(server, password="right-one", db=4) as connection:
            assert connection.link().call("PING") == b"PONG"
            assert connection.is_connected()
        client.execute_command("AUTH", "right-one")
        client.config_set("requirepass", "")


def test_password_that_the_server_does_not_ask_for(server: Server) -> None:
    with (
        connected(server, password="hunter2") as connection,
        pytest.raises(AccessDenied, match="without any password configured"),
    ):
        connection.link().call("PING")


def test_missing_right_and_unknown_command(server: Server) -> None:
    with server.client() as client:
        client.acl_setuser(
            "ann", enabled=True, passwords=["+pw"], keys="*", commands=["+get", "+select"]
        )
        with connected(server, username="ann", password="pw") as connection:
            with pytest.raises(AccessDenied, match="withholds a right"):
                connection.link().call("SET", "k", "CONFIDENTIAL")
            assert connection.link().call("GET", "k") is None
        client.acl_deluser("ann")
    with connected(server) as connection:
        with pytest.raises(ServerRefused) as caught:
            connection.link().call("NOSUCH", "k", "CONFIDENTIAL")
        assert caught.value.reply == "ERR"
        assert "CONFIDENTIAL" not in str(caught.value)
        assert connection.pool_stats().open == 1


def test_database_that_the_server_does_not_have(server: Server) -> None:
    with (
        connected(server, db=30, databases=64) as connection,
        pytest.raises(ServerRefused, match="DB index is out of range"),
    ):
        connection.link().call("PING")


def test_loading_server_is_waited_for(new_server: Callable[..., Server]) -> None:
    server = new_server(*DURABLE)
    with server.client() as client:
        batch = client.pipeline(transaction=False)
        for number in range(5_000):
            batch.set(f"k{number}", "v")
        batch.execute()
    # microseconds for each command of the file; the server looks up from loading after every 1,000
    server.options = (*server.options, "--key-load-delay", "100")
    server.kill()
    starting = threading.Thread(target=server.start)
    starting.start()
    with connected(server, retry_deadline_s=20) as connection:
        link = connection.link()
        # a batch that is no read is turned away, for a part of it might have run
        with pytest.raises(ServerUnavailable, match="can't answer yet: LOADING"):
            call_until_it_listens(link)
        assert link.call("INCR", "n") == 1
        assert link.call("DBSIZE", retry=True) == 5_001
    starting.join()


def call_until_it_listens(link: Link) -> None:
    while True:
        try:
            # the first is answered also by a server that is loading
            link.calls([("INFO", "server"), ("PING",)])
        except ServerUnavailable as error:
            if "can't be reached" not in str(error):
                raise
        else:
            return


def test_lone_surrogate_is_our_error(server: Server) -> None:
    with connected(server) as connection:
        with pytest.raises(SchemaError, match="lone surrogate"):
            connection.link().call("SET", "k", "a\ud800")
        assert connection.pool_stats().in_use == 0


# one that hits while an object is being collected is reported there, and goes no further
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupt_anywhere_mixes_up_no_replies_and_loses_no_slot(server: Server) -> None:
    class Interrupt(BaseException):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise Interrupt

    def until_interrupted(after_s: float) -> None:
        # again and again, for the one above
        signal.setitimer(signal.ITIMER_REAL, after_s, 0.02)
        while True:
            with contextlib.suppress(ServerRefused):
                link.calls([("ECHO", "late"), ("EVAL", PINGS, 0), ("NOSUCH", 1), ("ECHO", 2.5)])
            link.call("ECHO", 1)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with connected(server, max_connections=2) as connection:
            link = connection.link()
            for number in range(300):
                try:
                    until_interrupted(0.0002 + number * 0.000005)
                except Interrupt:
                    calm_down(Interrupt)
                assert link.call("ECHO", f"{number}") == f"{number}".encode()
                assert connection.pool_stats().open <= 2
                assert connection.pool_stats().in_use == 0
            assert len(sockets(server)) <= 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def calm_down(interrupt: type[BaseException]) -> None:
    """Stop the timer, also when it fires meanwhile."""
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
    except interrupt:
        calm_down(interrupt)


@pytest.mark.parametrize("in_a_batch", [False, True])
@pytest.mark.parametrize("keep", [False, True])
def test_interrupt_at_each_line_of_an_exchange(
    server: Server, in_a_batch: bool, keep: bool
) -> None:
    def exchange() -> None:
        # slow enough that its reply is still to come when the next command looks for unread data
        if in_a_batch:
            link.calls([("ECHO", "late"), ("EVAL", PINGS, 0), ("NOSUCH",)])
        else:
            link.call("EVAL", PINGS, 0)

    with connected(server, max_connections=1) as connection:
        link = connection.link()
        line = 0
        for line in interrupted_lines(exchange, keep=keep):
            assert link.call("ECHO", line) == b"%d" % line
            stats = connection.pool_stats()
            assert (stats.open, stats.in_use, stats.waiting) == (1, 0, 0)
    assert line > 20


@pytest.mark.parametrize("in_a_batch", [False, True])
@pytest.mark.parametrize(
    "distances", [(1, 2, 5), pytest.param(range(1, 30), marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_a_second_interrupt_on_the_way_out(
    server: Server, in_a_batch: bool, distances: Iterable[int]
) -> None:
    """The first at each line of an exchange; the second so many lines of ours later, while that one is dealt with."""

    def exchange() -> None:
        if in_a_batch:
            link.calls([("ECHO", "late"), ("EVAL", PINGS, 0), ("NOSUCH",)])
        else:
            link.call("EVAL", PINGS, 0)

    with connected(server, max_connections=1, pool_timeout_s=60) as connection:
        link = connection.link()
        for distance in distances:
            line = 0
            for line in interrupted_lines(exchange, distance):
                assert link.call("ECHO", line) == b"%d" % line
                stats = connection.pool_stats()
                assert (stats.open, stats.in_use, stats.waiting) == (1, 0, 0), line
            assert line > 20


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 5])
def test_interrupts_while_a_wire_is_waited_for(server: Server, distance: int) -> None:
    with connected(server, max_connections=1, pool_timeout_s=0.001) as connection:
        link = connection.link()

        def wait() -> None:
            with contextlib.suppress(PoolTimeout):
                link.call("PING")

        with wires_in_use(connection._open_pool):
            for _ in interrupted_lines(wait, distance, keep=not distance):
                assert connection.pool_stats().waiting == 0
        assert link.call("ECHO", "x") == b"x"
        assert connection.pool_stats().in_use == 0


def test_interrupts_while_a_wire_is_handed_on_to_who_waits(server: Server) -> None:
    class Interrupt(BaseException):
        pass

    kept: list[Interrupt] = []
    with connected(server, max_connections=1, pool_timeout_s=5) as connection:
        link, pool = connection.link(), connection._open_pool
        for line in itertools.count(1):
            wire = pool.checkout(0)
            with ThreadPoolExecutor(1) as waiting:
                reply = waiting.submit(link.call, "ECHO", "x")
                assert eventually(lambda: pool.stats().waiting == 1)
                try:
                    with interrupting([line], Interrupt):
                        pool.release(wire)
                except Interrupt as error:
                    kept.append(error)
                    # as a link does
                    pool.release(wire)
                assert reply.result() == b"x"
            stats = pool.stats()
            assert (stats.in_use, stats.waiting) == (0, 0)
            if len(kept) < line:
                break
    assert line > 10


def interrupted_lines(
    exchange: Callable[[], None], distance: int = 0, *, keep: bool = False
) -> Iterator[int]:
    """
    Interrupt an exchange at its first line, its second, and so on, until it gets through; their numbers.

    With a distance, it is interrupted once more, so many lines later. With ``keep`` the traceback is kept for a
    while, as a notebook does, and with it all that the lines had in hand.
    """

    class Interrupt(BaseException):
        pass

    kept: list[Interrupt] = []
    for line in itertools.count(1):
        interrupted = False
        try:
            lines = [line, line + distance] if distance else [line]
            with interrupting(lines, Interrupt), contextlib.suppress(ServerRefused):
                exchange()
        except Interrupt as error:
            interrupted = True
            kept += [error] if keep else []
        yield line
        if not interrupted:
            return
        kept.clear()


@contextmanager
def interrupting(lines: list[int], interrupt: type[BaseException]) -> Iterator[None]:
    """
    Raise when so many lines of link, pool and wire have begun.

    Lines with a ``with`` are left out: tracing visits them again before they open their lock, which is a
    place where no signal's handler runs.
    """
    begun, last = 0, max(lines)
    # that of a measurement of coverage, if there is one
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal begun
        if Path(frame.f_code.co_filename).name not in ("link.py", "pool.py", "wire.py"):
            return None
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if event == "line" and not source.lstrip().startswith("with "):
            begun += 1
            if begun == last:
                sys.settrace(None)
            if begun in lines:
                frame.f_trace = None
                sys.settrace(trace if begun < last else None)
                raise interrupt
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("n_pairs", [200, pytest.param(4000, marks=pytest.mark.slow)])
def test_pairs_of_interrupts_mix_up_no_replies_and_lose_no_slot(
    server: Server, n_pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second signal 2 to 80 us after the first, as from a wrapper that passes Ctrl-C on beside the terminal."""
    # one that hits while an object is being collected goes no further; the second may hit while pytest reports that
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    class Interrupt(BaseException):
        pass

    rng, shots = random.Random(3), 0

    def interrupt(number: int, frame: object) -> None:
        nonlocal shots
        shots += 1
        if shots > 2:
            return
        if shots == 1:
            signal.setitimer(signal.ITIMER_REAL, rng.choice([2e-6, 5e-6, 1e-5, 2e-5, 4e-5, 8e-5]))
        raise Interrupt

    def until_interrupted(after_s: float) -> None:
        nonlocal shots
        shots = 0
        signal.setitimer(signal.ITIMER_REAL, after_s)
        # both may hit while an object is being collected
        while shots < 2:
            with contextlib.suppress(ServerRefused):
                link.calls([("ECHO", "late"), ("EVAL", PINGS, 0), ("NOSUCH", 1), ("ECHO", 2.5)])
            link.call("ECHO", 1)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with connected(server, max_connections=2) as connection:
            link = connection.link()
            for pair in range(n_pairs):
                try:
                    try:
                        until_interrupted(rng.uniform(0.0002, 0.003))
                    finally:
                        calm_down(Interrupt)
                except Interrupt:
                    calm_down(Interrupt)
                # one may still be on its way
                shots = 2
                assert link.call("ECHO", f"{pair}") == f"{pair}".encode()
                stats = connection.pool_stats()
                assert (stats.in_use, stats.waiting) == (0, 0)
                assert stats.open <= 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_interrupt_while_numbers_are_packed() -> None:
    # in a process of its own, for what this looks for is a crash of the interpreter
    script = """if True:
        import signal
        from dealdb.connection.link import packed_command
        class Interrupt(Exception): pass
        def interrupt(number, frame): raise Interrupt
        signal.signal(signal.SIGALRM, interrupt)
        interrupts = 0
        while interrupts < 100:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                while True:
                    packed_command(("ECHO", *range(1000)))
            except Interrupt:
                interrupts += 1
    """
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_unread_data_on_an_idle_socket_is_never_taken_for_a_reply(server: Server) -> None:
    with connected(server, max_connections=1) as connection:
        pool = connection._open_pool
        wire = pool.checkout(0)
        wire.connect()
        wire._connection.send_command("ECHO", "stale")
        assert wire._connection.can_read(30)
        pool.release(wire)
        assert connection.link().call("ECHO", "fresh") == b"fresh"


def test_a_reply_that_was_read_with_another_is_never_taken_for_a_later_one(server: Server) -> None:
    """It waits in the parser, and the socket has nothing to show for it."""
    with connected(server, max_connections=1) as connection:
        pool = connection._open_pool
        wire = pool.checkout(0)
        wire.connect()
        assert (
            wire.exchange(packed_command(("ECHO", "first")) + packed_command(("ECHO", "stale")))
            == b"first"
        )
        if not wire._connection._parser._reader.has_data():
            pytest.skip("the replies came apart")
        assert not wire._poller.poll(0)
        assert not wire.is_sound()
        pool.release(wire)
        assert connection.link().call("ECHO", "fresh") == b"fresh"


def test_socket_that_idled_long_is_asked_before_use(
    new_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server()
    monkeypatch.setattr("dealdb.connection.wire.IDLE_CHECK_S", 0.0)
    with connected(server) as connection:
        connection.ping()
        with server.client() as client:
            client.config_resetstat()
            connection.link().call("ECHO", "x")
            assert client.info("commandstats")["cmdstat_ping"]["calls"] == 1


def test_forked_child_uses_sockets_of_its_own(server: Server) -> None:
    with connected(server, max_connections=4) as connection:
        link = connection.link()
        in_threads(4, lambda _: link.call("PING"))
        parents = {entry["id"] for entry in sockets(server)}
        child = os.fork()
        if child == 0:
            code = 1
            try:
                right = all(link.call("ECHO", f"c{n}") == b"c%d" % n for n in range(200))
                now = {entry["id"] for entry in sockets(server)}
                code = 0 if right and parents < now else 2
            finally:
                os._exit(code)
        assert all(link.call("ECHO", f"p{n}") == b"p%d" % n for n in range(200))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert link.call("ECHO", "x") == b"x"
        assert {entry["id"] for entry in sockets(server)} == parents


def test_fork_while_the_pool_is_locked(server: Server) -> None:
    with connected(server) as connection:
        link = connection.link()
        assert connection._probe is not None
        with connection._open_pool._lock, connection._probe._lock:
            child = os.fork()
            if child == 0:
                answered = link.call("PING") == b"PONG" and connection.is_connected()
                os._exit(0 if answered else 1)
        assert os.waitpid(child, 0)[1] == 0
