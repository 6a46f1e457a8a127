"""Deals that are loaded once for the tests of a module, and processes that share the folder of a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connected import Open
from dealdb import DealDatabase
from servers import Server


@pytest.fixture(scope="module")
def _filled_with() -> list[tuple[bytes, int, bytes]]:
    """What the server held after the first test of a module had filled it."""
    return []


@pytest.fixture
def filled(
    server: Server, _filled_with: list[tuple[bytes, int, bytes]]
) -> Callable[[Callable[[], object]], None]:
    """
    Fills the server as it was filled for the first test of the module, for which alone the given function is called.

    To load deals takes longer than to ask for them.
    """

    def fill(first: Callable[[], object]) -> None:
        if _filled_with:
            server.put_back(_filled_with)
        else:
            first()
            _filled_with.extend(server.image())

    return fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a cache; neither it nor the one around it is there yet."""
    return tmp_path / "cache" / "dealdb"


@pytest.fixture
def start(server: Server, folder: Path) -> Iterator[Open]:
    """Begins a process, as far as the server and the folder see; its cache is on unless it is told otherwise."""
    opened: list[DealDatabase] = []

    def begin(**given: object) -> DealDatabase:
        opened.append(DealDatabase.from_url(server.url, **{"cache": folder, **given}))  # type: ignore[arg-type]
        return opened[-1]

    yield begin
    for db in opened:
        db.close()
