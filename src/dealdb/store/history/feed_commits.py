"""Commits as a feed returns them: who changed what, when, with typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Literal, TypeAlias

from dealdb.errors import StoreDamaged
from dealdb.model.notebook import facts_html
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Field, FieldType, Schema
from dealdb.model.values import Value, decode
from dealdb.store.history.feed_start import token_of
from dealdb.store.history.reading import moment_of
from dealdb.store.log.entry import DEAL_KINDS, Entry

CommitKind: TypeAlias = Literal["save", "facts", "mend", "delete", "schema", "pipeline"]

# by the kind of the log's entry; whether deals were added or set, a reader sees from each deal
_KINDS: dict[str, CommitKind] = {
    "set": "save",
    "add": "save",
    "facts": "facts",
    "mend": "mend",
    "delete": "delete",
    "schema": "schema",
    "pipeline": "pipeline",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DealChange:
    """
    What a commit did to one deal.

    Attributes
    ----------
    id
        The deal.
    outcome
        ``inserted``: it now has these values and no others, whatever it had before. ``updated``: these fields have
        these values, the others stay. ``deleted``: it is gone.
    values
        Values after the commit by field, without the id; None for a field that was cleared. A save names the
        fields that it was given, so one may be among them that had the value before.
    """

    id: str
    outcome: Literal["inserted", "updated", "deleted"]
    values: Mapping[str, Value] = field(default_factory=dict)

    def __repr__(self) -> str:
        fields = f": {', '.join(self.values)}" if self.values else ""
        return f"<DealChange {self.id!r} {self.outcome}{fields}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """
    One atomic change of a collection.

    Attributes
    ----------
    seq
        Its number; the revision that its deals have after it.
    when
        When the server made it by its clock, UTC. A clock can be set: the order of commits is that of ``seq``.
    actor
        Who made it.
    kind
        ``save`` and ``delete`` of deals; ``mend``, which adopts what other programs wrote to the hashes, or moves
        values to a renamed column; ``schema``, ``pipeline`` and ``facts`` (of imported history), which change no deal.
    deals
        What it did to each deal; empty for ``schema``, ``pipeline`` and ``facts``.
    token
        Names this commit in this history: where to continue, ``db.changes(since=token)``.
    schema
        Fields and types as of this commit; those of ``deals`` are typed by it.
    pipeline
        The stages that a commit of the kind ``pipeline`` defines, else None.
    rows
        Where its deals are among all of their partition, counted from 0 in the order of first saving.
    partition
        Which partition it is in; ``seq`` counts there, and only there is it the order. 0 in a collection of one piece.
    """

    seq: int
    when: datetime
    actor: str
    kind: CommitKind
    deals: tuple[DealChange, ...]
    token: str
    schema: Schema
    pipeline: Pipeline | None = None
    rows: tuple[int, ...] = field(default=(), repr=False, compare=False)
    partition: int = 0

    @property
    def only_follows(self) -> bool:
        """Whether it gives a partition the fields or stages that the first one had before, and so the collection."""
        return self.partition > 0 and self.kind in ("schema", "pipeline")

    def _repr_html_(self) -> str:
        facts = {"kind": self.kind, "by": self.actor, "when": self.when, "deals": len(self.deals)}
        return facts_html(f"commit {self.seq}", facts)

    def __repr__(self) -> str:
        counts = f", {len(self.deals)} deals" if self.deals else ""
        return f"<Commit {self.seq}: {self.kind} by {self.actor!r}{counts}>"


def commit_of(entry: Entry, schema: Schema, token: str | None = None, partition: int = 0) -> Commit:
    """
    Commit of a log entry.

    Parameters
    ----------
    entry
        The entry.
    schema
        As of that entry.
    token
        Names it; by default that of a log which is followed alone.
    partition
        Which the log is of.

    Raises
    ------
    StoreDamaged
        If this version does not know its kind.
    """
    kind = _KINDS.get(entry.kind)
    if kind is None:
        msg = f"commit {entry.position.seq} is of the kind {entry.kind!r}, which this dealdb does not know"
        raise StoreDamaged(msg)
    return Commit(
        seq=entry.position.seq,
        when=moment_of(entry),
        actor=entry.actor,
        kind=kind,
        deals=() if kind in ("schema", "pipeline", "facts") else tuple(_changes(entry, schema)),
        token=token or token_of(entry.position),
        schema=schema,
        pipeline=Pipeline.from_json(entry.data) if kind == "pipeline" else None,
        rows=tuple(entry.rows) if entry.kind in DEAL_KINDS else (),
        partition=partition,
    )


def _changes(entry: Entry, schema: Schema) -> list[DealChange]:
    ids, names, columns = entry.change
    if entry.kind == "delete":
        return (
            [] if entry.is_left_over else [DealChange(id=deal, outcome="deleted") for deal in ids]
        )
    typed = [_values(texts, schema.get(name)) for name, texts in zip(names, columns, strict=True)]
    # the commit script stamps deals that were there before
    stamped = entry.kind == "set" and "updated" not in names
    stamp = moment_of(entry).replace(microsecond=0)
    changes = []
    for deal, row, *values in zip(ids, entry.rows, *typed, strict=True):
        given: dict[str, Value] = dict(zip(names, values, strict=True))
        if row >= entry.height:
            given = {name: value for name, value in given.items() if value is not None}
            changes.append(DealChange(id=deal, outcome="inserted", values=given))
            continue
        if stamped:
            given["updated"] = stamp
        changes.append(DealChange(id=deal, outcome="updated", values=given))
    return changes


def _values(texts: list[str | None], field: Field | None) -> list[Value]:
    if field is None or field.type is FieldType.TEXT:
        return list(texts)
    read = partial(_value, field=field)
    return [None if text is None else read(text) for text in texts]


def _value(text: str, field: Field) -> Value:
    try:
        return decode(text, field)
    except ValueError:
        # another program's text that this type does not have: null here as in every query
        return None
