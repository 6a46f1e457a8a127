"""The manifest of a collection: its last two checkpoints, and where its sealed history is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dealdb.connection import Link
from dealdb.pipeline import Pipeline
from dealdb.schema import Schema
from dealdb.store.history import Segment
from dealdb.store.keys import Keys
from dealdb.store.log import Position

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """
    One checkpoint: the state at a commit.

    Attributes
    ----------
    position
        Last commit that is in it.
    time_ms
        When that was, milliseconds since 1970, UTC.
    schema, pipeline
        As of that commit.
    chunks
        Key and SHA-256 of each chunk, in the order of rows.
    """

    position: Position
    time_ms: int
    schema: Schema
    pipeline: Pipeline
    chunks: tuple[tuple[str, str], ...]

    def to_document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "seq": self.position.seq,
            "hash": self.position.hash.decode(),
            "time": self.time_ms,
            "schema": self.schema.to_json(),
            "pipeline": self.pipeline.to_json(),
            "chunks": self.chunks,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Generation:
        """Inverse of ``to_document``."""
        return cls(
            position=Position(document["seq"], document["hash"].encode()),
            time_ms=document["time"],
            schema=Schema.from_json(document["schema"]),
            pipeline=Pipeline.from_json(document["pipeline"]),
            chunks=tuple((key, digest) for key, digest in document["chunks"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    What of a collection is checkpointed.

    Attributes
    ----------
    generations
        The newest checkpoint, and the one before it where there is one.
    history
        Segments of the sealed history, oldest first; they reach up to the newest checkpoint.
    """

    generations: tuple[Generation, ...]
    history: tuple[Segment, ...]

    def to_json(self) -> str:
        """Text under which the server keeps the manifest."""
        document = {
            "format": _FORMAT,
            "generations": [generation.to_document() for generation in self.generations],
            "history": [[s.key, s.digest, s.first, s.last] for s in self.history],
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Manifest | None:
        """Manifest from the text of ``to_json``, or None when it is damaged or of another format."""
        try:
            document: dict[str, Any] = json.loads(text)
            if document["format"] != _FORMAT:
                return None
            manifest = cls(
                generations=tuple(map(Generation.from_document, document["generations"])),
                history=tuple(
                    Segment(key=key, digest=digest, first=first, last=last)
                    for key, digest, first, last in document["history"]
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return manifest if manifest.generations else None

    @property
    def keys(self) -> set[str]:
        """Every key that it refers to."""
        chunks = {key for generation in self.generations for key, _ in generation.chunks}
        return chunks | {segment.key for segment in self.history}


def read_manifest(link: Link, keys: Keys) -> Manifest | None:
    """Manifest in force, or None. One round trip."""
    text = link.call("GET", keys.checkpoint, retry=True)
    return Manifest.from_json(text.decode(errors="replace")) if text else None
