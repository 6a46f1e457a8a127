"""The manifest of a collection: its last checkpoints, and where its sealed history is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.archive.chunks import Columns
from dealdb.store.archive.kept_facts import KeptFacts
from dealdb.store.archive.segments import Segment
from dealdb.store.archive.string_keys import read_string
from dealdb.store.bounds.wall import LAST_MS, Reading, text, whole
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Position

_FORMAT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """
    One checkpoint: the state at a commit.

    Attributes
    ----------
    position
        Last commit that is in it.
    time_ms
        When that was by the server's clock, milliseconds since 1970, UTC.
    schema, pipeline
        As of that commit.
    height, has_deleted
        Rows, those of deleted deals included, and whether there are any of these.
    stages
        Every stage that occurs or has occurred, or None for very many.
    columns
        Where its columns are. None in a manifest of format 1, whose columns were stored in another way.
    facts
        Where the history up to that commit is as tables; None where it is only in the log and its segments.
    """

    position: Position
    time_ms: int
    schema: Schema
    pipeline: Pipeline
    height: int
    has_deleted: bool
    stages: tuple[str, ...] | None
    columns: Columns | None
    facts: KeptFacts | None = None

    def to_document(self) -> dict[str, Any]:
        """As JSON has it."""
        # older versions leave it out of the manifests that they write
        facts = {"facts": self.facts.to_document()} if self.facts else {}
        return {
            "seq": self.position.seq,
            "hash": self.position.hash.decode(),
            "time": self.time_ms,
            "pipeline": self.pipeline.to_json(),
            "schema": self.schema.to_json(),
            "rows": self.height,
            "deleted": self.has_deleted,
            "stages": self.stages,
            "columns": self.columns.to_document() if self.columns else None,
            **facts,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Generation:
        """Inverse of ``to_document``; ValueError or its like if its columns are not those of its schema."""
        found, stages = document.get("columns"), document.get("stages")
        columns = Columns.from_document(found) if found else None
        schema, height = Schema.from_json(document["schema"]), whole(document.get("rows", 0))
        if columns and not columns.cover(schema, height):
            raise ValueError
        return cls(
            position=Position(whole(document["seq"]), text(document["hash"]).encode()),
            time_ms=whole(document["time"], LAST_MS),
            schema=schema,
            pipeline=Pipeline.from_json(document["pipeline"]),
            height=height,
            has_deleted=bool(document.get("deleted", True)),
            stages=None if stages is None else tuple(map(text, stages)),
            columns=columns,
            facts=KeptFacts.from_document(facts) if (facts := document.get("facts")) else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    What of a collection is checkpointed.

    Attributes
    ----------
    generations
        The newest checkpoint, and the one before it, unless the log since then would be large.
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
            "history": [segment.to_document() for segment in self.history],
        }
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, found: str) -> Manifest | None:
        """Manifest from the text of ``to_json``, or None when it is damaged or of a newer format."""
        try:
            with Reading("the manifest"):
                document: dict[str, Any] = json.loads(found)
                if document["format"] not in (1, _FORMAT):
                    return None
                manifest = cls(
                    generations=tuple(map(Generation.from_document, document["generations"])),
                    history=tuple(map(Segment.from_document, document["history"])),
                )
        except StoreDamaged:
            return None
        return manifest if manifest.generations else None

    @classmethod
    def from_bytes(cls, found: bytes | None) -> Manifest | None:
        """Manifest from what the server keeps, as ``from_json`` has it; None for nothing."""
        return cls.from_json(found.decode(errors="replace")) if found else None

    def keys(self, keys: Keys) -> set[str]:
        """Every key that it refers to."""
        columns = [*(g.columns for g in self.generations), *(s.columns for s in self.history)]
        chunks = {key for each in columns if each for key in each.keys(keys)}
        facts = (key for each in self.generations if each.facts for key in each.facts.keys(keys))
        return chunks.union(facts) | {key for segment in self.history for key in segment.keys}


def is_of_newer_format(manifest: str) -> bool:
    """Whether a program that knows more than this one wrote the manifest."""
    try:
        with Reading("the manifest"):
            found = json.loads(manifest)["format"]
    except StoreDamaged:
        return False
    return isinstance(found, int) and found > _FORMAT


def read_manifest(link: Link, keys: Keys) -> Manifest | None:
    """Manifest in force, or None. One round trip."""
    return Manifest.from_bytes(read_string(link, keys.checkpoint))
