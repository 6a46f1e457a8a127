"""What the figures have to reach at 1,000,000 deals of 8 fields: at least, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass

# the size that the budgets are meant for
SIZE = 1_000_000


@dataclass(frozen=True, slots=True)
class Budget:
    """
    A bound and an aim.

    Attributes
    ----------
    most
        Whether the value has to stay below the bound, and not above it.
    any_size
        Whether it holds at every size.
    """

    least: float
    aim: float
    most: bool = False
    any_size: bool = False

    def holds(self, value: float) -> bool:
        return self._better(value, self.least)

    def reaches_aim(self, value: float) -> bool:
        return self._better(value, self.aim)

    def _better(self, value: float, bound: float) -> bool:
        return value <= bound if self.most else value >= bound


BUDGETS = {
    "load/raw": Budget(0.6, 0.9),
    "load/pipeline": Budget(1.5, 3),
    "load/search": Budget(3, 5),
    "load/om": Budget(12, 20),
    "first_finds": Budget(1.5, 1.2, most=True, any_size=True),
    "words/bytes": Budget(80, 70, most=True),
    "words/changed": Budget(50, 40, most=True),
    "group/search": Budget(10, 20),
    "filter/search": Budget(4, 8),
    "group/plain": Budget(1.5, 1.1, most=True),
    "sql/isolated": Budget(1.3, 1.1, most=True),
    "save": Budget(1.8, 1.3, most=True),
    "get": Budget(1.5, 1.1, most=True),
    "catch_up": Budget(100_000, 400_000),
    "cold_start": Budget(4, 2, most=True),
    "deal_history": Budget(10, 5, most=True, any_size=True),
    "deal_history/first": Budget(40, 30, most=True, any_size=True),
    "history/duckdb": Budget(1.0, 0.5, most=True),
    "history/ms": Budget(1000, 500, most=True),
    "memory": Budget(1.15, 1.05, most=True),
    "loader_rss": Budget(600, 600, most=True),
    "blocked": Budget(5, 5, most=True, any_size=True),
    "board/paint": Budget(300, 300, most=True, any_size=True),
    "board/paint/many": Budget(600, 600, most=True, any_size=True),
    "board/commit": Budget(150, 150, most=True, any_size=True),
    "board/html": Budget(70, 70, most=True, any_size=True),
    "board/gzip": Budget(12, 12, most=True, any_size=True),
    "board/assets": Budget(80, 80, most=True, any_size=True),
    "board/cpu": Budget(15, 15, most=True, any_size=True),
    "board/growth": Budget(10, 1, most=True, any_size=True),
    "cli/help": Budget(0.6, 0.4, most=True),
    "cli/get": Budget(0.9, 0.6, most=True),
    "cli/find": Budget(1.4, 1.1, most=True),
    "growth/linear": Budget(1.1, 1.0, most=True, any_size=True),
    "growth/flat": Budget(0.1, 0.05, most=True, any_size=True),
}
