"""What a load did, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dealdb.loader.chunk import SUMMARY_ROW
from dealdb.model.notebook import facts_html
from dealdb.model.pipeline import Pipeline

# beside the rows that were read
_COUNTS = (
    "inserted",
    "updated",
    "unchanged",
    "skipped",
    "rejected",
    "deleted",
    "duplicates",
    "resumed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    How far a load is, or a backup or a restore.

    Attributes
    ----------
    phase
        ``"reading"`` while a pipe is copied, or text is looked at for its encoding; ``"checking"`` while the columns
        are decided, ``"loading"`` while rows are written. Of a backup and a restore, what is being done.
    rows
        Rows done in this phase.
    rows_total
        Rows of the source, or None where nobody knows.
    bytes_done, bytes_total
        Bytes of the source done and in all, or None where it isn't a text file. While rows are written, those of
        the rows that the server has acknowledged.
    rate
        Rows a second in this phase (bytes a second while reading); rows that an earlier run had written don't count.
        0 before the first.
    seconds_left
        What the rest of the phase takes at this rate, or None where nobody knows.
    unit
        What ``rows`` counts; rows in a load.
    """

    phase: str
    rows: int
    rows_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    rate: float = 0.0
    seconds_left: float | None = None
    unit: str = "rows"

    @property
    def share(self) -> float | None:
        """Part of the phase that is done, 0 to 1, or None where nobody knows."""
        done, total = self.bytes_done, self.bytes_total
        if done is None or total is None:
            done, total = self.rows, self.rows_total
        return min(done / total, 1.0) if total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedColumn:
    """
    What became of one column.

    Attributes
    ----------
    header
        Its name in the source.
    field
        Field that it was loaded as; None where it was left out.
        ``close_date`` was split into ``closed`` and ``expected_close``.
    type
        Type of that field as people write it; empty where no cell had a value, so that nothing was declared.
    is_empty
        Whether no cell had a value, whatever the type of the field.
    """

    header: str
    field: str | None
    type: str
    is_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """
    What a load did. ``read`` is always ``inserted + updated + unchanged + skipped + rejected``.

    Attributes
    ----------
    source, format
        What was read: a path, ``stdin``, ``frame`` or ``rows``; and as what.
    read
        Rows in the source.
    inserted, updated, unchanged
        Rows that made a deal, changed one, or found it as it is.
    skipped
        Rows of deals that exist, left alone by ``on_conflict="skip"``.
    rejected
        Rows that can't be loaded.
    resumed
        Rows of these that an earlier run had written, which this one continued.
    duplicates
        Loaded rows whose id had already occurred in the source; they were applied in order.
    repeated
        The first of these ids, each with the lines where it occurs, five at most; empty for what can be read once only.
    deleted
        Deals that the source didn't have, deleted by ``delete_missing``.
    seconds
        Time from first to last.
    columns
        What became of each column.
    pipeline
        Stages of the collection after the load.
    new_stages
        Stages that this load met for the first time.
    notes
        What was detected: encoding, delimiter, order of dates, scale of probabilities ...
    rests_on
        What the figures will rest on: the column that each field of theirs was read from, a line each.
    warnings
        What no column of new deals says, so that figures will lack it, each with what to do; ``strict`` refuses these.
    reasons
        Rejected rows by column and code.
    bad_cells
        Cells that were left out of rows that were loaded, by header; see ``bad_cells="null"``.
    decided
        The order of dates and the decimal point that cells showed, by the options that say so.
    rejects
        File with the rejected rows, or None where none was written.
    dry_run
        Whether nothing was written, and the report is what would have happened.

    Examples
    --------
    >>> LoadReport(source="deals.csv", format="csv", read=3, inserted=2, rejected=1)
    LoadReport(source='deals.csv', read=3, inserted=2, updated=0, unchanged=0, rejected=1)
    """

    source: str
    format: str
    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0
    resumed: int = 0
    duplicates: int = 0
    deleted: int = 0
    repeated: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seconds: float = 0.0
    columns: tuple[MappedColumn, ...] = ()
    pipeline: Pipeline = field(default_factory=Pipeline)
    new_stages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    bad_cells: Mapping[str, int] = field(default_factory=dict)
    decided: Mapping[str, str] = field(default_factory=dict)
    rejects: Path | None = None
    dry_run: bool = False

    @property
    def rate(self) -> float:
        """Rows a second."""
        return (self.read - self.resumed) / self.seconds if self.seconds else 0.0

    @property
    def mistakes(self) -> int:
        """Rejected rows, but for totals, titles and lines of text (``summary-row``), which are no deals at all."""
        others = (n for reason, n in self.reasons.items() if reason.endswith(SUMMARY_ROW))
        return self.rejected - sum(others)

    @property
    def mapping(self) -> dict[str, str | None]:
        """Field by header."""
        return {column.header: column.field for column in self.columns}

    def __repr__(self) -> str:
        always = ("read", "inserted", "updated", "unchanged", "rejected")
        counts = (
            *always,
            *(name for name in ("skipped", "deleted", "resumed", "dry_run") if getattr(self, name)),
        )
        shown = "".join(f", {name}={getattr(self, name)}" for name in counts)
        return f"LoadReport(source={self.source!r}{shown})"

    def _repr_html_(self) -> str:
        counts = {name: getattr(self, name) for name in _COUNTS if getattr(self, name)}
        notes = [*(f"warning: {warning}" for warning in self.warnings), *self.rests_on, *self.notes]
        title = f"{'dry run of ' if self.dry_run else ''}{self.source}"
        return facts_html(title, {"read": self.read, **counts, "reasons": self.reasons}, notes)
