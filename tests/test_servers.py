"""Ports of the tests' servers: a race for one would fail a test that is right."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

import servers
from servers import free_port

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_ports_that_are_used_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    used, beside, free = free_port(), free_port(), free_port()
    monkeypatch.setattr(servers, "_ports", iter([used, beside, free]))
    with socket.socket() as listener, socket.socket() as bus:
        listener.bind(("127.0.0.1", used))
        bus.bind(("127.0.0.1", beside + 10_000))
        assert free_port() == free


@pytest.mark.skipif(not _RANGE.exists(), reason="the range of Linux is read")
def test_no_socket_that_asks_for_any_port_gets_one_of_a_server() -> None:
    lowest = int(_RANGE.read_text().split()[0])
    ports = [free_port() for _ in range(20)]
    assert all(port + 10_000 < lowest for port in ports), (lowest, ports)
