"""Runs of the program in a test; a module imports ``run_fixture`` and ``db_fixture`` to have ``run`` and ``db``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from dealdb import DealDatabase
from dealdb.cli.main import main
from servers import Server


class Ran(NamedTuple):
    """Exit code and both outputs of one command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON with exact numbers."""
        return json.loads(self.out, parse_float=Decimal)


Run = Callable[..., Ran]
# of the fixture ``filled``
Fill = Callable[[Callable[[], object]], None]


@pytest.fixture(name="run")
def run_fixture(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs a command line on the test's server."""
    return runner(server, capsys, monkeypatch)


def runner(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs a command line on a server, whatever is in it."""
    monkeypatch.setenv("DEALDB_URL", server.url)

    def run_one(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        return Ran(code, *capsys.readouterr())

    return run_one


@pytest.fixture(name="db")
def db_fixture(server: Server) -> Iterator[DealDatabase]:
    """The facade on the same server."""
    with DealDatabase.from_url(server.url) as database:
        yield database
