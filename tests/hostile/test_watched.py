"""What a watched process may take is counted once, and all of it."""

from __future__ import annotations

from pathlib import Path

from hostile.watched import Outcome, python, watched

# 200 MB, and a child beside it for a while
HOLDER = """
import os, subprocess, sys, time
held = bytearray(os.urandom(1 << 20)) * 200
{child}
"""
FORK = "pid = os.fork()\nif not pid:\n    time.sleep(0.5)\n    os._exit(0)\nos.waitpid(pid, 0)"
PROGRAM = (
    "subprocess.run([sys.executable, '-c', 'import os, time; held = bytearray(os.urandom(1 << 20)) * 200;"
    " time.sleep(0.5)'])"
)


def run(child: str, folder: Path) -> Outcome:
    return watched(
        python("-c", HOLDER.format(child=child)), memory_mb=1000, seconds=10, folder=folder
    )


def test_a_fork_shares_its_parents_memory(tmp_path: Path) -> None:
    outcome = run(FORK, tmp_path)
    assert outcome.ended == "ok", outcome.output
    assert 200 < outcome.peak_mb < 300


def test_another_program_has_memory_of_its_own(tmp_path: Path) -> None:
    outcome = run(PROGRAM, tmp_path)
    assert outcome.ended == "ok", outcome.output
    assert 400 < outcome.peak_mb < 500
