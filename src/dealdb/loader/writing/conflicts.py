"""What happens to deals that exist already: ``on_conflict``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as replaced

from dealdb.errors import ConflictError, LoadError
from dealdb.loader.store_protocol import LoadTarget, WriteCounts
from dealdb.model.schema import Schema
from dealdb.store.commit.batch import Batch
from dealdb.store.commit.change import Mark

# set by the server with each change, so it is not for a source to clear
_OWN_CLOCK = "updated"


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """What one batch did; together as many deals as it had."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


def merge(store: LoadTarget, schema: Schema, batch: Batch, mark: Mark | None) -> BatchCounts:
    """Set the fields that are given, keep the others; ConflictError where it has to be written in parts."""
    return _outcome(store.write(schema, batch, max_rev=batch.max_rev, mark=mark))


def replace(store: LoadTarget, schema: Schema, batch: Batch, mark: Mark | None) -> BatchCounts:
    """Set the fields that are given, clear the others that there are at that moment; else as ``merge``."""
    whole = batch.replacing(keeping=[_OWN_CLOCK, *(batch.keeps or ())])
    return _outcome(store.write(schema, whole, max_rev=batch.max_rev, mark=mark))


def skip(store: LoadTarget, schema: Schema, batch: Batch, mark: Mark | None) -> BatchCounts:
    """Write only deals that don't exist; two round trips more where some do."""
    left = batch
    while len(left):
        try:
            written = store.write(schema, left, max_rev=0, mark=mark)
        except ConflictError:
            found = store.get_many(left.ids)
            left = left.only([place for place, deal in enumerate(found) if deal is None])
            continue
        return replaced(_outcome(written), skipped=len(batch) - len(left))
    return BatchCounts(skipped=len(batch))


def refuse(store: LoadTarget, schema: Schema, batch: Batch, mark: Mark | None) -> BatchCounts:
    """
    Write only where no deal exists.

    Raises
    ------
    LoadError
        If one has come into being since the load began.
    """
    try:
        return _outcome(store.write(schema, batch, max_rev=0, mark=mark))
    except ConflictError as conflict:
        n_found = max(sum(deal is not None for deal in store.get_many(batch.ids)), 1)
        msg = (
            f"deals that somebody else saved while this load ran: {n_found}; it stops here, and what it "
            "wrote before stays; load again with on_conflict='skip' or 'merge'"
        )
        raise LoadError(msg) from conflict


POLICIES: dict[str, Callable[[LoadTarget, Schema, Batch, Mark | None], BatchCounts]] = {
    "merge": merge,
    "replace": replace,
    "skip": skip,
    "error": refuse,
}


def _outcome(written: WriteCounts) -> BatchCounts:
    return BatchCounts(written.inserted, written.updated, written.unchanged)
