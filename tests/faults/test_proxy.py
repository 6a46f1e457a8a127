"""The proxy does what it says: an echo server sees what arrives, a plain socket what comes back."""

from __future__ import annotations

import errno
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from connected import eventually
from dealdb import DealDatabase
from faults.proxy import KINDS, Proxy


class Echo:
    """Answers each chunk with itself, and keeps what arrived."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.links: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                self.links.append(link)
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with suppress(OSError):
            while data := link.recv(65536):
                self.got += data
                link.sendall(data)
        link.close()

    def close(self) -> None:
        for link in [self._listener, *self.links]:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def way(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.port, seed=1) as way:
        yield way


def _connect(way: Proxy) -> socket.socket:
    link = socket.create_connection(("127.0.0.1", way.port))
    link.settimeout(30)
    return link


def _reply(link: socket.socket, wait_s: float = 30) -> bytes | str:
    """What comes back: bytes, b'' for the end of the stream, or the name of what is wrong."""
    link.settimeout(wait_s)
    try:
        return link.recv(65536)
    except TimeoutError:
        return "nothing"
    except OSError as problem:
        return errno.errorcode[problem.errno or 0]


def _is_silent(link: socket.socket) -> bool:
    return _reply(link, 0.2) == "nothing"


def test_it_forwards_all_bytes_in_their_order(way: Proxy) -> None:
    sent = random.Random(1).randbytes(3_000_000)
    got = bytearray()
    with _connect(way) as link:
        sender = threading.Thread(target=link.sendall, args=(sent,))
        sender.start()
        while len(got) < len(sent):
            got += link.recv(65536)
        sender.join()
    assert bytes(got) == sent


@pytest.mark.parametrize(
    ("kind", "arrives", "reply"),
    [
        ("swallow", b"", b""),
        ("cut_request", b"requ", b""),
        ("lose_reply", b"request!", b""),
        ("cut_reply", b"request!", b"requ"),
        ("mute", b"request!", "nothing"),
        ("late", b"request!", "ECONNRESET"),
        ("half_close", b"request!", b""),
        ("delay", b"request!", b"request!"),
        ("rst", b"", "ECONNRESET"),
    ],
)
def test_a_planned_fault_meets_its_exchange(
    way: Proxy, echo: Echo, kind: object, arrives: bytes, reply: bytes | str
) -> None:
    way.fault(kind, after=1, matching=b"request")  # type: ignore[arg-type]
    with _connect(way) as link:
        for other in (b"request.", b"other"):
            link.sendall(other)
            assert _reply(link) == other
        link.sendall(b"request!")
        assert _is_silent(link) if reply == "nothing" else _reply(link) == reply
        before = b"request.other"
        assert eventually(lambda: bytes(echo.got) == before + arrives)
        assert way.counts == {kind: 1}
        assert way.is_idle()
    with _connect(way) as link:
        link.sendall(b"request!")
        assert _reply(link) == b"request!"


def test_a_late_request_arrives_after_the_client_saw_the_cut(way: Proxy, echo: Echo) -> None:
    way.fault("late", seconds=0.7)
    with _connect(way) as link:
        link.sendall(b"late")
        assert _reply(link) == "ECONNRESET"
        assert not echo.got
        assert way.late == 1
    assert eventually(lambda: bytes(echo.got) == b"late" and not way.late)


def test_half_close_leaves_the_way_to_the_server_open(way: Proxy, echo: Echo) -> None:
    with _connect(way) as link:
        link.sendall(b"a")
        assert _reply(link) == b"a"
        assert way.half_close_all() == 1
        assert _reply(link) == b""
        link.sendall(b"b")
        assert eventually(lambda: bytes(echo.got) == b"ab")


def test_replies_are_lost_until_it_heals(way: Proxy, echo: Echo) -> None:
    way.lose_replies()
    with _connect(way) as link:
        link.sendall(b"a")
        assert _reply(link) == b""
    way.lose_replies(silent=True)
    with _connect(way) as link:
        link.sendall(b"b")
        assert _is_silent(link)
        way.heal()
        link.sendall(b"c")
        # a link that has lost a reply would give the next one for it
        assert _is_silent(link)
    with _connect(way) as link:
        link.sendall(b"d")
        assert _reply(link) == b"d"
    assert bytes(echo.got) == b"abcd"
    assert way.counts == {"lost_replies": 2}


def test_hold_keeps_everything_and_lets_it_go_in_order(way: Proxy, echo: Echo) -> None:
    with _connect(way) as old:
        old.sendall(b"a")
        assert _reply(old) == b"a"
        way.hold()
        with _connect(way) as new:
            for part in (b"b", b"c"):
                old.sendall(part)
                new.sendall(part)
            assert _is_silent(old)
            assert _is_silent(new)
            assert bytes(echo.got) == b"a"
            way.heal()
            for link in (old, new):
                assert b"".join([link.recv(1), link.recv(1)]) == b"bc"
    assert way.counts == {"held": 1}


def test_refuse_and_unlisten(way: Proxy) -> None:
    way.refuse()
    with suppress(ConnectionResetError), _connect(way) as link:
        assert _reply(link) == "ECONNRESET"
    assert eventually(lambda: way.counts == {"refused": 1})
    way.heal()
    way.unlisten()
    with pytest.raises(ConnectionRefusedError):
        _connect(way)
    way.listen()
    with _connect(way) as link:
        link.sendall(b"a")
        assert _reply(link) == b"a"


@pytest.mark.parametrize(("rst", "seen"), [(False, b""), (True, "ECONNRESET")])
def test_all_links_are_cut(way: Proxy, rst: bool, seen: bytes | str) -> None:
    with _connect(way) as one, _connect(way) as two:
        for link in (one, two):
            link.sendall(b"a")
            assert _reply(link) == b"a"
        assert way.cut_all(rst=rst) == 2
        assert [_reply(one), _reply(two)] == [seen, seen]


def test_bytes_come_one_by_one_and_slowly(way: Proxy) -> None:
    way.chop(0.01)
    way.slow(0.05)
    with _connect(way) as link:
        began = time.monotonic()
        link.sendall(b"x" * 50)
        got = b""
        while len(got) < 50:
            got += link.recv(65536)
        assert got == b"x" * 50
        assert time.monotonic() - began >= 0.1


def test_chance_repeats_from_its_seed(echo: Echo) -> None:
    def faults(seed: int) -> list[str]:
        with Proxy(echo.port, seed=seed) as way:
            way.chance(0.7)
            picked = [way.pick(b"request", begins=True) for _ in range(200)]
            return [fault.kind for fault in picked if fault]

    assert faults(5) == faults(5)
    assert faults(5) != faults(6)
    assert set(faults(5)) == set(KINDS)
    assert 100 < len(faults(5)) < 180


def test_chance_meets_requests(way: Proxy) -> None:
    way.chance(1.0, ("swallow", "rst"))
    for _ in range(5):
        with _connect(way) as link:
            link.sendall(b"request")
            assert _reply(link) in (b"", "ECONNRESET")
    assert way.counts.total() == 5
    way.heal()
    with _connect(way) as link:
        link.sendall(b"request")
        assert _reply(link) == b"request"


def test_a_database_works_through_it_and_survives_a_cut(proxy: Proxy) -> None:
    with DealDatabase(port=proxy.port) as db:
        assert db.save_deal({"id": 1, "name": "Acme"}).outcome == "inserted"
        proxy.cut_all(rst=True)
        assert db.save_deal({"id": 2, "name": "Bolt"}).outcome == "inserted"
        proxy.fault("lose_reply", matching=b"EVALSHA")
        assert db.save_deal({"id": 3, "name": "Cord"}).outcome == "inserted"
        assert proxy.counts["lose_reply"] == 1
        assert len(db) == 3
