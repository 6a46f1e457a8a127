"""Checkpoints that were folded, compared with those of whole columns."""

from __future__ import annotations

from dealdb.store.archive.chunks import encoded
from dealdb.store.archive.manifest import Generation
from dealdb.store.replica.replica import Replica


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
