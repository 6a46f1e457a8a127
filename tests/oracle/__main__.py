"""Ask many random questions about as many random histories: ``make oracle``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

# the frames are tiny: more threads cost more than they save; Polars looks at it as it is imported
os.environ.setdefault("POLARS_MAX_THREADS", "1")

from oracle.engine import PLACES
from oracle.questions import compared


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__)
    parser.add_argument("--n", type=int, default=10_000, help="histories for each metric")
    parser.add_argument("--seed", type=int, default=0, help="where the seeds begin")
    parser.add_argument("--only", help="metrics, separated by commas")
    parser.add_argument("--most", type=int, default=5, help="differences to show for each metric")
    options = parser.parse_args(arguments)
    names = [name.strip() for name in options.only.split(",")] if options.only else list(PLACES)
    unknown = [name for name in names if name not in PLACES]
    if unknown:
        parser.error(f"--only: no metric {unknown[0]!r}; there are {', '.join(PLACES)}")
    wrong, took = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    # one history after the other, so that it is made once for all metrics
    for seed in range(options.seed, options.seed + options.n):
        for name in names:
            begin = time.process_time()
            text = compared(name, seed)
            took[name] += time.process_time() - begin
            if text:
                wrong[name] += 1
                if wrong[name] <= options.most:
                    print(text, flush=True)
    for name in names:
        print(
            f"{name}: {options.n:,} histories, {wrong[name]:,} differences, {took[name]:.0f} s of processor time"
        )
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
