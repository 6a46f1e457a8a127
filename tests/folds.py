"""Checkpoints that were folded, compared with those of whole columns."""

from __future__ import annotations

from collections.abc import Callable

from dealdb.store.archive.chunks import encoded
from dealdb.store.archive.manifest import Generation
from dealdb.store.replica.replica import Replica

_WITH_ROWS = (
    *("archive.chunks", "archive.sealing", "live.columns", "live.during_load", "replica.changing"),
    *("checkpoint.fold", "checkpoint.schedule"),
)


def make_small(put: Callable[[str, object], object], rows: int) -> None:
    """Have chunks of so few rows, and a checkpoint of a load whenever some are full; ``put`` sets what a name means."""
    for module in _WITH_ROWS:
        put(f"dealdb.store.{module}.CHUNK_ROWS", rows)
    put("dealdb.store.live.during_load.MIN_CHANGES", 0)
    schedule = "dealdb.store.checkpoint.schedule"
    put(f"{schedule}.MIN_CHANGES", 0)
    put(f"{schedule}._CHANGES_SO_FAR", 0)
    put(f"{schedule}._MOST_HELD", 3 * rows)
    put(f"{schedule}._DEALS_A_CHANGE_SO_FAR", 10**9)
    put(f"{schedule}._DEALS_A_LOADED_CHANGE", 10**9)
    put(f"{schedule}._SETTLING_PAUSES_S", (0.0,))
    # the texts of few commits are encoded together
    put("dealdb.store.archive.sealing._AT_ONCE", 2)
    # neighbours are merged, again and again
    put("dealdb.store.archive.merging.FAN_OUT", 2)


def assert_same_chunks(generation: Generation, whole: Replica) -> None:
    """A checkpoint is, digest for digest, the one that all columns in memory make at the same commit."""
    assert generation.columns
    assert generation.position == whole.position, (generation.position, whole.position)
    digests: dict[str, dict[int, str]] = {name: {} for name in whole.schema}
    for name, number, digest, _ in encoded(whole.all_rows(), {}):
        digests[name][number] = digest
    assert dict(generation.columns.digests) == {
        name: tuple(of[number] for number in sorted(of)) for name, of in digests.items()
    }
    assert (generation.schema, generation.pipeline) == (whole.schema, whole.pipeline)
    assert (generation.height, generation.has_deleted) == (whole.height, whole.has_deleted)
    assert generation.time_ms == whole.time_ms
