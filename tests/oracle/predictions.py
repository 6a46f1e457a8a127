"""Brute force of what predictions count exactly: errors of forecasts, chances of stages, calibration."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from oracle.past import DAY_MS, OPEN, WON, Life, World, day_of, midnight, within
from oracle.sums import ZERO, money, ratio
from oracle.tables import Answer, group_at, in_order, keys_of, labels
from oracle.windows import month, next_month


class Part(NamedTuple):
    """A deal in a forecast, or in what came of it."""

    life: Life
    at: int
    figure: str
    worth: dict[str, Decimal]

    @property
    def amount(self) -> Decimal:
        return self.life.at("amount", self.at) or ZERO


def _won_in(world: World, first: date, until: date, t: int) -> list[Life]:
    lives = [life for life in world.kept() if life.alive(t) and world.kind_at(life, t) == WON]
    return [life for life in lives if within(life.at("closed", t), first, until)]


def _forecast(world: World, first: date, until: date, t: int) -> list[Part]:
    parts = []
    for life in _won_in(world, first, until, t):
        amount = life.at("amount", t) or ZERO
        parts.append(Part(life, t, "won", dict.fromkeys(("base", "commit", "high"), amount)))
    for life in world.kept():
        if not life.alive(t) or world.kind_at(life, t) != OPEN:
            continue
        if within(life.at("expected_close", t), first, until):
            step = world.steps.get(life.at("stage", t) or "")
            amount, chance = life.at("amount", t) or ZERO, world.chance(life.state(t)) or ZERO
            commit = amount if step and step.category == "commit" else ZERO
            worth = {"base": amount * chance, "commit": commit, "high": amount}
            parts.append(Part(life, t, "open", worth))
    return parts


def forecast_error(world: World, *, days_before: list[int]) -> Answer:
    """Of months that are over, from that of the first fact on."""
    begin = min(life.begin for life in world.all)
    found: dict[tuple[date, int], list[Part]] = {}
    first = month(day_of(begin))
    while next_month(first) <= world.as_of + timedelta(days=1):
        until = next_month(first)
        final = _won_in(world, first, until, midnight(until))
        came = [
            Part(
                life,
                midnight(until),
                "actual",
                {"actual": life.at("amount", midnight(until)) or ZERO},
            )
            for life in final
        ]
        for days in days_before:
            t = midnight(until) - days * DAY_MS
            if t > begin:
                found[first, days] = [*came, *_forecast(world, first, until, t)]
        first = until
    every = [part for parts in found.values() for part in parts]
    keys = keys_of(world.by, ((part.life.at("currency", part.at), part.amount) for part in every))
    rows: list[dict[str, Any]] = []
    groups = in_order((group_at(part.life, keys, part.at) for part in every), keys)
    for group in groups if keys else [()]:
        for place in sorted(found, key=lambda each: (each[0], -each[1])):
            own = [part for part in found[place] if group_at(part.life, keys, part.at) == group]
            # without groups, a period in which nothing was due or won has its row
            if not own and keys:
                continue
            sums = {
                name: sum((part.worth.get(name, ZERO) for part in own), ZERO)
                for name in ("actual", "base", "commit", "high")
            }
            errors = {
                f"{name}_error": sums[name] - sums["actual"] for name in ("base", "commit", "high")
            }
            rows.append(
                {
                    **labels(keys, group),
                    "period": place[0],
                    "days_before": place[1],
                    **sums,
                    **errors,
                    "base_share": ratio(errors["base_error"], sums["actual"]),
                }
            )
    return Answer(rows)


def stage_chances(
    world: World, *, method: str, since: date | None = None, until: date | None = None
) -> Answer:
    """Won deals over closed ones, of those that first came into a stage in the window."""
    assert method == "closed"
    t = world.t
    closed = [life for life in world.kept() if life.alive(t) and world.kind_at(life, t) != OPEN]
    there: dict[str, list[Life]] = {name: [] for name in world.open_steps()}
    for life in closed:
        for name, lives in there.items():
            entered = [
                each.at
                for each in life.changes.get("stage", ())
                if each.at < t and each.value == name
            ]
            if entered and within(day_of(min(entered)), since, until):
                lives.append(life)
    answer = Answer([])
    groups = [group_at(life, world.by, t) for lives in there.values() for life in lives]
    for group in in_order(groups, world.by):
        for name, lives in there.items():
            own = [life for life in lives if group_at(life, world.by, t) == group]
            won = sum(world.kind_at(life, t) == WON for life in own)
            row = {**labels(world.by, group), "stage": name, "won": won, "n": len(own)}
            answer.rows.append(row | {"chance": ratio(won, len(own))})
            answer.lines.update((*labels(world.by, group).values(), name, life.id) for life in own)
    return answer


class Look(NamedTuple):
    """An open deal with a chance, and how it stood when the horizon was over."""

    life: Life
    at: int
    over: int
    chance: Decimal


def calibration(world: World, *, since: date, horizon_days: int) -> Answer:
    """Of moments a week apart."""
    looks, day, end = [], since, timedelta(days=horizon_days)
    while day + end <= world.as_of + timedelta(days=1):
        t = midnight(day)
        for life in world.kept():
            if not life.alive(t) or world.kind_at(life, t) != OPEN:
                continue
            chance = world.chance(life.state(t))
            if chance is not None:
                looks.append(Look(life, t, midnight(day + end), chance))
        day += timedelta(days=7)
    keys = keys_of(
        world.by,
        ((each.life.at("currency", each.at), each.life.at("amount", each.at)) for each in looks),
    )
    rows = []

    def ended(life: Life, t: int) -> str:
        return world.kind_at(life, t) if life.alive(t) else OPEN

    for group in in_order((group_at(each.life, keys, each.at) for each in looks), keys):
        own = [each for each in looks if group_at(each.life, keys, each.at) == group]
        for target in ("horizon", "eventually"):
            fates = {
                each: ended(each.life, each.over if target == "horizon" else world.t)
                for each in own
            }
            told = [each for each in own if target == "horizon" or fates[each] != OPEN]
            misses = [Fraction(each.chance) - (fates[each] == WON) for each in told]
            row: dict[str, Any] = {
                **labels(keys, group),
                "target": target,
                "n": len(told),
                "resolved_share": ratio(sum(fate != OPEN for fate in fates.values()), len(own)),
                "brier": ratio(sum(miss * miss for miss in misses), len(told)),
                "bias": ratio(sum(misses), len(told)),
                "base_rate": ratio(sum(fates[each] == WON for each in told), len(told)),
            }
            if target == "horizon":
                due = [
                    each
                    for each in own
                    if within(each.life.at("expected_close", each.at), None, day_of(each.over))
                ]
                row["expected"] = sum(
                    ((each.life.at("amount", each.at) or ZERO) * each.chance for each in due), ZERO
                )
                row["actual"] = money(
                    each.life.at("amount", each.over) for each in due if fates[each] == WON
                )
            rows.append(row)
    return Answer(rows)
