"""Made histories: deals that follow a known truth, told as plain facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import TypeAlias

import polars as pl

from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded
from histories.truth import LOST, WON, StageTruth, Truth

# id, moment in milliseconds, field, value, op
Row: TypeAlias = tuple[str, int, str | None, str | None, str]

_DAY = 86_400_000
_CENT = Decimal("0.01")
_ROWS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "at": pl.Int64(),
    "field": pl.String(),
    "value": pl.String(),
    "op": pl.String(),
}


@dataclass(frozen=True)
class History:
    """The facts of a made history, what it was made of, and what would have come after the last one."""

    rows: pl.DataFrame
    truth: Truth
    # when each deal closes for the last time, and how, also beyond what was watched: (moment, stage)
    closings: dict[str, tuple[int, str]]
    amounts: dict[str, Decimal]
    begins: dict[str, int]

    @property
    def until(self) -> int:
        """The moment until which it was watched."""
        return _moment(self.truth, self.truth.watched)

    @property
    def facts(self) -> Facts:
        """The rows as facts."""
        return folded(self.rows, Schema.standard(), self.truth.pipeline)


def histories(n: int, seed: int, *, truth: Truth) -> History:
    """A history of ``n`` deals; one seed gives the same rows on every machine."""
    random = Random(seed)
    made = [_Deal(f"d{number}", truth, random) for number in range(n)]
    rows = [row for deal in made for row in deal.rows() if row[1] < _moment(truth, truth.watched)]
    merged = _merges(made, truth, random)
    ends = {deal: row[1] for row in merged for deal in [row[0]]}
    kept = [row for row in rows if row[0] not in ends or row[1] < ends[row[0]]]
    frame = pl.DataFrame([*kept, *merged], schema=_ROWS, orient="row")
    return History(
        rows=frame,
        truth=truth,
        closings={deal.id: deal.closing for deal in made if deal.closing},
        amounts={deal.id: deal.amount for deal in made},
        begins={deal.id: deal.begin for deal in made},
    )


class _Deal:
    def __init__(self, name: str, truth: Truth, random: Random) -> None:
        self.id = name
        self._truth, self._random = truth, random
        self.closing: tuple[int, str] | None = None
        self.amount = Decimal(str(truth.amount.draw(random))).quantize(_CENT)
        self.owner = random.choice(sorted(truth.owners))
        self.begin = _begin(truth, random)
        # all of it is drawn, so that what is told of one deal doesn't depend on how long others were watched
        self._rows = list(self._life())

    def rows(self) -> list[Row]:
        return self._rows

    def _life(self) -> Iterator[Row]:
        truth, random = self._truth, self._random
        at, due = self.begin, 30 + random.random() * 60
        created = _day(at) if random.random() >= truth.dirty else _day(at + 400 * _DAY)
        first = {
            "created": created,
            "currency": random.choice(truth.currencies),
            "owner": self.owner,
            "amount": str(self.amount),
            "expected_close": _day(at + int(due * _DAY)),
        }
        yield from self._told(at, first)
        stage = _drawn(truth.starts, random)
        yield self._row(at, "stage", stage)
        expected = at + int(due * _DAY)
        for _ in range(200):
            here = truth.stage(stage)
            goal = _drawn(_ways(here, truth.owners[self.owner]), random)
            # no two facts of a deal at one moment: order alone would tell them apart
            lasts = max(1, int(here.law_to(goal).draw(random) * _DAY))
            if random.random() < truth.push[0]:
                expected += int((1 + random.random() * truth.push[1]) * _DAY)
                yield self._row(at + lasts // 2, "expected_close", _day(expected))
            if random.random() < truth.delete:
                yield self._row(at + max(1, lasts // 2), None, None, "delete")
                self.closing = None
                return
            at += lasts
            stage = goal
            yield from self._moved(at, stage)
            if stage not in (WON, LOST):
                continue
            self.closing = at, stage
            if random.random() >= truth.reopen:
                return
            at += int((1 + random.random() * 20) * _DAY)
            stage = truth.stages[0].name
            yield from self._told(at, {"stage": stage, "closed": None})
            self.closing = None

    def _moved(self, at: int, stage: str) -> Iterator[Row]:
        truth, random = self._truth, self._random
        yield self._row(at, "stage", stage)
        if truth.drift or truth.drift_spread:
            change = Decimal(
                str(
                    2.718281828459045
                    ** (truth.drift + truth.drift_spread * (2 * random.random() - 1))
                )
            )
            self.amount = (self.amount * change).quantize(_CENT)
            yield self._row(at, "amount", str(self.amount))
        if stage in (WON, LOST):
            yield self._row(at, "closed", _day(at))

    def _told(self, at: int, values: Mapping[str, str | None]) -> Iterator[Row]:
        return (self._row(at, name, value) for name, value in values.items())

    def _row(self, at: int, name: str | None, value: str | None, op: str = "set") -> Row:
        return self.id, at, name, value, op


def _ways(stage: StageTruth, factor: float) -> Mapping[str, float]:
    """Ways out of a stage for an owner whose odds to win are so many times the usual ones."""
    won = stage.ways.get(WON, 0.0)
    if factor == 1.0 or not won:
        return stage.ways
    odds = factor * won / (1 - won) if won < 1 else 1.0
    better = odds / (1 + odds) if won < 1 else 1.0
    rest = (1 - better) / (1 - won) if won < 1 else 0.0
    return {name: better if name == WON else chance * rest for name, chance in stage.ways.items()}


def _drawn(chances: Mapping[str, float], random: Random) -> str:
    left = random.random()
    for name, chance in chances.items():
        left -= chance
        if left < 0:
            return name
    return list(chances)[-1]


def _begin(truth: Truth, random: Random) -> int:
    most = max(truth.months)
    while True:
        at = _moment(truth, random.random() * truth.days)
        month = datetime.fromtimestamp(at / 1000, UTC).month
        if random.random() * most < truth.months[month - 1]:
            return at


def _merges(made: list[_Deal], truth: Truth, random: Random) -> list[Row]:
    found: list[Row] = []
    for deal, survivor in pairwise(made):
        if random.random() < truth.merge:
            at = max(deal.begin, survivor.begin) + int(random.random() * 20 * _DAY) + 1
            if at < _moment(truth, truth.watched) and all(row[4] == "set" for row in deal.rows()):
                found.append((deal.id, at, None, survivor.id, "merge"))
    return found


def _moment(truth: Truth, days: float) -> int:
    start = datetime.combine(truth.start, datetime.min.time(), UTC)
    return int((start + timedelta(days=days)).timestamp() * 1000)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
