"""Networks of the tests' own, whose hosts are cut off and found again; it takes root, and Linux with ``ip``."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import count
from typing import NamedTuple, Self

_NUMBERS = count()


class Host(NamedTuple):
    """One host: its address, and what a command begins with that is to run there."""

    name: str
    address: str

    @property
    def before(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]


class Network:
    """Hosts that see each other and this process, until they are cut off; ends with the block."""

    def __init__(self) -> None:
        self._mark = f"{os.getpid() % 0xFFFF:x}{next(_NUMBERS):x}"
        self._bridge = f"ddb{self._mark}"
        self._net = _free_net()
        self.hosts: list[Host] = []

    def __enter__(self) -> Self:
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self._net}.1/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.hosts:
            _ip("netns", "del", host.name, check=False)
        _ip("link", "del", self._bridge, check=False)

    def new_host(self) -> Host:
        """Another host."""
        number = len(self.hosts)
        host = Host(f"dd{self._mark}n{number}", f"{self._net}.{10 + number}")
        self.hosts.append(host)
        outer, inner = self._port(host), f"ddi{self._mark}{number:x}"
        _ip("netns", "add", host.name)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        _ip("link", "set", inner, "netns", host.name)
        _ip("link", "set", outer, "master", self._bridge, "up")
        within = ("-n", host.name)
        _ip(*within, "addr", "add", f"{host.address}/24", "dev", inner)
        _ip(*within, "link", "set", "lo", "up")
        _ip(*within, "link", "set", inner, "up")
        return host

    def _port(self, host: Host) -> str:
        return f"ddo{self._mark}{self.hosts.index(host):x}"

    def cut_off(self, host: Host) -> None:
        """Nothing reaches it, and nothing comes from it: what is sent is lost without a word."""
        _ip("link", "set", self._port(host), "down")

    def join_again(self, host: Host) -> None:
        """Undo ``cut_off``."""
        _ip("link", "set", self._port(host), "up")

    def hide(self, host: Host) -> None:
        """The other hosts see it, but not this process."""
        _ip("route", "add", "blackhole", f"{host.address}/32")

    def show(self, host: Host) -> None:
        """Undo ``hide``."""
        _ip("route", "del", "blackhole", f"{host.address}/32", check=False)


def why_not() -> str | None:
    """Why there can be no networks here, or None."""
    if os.name != "posix" or os.geteuid() != 0:
        return "networks take root"
    if shutil.which("ip") is None:
        return "networks take the program ip"
    name = f"ddtry{os.getpid()}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "exec", name, "true")
        _ip("link", "add", f"ddt{os.getpid() % 0xFFFF:x}", "type", "bridge")
    except subprocess.CalledProcessError as failure:
        return f"no network can be made here: {failure.stderr.decode().strip()}"
    finally:
        _ip("netns", "del", name, check=False)
        _ip("link", "del", f"ddt{os.getpid() % 0xFFFF:x}", check=False)
    return None


def _free_net() -> str:
    """
    The first numbers of addresses that nobody has.

    They are of those for tests between two networks, so that none that is in use is hidden; a run of tests that was
    killed may have left some.
    """
    known = subprocess.run(["ip", "-o", "addr"], check=True, capture_output=True, text=True).stdout
    first = os.getpid() % 250
    nets = (f"198.18.{number % 250}" for number in range(first, first + 250))
    return next(net for net in nets if f" {net}." not in known)


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)
