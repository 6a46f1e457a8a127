"""Ask many random questions about as many random histories: ``make oracle``."""

from __future__ import annotations

import argparse
import sys
import time

from oracle.engine import PLACES
from oracle.questions import compared


def main() -> int:
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__)
    parser.add_argument("--n", type=int, default=10_000, help="histories for each metric")
    parser.add_argument("--seed", type=int, default=0, help="where the seeds begin")
    parser.add_argument("--only", help="metrics, separated by commas")
    parser.add_argument("--most", type=int, default=5, help="differences to show for each metric")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(PLACES)
    wrong = 0
    for name in names:
        begin, found = time.monotonic(), []
        for seed in range(options.seed, options.seed + options.n):
            text = compared(name, seed)
            if text:
                found.append(text)
                if len(found) <= options.most:
                    print(text)
        wrong += len(found)
        took = time.monotonic() - begin
        print(
            f"{name}: {options.n:,} histories, {len(found):,} differences, {took:.0f} s", flush=True
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
