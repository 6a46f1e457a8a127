"""A server that removes deals when its memory is full gets no changes, unless somebody wants that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cli_runs import Run, run_fixture  # noqa: F401 fixture
from dealdb import DealDatabase, NotDurable
from dealdb.errors import ConfigError
from servers import Server


def set_policy(server: Server, policy: str, limit: str = "64mb") -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", policy)
        client.config_set("maxmemory", limit)


@pytest.fixture
def evicting(new_server: Callable[..., Server]) -> Server:
    """A server with one deal that removes deals by now."""
    server = new_server()
    with DealDatabase(port=server.port) as db:
        db.save_deal({"id": "old", "n": 1})
    set_policy(server, "allkeys-lru")
    return server


def keys_of(server: Server) -> set[bytes]:
    with server.client() as client:
        return set(client.keys("*"))


def test_changes_are_refused_and_reads_go_on(evicting: Server) -> None:
    before = keys_of(evicting)
    with DealDatabase(port=evicting.port) as db:
        changes: dict[str, Callable[[], object]] = {
            "save": lambda: db.save_deal({"id": 2, "n": 2}),
            "new field": lambda: db.save_deal({"id": 2, "more": 2}),
            "update": lambda: db.update_deal("old", n=2),
            "delete": lambda: db.delete_deal("old"),
            "load": lambda: db.loader.load([{"id": 2, "n": 2}], rejects=False),
            "rename": lambda: db.rename_field("n", "m"),
        }
        for change in changes.values():
            with pytest.raises(
                NotDurable,
                match=r"removes deals when its memory is full \(maxmemory-policy allkeys-lru, maxmemory 67,108,864 "
                r"bytes\): nothing was written; set maxmemory-policy noeviction, or .* allow_eviction=True",
            ) as caught:
                change()
            assert not caught.value.done
        assert db.get_deal("old") == {"id": "old", "n": 1}
        assert db.query.frame().height == len(db) == 1
        assert any("removes deals" in warning for warning in db.health().warnings)
        assert keys_of(evicting) == before
        # the server is asked again once it was refused, and never after that
        set_policy(evicting, "noeviction")
        assert db.update_deal("old", n=2).outcome == "updated"
        with evicting.client() as client:
            client.config_resetstat()
        assert db.update_deal("old", n=3).outcome == "updated"
        with evicting.client() as client:
            assert "cmdstat_info" not in client.info("commandstats")


def test_who_allows_it_may_change_deals(evicting: Server) -> None:
    for db in (
        DealDatabase(port=evicting.port, allow_eviction=True),
        DealDatabase.from_url(evicting.url, allow_eviction=True),
    ):
        with db:
            assert db.save_deal({"id": "old", "n": 5}).rev
            db.select_database(1)
            assert db.save_deal({"id": "there", "n": 1}).rev


@pytest.mark.parametrize(
    ("policy", "limit"), [("allkeys-lru", "0"), ("volatile-lru", "64mb"), ("noeviction", "64mb")]
)
def test_servers_that_remove_no_deals(evicting: Server, policy: str, limit: str) -> None:
    set_policy(evicting, policy, limit)
    with DealDatabase(port=evicting.port) as db:
        assert db.save_deal({"id": 2, "n": 2}).outcome == "inserted"


def test_who_may_not_ask_saves_as_before(evicting: Server) -> None:
    with evicting.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all", "-info", "-config"
        )
    with DealDatabase(port=evicting.port, username="ann", password="secret") as db:
        assert db.save_deal({"id": 2, "n": 2}).outcome == "inserted"


def test_what_is_no_switch() -> None:
    with pytest.raises(ConfigError, match="allow_eviction must be True or False: got 'yes'"):
        DealDatabase(allow_eviction="yes")  # type: ignore[arg-type]


def test_the_program_says_it_and_may_be_told(
    run: Run, evicting: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = ("save", "id=old", "n=9", "--url", evicting.url)
    refused = run(*change)
    assert refused.code != 0
    assert "set maxmemory-policy noeviction" in refused.err
    monkeypatch.setenv("DEALDB_ALLOW_EVICTION", "on")
    assert run(*change).code == 0
    assert (
        "allow_eviction    on (DEALDB_ALLOW_EVICTION)\n" in run("info", "--url", evicting.url).out
    )
    monkeypatch.setenv("DEALDB_ALLOW_EVICTION", "yes")
    assert "DEALDB_ALLOW_EVICTION must be on or off: got 'yes'" in run(*change).err
