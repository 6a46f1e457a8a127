"""Figure ``cli``: what a command costs from the shell, against starting Python with its two largest imports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.measure import Figure, Run, in_turn, timed

_ROUNDS = 7
_IMPORTS = "python -c 'import redis, polars'"
_WHERE = "stage = 'Won' AND amount > 50000"
_COMMANDS = {
    "dealdb --help": ("cli/help", ["--help"]),
    "dealdb get": ("cli/get", ["get", "D1"]),
    "dealdb find": ("cli/find", ["find", _WHERE, "--sort", "-amount", "--limit", "20"]),
}
_UNCACHED = "dealdb find, without its cache"


def cli(bench: Bench, n: int) -> Figure:
    """Whole processes, from start to end."""
    figure = Figure("cli", n)
    at = bench.loaded(n)
    program = str(Path(sys.executable).with_name("dealdb"))
    environment = _environment(at.server.url, bench.folder)
    runs = {_IMPORTS: _run([sys.executable, "-c", "import redis, polars"], environment)}
    for name, (_, arguments) in _COMMANDS.items():
        runs[name] = _run([program, *arguments], environment)
    _, find = _COMMANDS["dealdb find"]
    runs[_UNCACHED] = _run([program, *find], {**environment, "DEALDB_CACHE": "off"})
    figure.times(in_turn(runs, _ROUNDS, warm=True))
    for name, (budget, _) in _COMMANDS.items():
        figure.compare(f"{name}, against {_IMPORTS}", name, _IMPORTS, "cost", budget)
    figure.compare(f"{_UNCACHED}, against {_IMPORTS}", _UNCACHED, _IMPORTS, "cost")
    figure.notes.append("each command ran once before, so that files and caches are warm")
    return figure


def _run(command: Sequence[str], environment: dict[str, str]) -> Run:
    return lambda: timed(
        lambda: subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    )


def _environment(url: str, folder: Path) -> dict[str, str]:
    """Nothing of the user's settings; caches go to the folder."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DEALDB_")}
    # an installed package has its bytecode: without this variable the warm run writes it
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    places = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
    return {**kept, "DEALDB_URL": url, **{name: str(folder / name) for name in places}}
