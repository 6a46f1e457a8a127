"""TLS, by a proxy in front of a plain server: the servers of the tests are built without it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dealdb.connection import RedisConnection
from dealdb.errors import AccessDenied, ServerUnavailable
from servers import Server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate for localhost, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "cert").read_bytes())
    return both


@contextmanager
def tls_proxy(server: Server, certificate: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    threads: list[threading.Thread] = []

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def serve(plain: socket.socket) -> None:
        with (
            plain,
            contextlib.suppress(OSError),
            context.wrap_socket(plain, server_side=True) as near,
            socket.create_connection(("127.0.0.1", server.port)) as far,
        ):
            back = threading.Thread(target=pass_on, args=(far, near))
            back.start()
            pass_on(near, far)
            back.join()

    def accept() -> None:
        while True:
            try:
                plain = listener.accept()[0]
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(plain,)))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def test_trusted_certificate(server: Server, certificate: Path) -> None:
    with tls_proxy(server, certificate) as port:
        url = f"rediss://localhost:{port}/2?tls_ca={certificate}"
        with RedisConnection().connect_url(url) as connection:
            link = connection.link()
            assert link.calls([("SET", "k", "v" * 100_000), ("STRLEN", "k")]) == [b"OK", 100_000]
            for number in range(20):
                assert link.call("ECHO", number) == b"%d" % number
            assert connection.is_connected()
            assert connection.pool_stats().open == 1
            connection.select_db(3)
            assert connection.link().call("EXISTS", "k") == 0


def test_unknown_certificate_and_wrong_name_fail_at_once(server: Server, certificate: Path) -> None:
    with tls_proxy(server, certificate) as port:
        for settings in ({"host": "localhost"}, {"host": "127.0.0.1", "tls_ca": certificate}):
            with RedisConnection().connect(port=port, tls=True, **settings) as connection:
                with pytest.raises(AccessDenied, match="certificate is not trusted"):
                    connection.link().call("GET", "k", retry=True)
                assert not connection.is_connected()
        with RedisConnection().connect(
            "127.0.0.1", port, tls=True, tls_insecure=True
        ) as connection:
            assert connection.link().call("PING") == b"PONG"


def test_port_without_tls(server: Server) -> None:
    connection = RedisConnection().connect("127.0.0.1", server.port, tls=True, socket_timeout_s=0.3)
    said = "does that port speak TLS"
    with connection, pytest.raises((AccessDenied, ServerUnavailable), match=said):
        connection.link().call("PING")
