"""
What dealdb shows of the deals before and after a run, written down for the judge by a process of its own.

``python -m faults.views prepare FOLDER``
    Declares the fields and stages that the workers use.
``python -m faults.views look FOLDER SEQ:MILLISECONDS...``
    Writes what a fresh process sees now, and at these moments of the past, to ``fresh.parquet``, ``past-{seq}.parquet``
    and ``looked.json``.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dealdb import DealDatabase
from faults.pen import Setup
from faults.workers import SETUP
from faults.workload import STAGES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def prepare(db: DealDatabase, folder: Path) -> None:
    for stage in STAGES:
        deal = {"id": "first", "mark": "first", "n": 1, "name": "", "amount": 1}
        db.save_deal({**deal, "owner": "first", "stage": stage})


def look(db: DealDatabase, folder: Path, *moments: str) -> None:
    frame = db.query.frame()
    frame.write_parquet(folder / "fresh.parquet")
    for moment in moments:
        seq, _, time = moment.partition(":")
        past = db.as_of(_EPOCH + timedelta(milliseconds=int(time)))
        past.query.frame().write_parquet(folder / f"past-{seq}.parquet")
    report = db.check()
    found = {"deals": len(db), "frame": frame.height, "check": str(report), "clean": report.ok}
    (folder / "looked.json").write_text(json.dumps(found))


def main(what: str, folder: str, *rest: str) -> None:
    setup = Setup(**json.loads((Path(folder) / SETUP).read_text()))
    with setup.open("views") as db:
        {"prepare": prepare, "look": look}[what](db, Path(folder), *rest)


if __name__ == "__main__":
    main(*sys.argv[1:])
