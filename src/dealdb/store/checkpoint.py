"""
Checkpoints: the columns as compressed Arrow, so that a new process need not read every hash.

A checkpoint is a manifest and chunks of 65,536 rows. The chunks are written first, under new names; the
manifest makes them valid; those of the checkpoint before go last. A reader that finds a chunk missing or
changed does without the checkpoint.
"""

from __future__ import annotations

import io
import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

import polars as pl

from dealdb.connection import Link
from dealdb.pipeline import Pipeline
from dealdb.schema import Schema
from dealdb.store.keys import Keys
from dealdb.store.log import Position
from dealdb.store.replica import Replica

CHUNK_ROWS = 65_536
_FORMAT = 1
_PUBLISH = files("dealdb.store").joinpath("publish.lua").read_bytes()
# a writer that dies leaves the lease behind for so long at most
_LEASE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    What a checkpoint consists of.

    Attributes
    ----------
    position
        Last commit that is in it.
    schema, pipeline
        As of that commit.
    chunks
        Key and SHA-256 of each chunk, in the order of rows.
    """

    position: Position
    schema: Schema
    pipeline: Pipeline
    chunks: tuple[tuple[str, str], ...]

    def to_json(self) -> str:
        """Text under which the server keeps the manifest."""
        document = {
            "format": _FORMAT,
            "seq": self.position.seq,
            "hash": self.position.hash.decode(),
            "schema": self.schema.to_json(),
            "pipeline": self.pipeline.to_json(),
            "chunks": self.chunks,
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: bytes) -> Manifest | None:
        """Manifest from the text of ``to_json``, or None when it is damaged or of another format."""
        try:
            document: dict[str, Any] = json.loads(text)
            if document["format"] != _FORMAT:
                return None
            return cls(
                position=Position(document["seq"], document["hash"].encode()),
                schema=Schema.from_json(document["schema"]),
                pipeline=Pipeline.from_json(document["pipeline"]),
                chunks=tuple((key, digest) for key, digest in document["chunks"]),
            )
        except (ValueError, KeyError, TypeError):
            return None


def read_manifest(link: Link, keys: Keys) -> Manifest | None:
    """Manifest in force, or None. One round trip."""
    text = link.call("GET", keys.checkpoint, retry=True)
    return Manifest.from_json(text) if text else None


def read_checkpoint(link: Link, manifest: Manifest) -> Replica | None:
    """
    Replica as of a manifest, or None when a chunk is missing or not what the manifest says.

    Cost
    ----
    One round trip, however many chunks.
    """
    names = [key for key, _ in manifest.chunks]
    blobs = link.call("MGET", *names, retry=True) if names else []
    parts = []
    for blob, (_, digest) in zip(blobs, manifest.chunks, strict=True):
        # nothing from the server is parsed as Arrow before it is known to be what was written
        if blob is None or sha256(blob).hexdigest() != digest:
            return None
        parts.append(pl.read_ipc(blob))
    return Replica(
        position=manifest.position,
        schema=manifest.schema,
        pipeline=manifest.pipeline,
        frame=pl.concat(parts, rechunk=True) if parts else None,
    )


def write_checkpoint(link: Link, keys: Keys, replica: Replica) -> Manifest | None:
    """
    Publish the replica's state as the checkpoint in force, unless another process is at it.

    Returns
    -------
    Manifest or None
        None when another process holds the lease or has published a newer one.

    Cost
    ----
    Four round trips and one for each chunk.
    """
    token = secrets.token_hex(8)
    if link.call("SET", keys.lease, token, "NX", "PX", _LEASE_MS) is None:
        return None
    chunks = tuple(_write_chunks(link, keys, replica, token))
    manifest = Manifest(
        position=replica.position, schema=replica.schema, pipeline=replica.pipeline, chunks=chunks
    )
    old = link.call(
        "EVAL", _PUBLISH, 3, keys.log, keys.checkpoint, keys.lease,
        replica.position.seq, replica.position.hash, manifest.to_json(), token,
    )  # fmt: skip
    superseded = Manifest.from_json(old) if old else None
    unneeded = chunks if old is None else superseded.chunks if superseded else ()
    if unneeded:
        link.call("UNLINK", *(key for key, _ in unneeded))
    return None if old is None else manifest


def _write_chunks(link: Link, keys: Keys, replica: Replica, token: str) -> list[tuple[str, str]]:
    frame = replica.all_rows()
    written = []
    for number, part in enumerate(frame.iter_slices(CHUNK_ROWS)):
        buffer = io.BytesIO()
        part.write_ipc(buffer, compression="zstd")
        blob = buffer.getvalue()
        key = keys.chunk(f"{replica.position.seq}-{number}-{token}")
        link.call("SET", key, blob)
        written.append((key, sha256(blob).hexdigest()))
    return written
