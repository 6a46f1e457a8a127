"""Brute force: funnel, time in stage, ageing, rotting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from oracle.past import DAY_MS, OPEN, WON, Life, World, day_of, midnight, within
from oracle.sums import ZERO, blanks, mean, median, money, nearest_rank, ratio
from oracle.tables import Answer, group_at, in_order, keys_of, labels


def _stood_in(life: Life, t: int) -> list[str]:
    """Stages in the order in which they were entered; None where the stage was cleared."""
    return [each.value for each in life.changes.get("stage", ()) if each.at < t]


def _cohort_day(life: Life, cohort: str, t: int) -> date | None:
    if cohort == "created":
        found: date | None = life.at("created", t)
        return found
    stage = cohort.removeprefix("entered:")
    for each in life.changes.get("stage", ()):
        if each.value == stage and each.at < t:
            return day_of(each.at)
    return None


def _counts_in(world: World, life: Life, mode: str) -> list[str]:
    """Steps of the funnel that a deal counts in."""
    stood, names = _stood_in(life, world.t), world.open_steps()
    is_won = world.kind_at(life, world.t) == WON
    if mode == "reached":
        reached = [names.index(stage) + 1 for stage in stood if stage in names]
        far = max(reached, default=0)
        if any(world.kind(stage) == WON for stage in stood):
            far = len(names)
        return names[:far] + ["won"] * is_won
    if mode == "any":
        return [name for name in names if name in stood] + ["won"] * is_won
    passed = 0
    for stage in stood:
        if passed < len(names) and stage == names[passed]:
            passed += 1
    return names[:passed] + ["won"] * (is_won and passed == len(names))


def funnel(
    world: World,
    *,
    since: date | None = None,
    until: date | None = None,
    mode: str = "reached",
    cohort: str = "created",
) -> Answer:
    t = world.t
    base = [
        life
        for life in world.kept()
        if within(_cohort_day(life, cohort, t), since, until) and life.alive(t)
    ]
    steps = {life: _counts_in(world, life, mode) for life in base}
    base = [life for life in base if steps[life]]
    keys = keys_of(world.by, ((life.at("currency", t), life.at("amount", t)) for life in base))
    answer = Answer([])
    for group in in_order((group_at(life, keys, t) for life in base), keys):
        members = [life for life in base if group_at(life, keys, t) == group]
        rows: list[dict[str, Any]] = []
        for name in [*world.open_steps(), "won"]:
            here = [life for life in members if name in steps[life]]
            amounts = [life.at("amount", t) for life in here]
            ends = [world.kind_at(life, t) for life in here if steps[life][-1] == name]
            rows.append(
                {
                    **labels(keys, group),
                    "stage": name,
                    "n": len(here),
                    "open": ends.count("open"),
                    "lost": ends.count("lost"),
                    "value": money(amounts),
                    "blank": blanks(amounts),
                }
            )
            answer.lines.update((*labels(keys, group).values(), name, life.id) for life in here)
        for row, after in zip(rows, [*rows[1:], None], strict=True):
            row["next"] = ratio(after["n"], row["n"]) if after else None
            row["cumulative"] = ratio(row["n"], rows[0]["n"])
        answer.rows += rows
    return answer


class Visit(NamedTuple):
    """A stay of a deal in a stage."""

    life: Life
    stage: str
    came_from: str | None
    entered: int
    left: int | None
    how: str


def visits_of(life: Life, t: int) -> list[Visit]:
    found, before = [], None
    changes = [each for each in life.changes.get("stage", ()) if each.at < t]
    for place, each in enumerate(changes):
        if place + 1 < len(changes):
            left, how = changes[place + 1].at, "exited"
        elif life.end is not None and life.end < t:
            left, how = life.end, "deleted"
        else:
            left, how = None, "open"
        if each.value is not None:
            found.append(Visit(life, each.value, before, each.at, left, how))
        before = each.value
    return found


def time_in_stage(
    world: World,
    *,
    since: date | None = None,
    until: date | None = None,
    unit: str = "deal",
    closed: bool = False,
) -> Answer:
    t, keys = world.t, list(world.by)
    first = midnight(since) if since else None
    last = min(midnight(until), t) if until else t

    def inside(moment: int | None) -> bool:
        return moment is not None and (first is None or moment >= first) and moment < last

    visits = [visit for life in world.kept() for visit in visits_of(life, t)]
    names = world.open_steps()
    if closed:
        names += [step.name for step in world.pipeline if step.kind != OPEN]
    visits = [visit for visit in visits if visit.stage in names]
    # group, stage -> what happened there
    sums: dict[tuple[tuple[Any, ...], str], list[tuple[Life, int]]] = {}
    opened: dict[tuple[tuple[Any, ...], str], list[int]] = {}
    deleted: Counter[tuple[tuple[Any, ...], str]] = Counter()
    backward: Counter[tuple[tuple[Any, ...], str]] = Counter()

    def group(life: Life, moment: int) -> tuple[Any, ...]:
        """What was so once the moment had passed."""
        return group_at(life, keys, moment + 1)

    per: dict[tuple[Life, str], list[Visit]] = {}
    for visit in visits:
        per.setdefault((visit.life, visit.stage), []).append(visit)
        if visit.how == "open":
            key = group_at(visit.life, keys, t), visit.stage
            opened.setdefault(key, []).append(t - visit.entered)
        if visit.how == "deleted" and inside(visit.left):
            deleted[group(visit.life, visit.left or 0), visit.stage] += 1
        if inside(visit.entered) and world.later(visit.came_from, visit.stage):
            # a visit is of the group that it ended in, its entry as well
            end = t - 1 if visit.left is None else visit.left
            backward[group(visit.life, end), visit.stage] += 1
        if unit == "visit" and visit.how == "exited" and inside(visit.left):
            key = group(visit.life, visit.left or 0), visit.stage
            sums.setdefault(key, []).append((visit.life, (visit.left or 0) - visit.entered))
    if unit == "deal":
        for (life, stage), own in per.items():
            ended = [visit for visit in own if visit.how == "exited" and inside(visit.left)]
            if ended and all(visit.how == "exited" for visit in own):
                total = sum((visit.left or 0) - visit.entered for visit in ended)
                sums.setdefault((group(life, ended[-1].left or 0), stage), []).append((life, total))
    answer = Answer([])
    found = {key[0] for table in (sums, opened, deleted, backward) for key in table}
    for each in in_order(found, keys):
        for name in names:
            here = sums.get((each, name), [])
            spans, stand = [span for _, span in here], opened.get((each, name), [])
            rank = nearest_rank(spans, Fraction(9, 10))
            answer.rows.append(
                {
                    **labels(keys, each),
                    "stage": name,
                    "n": len(spans),
                    "deals": len({life for life, _ in here}),
                    "mean_days": mean(spans, DAY_MS),
                    "median_days": median(spans, DAY_MS),
                    "p90_days": None if rank is None else float(Fraction(rank, DAY_MS)),
                    "total_days": float(Fraction(sum(spans), DAY_MS)),
                    "open_n": len(stand),
                    "open_mean_days": mean(stand, DAY_MS),
                    "open_median_days": median(stand, DAY_MS),
                    "deleted": deleted[each, name],
                    "backward": backward[each, name],
                }
            )
            answer.lines.update((*labels(keys, each).values(), name, life.id) for life, _ in here)
    return answer


def _days(begin: date | None, end: date | None, calendar: str) -> int | None:
    """Whole days from one to the other; of weekdays those after the first one."""
    if begin is None or end is None or begin > end:
        return None
    if calendar == "days":
        return (end - begin).days
    days = (begin + timedelta(days=n + 1) for n in range((end - begin).days))
    return sum(day.weekday() < 5 for day in days)


def _last_update(world: World, life: Life, ignored: Sequence[str] = ()) -> date | None:
    moments = [
        each.at
        for changes in life.changes.values()
        for each in changes
        if each.at < world.t and world.actors.get(each.seq) not in ignored
    ]
    if not ignored:
        # a deal may have come into being without a value in any field
        moments.append(life.begin)
    return day_of(max(moments)) if moments else None


def _basis_day(world: World, life: Life, basis: str, ignored: Sequence[str] = ()) -> date | None:
    if basis == "created":
        found: date | None = life.at("created", world.t)
        return found
    if basis == "update":
        return _last_update(world, life, ignored)
    stands = [visit for visit in visits_of(life, world.t) if visit.how == "open"]
    return day_of(stands[0].entered) if stands else None


def ageing(
    world: World,
    *,
    basis: str = "stage",
    buckets: Sequence[int] = (7, 14, 30, 60),
    calendar: str = "days",
    visits: bool = False,
) -> Answer:
    t, day = world.t, world.as_of
    base = [life for life in world.kept() if life.alive(t) and world.kind_at(life, t) == OPEN]
    bounds = list(zip([0, *(each + 1 for each in buckets)], [*buckets, None], strict=True))
    names = [f"{low}+" if high is None else f"{low}-{high}" for low, high in bounds]

    def age(life: Life) -> int | None:
        now = _days(_basis_day(world, life, basis), day, calendar)
        if now is None or not visits or basis != "stage":
            return now
        stage = life.at("stage", t)
        earlier = [v for v in visits_of(life, t) if v.stage == stage and v.how == "exited"]
        return now + sum(
            _days(day_of(v.entered), day_of(v.left or 0), calendar) or 0 for v in earlier
        )

    def bucket(life: Life) -> str:
        n = age(life)
        if n is None:
            return "unknown"
        return next(
            name for name, (_, high) in zip(names, bounds, strict=True) if high is None or n <= high
        )

    where = {life: bucket(life) for life in base}
    keys = keys_of(world.by, ((life.at("currency", t), life.at("amount", t)) for life in base))
    answer = Answer([])
    for group in in_order((group_at(life, keys, t) for life in base), keys):
        members = [life for life in base if group_at(life, keys, t) == group]
        for name, (low, high) in zip([*names, "unknown"], [*bounds, (None, None)], strict=True):
            here = [life for life in members if where[life] == name]
            amounts = [life.at("amount", t) for life in here]
            weights = [
                (life.at("amount", t) or ZERO) * (world.chance(life.state(t)) or ZERO)
                for life in here
            ]
            answer.rows.append(
                {
                    **labels(keys, group),
                    "bucket": name,
                    "from": low,
                    "to": high,
                    "n": len(here),
                    "value": money(amounts),
                    "weighted": money(weights),
                    "blank": blanks(amounts),
                }
            )
            answer.lines.update((*labels(keys, group).values(), name, life.id) for life in here)
    return answer


def rotting(
    world: World,
    *,
    basis: str = "update",
    rot_days: int | None = None,
    respite: str | None = None,
    ignore_actors: Sequence[str] = (),
) -> Answer:
    t, day = world.t, world.as_of
    limits = {
        name: world.steps[name].rot_days if rot_days is None else rot_days
        for name in world.open_steps()
    }
    limits = {name: limit for name, limit in limits.items() if limit}
    base = [life for life in world.kept() if life.alive(t) and life.at("stage", t) in limits]

    def over(life: Life) -> int | None:
        """Days since the basis of a deal that rots."""
        age = _days(_basis_day(world, life, basis, ignore_actors), day, "days")
        if age is None or age <= (limits[life.at("stage", t)] or 0):
            return None
        until = life.at(respite, t) if respite else None
        return None if until is not None and until > day else age

    ages = {life: over(life) for life in base}
    keys = keys_of(
        world.by,
        ((life.at("currency", t), life.at("amount", t)) for life in base if ages[life] is not None),
    )
    answer = Answer([])
    for group in in_order((group_at(life, keys, t) for life in base), keys):
        for name, limit in limits.items():
            here = [
                life
                for life in base
                if life.at("stage", t) == name and group_at(life, keys, t) == group
            ]
            rot = [life for life in here if ages[life] is not None]
            answer.rows.append(
                {
                    **labels(keys, group),
                    "stage": name,
                    "rot_days": limit,
                    "n": len(here),
                    "rotting": len(rot),
                    "share": ratio(len(rot), len(here)),
                    "value": money(life.at("amount", t) for life in rot),
                    "worst_days": max((ages[life] or 0 for life in rot), default=None),
                }
            )
            answer.lines.update((*labels(keys, group).values(), name, life.id) for life in rot)
    return answer
