"""TLS, by a proxy in front of a plain server: the servers of the tests are built without it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dealdb import DealDatabase
from dealdb.connection import RedisConnection
from dealdb.errors import AccessDenied, ConfigError, OutcomeUnknown, ServerUnavailable
from servers import Server, free_port

NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an authority's certificate, and of a client's and a stranger's with their keys."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine to make a certificate with")
    folder = tmp_path_factory.mktemp("clients")
    new = f"req -x509 {NEW_KEY} -days 2"
    leaf = "-addext basicConstraints=critical,CA:FALSE"
    for line in (
        f"{new} -keyout ca.key -out ca.pem -subj /CN=authority",
        f"{new} -CA ca.pem -CAkey ca.key -keyout ann.key -out ann.pem -subj /CN=ann {leaf}",
        "pkey -in ann.key -aes256 -passout pass:hunter2 -out locked.key",
        f"{new} -keyout stranger.key -out stranger.pem -subj /CN=stranger",
    ):  # fmt: skip
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    (folder / "both.pem").write_bytes(
        (folder / "ann.pem").read_bytes() + (folder / "ann.key").read_bytes()
    )
    return folder


def asking(certificate: Path, authority: Path) -> ssl.SSLContext:
    """A server's side that wants a certificate of each client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority)
    return context


@contextmanager
def tls_proxy(
    server: Server, certificate: Path, context: ssl.SSLContext | None = None
) -> Iterator[int]:
    if context is None:
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
        try:
            yield listener.getsockname()[1]
        finally:
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


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_server_that_wants_a_certificate(
    server: Server, certificate: Path, clients: Path, version: ssl.TLSVersion
) -> None:
    context = asking(certificate, clients / "ca.pem")
    context.minimum_version = context.maximum_version = version
    with tls_proxy(server, certificate, context) as port:
        trust = f"rediss://localhost:{port}?tls_ca={certificate}"
        for pair in (
            {"tls_cert": clients / "ann.pem", "tls_key": str(clients / "ann.key")},
            {"tls_cert": clients / "both.pem"},
        ):
            with RedisConnection().connect_url(trust, **pair) as connection:
                assert connection.link().call("PING") == b"PONG"
        url = f"{trust}&tls_cert={clients / 'ann.pem'}&tls_key={clients / 'ann.key'}"
        with DealDatabase.from_url(url) as db:
            assert db.save_deal({"id": 1}).outcome == "inserted"
        with RedisConnection().connect_url(trust) as connection:
            with pytest.raises(AccessDenied, match="give tls_cert= and tls_key="):
                connection.ping()
            assert "tls_cert" in connection.health().warnings[0]
        stranger = {"tls_cert": clients / "stranger.pem", "tls_key": clients / "stranger.key"}
        with (
            RedisConnection().connect_url(trust, **stranger) as connection,
            pytest.raises(AccessDenied, match="refused the client certificate"),
        ):
            connection.ping()


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ({"tls_cert": "ann.pem", "tls_key": "stranger.key"}, "the key belongs to another certificate"),
        ({"tls_cert": "ann.pem", "tls_key": "locked.key"}, "the key is encrypted, and dealdb does not ask"),
        ({"tls_cert": "ann.pem"}, "has no key needs tls_key="),
        ({"tls_cert": "ca.key", "tls_key": "ann.key"}, "not a certificate and its private key in PEM"),
        ({"tls_cert": "none.pem", "tls_key": "ann.key"}, "tls_cert must be a file of PEM certificates: got"),
        ({"tls_cert": "ann.pem", "tls_key": "none.key"}, "tls_key must be a file of a private key in PEM: got"),
        ({"tls_key": "ann.key"}, "tls_key needs tls_cert"),
    ],
)  # fmt: skip
def test_certificates_that_cannot_be_used(clients: Path, pair: dict[str, str], said: str) -> None:
    files: dict[str, Any] = {name: clients / file for name, file in pair.items()}
    with pytest.raises(ConfigError, match=said):
        RedisConnection().connect("db.example", tls=True, **files)


def test_certificate_replaced_by_one_of_another_key(
    server: Server, certificate: Path, clients: Path, tmp_path: Path
) -> None:
    own = shutil.copy(clients / "ann.pem", tmp_path / "own.pem")
    with tls_proxy(server, certificate, asking(certificate, clients / "ca.pem")) as port:
        pair: dict[str, Any] = {
            "tls_cert": own,
            "tls_key": clients / "ann.key",
            "tls_ca": certificate,
        }
        with RedisConnection().connect("localhost", port, tls=True, **pair) as connection:
            shutil.copy(clients / "stranger.pem", own)
            with pytest.raises(AccessDenied, match="tls_cert and tls_key can't be used any more"):
                connection.ping()


