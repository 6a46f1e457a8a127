"""``dealdb load --follow``: a file is loaded as it grows, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from cli_runs import Run, db_fixture, run_fixture  # noqa: F401 fixtures
from connected import eventually
from dealdb import DealDatabase


def test_lines_are_loaded_as_they_come_until_an_interrupt(
    run: Run, db: DealDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "deals.jsonl"
    path.write_text('{"id": "1", "amount": 5}\n')
    before = signal.getsignal(signal.SIGINT)
    seen: list[bool] = []

    def write_on() -> None:
        seen.append(eventually(lambda: "1" in db))
        with path.open("a") as file:
            file.write('{"id": "2", "amount": 6}\n')
        seen.append(eventually(lambda: "2" in db))
        os.kill(os.getpid(), signal.SIGINT)

    writing = threading.Thread(target=write_on)
    writing.start()
    done = run("load", "--follow", str(path), "--json")
    writing.join()
    assert seen == [True, True]
    assert done.code == 0, done.err
    assert f"following {path}; Ctrl-C ends it" in done.err
    assert done.json["inserted"] == 2
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-"], "--follow takes one file, by its name"),
        (["a.jsonl", "b.jsonl"], "--follow takes one file, by its name"),
        (["a.jsonl", "--dry-run"], "--follow and --dry-run exclude each other"),
        (["a.jsonl", "--format", "csv"], "--follow and another --format exclude each other"),
    ],
)
def test_what_can_t_be_followed_is_bad_input(run: Run, arguments: list[str], said: str) -> None:
    done = run("load", "--follow", *arguments)
    assert (done.code, said in done.err) == (2, True), done.err
