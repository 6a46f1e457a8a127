"""One run under faults, then a verdict; ends with 1 where the run is void or anything is wrong."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from faults.run import Plan, execute, kinds_of
from servers import BINARIES


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    add = parser.add_argument
    add("--server", choices=sorted(BINARIES), default=Plan.server)
    add("--seed", type=int, default=Plan.seed, help="the same faults again; default %(default)s")
    add(
        "--minutes",
        type=float,
        default=Plan.minutes,
        help="bound of the time under faults; %(default)s",
    )
    add("--changes", type=int, help="end once so many changes are acknowledged, and ...")
    add("--faults", type=int, help="... so many faults were commanded")
    add("--only", default="", help="kinds of faults, apart by commas; all by default")
    add("--without", default="", help="kinds of faults to leave out, apart by commas")
    add("--fsync", choices=("always", "everysec"), default=Plan.fsync)
    add("--clock", action="store_true", help="jumps of the server's clock too; takes libfaketime")
    for name in ("writers", "threads", "loaders", "readers"):
        add(
            f"--{name}", type=int, default=getattr(Plan, name), help="how many; default %(default)s"
        )
    add("--least-changes", type=int, default=Plan.least_changes)
    add("--least-reads", type=int, default=Plan.least_reads)
    add("--out", type=Path, help="file for the result, JSON")
    add("--keep", action="store_true", help="keep journals, log and server of a clean run too")
    return parser


def main() -> int:
    # so that nothing is left running
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = vars(_parser().parse_args())
    out, keep = options.pop("out"), options.pop("keep")
    for name in ("only", "without"):
        options[name] = tuple(kinds_of(options[name]))
    result = execute(Plan(**options), out=out, keep=keep)
    print(json.dumps(result, indent=2, default=str))
    return 0 if result["verdict"] == "clean" else 1


if __name__ == "__main__":
    sys.exit(main())
