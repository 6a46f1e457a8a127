"""A process whose memory and time are watched from outside, and ended at their bounds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from children import with_tests

_EVERY_S = 0.02
# how much longer than its processor time it may take by the clock: machines are busy, but what hangs is ended
_CLOCK = 4
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Outcome:
    """
    How a process ended.

    Attributes
    ----------
    ended
        ``ok``, ``failed``, ``memory``, ``time``, or the name of a signal.
    peak_mb
        Most resident memory that was seen, children included.
    seconds
        Processor time that it took, children included.
    output
        What it printed, errors included.
    """

    ended: str
    peak_mb: float
    seconds: float
    output: str


def watched(
    command: Sequence[str],
    *,
    memory_mb: int,
    seconds: float,
    folder: Path,
    stdin: bytes = b"",
) -> Outcome:
    """
    Run a command in a folder; it is ended, with its children, where it takes more than it may.

    ``seconds`` bounds the processor time, and four times as much the time by the clock.
    """
    start = time.monotonic()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            command,
            stdin=given,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        ended, peak, worked = "", 0.0, 0.0
        while process.poll() is None and not ended:
            peak = max(peak, _resident_mb(process.pid))
            worked = max(worked, _worked_s(process.pid))
            if peak > memory_mb:
                ended = "memory"
            elif worked > seconds or time.monotonic() - start > _CLOCK * seconds:
                ended = "time"
            time.sleep(_EVERY_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        if not ended:
            ended = {0: "ok"}.get(code, signal.Signals(-code).name if code < 0 else "failed")
        output.seek(0)
        text = output.read().decode(errors="replace")
        return Outcome(ended, peak, worked, text)


def python(*arguments: str) -> list[str]:
    """Command of this Python."""
    return [sys.executable, *arguments]


def _environment(folder: Path) -> dict[str, str]:
    clean = {name: value for name, value in with_tests().items() if not name.startswith("DEALDB_")}
    return clean | {"HOME": str(folder), "DEALDB_LINGER_S": "0"}


def _resident_mb(pid: int) -> float:
    """
    Resident memory of a process and its children; what ends meanwhile counts as nothing.

    A child that has not begun its own program yet has its parent's pages, which are counted already.
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = [child for child in _children(pid) if _program(child) != _program(pid)]
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6 + sum(map(_resident_mb, children))


def _program(pid: int) -> bytes:
    """Command line of a process; a fork has its parent's until it runs another."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _worked_s(pid: int) -> float:
    """Processor time of a process and its children, those that it has seen end included."""
    try:
        # behind the name, which may hold blanks: of the process, and of its ended children
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        children = _children(pid)
    except OSError:
        return 0.0
    return sum(map(int, fields)) / _TICKS + sum(map(_worked_s, children))


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
