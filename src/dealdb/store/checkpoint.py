"""
Checkpoints: the columns as compressed Arrow, so that a new process need not read every hash.

A checkpoint is chunks of 65,536 rows. They are written first, under new names; the manifest makes them
valid; those of the checkpoint before the last go after that. With each checkpoint the log up to it is
sealed as history, and trimmed up to the older of the two that remain.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files

import polars as pl

from dealdb.connection import Link
from dealdb.store.history import Segment, seal_since
from dealdb.store.keys import Keys
from dealdb.store.log import has_position
from dealdb.store.manifest import Generation, Manifest, read_manifest
from dealdb.store.replica import Replica

CHUNK_ROWS = 65_536
_PUBLISH = files("dealdb.store").joinpath("publish.lua").read_bytes()
# gives a lease back, unless it has expired and is another's by now
_RELEASE = b"if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
# a writer that dies leaves the lease behind for so long at most
_LEASE_MS = 60_000
_GENERATIONS = 2


def read_checkpoint(link: Link, generation: Generation) -> Replica | None:
    """
    Replica as of a checkpoint, or None when a chunk is missing or not what the manifest says.

    Cost
    ----
    One round trip, however many chunks.
    """
    names = [key for key, _ in generation.chunks]
    blobs = link.call("MGET", *names, retry=True) if names else []
    parts = []
    for blob, (_, digest) in zip(blobs, generation.chunks, strict=True):
        # nothing from the server is parsed as Arrow before it is known to be what was written
        if blob is None or sha256(blob).hexdigest() != digest:
            return None
        parts.append(pl.read_ipc(blob))
    return Replica(
        position=generation.position,
        time_ms=generation.time_ms,
        schema=generation.schema,
        pipeline=generation.pipeline,
        frame=pl.concat(parts, rechunk=True) if parts else None,
    )


def write_checkpoint(link: Link, keys: Keys, replica: Replica) -> bool:
    """
    Publish the replica's state as the newest checkpoint, and seal the log up to it.

    Returns
    -------
    bool
        False when another process is at it, or has published meanwhile, or the server has another history by now.

    Cost
    ----
    Some ten round trips, and one for each chunk and each 500 commits that are sealed.
    """
    token = secrets.token_hex(8)
    if link.call("SET", keys.lease, token, "NX", "PX", _LEASE_MS) is None:
        return False
    try:
        return _Checkpointer(link, keys, replica, token).run()
    finally:
        link.call("EVAL", _RELEASE, 1, keys.lease, token)


class _Checkpointer:
    """Writes one checkpoint."""

    def __init__(self, link: Link, keys: Keys, replica: Replica, token: str) -> None:
        self._link = link
        self._keys = keys
        self._replica = replica
        self._token = token
        self._written: list[str] = []

    def run(self) -> bool:
        text = self._link.call("GET", self._keys.checkpoint) or b""
        base = self._usable(Manifest.from_json(text.decode(errors="replace")))
        if base and base.generations[0].position.seq >= self._replica.position.seq:
            # trimming follows the older checkpoint: going back would lose what is sealed behind it
            return False
        generation = Generation(
            position=self._replica.position,
            time_ms=self._replica.time_ms,
            schema=self._replica.schema,
            pipeline=self._replica.pipeline,
            chunks=tuple(self._write_chunks()),
        )
        history = base.history if base else ()
        manifest = Manifest(
            generations=(generation, *(base.generations if base else ()))[:_GENERATIONS],
            history=(*history, *self._write_segments(history[-1].last if history else 0)),
        )
        published = self._publish(manifest, text)
        self._remove_orphans()
        return published

    def _usable(self, manifest: Manifest | None) -> Manifest | None:
        """The manifest, as long as it is of the log's history: not of one that was lost by a reset."""
        if manifest is None:
            return None
        position = manifest.generations[0].position
        return manifest if has_position(self._link, self._keys.log, position) else None

    def _publish(self, manifest: Manifest, made_from: bytes) -> bool:
        position = self._replica.position
        keys = self._keys
        older = (
            manifest.generations[-1].position.seq
            if len(manifest.generations) == _GENERATIONS
            else 0
        )
        done = self._link.call(
            "EVAL", _PUBLISH, 2 + len(self._written), keys.log, keys.checkpoint, *self._written,
            position.seq, position.hash, manifest.to_json(), made_from, older,
        )  # fmt: skip
        return bool(done)

    def _write_chunks(self) -> Iterator[tuple[str, str]]:
        for number, part in enumerate(self._replica.all_rows().iter_slices(CHUNK_ROWS)):
            buffer = io.BytesIO()
            part.write_ipc(buffer, compression="zstd")
            name = f"{self._replica.position.seq}-{number}-{self._token}"
            yield self._write(self._keys.chunk(name), buffer.getvalue())

    def _write_segments(self, sealed: int) -> Iterator[Segment]:
        until = self._replica.position.seq
        for first, last, blob in seal_since(self._link, self._keys, sealed, until):
            key, digest = self._write(self._keys.segment(f"{first}-{last}-{self._token}"), blob)
            yield Segment(key=key, digest=digest, first=first, last=last)

    def _write(self, key: str, blob: bytes) -> tuple[str, str]:
        # the name first: should this process die in between, a later checkpoint finds what is left over
        self._link.calls([("SADD", self._keys.chunks, key), ("SET", key, blob)])
        self._written.append(key)
        return key, sha256(blob).hexdigest()

    def _remove_orphans(self) -> None:
        """Remove what the manifest does not refer to: of superseded checkpoints, dead writers, lost histories."""
        # under the lease: the chunks of another process that is about to publish look like orphans too
        known = {key.decode() for key in self._link.call("SMEMBERS", self._keys.chunks)}
        manifest = read_manifest(self._link, self._keys)
        orphans = sorted(known - (manifest.keys if manifest else set()))
        if orphans:
            self._link.calls([("UNLINK", *orphans), ("SREM", self._keys.chunks, *orphans)])
