"""The ground of the brute force: lives of deals, and what was so of them at a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

DAY_MS = 86_400_000
State = dict[str, Any]
OPEN, WON, LOST = "open", "won", "lost"


class Row(NamedTuple):
    """A fact as it is recorded; a value of None clears, ``delete`` has no field."""

    id: str
    at: int
    field: str | None
    value: Any
    op: str = "set"
    seq: int = 0


class Step(NamedTuple):
    """A stage of a pipeline."""

    name: str
    kind: str
    chance: Decimal | None = None
    rot_days: int | None = None
    category: str | None = None


class Change(NamedTuple):
    """A field has another value from a moment on."""

    at: int
    value: Any
    seq: int


def day_of(moment: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)).date()


def midnight(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_MS


def within(day: date | None, since: date | None, until: date | None) -> bool:
    """Whether a day lies in a window, whose end is outside."""
    return day is not None and (since is None or day >= since) and (until is None or day < until)


@dataclass(eq=False)
class Life:
    """A deal from its first fact to its deletion."""

    id: str
    begin: int
    end: int | None = None
    changes: dict[str, list[Change]] = field(default_factory=dict)

    def alive(self, t: int) -> bool:
        return self.begin < t and (self.end is None or self.end >= t)

    def at(self, name: str, t: int) -> Any:
        """The value just before a moment."""
        if name == "id":
            return self.id
        found = [each.value for each in self.changes.get(name, ()) if each.at < t]
        return found[-1] if found else None

    def state(self, t: int) -> dict[str, Any]:
        """All values just before a moment."""
        return {name: self.at(name, t) for name in (*self.changes, "id")}

    def moments(self) -> list[int]:
        """When anything changed, the first fact and the deletion among them."""
        found = {each.at for changes in self.changes.values() for each in changes}
        return sorted(found | {self.begin} | ({self.end} if self.end is not None else set()))

    def before(self, name: str, change: Change) -> Any:
        """What a change replaced."""
        return self.at(name, change.at)


def lives_of(rows: Iterable[Row]) -> list[Life]:
    """Lives of all deals: a fact after a deletion begins another."""
    by_id: dict[str, list[Row]] = {}
    for row in rows:
        by_id.setdefault(row.id, []).append(row)
    found: list[Life] = []
    for name in sorted(by_id):
        life: Life | None = None
        for row in sorted(by_id[name], key=lambda row: (row.at, row.seq)):
            if row.op in ("delete", "merge"):
                if life is not None:
                    life.end = row.at
                life = None
                continue
            if life is None:
                life = Life(name, row.at)
                found.append(life)
            if row.field is not None:
                life.changes.setdefault(row.field, []).append(Change(row.at, row.value, row.seq))
    for life in found:
        life.changes = {name: _without_repeats(each) for name, each in life.changes.items()}
    return found


def _without_repeats(changes: list[Change]) -> list[Change]:
    """The last of each moment, where it says something new."""
    last = [
        each
        for place, each in enumerate(changes)
        if place + 1 == len(changes) or changes[place + 1].at != each.at
    ]
    kept: list[Change] = []
    for each in last:
        if each.value != (kept[-1].value if kept else None):
            kept.append(each)
    return kept


@dataclass(eq=False, kw_only=True)
class World:
    """A history as a metric looks at it: up to a day, filtered, in groups."""

    rows: Sequence[Row]
    pipeline: Sequence[Step]
    as_of: date
    by: Sequence[str] = ()
    where: Callable[[dict[str, Any]], bool | None] | None = None
    # who made the commit of a seq
    actors: dict[int, str] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.t = midnight(self.as_of) + DAY_MS
        self.all = lives_of(self.rows)
        self.steps = {step.name: step for step in self.pipeline}
        self.place = {step.name: place for place, step in enumerate(self.pipeline)}

    def kept(self, t: int | None = None) -> list[Life]:
        """Lives that had begun before a moment and that the filter keeps by their last values before it."""
        t = self.t if t is None else t
        begun = [life for life in self.all if life.begin < t]
        return [life for life in begun if self.where is None or self.where(life.state(t)) is True]

    def kind(self, stage: str | None) -> str:
        """Without a stage, or in one that the pipeline lacks, a deal is open."""
        return self.steps[stage].kind if stage in self.steps else OPEN

    def kind_at(self, life: Life, t: int) -> str:
        return self.kind(life.at("stage", t))

    def open_steps(self) -> list[str]:
        return [step.name for step in self.pipeline if step.kind == OPEN]

    def later(self, stage: str | None, than: str) -> bool:
        """Whether a stage stands after another in the pipeline."""
        place = self.place
        return stage in place and than in place and place[stage or ""] > place[than]

    def chance(self, state: dict[str, Any]) -> Decimal | None:
        """The deal's own where it has one, else that of its stage; one outside 0 to 1 is of no use."""
        own: Decimal | None = state.get("probability")
        if own is not None:
            return own if 0 <= own <= 1 else None
        step = self.steps.get(state.get("stage") or "")
        return step.chance if step else None


class Deal:
    """All lives of one id: at a moment it is what the latest of them says."""

    def __init__(self, id: str, lives: list[Life]) -> None:
        self.id, self.lives = id, lives

    def alive(self, t: int) -> bool:
        return any(life.alive(t) for life in self.lives)

    def state(self, t: int) -> State:
        begun = [life for life in self.lives if life.begin < t]
        return begun[-1].state(t) if begun else {}

    def moments(self) -> list[int]:
        return sorted({at for life in self.lives for at in life.moments()})


def deals_of(world: World, t: int) -> list[Deal]:
    """Deals that there were before a moment, as a whole: the filter looks at their last values."""
    by_id: dict[str, list[Life]] = {}
    for life in world.all:
        by_id.setdefault(life.id, []).append(life)
    deals = [Deal(id, lives) for id, lives in by_id.items() if lives[0].begin < t]
    return [deal for deal in deals if world.where is None or world.where(deal.state(t)) is True]
