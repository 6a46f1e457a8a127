"""A few tries of the evil writer; ``make fuzz`` has hours of them."""

from __future__ import annotations

import time
from pathlib import Path

from fuzz import Found, evil_writer
from servers import Server

_SECONDS = 4.0


def test_an_evil_writer_finds_nothing(server: Server, tmp_path: Path) -> None:
    tried: list[str] = []
    # on a busy machine not even one ends in this time
    while not tried:
        ends_at = time.monotonic() + _SECONDS
        evil_writer.fuzz(server.url, tmp_path, ends_at, int(time.time()), tried.append)
    assert not [each for each in tried if isinstance(each, Found)]
