"""An interrupt, or two, at any place of an exchange: no reply goes to another command, and no slot is lost."""

from __future__ import annotations

import contextlib
import gc
import itertools
import linecache
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from connected import connected, eventually, sockets, wires_in_use
from dealdb.errors import PoolTimeout, ServerRefused
from servers import Server

# of the Redis client: where it opens and closes sockets
THE_CLIENTS = ("connection.py", "hiredis.py")
# some work for the server, so that there is time to interrupt
PINGS = "for i = 1, 300 do redis.call('PING') end"


def test_interrupt_anywhere_mixes_up_no_replies_and_loses_no_slot(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # one that hits while an object is being collected goes no further; another may hit while pytest reports that
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

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
    "distances", [(1, 3), pytest.param(range(1, 30), marks=pytest.mark.slow)], ids=["few", "all"]
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


def test_an_interrupt_while_a_wire_is_collected_leaves_no_socket(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each line with which the client closes it: nobody would close it, and its slot is free already."""

    class Interrupt(BaseException):
        pass

    # one that hits while an object is being collected goes no further than here
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda about: told.append(about.exc_type))
    with connected(server, max_connections=1) as connection, no_collector_of_garbage():
        for line in itertools.count(1):
            wire = connection._open_pool.checkout(0)
            wire.connect()
            told.clear()
            with interrupting([line], Interrupt, files=THE_CLIENTS):
                del wire
            assert eventually(lambda: sockets(server) == []), line
            if Interrupt not in told:
                break
    assert line > 10


@pytest.mark.parametrize("work", ["connect", "close"])
def test_a_kept_interrupt_of_the_client_keeps_no_socket(
    server: Server, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    """At each line with which the client opens or closes one: the prompt of Python keeps the last traceback."""

    class Interrupt(BaseException):
        pass

    # of a socket that the client has not noted
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    kept: list[Interrupt] = []
    with connected(server, max_connections=1) as connection:
        pool = connection._open_pool
        for line in itertools.count(1):
            wire = pool.checkout(0)
            if work == "close":
                wire.connect()
            try:
                with interrupting([line], Interrupt, files=THE_CLIENTS):
                    getattr(wire, work)()
            except Interrupt as error:
                kept.append(error)
            pool.release(wire)
            pool.close_idle()
            assert eventually(lambda: sockets(server) == []), line
            if len(kept) < line:
                break
    assert line > 10


@contextmanager
def no_collector_of_garbage() -> Iterator[None]:
    """It comes when it likes, and closes what a cycle of references has kept open."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


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
def interrupting(
    lines: list[int],
    interrupt: type[BaseException],
    files: tuple[str, ...] = ("link.py", "pool.py", "wire.py"),
) -> Iterator[None]:
    """
    Raise when so many lines of these files have begun.

    Lines with a ``with`` are left out: tracing visits them again before they open their lock, which is a
    place where no signal's handler runs.
    """
    begun, last = 0, max(lines)
    # that of a measurement of coverage, if there is one
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal begun
        if Path(frame.f_code.co_filename).name not in files:
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
