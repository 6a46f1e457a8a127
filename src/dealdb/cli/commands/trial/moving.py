"""Sample deals that keep changing, so that a board has something to show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from random import Random
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from dealdb.errors import DealDBError
from dealdb.model.pipeline import Kind

if TYPE_CHECKING:
    from dealdb import DealDatabase
    from dealdb.model.pipeline import Pipeline

# seconds between two changes, about
PACE_S = 1.5
_NEW, _RAISED, _LOST = 0.15, 0.35, 0.15
_REASONS = ("Price", "No budget", "Competitor", "No answer")


@contextmanager
def changes_coming_in(db: DealDatabase, *, pace_s: float = PACE_S) -> Iterator[None]:
    """
    Change sample deals in the background meanwhile: new ones, stages that move, amounts, wins and losses.

    Parameters
    ----------
    db
        A collection with the sample deals.
    pace_s
        Seconds between two changes, about.
    """
    stop = Event()
    thread = Thread(target=_change, args=(db, stop, pace_s), name="dealdb-demo", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _change(db: DealDatabase, stop: Event, pace_s: float) -> None:
    from dealdb.sample import deals

    random = Random(11)  # noqa: S311  # nosec B311  # sample deals
    new = iter(deals(2_000, seed=12))
    number = len(db)
    while not stop.wait(random.uniform(0.4, 1.6) * pace_s):
        try:
            if random.random() < _NEW:
                number += 1
                _save(db, _as_new(next(new), f"D{number:04}", db.pipeline))
            else:
                _move(db, random)
        except (DealDBError, StopIteration):
            # the server ends, or somebody has changed the stages: nobody waits for this change
            if stop.wait(pace_s):
                return


def _as_new(deal: Mapping[str, Any], name: str, pipeline: Pipeline) -> dict[str, Any]:
    kept = ("name", "company", "owner", "amount", "currency", "source", "expected_close")
    stage = next(iter(pipeline.names(Kind.OPEN)))
    return {field: deal.get(field) for field in kept} | {"id": name, "stage": stage}


def _move(db: DealDatabase, random: Random) -> None:
    stages = db.pipeline
    open_ones = stages.names(Kind.OPEN)
    found = db.query.find(stage=open_ones, columns=["id", "stage", "owner", "amount"])
    if found.is_empty():
        return
    deal = found.row(random.randrange(found.height), named=True)
    changes = _next(deal, open_ones, stages, random)
    _save(db, {"id": deal["id"], "owner": deal["owner"], **changes})


def _next(
    deal: Mapping[str, Any], open_ones: list[str], stages: Pipeline, random: Random
) -> dict[str, Any]:
    if deal["amount"] is not None and random.random() < _RAISED:
        factor = Decimal(random.randrange(80, 131)) / 100
        return {"amount": round(deal["amount"] * factor, 2)}
    if random.random() < _LOST and (lost := stages.names(Kind.LOST)):
        return {"stage": lost[0], "loss_reason": random.choice(_REASONS)}
    further = open_ones[open_ones.index(deal["stage"]) + 1 :] or stages.names(Kind.WON)
    return {"stage": further[0]} if further else {}


def _save(db: DealDatabase, deal: Mapping[str, Any]) -> None:
    with db.acting_as(str(deal["owner"]).partition(" ")[0].lower()):
        db.save_deal(deal)
