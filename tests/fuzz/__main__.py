"""
Fuzz for some minutes: ``make fuzz``, ``make fuzz ARGS="--only evil_writer --minutes 5"``.

The minutes are shared by the modules. What is found is printed with the seed that finds it again (``--seed``).
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import random
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

import fuzz
from hostile.watched import python, watched
from servers import BINARIES, Server

# to end the last try
_SLACK_S = 60
# then it is time to look at them
_MOST_FOUND = 30


def modules(only: str = "") -> dict[str, ModuleType]:
    """Modules that can be fuzzed, by name."""
    names = [module.name for module in pkgutil.iter_modules(fuzz.__path__)]
    found = {
        name: importlib.import_module(f"fuzz.{name}")
        for name in names
        if only in name and not name.startswith("_")
    }
    return {name: module for name, module in found.items() if hasattr(module, "fuzz")}


def _here(name: str, url: str, seconds: float, seed: int) -> int:
    """Fuzz one module in this process; the last line says where it was."""
    ends_at = time.monotonic() + seconds
    n_found = 0

    def tell(tried: str) -> None:
        nonlocal n_found
        is_found = isinstance(tried, fuzz.Found)
        n_found += is_found
        print("FOUND" if is_found else "TRIED", tried, flush=True)
        if n_found >= _MOST_FOUND:
            sys.exit(1)

    modules(name)[name].fuzz(url, Path.cwd(), ends_at, seed, tell)
    return min(n_found, 1)


def _report(name: str, flavor: str, seconds: float, seed: int) -> bool:
    """Fuzz one module in a process of its own; whether nothing was found."""
    binary = BINARIES[flavor]()
    if binary is None:
        sys.exit(f"no binary of {flavor} on this machine")
    with tempfile.TemporaryDirectory(prefix="dealdb") as folder:
        server = Server(binary, Path(folder) / "server").start()
        options = ("--url", server.url, "--here", str(seconds), "--seed", str(seed))
        outcome = watched(
            python("-m", "fuzz", "--only", name, *options),
            memory_mb=modules(name)[name].MEMORY_MB,
            seconds=seconds + _SLACK_S,
            folder=Path(folder),
        )
        server.kill()
    lines = outcome.output.strip().splitlines()
    n = sum(line.startswith("TRIED ") for line in lines)
    print(f"{name:<24} {outcome.ended:<8} {n:8,} tried {outcome.peak_mb:6.0f} MB", flush=True)
    if outcome.ended != "ok":
        print("   ", "\n    ".join(_told(lines)), flush=True)
    return outcome.ended == "ok"


def _told(lines: list[str]) -> list[str]:
    """The last try, and each that something was found by, with what it was."""
    told: list[str] = []
    tried = ""
    is_found = False
    for line in lines:
        if line.startswith("TRIED "):
            tried, is_found = line, False
        elif line.startswith("FOUND "):
            told += [tried, line]
            is_found = True
        elif is_found:
            told.append(line)
    return [*told, *lines[-3:]]


def main() -> int:
    """Read the arguments and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="for all modules together")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="modules with this in their name"
    )
    parser.add_argument("--seed", type=int, default=None, help="begin with this one")
    parser.add_argument("--server", default="valkey9", help="flavor of server, as for the tests")
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--here", type=float, metavar="SECONDS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    if options.here:
        return _here(options.only, options.url, options.here, seed)
    names = list(modules(options.only))
    seconds = options.minutes * 60 / max(len(names), 1)
    good = [_report(name, options.server, seconds, seed) for name in names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
