"""Running ways of doing the same thing in turn, and what came out of it."""

from __future__ import annotations

import gc
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

# does one thing once and returns the seconds of the part that counts
Run = Callable[[], float]


def timed(action: Callable[[], object]) -> float:
    """Seconds of wall time."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turn(runs: Mapping[str, Run], repeats: int, *, warm: bool = False) -> dict[str, list[float]]:
    """
    Seconds of each way, in each round.

    A round runs every way once, and begins with another way each time: whatever else the machine does meanwhile
    falls on all of them, and none always follows the same one.
    """
    order = deque(runs)
    if warm:
        for run in runs.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    # what is there now stays: looking through it again and again would take longer than what is measured
    gc.collect()
    gc.freeze()
    try:
        for _ in range(repeats):
            for name in order:
                # no way pays for the garbage of the one before
                gc.collect()
                seconds[name].append(runs[name]())
            order.rotate(-1)
    finally:
        gc.unfreeze()
    return seconds


@dataclass(frozen=True, slots=True)
class Way:
    """
    One way of doing a thing, measured.

    Attributes
    ----------
    unit
        Of the values, such as ``deals/s`` or ``ms``.
    more
        Whether more of it is better.
    note
        What a reader has to know to read the values right.
    """

    name: str
    unit: str
    values: list[float]
    more: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.values)


@dataclass(frozen=True, slots=True)
class Line:
    """
    One figure: a way of ours against another one, or (``theirs`` is None) a value of ours as it is.

    Attributes
    ----------
    sense
        ``speed``: how many times as fast we are; ``cost``: our time or memory as a multiple of theirs;
        ``value``: the value itself.
    ratios
        One for each round, from the values of that round.
    budget
        Name of the budget in ``budgets.BUDGETS``, empty for none.
    """

    what: str
    ours: str
    theirs: str | None
    sense: str
    ratios: list[float]
    budget: str = ""
    unit: str = ""


@dataclass(slots=True)
class Figure:
    """What one figure at one size came to; a file of its own in the results."""

    name: str
    n: int
    ways: list[Way] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    took_s: float = 0.0
    machine: dict[str, str] = field(default_factory=dict)

    def times(self, seconds: Mapping[str, Sequence[float]], **notes: str) -> None:
        """Add ways that took so many seconds, in ms."""
        for name, values in seconds.items():
            self.ways.append(Way(name, "ms", [1e3 * s for s in values], note=notes.get(name, "")))

    def rates(
        self, seconds: Mapping[str, Sequence[float]], counts: Mapping[str, int], unit: str
    ) -> None:
        """Add ways that got through so many things in those seconds."""
        most = max(counts.values(), default=0)
        for name, values in seconds.items():
            count = counts[name]
            note = f"measured on {count:,}" if count < most else ""
            self.ways.append(Way(name, unit, [count / s for s in values], more=True, note=note))

    def way(self, name: str) -> Way | None:
        return next((way for way in self.ways if way.name == name), None)

    def compare(self, what: str, ours: str, theirs: str, sense: str, budget: str = "") -> None:
        """Add a line of two ways that were measured; without the peer there is none."""
        mine, other = self.way(ours), self.way(theirs)
        if mine is None or other is None:
            return
        ratios = [a / b for a, b in zip(mine.values, other.values, strict=False)]
        if (sense == "speed") != mine.more:
            ratios = [1 / ratio for ratio in ratios]
        self.lines.append(Line(what, ours, theirs, sense, ratios, budget))

    def value(self, what: str, ours: str, budget: str = "") -> None:
        """Add a line with a value of ours as it is."""
        way = self.way(ours)
        if way is not None:
            self.lines.append(Line(what, ours, None, "value", way.values, budget, way.unit))

    def save(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}-{self.n}.json"
        path.write_text(json.dumps(_rounded(asdict(self)), indent=1, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> Figure:
        data = json.loads(path.read_text())
        data["ways"] = [Way(**way) for way in data["ways"]]
        data["lines"] = [Line(**line) for line in data["lines"]]
        return cls(**data)


def _rounded(value: Any) -> Any:
    """Six digits are more than any clock is good for."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
