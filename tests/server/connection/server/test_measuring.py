"""What measurements ask of a server."""

from __future__ import annotations

import pytest

from connected import connected
from dealdb.errors import ConfigError
from servers import Server


def test_the_server_counts_the_sockets_that_it_accepted(server: Server) -> None:
    with connected(server) as connection:
        before = connection.sockets_accepted()
        with connected(server) as other:
            other.ping()
        after = connection.sockets_accepted()
    assert before is not None
    assert after == before + 1


def test_only_keys_that_begin_with_the_text_are_removed(server: Server) -> None:
    with connected(server) as connection, server.client() as client:
        for key in ("scratch-1", "scratch-2", "scratch", "other", "a*b", "axb"):
            client.set(key, "v")
        assert connection.remove_keys("scratch-") == 2
        # what a pattern would make something of stands for itself
        assert connection.remove_keys("a*") == 1
        assert sorted(client.keys()) == [b"axb", b"other", b"scratch"]
        with pytest.raises(ConfigError, match="empty"):
            connection.remove_keys("")
        assert len(client.keys()) == 3
