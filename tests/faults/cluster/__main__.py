"""One run on a cluster, then a verdict; ends with 1 where the run is void or anything is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields

from faults.cluster.run import Plan, execute
from servers import BINARIES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults.cluster", description=__doc__)
    add = parser.add_argument
    add("--server", choices=sorted(BINARIES), default=Plan.server)
    add("--no-networks", dest="networks", action="store_false", help="cut no networks")
    add("--only", nargs="*", default=(), help="kinds of deeds, such as 'cut off'; all by default")
    for each in fields(Plan):
        if each.name not in ("server", "networks", "only"):
            name = f"--{each.name.replace('_', '-')}"
            add(name, type=type(each.default), default=each.default, help="default %(default)s")
    options = vars(parser.parse_args())
    result = execute(Plan(**{**options, "only": tuple(options["only"])}))
    print(json.dumps(result, indent=2, default=str))
    return 0 if result["verdict"] == "clean" else 1


if __name__ == "__main__":
    sys.exit(main())