def test_expired_and_early_certificates_are_named_so(server: Server, tmp_path: Path) -> None:
    for not_before, not_after, said in (
        ("20200101000000Z", "20200102000000Z", "the server's certificate has expired: renew it"),
        ("20980101000000Z", "20990101000000Z", "is not valid yet: check the clocks"),
    ):
        certificate = dated(tmp_path, not_before, not_after)
        with (
            tls_proxy(server, certificate) as port,
            RedisConnection().connect(
                "localhost", port, tls=True, tls_ca=certificate
            ) as connection,
            pytest.raises(AccessDenied, match=said),
        ):
            connection.ping()


def dated(folder: Path, not_before: str, not_after: str) -> Path:
    """A self-signed certificate for localhost of a given time, with its key."""
    (folder / "index.txt").write_text("")
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n"
        "policy=any\nx509_extensions=names\n[any]\ncommonName=supplied\n[names]\nsubjectAltName=DNS:localhost\n"
    )
    for line in (
        f"req {NEW_KEY} -keyout key.pem -out request.pem -subj /CN=localhost",
        f"ca -batch -selfsign -config ca.conf -keyfile key.pem -in request.pem -out cert.pem -notext "
        f"-startdate {not_before} -enddate {not_after}",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    both = folder / "dated.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return both


def test_redis_that_speaks_tls_itself(
    certificate: Path, clients: Path, flavor: str, binary: Path, tmp_path: Path
) -> None:
    if flavor != "redis7":
        pytest.skip("of the servers of the tests only Debian's Redis 7 is built with TLS")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="dealdb") as folder:
        server = Server(
            binary, Path(folder), "--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file",
            str(certificate), "--tls-ca-cert-file", str(clients / "ca.pem"), "--tls-auth-clients", "yes",
        ).start()  # fmt: skip
        trust: dict[str, Any] = {"tls": True, "tls_ca": certificate}
        pair: dict[str, Any] = {"tls_cert": clients / "ann.pem", "tls_key": clients / "ann.key"}
        with RedisConnection().connect("localhost", port, **trust, **pair) as connection:
            assert connection.link().call("PING") == b"PONG"
        with (
            RedisConnection().connect("localhost", port, **trust) as connection,
            pytest.raises(AccessDenied, match="the server wants a client certificate"),
        ):
            connection.ping()
        server.stop()


def test_a_link_that_breaks_within_tls_leaves_the_outcome_open(
    server: Server, certificate: Path
) -> None:
    """What the client then says is an error of TLS, and the change has happened all the same."""
    with tls_proxy(server, certificate) as port, garbling_front(port) as (front, garble):
        url = f"rediss://localhost:{front}/0?tls_ca={certificate}"
        with DealDatabase.from_url(url, max_connections=1) as db:
            db.save_deal({"id": 1, "n": 1})
            db.save_deal({"id": 1, "n": 2})
            garble.set()
            with pytest.raises(OutcomeUnknown) as caught:
                db.save_deal({"id": 2, "n": 2})
            garble.clear()
            assert db.save_deal({"id": 3, "n": 3}).outcome == "inserted"
            assert caught.value.resolve() is True
            assert sorted(db.query.frame()["id"]) == ["1", "2", "3"]


@contextmanager
def garbling_front(port: int) -> Iterator[tuple[int, threading.Event]]:
    """A port that leads to another; while the event is set, what comes back is no record of this connection."""
    garble = threading.Event()
    ends: list[socket.socket] = []
    threads: list[threading.Thread] = []
    nothing = b"\x17\x03\x03\x00\x20" + b"x" * 32

    def pass_on(source: socket.socket, target: socket.socket, *, back: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(nothing if back and garble.is_set() else data)
        end(source, target)

    def end(*sockets: socket.socket) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def start(work: Callable[..., None], *arguments: object, **named: bool) -> None:
        threads.append(threading.Thread(target=work, args=arguments, kwargs=named))
        threads[-1].start()

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, far = listener.accept()[0], socket.create_connection(("127.0.0.1", port))
                ends.extend((near, far))
                start(pass_on, near, far, back=False)
                start(pass_on, far, near, back=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        start(accept, listener)
        try:
            yield listener.getsockname()[1], garble
        finally:
            end(listener, *ends)
            for thread in threads:
                thread.join()
            for each in ends:
                each.close()
