"""
Outcomes counted deal by deal in plain Python, for random histories: dicts, decimals and loops, no data frames.

A deal's life is replayed from its rows; each function gives what a metric should say, by group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from h1 import moment
from histories.written import Row

Group = tuple[Any, ...]
KINDS = {"Won": "won", "Lost": "lost"}
CHANCES = {"Lead": Decimal("0.10"), "Demo": Decimal("0.30"), "Offer": Decimal("0.60")}
_DAY = 24 * 60 * 60 * 1000
START = moment("2026-01-01")
_DAYS = ("2025-12-31", "2026-01-01", "2026-01-20", "2026-02-10", "2026-02-28", "2026-03-05", None)
_POOL: dict[str, Sequence[str | None]] = {
    "stage": ("Lead", "Demo", "Offer", "Won", "Won", "Lost", "Lost", "Odd", None),
    "amount": ("10.00", "-5.50", "0.00", "1000000.01", None),
    "owner": ("Ann", "Bob", None),
    "currency": ("EUR", "EUR", "EUR", "USD", None),
    "created": _DAYS,
    "closed": _DAYS,
    "expected_close": _DAYS,
    "loss_reason": ("Price", "price ", None),
}
_CHANGES = [
    *((name, value, "set") for name, values in _POOL.items() for value in values),
    (None, None, "delete"),
]
PERIODS: tuple[tuple[date | None, date | None], ...] = (
    (None, None),
    (date(2026, 1, 10), date(2026, 2, 20)),
    (date(2026, 2, 1), None),
)
# several tests of one history each: fewer examples of it
some = settings(max_examples=max(10, settings().max_examples // 4))
# a first fact, so that no moment that is asked for is before it
_FIRST: Row = ("Z", START, "stage", "Lead", "set")


def histories() -> st.SearchStrategy[list[Row]]:
    """Rows of a few deals within 80 days, several at one moment among them."""
    one = st.tuples(st.sampled_from("ABCDEF"), st.integers(0, 160), st.sampled_from(_CHANGES)).map(
        lambda drawn: (drawn[0], START + drawn[1] * _DAY // 2, *drawn[2])
    )
    return st.lists(one, min_size=5, max_size=60).map(lambda rows: [_FIRST, *rows])


def typed(name: str | None, value: str | None) -> Any:
    """A value as deals have it."""
    if value is None:
        return None
    if name == "amount":
        return Decimal(value)
    return date.fromisoformat(value) if name in ("created", "closed", "expected_close") else value


def day(at: int) -> date:
    """Day of a moment, UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).date()


@dataclass
class Life:
    """One life of a deal: its changes by field."""

    id: str
    begin: int
    end: int | None = None
    facts: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)

    def note(self, at: int, name: str, value: Any) -> None:
        known = self.facts.setdefault(name, [])
        if known and known[-1][0] == at:
            known.pop()
        if value != (known[-1][1] if known else None):
            known.append((at, value))

    def at(self, name: str, moment: int) -> Any:
        """The value just before a moment."""
        return next(
            (value for at, value in reversed(self.facts.get(name, [])) if at < moment), None
        )

    def alive(self, moment: int) -> bool:
        return self.begin < moment and (self.end is None or self.end >= moment)

    def closings(self, moment: int) -> list[tuple[int, str, Any]]:
        """Moment, outcome and stage before of each closing."""
        found, before, stood = [], None, None
        for at, stage in self.facts.get("stage", []):
            kind = KINDS.get(stage)
            if at < moment and kind and kind != before:
                found.append((at, kind, stood))
            before, stood = kind, stage
        return found


def replay(rows: Iterable[Row]) -> list[Life]:
    """Lives of the deals, the earliest first."""
    lives: list[Life] = []
    now: dict[str, Life] = {}
    for deal, at, name, value, op in sorted(rows, key=lambda row: row[1]):
        if op == "delete":
            if deal in now:
                now.pop(deal).end = at
            continue
        if deal not in now:
            now[deal] = Life(deal, at)
            lives.append(now[deal])
        if name is not None:
            now[deal].note(at, name, typed(name, value))
    return lives


@dataclass
class Line:
    """What one closing, or one deal, adds."""

    life: Life
    outcome: str | None
    at: int
    value: Decimal | None
    currency: str | None
    closed: date | None
    created: date | None
    before: Any = None
    group: Group = ()


def inside(day: date | None, since: date | None, until: date | None) -> bool:
    """Whether a day lies in a window; without one any does."""
    if since is None and until is None:
        return True
    return day is not None and (since is None or day >= since) and (until is None or day < until)


def closed(
    lives: Sequence[Life],
    moment: int,
    by: str | None,
    *,
    since: date | None = None,
    until: date | None = None,
    events: bool = False,
) -> list[Line]:
    """Deals that are closed at a moment, or all closings before it, with the groups of the closing."""
    found = []
    for life in lives:
        closings = life.closings(moment)
        state = KINDS.get(life.at("stage", moment)) if life.alive(moment) else None
        created = life.at("created", moment)
        for at, outcome, before in closings if events else closings[-1:] if state else []:
            when = at + 1 if events else moment
            shut = day(at) if events else life.at("closed", moment)
            amount, currency = life.at("amount", when), life.at("currency", when)
            line = Line(life, outcome, at, amount, currency, shut, created, before)
            line.group = (life.at(by, at + 1),) if by else ()
            if inside(shut, since, until):
                found.append(line)
    return found


def split(lines: Sequence[Line]) -> bool:
    """Whether the lines are in several currencies; if so, it becomes a part of their groups."""
    found = {line.currency for line in lines if line.value}
    mixed = len(found) > 1
    if mixed:
        for line in lines:
            line.group = (*line.group, line.currency)
    return mixed


def gathered(lines: Sequence[Line]) -> dict[Group, list[Line]]:
    """Lines by group."""
    found: dict[Group, list[Line]] = {}
    for line in lines:
        found.setdefault(line.group, []).append(line)
    return found


def total(lines: Iterable[Line], keep: Callable[[Line], bool] = lambda _: True) -> Decimal:
    """Sum of the values of some lines."""
    return sum((line.value for line in lines if keep(line) and line.value), Decimal("0.00"))


def median(numbers: Sequence[int]) -> float | None:
    """The median."""
    ordered, n = sorted(numbers), len(numbers)
    return (ordered[(n - 1) // 2] + ordered[n // 2]) / 2 if n else None


def shown(found: Any, by: Sequence[str], figures: Sequence[str]) -> dict[Group, Group]:
    """Figures of a result by group, "(none)" as None."""
    names = [name for name in (*by, "currency") if name in found.frame.columns]
    texts = {"owner", "currency", "key"}
    return {
        tuple(None if n in texts and row[n] == "(none)" else row[n] for n in names): tuple(
            row[each] for each in figures
        )
        for row in found
    }
