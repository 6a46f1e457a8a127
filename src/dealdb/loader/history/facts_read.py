"""What reading a history gives: its facts, and what was found on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dealdb.loader.chunk import Reject
from dealdb.model.pipeline import Kind
from dealdb.model.schema import Field

FACT_SCHEMA: Mapping[str, pl.DataType] = {
    "id": pl.String(),
    "at": pl.Int64(),
    "precision": pl.String(),
    "field": pl.String(),
    "value": pl.String(),
    "op": pl.String(),
    "who": pl.String(),
    "source": pl.String(),
    "key": pl.String(),
    "place": pl.UInt32(),
    "derived": pl.Boolean(),
}
# what a fact can do; those of the first line need a field
FIELD_OPS = ("set", "clear", "unknown", "retract")
END_OPS = ("delete", "merge")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FactsRead:
    """
    Facts of a source.

    Attributes
    ----------
    frame
        A row a fact, ordered by deal and moment, with the columns of ``FACT_SCHEMA``: ``id``; ``at``, milliseconds
        since 1970, UTC; ``precision`` (``ms``, ``s`` or ``day``); ``field``, null for the end of a deal; ``value``,
        the text that the store keeps; ``op``; ``who``; ``source``; ``key``, what the source calls the change;
        ``place``, which orders facts of one moment; and ``derived``: whether it depends on what stages mean, as what a
        close date is.
    openings
        Values that hold since the creation of a deal, where the source doesn't say when that was: columns as in
        ``frame``, with ``at`` null, and ``before``, the moment of the change that ended the value.
    rejects, rejects_file
        Rows that were left out, and the file that has them; None where there is none.
    read
        Rows of the source, those that were rejected among them.
    rejected
        Rejected rows by ``column: code``.
    new_fields
        Fields that the collection doesn't have and that the source says the type of, by name.
    outcomes
        What the source, or the table of stages, says of stages: won, lost or open.
    unknown_stages
        Different ids of stages that have no label, where stages are ids or a table of them was given.
    ties
        Facts of one deal, field and moment that differ, and that only their place in the source orders.
    imprecise
        Facts of which only the day is known.
    suspect
        Deals of which the source may not have all changes.
    ignored
        Rows that say nothing of a field.
    repeated
        Facts that the source has more than once; they are in ``frame`` once.
    formats
        Names of the forms that were found.
    notes
        What else was found, for people.
    """

    frame: pl.DataFrame
    openings: pl.DataFrame
    rejects: tuple[Reject, ...]
    rejects_file: Path | None
    read: int
    rejected: Mapping[str, int]
    new_fields: Mapping[str, Field]
    outcomes: Mapping[str, Collection[Kind]]
    unknown_stages: int
    ties: int
    imprecise: int
    suspect: int
    ignored: int
    repeated: int
    formats: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return (
            f"FactsRead(formats={', '.join(self.formats)}, read={self.read}, facts={self.frame.height}, "
            f"rejected={sum(self.rejected.values())}, ties={self.ties}, imprecise={self.imprecise})"
        )
