"""The worker processes of a run: started, killed, started again, and ended."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from children import with_tests

SETUP = "setup.json"


class Workers:
    """
    All processes that use dealdb.

    Parameters
    ----------
    folder
        Of the run.
    setup
        What the workers are told; written into the folder.

    Attributes
    ----------
    crashed
        Processes that ended on their own, with what they said.
    """

    def __init__(self, folder: Path, setup: Any) -> None:
        self._folder = folder
        self._running: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
        self._generations: dict[tuple[str, int], int] = {}
        self.crashed: list[str] = []
        self.killed = 0
        (folder / SETUP).write_text(json.dumps(asdict(setup)))

    def start(self, role: str, number: int) -> None:
        place = (role, number)
        generation = self._generations[place] = self._generations.get(place, -1) + 1
        words = ["worker", str(self._folder), role, str(number), str(generation)]
        self._running[place] = self._python(words)

    def _python(self, words: list[str]) -> subprocess.Popen[bytes]:
        # polars alone would take both cores with a thread pool in each process
        env = with_tests() | {"POLARS_MAX_THREADS": "1"}
        command = [sys.executable, "-m", f"faults.{words[0]}", *words[1:]]
        with self._errors(words).open("ab") as errors:
            return subprocess.Popen(command, env=env, stdout=errors, stderr=errors)

    def _errors(self, words: list[str]) -> Path:
        return self._folder / f"said-{'-'.join(w for w in words if '/' not in w)[:60]}.txt"

    def run(self, *words: str, timeout: float = 600) -> None:
        """Run one of the programs to its end."""
        process = self._python(list(words))
        if process.wait(timeout):
            raise RuntimeError(f"{words[:2]}: {self._errors(list(words)).read_text()[-2000:]}")

    def kill_one(self, draw: float) -> None:
        """Kill -9 one of them, and start its successor."""
        self.look_after()
        places = sorted(self._running)
        place = places[int(draw * len(places))]
        self._running[place].kill()
        self._running[place].wait()
        self.killed += 1
        self.start(*place)

    def look_after(self) -> None:
        """Note those that have ended on their own, and start their successors."""
        for place, process in list(self._running.items()):
            if process.poll() == 0:
                # a feed that is lost has said so
                del self._running[place]
            elif process.returncode is not None:
                self._note_crash(place, process.returncode)
                self.start(*place)

    def _note_crash(self, place: tuple[str, int], code: int) -> None:
        words = ["worker", place[0], str(place[1]), str(self._generations[place])]
        said = self._errors(words).read_text()[-1500:]
        self.crashed.append(f"{place} ended with {code}: {said}")

    def wait(self, *roles: str, timeout: float = 120) -> None:
        """Let those of some roles end; they have been told to."""
        ends_at = time.monotonic() + timeout
        for place in [p for p in self._running if p[0] in roles]:
            process = self._running.pop(place)
            try:
                code = process.wait(max(ends_at - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            if code:
                self._note_crash(place, code)

    def said(self) -> list[str]:
        """What they wrote to standard error: nothing, if all is well."""
        texts = [path.read_text(errors="replace") for path in self._folder.glob("said-*.txt")]
        return [text[-1500:] for text in texts if text.strip()]

    def kill_all(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        self._running.clear()
