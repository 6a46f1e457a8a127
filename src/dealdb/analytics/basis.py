"""What the figures of a result rest on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

# what Basis.currency says when deals are in several
MIXED = "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """
    What the figures of a result rest on.

    Attributes
    ----------
    n
        Deals in the base set of the metric, over all rows.
    since, until
        Window on the closing date (of a trend also on the creation date), from ``since`` to the day before
        ``until``; None is unbounded.
    as_of
        Day on which open deals are judged (age, rotting, overdue); None where the metric has no such day.
    currency
        The one currency of the amounts; ``"mixed"`` for several, each with rows of its own; None where deals name
        none or the metric has no money in it.
    warnings
        What to know before believing the figures: deals left out, and ratios that mean little.
    notes
        How the figures were asked for, where there are several ways; and sentences on what is not known but assumed.

    Examples
    --------
    >>> Basis(n=3, since=date(2026, 1, 1), currency="EUR").describe()
    'n 3, from 2026-01-01, currency EUR'
    """

    n: int
    since: date | None = None
    until: date | None = None
    as_of: date | None = None
    currency: str | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """The basis on one line, without its warnings and what is said of it in sentences."""
        parts = [f"n {self.n:,}"]
        if self.since or self.until:
            bounds = (("from", self.since), ("before", self.until))
            parts.append(" ".join(f"{word} {day}" for word, day in bounds if day))
        if self.as_of:
            parts.append(f"as of {self.as_of}")
        if self.currency:
            parts.append(f"currency {self.currency}")
        parts += [note for note in self.notes if not note.endswith(".")]
        return ", ".join(parts)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the notes say in whole sentences."""
        return tuple(note for note in self.notes if note.endswith("."))
