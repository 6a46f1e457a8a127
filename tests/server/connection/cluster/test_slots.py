"""The map of a cluster whose nodes speak TLS: their certificates are ones for a name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from clusters import Cluster, say
from dealdb import DealDatabase
from dealdb.connection import RedisConnection
from dealdb.connection.cluster.cluster_link import slot_of
from dealdb.errors import StoreError
from servers import Server

KEY = "{a}key"


@pytest.fixture
def secured(binary: Path, certificate: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Two primaries that speak nothing else, to each other neither."""
    started: list[Server] = []
    with TemporaryDirectory(prefix="dealdb") as folder:

        def start(*options: str) -> Server:
            server = Server(binary, Path(folder, str(len(started))), *options)
            file = str(certificate)
            server.options += (
                *("--port", "0", "--tls-port", str(server.port), "--tls-cluster", "yes"),
                *("--tls-cert-file", file, "--tls-key-file", file, "--tls-ca-cert-file", file),
                *("--tls-auth-clients", "no", "--cluster-announce-hostname", "localhost"),
                *getattr(request, "param", ()),
            )
            try:
                server.start()
            except RuntimeError:
                pytest.skip(f"{binary.name} speaks no TLS")
            started.append(server)
            return server

        yield Cluster(start, 2, has_replicas=False)
        for server in started:
            server.stop()


def url_of(cluster: Cluster, host: str = "localhost") -> str:
    return f"rediss+cluster://{host}:{cluster.nodes[0].port}/"


@pytest.mark.parametrize(
    "secured", [(), ("--cluster-preferred-endpoint-type", "hostname")], indirect=True
)
def test_nodes_are_asked_by_their_host_names(secured: Cluster, certificate: Path) -> None:
    """The certificate has no address, whatever the nodes call each other."""
    url = url_of(secured)
    with RedisConnection().connect_url(url, tls_ca=certificate) as connection:
        link = connection.link()
        keys = [f"{{{name}}}key" for name in "abcdefgh"]
        for number, key in enumerate(keys):
            link.call("SET", key, number)
        assert all(say(node, "DBSIZE") for node in secured.primaries)
        assert link.calls([("GET", key) for key in keys], retry=True) == [
            str(number).encode() for number in range(8)
        ]
        slot = slot_of(KEY)
        to = secured.other(slot)
        secured.begin_move(slot, to)
        # it is to be asked of the other node from now on, this once and then for good
        assert link.call("SET", "{a}new", 1) == b"OK"
        secured.move_keys(slot, to)
        assert link.call("GET", KEY) == b"0"
        secured.end_move(slot, to)
        assert link.call("INCR", KEY) == 1


@pytest.mark.parametrize("secured", [()], indirect=True)
def test_a_node_that_has_joined_is_asked_by_its_host_name(
    secured: Cluster, certificate: Path
) -> None:
    """The node that had the slot names it by its address, which no map has told before."""
    with RedisConnection().connect_url(url_of(secured), tls_ca=certificate) as connection:
        link = connection.link()
        link.call("SET", KEY, 1)
        secured.move(slot_of(KEY), secured.add_primary())
        assert link.call("INCR", KEY) == 2
        assert link.calls([("INCR", KEY), ("INCR", KEY)]) == [3, 4]


@pytest.mark.parametrize("secured", [()], indirect=True)
def test_a_node_whose_certificate_is_for_another_name_is_not_asked(
    secured: Cluster, certificate: Path
) -> None:
    url = url_of(secured, "127.0.0.1")
    with (
        pytest.raises(StoreError, match="certificate"),
        RedisConnection().connect_url(url, tls_ca=certificate) as connection,
    ):
        connection.link().call("GET", KEY)


@pytest.mark.parametrize("secured", [()], indirect=True)
def test_deals_on_a_cluster_that_speaks_tls(secured: Cluster, certificate: Path) -> None:
    url = url_of(secured)
    with DealDatabase.from_url(url, tls_ca=certificate, partitions=4) as db:
        db.loader.load([{"id": n, "amount": n} for n in range(50)], rejects=False)
        assert db.query.frame()["amount"].sum() == 1225
    with DealDatabase.from_url(url, tls_insecure=True) as db:
        assert len(db) == 50
