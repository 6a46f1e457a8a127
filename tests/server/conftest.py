"""Processes that share the folder of a cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connected import Open
from dealdb import DealDatabase
from servers import Server


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
