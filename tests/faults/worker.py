"""One worker process: ``python -m faults.worker FOLDER ROLE NUMBER GENERATION``; a run starts and kills them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from faults.pen import Setup
from faults.watching import follow, read
from faults.workers import SETUP
from faults.workload import administrate, load, write

ROLES = {"writer": write, "loader": load, "reader": read, "feed": follow, "admin": administrate}


def main(folder: str, role: str, number: str, generation: str) -> None:
    setup = Setup(**json.loads((Path(folder) / SETUP).read_text()))
    ROLES[role](setup, int(number), int(generation))


if __name__ == "__main__":
    main(*sys.argv[1:])
