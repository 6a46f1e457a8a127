"""How Sentinels are asked: all at once, by one thread for all, and by nobody once the connection is closed."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from connected import eventually, in_threads
from dealdb.connection import RedisConnection, sentinels
from dealdb.connection.sentinels import Sentinels
from dealdb.errors import ServerUnavailable, StoreError
from servers import Server
from watched import NAME, Watch, Watched, watched

# two replies to what a Sentinel is asked: what it says of the primary, and its address
_EPOCH, _ADDRESS = b"*2\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n", b"*2\r\n$1\r\nh\r\n$1\r\n1\r\n"


class Between:
    """Listens in place of a Sentinel, which it asks; ``hold`` is called before each of its answers is passed on."""

    def __init__(self, sentinel: Watch, hold: Callable[[], object]) -> None:
        self.n_asked = 0
        self._to, self._hold = sentinel.port, hold
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(
                    target=self._pass_on, args=(self._listener.accept()[0],), daemon=True
                ).start()

    def _pass_on(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._to)) as sentinel,
        ):
            while asked := client.recv(65_536):
                sentinel.sendall(asked)
                self.n_asked += 1
                said = sentinel.recv(65_536)
                self._hold()
                client.sendall(said)

    def end(self) -> None:
        self._listener.close()


@pytest.fixture
def group(new_server: Callable[..., Server], tmp_path: Path) -> Iterator[Watched]:
    with watched(new_server, tmp_path) as found:
        yield found


def asking(addresses: list[str]) -> Sentinels:
    return Sentinels(RedisConnection().connect(sentinels=addresses, sentinel_name=NAME).settings)


def test_all_are_asked_before_one_has_answered(group: Watched) -> None:
    """Far ones would take so long together that their word is old before anybody can use it."""
    all_asked = threading.Barrier(len(group.sentinels))
    betweens = [Between(each, lambda: all_asked.wait(20)) for each in group.sentinels]
    found = asking([each.address for each in betweens])
    try:
        assert found.primary().port == group.primary().port
        assert found._left_alone == {}
    finally:
        found.close()
        for each in betweens:
            each.end()


def test_one_answer_serves_all_who_wait_for_it(
    group: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would ask once more else, one after the other, where an answer takes longer than their word counts."""
    monkeypatch.setattr(sentinels, "TRUSTED_S", 0.1)
    gate, n_waiting = threading.Event(), 4
    between = Between(group.sentinels[0], lambda: gate.wait(0.3))
    found = asking([between.address])
    try:
        address = found.primary()
        # their word is old by now
        assert not gate.wait(0.2)
        before = between.n_asked
        assert in_threads(n_waiting, lambda _: found.still_name(address)) == []
        assert between.n_asked - before < n_waiting
    finally:
        found.close()
        between.end()


def test_no_socket_to_a_sentinel_is_left_when_a_connection_is_closed(
    group: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though threads ask them at that moment, and afterwards: their answers are on their way."""
    # so that they are asked each time
    monkeypatch.setattr(sentinels, "TRUSTED_S", 0.0)
    kept = [close_in_the_middle(group.url) for _ in range(20)]
    assert eventually(lambda: not any(n_clients(each) for each in group.sentinels))
    assert len(kept) == 20


def close_in_the_middle(url: str) -> RedisConnection:
    """Close a connection over which threads send; returns it, so that nothing is closed by being forgotten."""
    connection, begun = RedisConnection().connect_url(url), threading.Semaphore(0)
    link = connection.link()

    def work(number: int) -> None:
        if number == 0:
            assert all(begun.acquire(timeout=20) for _ in range(30))
            connection.close()
            return
        with contextlib.suppress(StoreError):
            while True:
                link.call("GET", "key", retry=True)
                begun.release()

    # nothing but our own errors
    assert in_threads(4, work) == []
    return connection


def n_clients(sentinel: Watch) -> int:
    """Without the one that asks, and the other Sentinels, which may come to know of this one at any time."""
    with redis.Redis(port=sentinel.port, protocol=2) as client:
        names = [each["name"] for each in client.client_list()]
    return sum(not name.startswith("sentinel-") for name in names) - 1


@pytest.mark.parametrize(
    "said",
    [
        *(b"*-1\r\n" + _ADDRESS, b":1\r\n" + _ADDRESS, b"*1\r\n$1\r\na\r\n" + _ADDRESS),
        *(b"*2\r\n$1\r\na\r\n$1\r\nb\r\n" + _ADDRESS, _EPOCH + b"*-1\r\n", _EPOCH + b"$1\r\nh\r\n"),
        _EPOCH + b"*2\r\n$1\r\n\xff\r\n$1\r\n1\r\n",
        _EPOCH + b"*2\r\n$1\r\nh\r\n$1\r\nx\r\n",
        _EPOCH + b"*2\r\n:1\r\n$1\r\n1\r\n",
    ],
)
def test_what_no_sentinel_says_is_an_error_of_ours(said: bytes) -> None:
    """Such as one that is just told to watch the primary no more, between two questions."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                while client.recv(65_536):
                    client.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        found = asking([f"127.0.0.1:{listener.getsockname()[1]}"])
        with pytest.raises(ServerUnavailable, match="does not answer as a Sentinel"):
            found.primary()
        found.close()
