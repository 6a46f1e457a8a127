"""
The example history: eight deals with a skip, a move back, a reopening, pushes, a pull, a late amount and a deletion.

All changes are at 12:00 UTC; figures of it that tests compare with were computed by hand and by brute force.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb import DealDatabase
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded

PIPELINE = Pipeline(
    (
        Stage("Lead", Kind.OPEN, Decimal("0.10"), 14),
        Stage("Demo", Kind.OPEN, Decimal("0.30"), 14),
        Stage("Offer", Kind.OPEN, Decimal("0.60"), 7),
        Stage("Won", Kind.WON),
        Stage("Lost", Kind.LOST),
    )
)
# deal, day of 2026, and what changed; "" clears, an asterisk deletes
_H1 = """
A 01-05 stage=Lead amount=1000.00 owner=Ann expected_close=2026-03-15
A 01-12 stage=Demo
A 01-26 stage=Offer
A 02-10 stage=Won amount=1200.00 closed=2026-02-10
B 01-07 stage=Lead amount=500.00 owner=Ann expected_close=2026-02-28
B 01-21 stage=Lost loss_reason=Price closed=2026-01-21
C 01-10 stage=Demo amount=2000.00 owner=Bob expected_close=2026-03-31
C 02-01 stage=Offer
C 02-15 stage=Demo
C 03-02 stage=Offer
C 03-20 expected_close=2026-04-30
D 02-01 stage=Lead amount=800.50 owner=Bob expected_close=2026-03-10
D 02-20 expected_close=2026-03-25
D 03-05 expected_close=2026-04-15
D 03-12 stage=Offer
E 02-03 stage=Lead owner=Ann expected_close=2026-03-31
E 03-01 amount=300.25
E 03-20 stage=Won closed=2026-03-20
F 02-14 stage=Lead amount=700.00 expected_close=2026-05-10
F 03-10 expected_close=2026-03-28
F 03-25 stage=Lost closed=2026-03-25
G 01-15 stage=Lead amount=400.00 owner=Bob expected_close=2026-02-15
G 01-30 stage=Won closed=2026-01-30
G 02-20 stage=Demo closed=
G 03-15 stage=Lost loss_reason=Price closed=2026-03-15
H 01-20 stage=Lead amount=50.00 owner=Ann expected_close=2026-03-01
H 02-25 *
"""


def moment(day: str, hour: int = 0) -> int:
    """Milliseconds of an hour of a day, e.g. ``"2026-02-01"``."""
    at = datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)
    return int(at.timestamp() * 1000)


def rows() -> pl.DataFrame:
    """The history as rows: id, at, seq, field, value, op; ``created`` and ``currency`` come with the first fact."""
    found: list[tuple[str, int, str | None, str | None, str]] = []
    known: set[str] = set()
    for line in _H1.strip().splitlines():
        deal, day, *changes = line.split()
        at = moment(f"2026-{day}", 12)
        if deal not in known:
            known.add(deal)
            found.append((deal, at, "created", f"2026-{day}", "set"))
            found.append((deal, at, "currency", "EUR", "set"))
        for change in changes:
            if change == "*":
                found.append((deal, at, None, None, "delete"))
                continue
            name, _, text = change.partition("=")
            found.append((deal, at, name, text or None, "set"))
    columns = ["id", "at", "field", "value", "op"]
    frame = pl.DataFrame(found, schema=columns, orient="row")
    seq = pl.struct("at", "id").rank("dense").cast(pl.UInt32)
    return frame.with_columns(seq=seq)


def facts(pipeline: Pipeline = PIPELINE) -> Facts:
    """The history as facts."""
    commits = rows().group_by("seq").agg(pl.col("at").first()).sort("seq")
    told = commits.with_columns(who=pl.lit("sync"), kind=pl.lit("set"))
    start = (moment("2026-01-01"), pipeline)
    return folded(rows(), Schema.standard(), pipeline, commits=told, pipelines=[start])


def load_into(db: DealDatabase) -> int:
    """Load the present, and behind it the history that led to it; how many facts that were."""
    present: dict[str, dict[str, Any]] = {}
    told: list[dict[str, Any]] = []
    for row in rows().iter_rows(named=True):
        at = datetime.fromtimestamp(row["at"] / 1000, UTC).isoformat()
        op = "clear" if row["op"] == "set" and row["value"] is None else row["op"]
        fact = {"id": row["id"], "at": at, "field": row["field"], "value": row["value"], "op": op}
        told.append({name: value for name, value in fact.items() if value is not None})
        if row["op"] == "delete":
            del present[row["id"]]
            continue
        present.setdefault(row["id"], {"id": row["id"]})[row["field"]] = row["value"]
    db.set_pipeline(PIPELINE)
    db.loader.load(list(present.values()), bar=False)
    assert db.history.load(told).new == len(told)
    return len(told)
