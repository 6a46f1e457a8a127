"""Fixtures: a durable server of its own behind the proxy, other clocks, and a disk that fills up."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.control import clock_env, faketime_library
from faults.proxy import Proxy
from servers import DURABLE, Server


@pytest.fixture
def durable(new_server: Callable[..., Server]) -> Server:
    """A server that has on disk what it has acknowledged."""
    return new_server(*DURABLE)


@pytest.fixture
def proxy(durable: Server) -> Iterator[Proxy]:
    """A healthy way to the server ``durable``; its ``port`` is where a client connects."""
    with Proxy(durable.port) as proxy:
        yield proxy


@pytest.fixture
def faketime(flavor: str) -> Path:
    """The library that gives a process another clock: ``env={"LD_PRELOAD": ..., "FAKETIME": "+1y"}``."""
    library = faketime_library()
    if library is None or flavor != "valkey9":
        pytest.skip("another clock takes valkey9 and libfaketime (Debian package libfaketime)")
    return library


@pytest.fixture
def clock(faketime: Path, tmp_path: Path) -> dict[str, str]:
    """``env`` of a server whose clock ``set_clock(tmp_path / "clock", seconds)`` moves."""
    return clock_env(faketime, tmp_path / "clock")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 3 MB."""
    with tempfile.TemporaryDirectory(prefix="dealdb") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk takes root")
        yield Path(folder)
        subprocess.run(["umount", "-l", folder], check=True)
