"""What measurements ask of a server."""

from __future__ import annotations

from connected import connected
from dealdb.connection.server.measuring import remove_keys, sockets_accepted
from servers import Server


def test_the_server_counts_the_sockets_that_it_accepted(server: Server) -> None:
    with connected(server) as connection:
        before = sockets_accepted(connection.link())
        with connected(server) as other:
            other.ping()
        after = sockets_accepted(connection.link())
    assert before is not None
    assert after == before + 1


def test_only_keys_that_begin_with_the_text_are_removed(server: Server) -> None:
    with connected(server) as connection, server.client() as client:
        for key in ("scratch-1", "scratch-2", "scratch", "other", "a*b", "axb"):
            client.set(key, "v")
        assert remove_keys(connection.link(), "scratch-") == 2
        # what a pattern would make something of stands for itself
        assert remove_keys(connection.link(), "a*") == 1
        assert sorted(client.keys()) == [b"axb", b"other", b"scratch"]
