"""Sentinels, and servers that they watch, which speak TLS alone: their certificate is one for a host name."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from connected import eventually, replicated
from dealdb import DealDatabase
from dealdb.errors import ServerUnavailable
from servers import Server, free_port

PATIENT: dict[str, Any] = {"socket_timeout_s": 1.0, "retry_deadline_s": 30.0}


@pytest.fixture
def pair(binary: Path, certificate: Path) -> Iterator[list[Server]]:
    """A primary and its replica."""
    with TemporaryDirectory(prefix="dealdb") as folder, ExitStack() as stack:
        servers = []
        for number in range(2):
            server = Server(binary, Path(folder, str(number)), *tls_options(certificate))
            server.options += ("--port", "0", "--tls-port", str(server.port))
            server.options += ("--replica-announce-ip", "localhost")
            try:
                server.start()
            except RuntimeError:
                pytest.skip(f"{binary.name} speaks no TLS")
            stack.callback(ended, server)
            servers.append(server)
        servers[1].demote(servers[0])
        yield servers


def ended(server: Server) -> None:
    if server.process is not None:
        server.stop()


def tls_options(certificate: Path) -> list[str]:
    names = ("--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file")
    files = [part for name in names for part in (name, str(certificate))]
    return [*files, "--tls-auth-clients", "no", "--tls-replication", "yes"]


@pytest.fixture
def ports(
    binary: Path, certificate: Path, pair: list[Server], tmp_path: Path
) -> Iterator[list[int]]:
    """Those of three Sentinels."""
    with ExitStack() as stack:
        found = []
        for number in range(3):
            folder, port = tmp_path / str(number), free_port()
            folder.mkdir()
            options = tls_options(certificate)
            lines = [
                "port 0", f"tls-port {port}", f"dir {folder}", f"logfile {folder}/log",
                *(f"{name[2:]} {value}" for name, value in zip(options[::2], options[1::2], strict=True)),
                "sentinel resolve-hostnames yes", "sentinel announce-hostnames yes",
                "sentinel announce-ip localhost",
                f"sentinel monitor deals localhost {pair[0].port} 2",
                "sentinel down-after-milliseconds deals 1000", "sentinel failover-timeout deals 3000",
            ]  # fmt: skip
            config = folder / "sentinel.conf"
            config.write_text("\n".join(lines) + "\n")
            watch = subprocess.Popen(
                [str(binary), str(config), "--sentinel"], stdout=subprocess.DEVNULL
            )
            stack.callback(watch.wait)
            stack.callback(watch.kill)
            found.append(port)
        # each notes in its file what it has learned
        assert eventually(lambda: all(knows_all(tmp_path / str(n)) for n in range(3)))
        yield found


def knows_all(folder: Path) -> bool:
    text = (folder / "sentinel.conf").read_text()
    return text.count("known-sentinel ") == 2 and "known-replica " in text


def url_of(ports: list[int], host: str = "localhost") -> str:
    return f"rediss+sentinel://{','.join(f'{host}:{port}' for port in ports)}/deals/0"


def test_a_primary_that_speaks_tls_is_found_and_so_is_the_next_one(
    pair: list[Server], ports: list[int], certificate: Path
) -> None:
    with DealDatabase.from_url(url_of(ports), tls_ca=certificate, **PATIENT) as db:
        db.save_deal({"id": 1, "amount": 1})
        assert replicated(pair[0])
        pair[0].kill()
        assert db.save_deal({"id": 1, "amount": 2}).outcome == "updated"
        assert db.query.frame()["amount"].to_list() == [2]


def test_sentinels_whose_certificate_is_for_another_name_are_not_asked(
    ports: list[int], certificate: Path
) -> None:
    url = url_of(ports, "127.0.0.1")
    with (
        pytest.raises(ServerUnavailable, match="certificate"),
        DealDatabase.from_url(url, tls_ca=certificate, retry_deadline_s=0.5) as db,
    ):
        db.get_deal(1)
