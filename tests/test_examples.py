"""The examples run as a reader would run them: each in a process of its own, with an empty home."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
MAX_LINES = 40
# a line of each that only comes when what stands before it has worked
PRINTED = {
    "first_steps": "expected revision",
    "live_feed": "'amount': Decimal('600.00')",
    "load_csv": "inserted=0, updated=0, unchanged=3, rejected=1",
    "sql_and_frames": "True",
    "time_travel": "open now: 0",
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_leaves_nothing_behind(example: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    run = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=home,
        env={"HOME": str(home), "TMPDIR": "/tmp", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert PRINTED[example.stem] in run.stdout
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(example: Path) -> None:
    assert len(example.read_text().splitlines()) <= MAX_LINES
