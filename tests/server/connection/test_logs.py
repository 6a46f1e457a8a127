"""What is logged: how the connection fares, and nothing of what goes over it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

import pytest

from connected import connected
from dealdb import DealDatabase
from dealdb.errors import AccessDenied, DealDBError, ServerRefused
from faults.proxy import KINDS, Proxy
from servers import Server, free_port

SECRET = "hush-"
PASSWORD = SECRET + "password"
HINTS = ("--requirepass", PASSWORD)


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """What our own loggers said at a level."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == level and record.name.startswith("dealdb.")
    ]


def everything(caplog: pytest.LogCaptureFixture) -> str:
    """All records of all loggers, tracebacks and arguments too."""
    form = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(f"{form.format(record)} {record.args!r}" for record in caplog.records)


def deal(number: int) -> dict[str, object]:
    return {
        "id": f"{SECRET}id-{number}",
        "name": f"{SECRET}name",
        "owner": f"{SECRET}owner",
        f"{SECRET.replace('-', '_')}field": f"{SECRET}text",
    }


def test_nothing_that_is_secret_is_logged_whatever_happens(
    new_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = new_server(*HINTS)
    with Proxy(server.port) as proxy:
        url = f"redis://:{PASSWORD}@127.0.0.1:{proxy.port}/0"
        with DealDatabase.from_url(url, socket_timeout_s=1.0, retry_deadline_s=5.0) as db:
            db.save_deal(deal(0))
            for number, kind in enumerate(KINDS, 1):
                for action in (
                    lambda n=number: db.save_deal(deal(n)),
                    lambda: db.get_deal(f"{SECRET}id-0"),
                    lambda: db.query.find(f"owner = '{SECRET}owner'"),
                    lambda n=number: db.loader.load([deal(n), deal(n + 100)], bar=False),
                ):
                    proxy.fault(kind)
                    # that they may fail is tested elsewhere
                    with suppress(DealDBError):
                        action()
            proxy.heal()
            db.health()
    wrong = f"redis://:{SECRET}wrong@127.0.0.1:{server.port}/0"
    with DealDatabase.from_url(wrong) as db, pytest.raises(AccessDenied):
        db.save_deal(deal(0))
    gone = f"redis://{SECRET}user:{PASSWORD}@127.0.0.1:{free_port()}/0?retry_deadline_s=0.1"
    with DealDatabase.from_url(gone) as db, pytest.raises(DealDBError):
        db.save_deal(deal(0))
    debug = messages(caplog, logging.DEBUG)
    assert any(line.startswith("HMGET is sent again: ") for line in debug), debug
    informed = messages(caplog, logging.INFO)
    assert f"connected to redis://:***@127.0.0.1:{proxy.port}/0" in informed
    assert f"reconnected to redis://:***@127.0.0.1:{proxy.port}/0" in informed
    assert SECRET not in everything(caplog)
    assert SECRET.replace("-", "_") not in everything(caplog)


def test_a_server_whose_memory_is_full_is_a_warning(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(server) as connection, server.client() as client:
        link = connection.link()
        link.call("SET", "filler", b"x" * 1_000_000)
        client.config_set("maxmemory", 100_000)
        try:
            with caplog.at_level(logging.WARNING), pytest.raises(ServerRefused):
                link.call("SET", "key", SECRET)
            where = connection.settings.where
            assert messages(caplog, logging.WARNING) == [f"{where} refused SET: its memory is full"]
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                connection.health()
            [line] = messages(caplog, logging.WARNING)
            assert line.startswith(f"{where}: the server's memory is full: ")
        finally:
            client.config_set("maxmemory", 0)
    assert SECRET not in everything(caplog)


def test_a_command_that_goes_well_is_not_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(server) as connection, caplog.at_level(logging.DEBUG):
        link = connection.link()
        link.call("PING")
        caplog.clear()
        link.call("ECHO", "hello")
        link.calls([("ECHO", "hello")] * 3)
    assert caplog.records == []
