"""Commands that go on until a signal end with its code, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cli_runs import db_fixture  # noqa: F401 a fixture
from dealdb import DealDatabase
from servers import EVERY_SECOND, Server

PROGRAM = (sys.executable, "-m", "dealdb")


def processes_in(folder: Path) -> list[str]:
    """Processes whose working directory is, or was, inside a folder; knows Linux only."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            found += [link.parent.name] if link.readlink().is_relative_to(folder) else []
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_demo_and_its_server(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "demo"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Saving 1,600 deals"):
                break
        if sys.platform == "linux":
            assert processes_in(tmp_path) != []
        process.send_signal(number)
    assert process.returncode == 128 + number
    assert list(tmp_path.glob("dealdb*")) == []
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_repairing_until_a_signal(
    db: DealDatabase, new_server: Callable[..., Server], number: signal.Signals, code: int
) -> None:
    server = new_server(*EVERY_SECOND)
    with DealDatabase.from_url(server.url, retry_deadline_s=0.5) as own:
        own.save_deal({"id": 1, "amount": 5})
    words = [
        sys.executable,
        "-m",
        "dealdb.cli.main",
        "repair",
        "--every",
        "0.1s",
        "--url",
        server.url,
    ]
    environment = {**os.environ, "DEALDB_RETRY_DEADLINE_S": "0.3"}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as job:
        assert job.stdout is not None
        try:
            with server.client() as client:
                client.hset("deal:1", "amount", "7")
            assert job.stdout.readline().strip().endswith("adopted 1, removed 0")
            server.stop()
            time.sleep(1)
            server.start()
            with server.client() as client:
                client.delete("deal:1")
            assert job.stdout.readline().strip().endswith("adopted 0, removed 1")
            job.send_signal(number)
            out, err = job.communicate(timeout=20)
        finally:
            job.kill()
    # nothing was adopted or removed in between
    assert (job.returncode, out) == (code, "")
    assert err.count("waiting for it") == 1
