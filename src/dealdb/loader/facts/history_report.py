"""What a load of history did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReport:
    """
    What a load of history did, in numbers of facts unless it says otherwise.

    Attributes
    ----------
    read
        Rows that were read as facts, or rejected.
    new
        Written; of a dry run: would be.
    known
        Left out: the collection has them, or the source says them twice.
    rejected
        Left out because they can't be read; ``reasons`` says why.
    unknown_deals
        Deals that the collection never had.
    unknown_stages
        Stages that the pipeline did not have.
    ties
        Moments at which a field has several values, without a number that says which was later: the last row counts.
    imprecise
        With a day and no time: they count from the beginning of that day.
    reasons
        How many rows were rejected, by code.
    rejects_file
        Where rows that can't be read were written, with their lines and the reasons; None where there are none.

    Examples
    --------
    >>> HistoryReport(read=3, new=2, known=1).rejected
    0
    """

    read: int
    new: int
    known: int
    rejected: int = 0
    unknown_deals: int = 0
    unknown_stages: int = 0
    ties: int = 0
    imprecise: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    rejects_file: Path | None = None
