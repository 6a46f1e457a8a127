"""Starting and asking the processes of ``benchmarks.child``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT = Path(__file__).parents[1]


class Child:
    """One process that does a job, until the end of the block."""

    def __init__(self, job: str, *arguments: str | Path | int) -> None:
        self._job = job
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.child", job, *map(str, arguments)],
            cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def tell(self, seconds: float) -> None:
        """Have it run for so long."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Its next answer; waits for it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process for {self._job} ended with {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found


def asked(job: str, *arguments: str | Path | int) -> dict[str, Any]:
    """The one answer of a process that does one thing."""
    with Child(job, *arguments) as child:
        return child.answer()
