"""Boards in processes of their own, started as people start them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_OPEN = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)")


@dataclass(frozen=True)
class CarriedBoard:
    """A board that listens: its address, the path that lets one in once, and its process."""

    address: str
    entry: str
    pid: int


@contextmanager
def carried_board(
    url: str, *options: str, program: Sequence[str] = ("dealdb",)
) -> Iterator[CarriedBoard]:
    """
    ``dealdb board`` on a free port, until the end of the block; options that all commands share come first.

    ``program`` is a module, and what comes before the options.

    It has to end by SIGTERM within seconds, and without a word of trouble.
    """
    shared = [each for each in options if each.startswith("--collection=")]
    own = [each for each in options if each not in shared]
    command = [sys.executable, "-m", *program, "--url", url, *shared, "board", "--port", "0", *own]
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=told, text=True, cwd=Path(__file__).parents[1],
            env=os.environ | {"PYTHONWARNINGS": "error"},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = _OPEN.search(line)
            assert found, (line, _all_of(told))
            port, token = found.groups()
            yield CarriedBoard(f"http://127.0.0.1:{port}", f"/?token={token}", process.pid)
        finally:
            process.terminate()
            ended = process.wait(20)
            process.stdout.close()
    assert ended == 143, ended


def _all_of(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    return str(file.read())  # type: ignore[attr-defined]
