"""
Try hostile cases: ``make hostile``, or ``make hostile ARGS="-k workbook"``.

Each runs in a process of its own. A line says how it ended, its peak of memory and its processor time.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import tempfile
from pathlib import Path

from hostile import cases
from hostile.case import CASES, Case, World
from hostile.watched import Outcome, python, watched
from servers import BINARIES, Server

_KEPT_MB = 200


def load_cases() -> dict[str, Case]:
    """All cases by name."""
    for module in pkgutil.iter_modules(cases.__path__):
        importlib.import_module(f"{cases.__name__}.{module.name}")
    return CASES


def tried(names: list[str], server: Server, folder: Path) -> Outcome:
    """
    How the cases end, one after another in one process; times are added.

    Of several, each may need its memory beside what the allocator has kept of those before.
    """
    chosen = [load_cases()[name] for name in names]
    for number, each in enumerate(chosen):
        (folder / str(number)).mkdir()
        if each.prepare is not None:
            each.prepare(folder / str(number))
    return watched(
        python("-m", "hostile", "--url", server.url, "--here", *names),
        memory_mb=max(each.memory_mb for each in chosen) + (_KEPT_MB if len(names) > 1 else 0),
        seconds=sum(each.seconds for each in chosen),
        folder=folder,
    )


def _attack(names: list[str], url: str) -> None:
    """Run cases in this process; the last name printed is the one that failed."""
    for number, name in enumerate(names):
        print(name, flush=True)
        folder = Path.cwd() / str(number)
        os.chdir(folder)
        world = World(url, folder)
        with world.client() as client:
            client.flushall()
        load_cases()[name].attack(world)
        os.chdir(folder.parent)


def _report(names: list[str], flavor: str) -> int:
    """Try each alone and print how it ended; returns how many failed."""
    failed = 0
    binary = BINARIES[flavor]()
    if binary is None:
        sys.exit(f"no binary of {flavor} on this machine")
    print(f"{'case':<72} {'ended':<8} {'peak MB':>8} {'bound':>6} {'CPU s':>6}")
    for name in names:
        with tempfile.TemporaryDirectory(prefix="dealdb") as folder:
            server = Server(binary, Path(folder) / "server").start()
            outcome = tried([name], server, Path(folder))
            server.kill()
        bound = load_cases()[name].memory_mb
        print(
            f"{name:<72} {outcome.ended:<8} {outcome.peak_mb:8.0f} {bound:6} {outcome.seconds:6.1f}",
            flush=True,
        )
        if outcome.ended != "ok":
            failed += 1
            print("   ", "\n    ".join(outcome.output.strip().splitlines()[-3:]))
    print(f"{len(names)} cases, {failed} failed")
    return failed


def main() -> int:
    """Read the arguments and try the cases."""
    parser = argparse.ArgumentParser(prog="python -m hostile", description=__doc__)
    parser.add_argument("-k", default="", metavar="TEXT", help="only cases with this in their name")
    parser.add_argument("--server", default="valkey9", help="flavor of server, as for the tests")
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--here", nargs="+", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        _attack(options.here, options.url)
        return 0
    names = [name for name in load_cases() if options.k in name]
    return min(1, _report(names, options.server))


if __name__ == "__main__":
    sys.exit(main())
