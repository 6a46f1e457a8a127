"""Brute force: cohorts, losses, win and loss, the leaderboard at closing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any, NamedTuple

from oracle.past import LOST, OPEN, WON, Change, Life, World, day_of, midnight, within
from oracle.sums import blanks, mean, median, money, ratio
from oracle.tables import NONE, Answer, group_at, in_order, keys_of, labels
from oracle.windows import month, next_month

Z = 1.959963984540054


def closings(world: World, life: Life, t: int) -> list[Change]:
    """Changes of the stage after which a deal is won or lost that was not so before."""
    return [
        each
        for each in life.changes.get("stage", ())
        if each.at < t
        if world.kind(each.value) not in (OPEN, world.kind(life.before("stage", each)))
    ]


def group_closing(world: World, life: Life, keys: Sequence[str]) -> tuple[Any, ...]:
    """Groups when a deal closed for the last time, after that change; the currency is that of the amount."""
    last = closings(world, life, world.t)[-1].at
    return tuple(life.at(key, world.t if key == "currency" else last + 1) for key in keys)


def _group_of_loss(world: World, life: Life, keys: Sequence[str]) -> tuple[Any, ...]:
    """The same, but for the reason, which is the one at the end, and the stage before the loss."""
    own = {
        "from_stage": life.at("stage", closings(world, life, world.t)[-1].at),
        "loss_reason": life.at("loss_reason", world.t),
    }
    groups = group_closing(world, life, keys)
    return tuple(own.get(key, value) for key, value in zip(keys, groups, strict=True))


def ended(world: World, kinds: Sequence[str], since: date | None, until: date | None) -> list[Life]:
    t = world.t
    return [
        life
        for life in world.kept()
        if life.alive(t)
        and world.kind_at(life, t) in kinds
        # without a window, a deal without a closing date counts as well
        and (since is until is None or within(life.at("closed", t), since, until))
    ]


def cohorts(world: World, *, periods: int = 12) -> Answer:
    """By month of creation."""
    t = world.t
    every = [life for life in world.kept() if life.at("created", t) is not None]
    base = [life for life in every if life.alive(t)]
    keys = keys_of(world.by, ((life.at("currency", t), life.at("amount", t)) for life in base))
    # those that were deleted have rows as well
    firsts = {life: month(life.at("created", t)) for life in every}
    here, last_day = month(world.as_of), (world.as_of + timedelta(days=1)).day == 1
    answer = Answer([])

    def apart(first: date, day: date) -> int:
        return (day.year - first.year) * 12 + day.month - first.month

    def won_at(life: Life) -> int | None:
        closed = life.at("closed", t)
        if world.kind_at(life, t) != WON or closed is None:
            return None
        return max(apart(firsts[life], closed), 0)

    for group in in_order((group_at(life, keys, t) for life in every), keys):
        first = min(firsts.values(), default=None)
        while first is not None and first <= max(firsts.values()):
            own = [
                life for life in base if firsts[life] == first and group_at(life, keys, t) == group
            ]
            opened = sum(world.kind_at(life, t) == OPEN for life in own)
            gone = [
                life
                for life in every
                if firsts[life] == first and group_at(life, keys, t) == group and not life.alive(t)
            ]
            for k in range(periods):
                done = [life for life in own if (won_at(life) is not None and won_at(life) <= k)]  # type: ignore[operator]
                known = k <= apart(first, here)
                answer.rows.append(
                    {
                        **labels(keys, group),
                        "cohort": first,
                        "k": k,
                        "size": len(own),
                        "won": len(done) if known else None,
                        "value": money(life.at("amount", t) for life in done) if known else None,
                        "rate": ratio(len(done), len(own)) if known else None,
                        "open": opened,
                        "deleted": len(gone),
                        "partial": k == apart(first, here) and not last_day,
                    }
                )
            first = next_month(first)
    return answer


class Loss(NamedTuple):
    """A lost deal, or one of its losses."""

    id: str
    group: tuple[Any, ...]
    value: Decimal | None
    currency: str | None
    days: int | None


def _losses(
    world: World, keys: Sequence[str], since: date | None, until: date | None, *, events: bool
) -> list[Loss]:
    t, found = world.t, []
    if not events:
        for life in ended(world, [LOST], since, until):
            group = _group_of_loss(world, life, keys)
            days = next(iter(_cycles([life], t)), None)
            found.append(Loss(life.id, group, life.at("amount", t), life.at("currency", t), days))
        return found
    last = t if until is None else min(t, midnight(until))
    for life in world.kept():
        for each in closings(world, life, last):
            if world.kind(each.value) != LOST or (since and each.at < midnight(since)):
                continue
            after, created = each.at + 1, life.at("created", t)
            days = (day_of(each.at) - created).days if created is not None else -1
            group = tuple(life.at(key, after) for key in keys)
            amount, currency = life.at("amount", after), life.at("currency", after)
            found.append(Loss(life.id, group, amount, currency, days if days >= 0 else None))
    return found


def losses(
    world: World,
    *,
    since: date | None = None,
    until: date | None = None,
    events: bool = False,
) -> Answer:
    """Deals that are lost, or with ``events`` all losses, also of deals that were reopened or deleted since."""
    options: dict[str, Any] = {"since": since, "until": until, "events": events}
    base = _losses(world, world.by, **options)
    several = len({each.currency for each in base if each.value}) > 1
    keys = keys_of(world.by, ((each.currency, each.value) for each in base))
    base = _losses(world, keys, **options)
    answer = Answer([])
    for group in in_order((each.group for each in base), keys):
        here = [each for each in base if each.group == group]
        # shares are of what can be added up: of one currency
        at = keys.index("currency") if several else None
        whole = [each for each in base if at is None or each.group[at] == group[at]]
        value = money(each.value for each in here)
        answer.rows.append(
            {
                **labels(keys, group),
                "n": len(here),
                "share_n": ratio(len(here), len(whole)),
                "value": value,
                "share_value": ratio(value, money(each.value for each in whole)),
                "blank": blanks(each.value for each in here),
                "median_days": median([each.days for each in here if each.days is not None]),
            }
        )
        answer.lines.update((*labels(keys, group).values(), each.id) for each in here)
    return answer


def _several(lives: Sequence[Life], t: int) -> bool:
    """Whether there is money in several currencies."""
    return len({life.at("currency", t) for life in lives if life.at("amount", t)}) > 1


def _cycles(lives: Sequence[Life], t: int) -> list[int]:
    """Days from creation to closing, where both are known and in order."""
    pairs = [(life.at("created", t), life.at("closed", t)) for life in lives]
    return [(b - a).days for a, b in pairs if a is not None and b is not None and b >= a]


def wilson(k: int, n: int) -> tuple[float | None, float | None]:
    if not n:
        return None, None
    p, square = k / n, Z * Z
    middle = (p + square / (2 * n)) / (1 + square / n)
    half = Z * sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
    return middle - half, middle + half


def win_loss(world: World, *, since: date | None = None, until: date | None = None) -> Answer:
    t = world.t
    base = ended(world, [WON, LOST], since, until)
    keys = keys_of(world.by, ((life.at("currency", t), life.at("amount", t)) for life in base))
    places = {life: group_closing(world, life, keys) for life in base}
    answer = Answer([])
    for group in in_order(places.values(), keys):
        here = [life for life in base if places[life] == group]
        won = [life for life in here if world.kind_at(life, t) == WON]
        lost = [life for life in here if world.kind_at(life, t) == LOST]
        low, high = wilson(len(won), len(here))
        answer.rows.append(
            {
                **labels(keys, group),
                "won": len(won),
                "lost": len(lost),
                "n": len(here),
                "rate": ratio(len(won), len(here)),
                "lo": low,
                "hi": high,
                "won_value": money(life.at("amount", t) for life in won),
                "lost_value": money(life.at("amount", t) for life in lost),
            }
        )
        answer.lines.update((*labels(keys, group).values(), life.id) for life in here)
    return answer


def leaderboard(world: World, *, since: date | None = None, until: date | None = None) -> Answer:
    """Credit for a closed deal goes to who had it when it closed; open ones count for who has them."""
    t = world.t
    over = ended(world, [WON, LOST], since, until)
    opened = [life for life in world.kept() if life.alive(t) and world.kind_at(life, t) == OPEN]
    base = [*over, *opened]
    keys = keys_of(world.by, ((life.at("currency", t), life.at("amount", t)) for life in base))
    places = {life: group_closing(world, life, keys) for life in over}
    places |= {life: group_at(life, keys, t) for life in opened}
    rows = []
    for group in in_order(places.values(), keys):
        here = [life for life in base if places[life] == group]
        won = [life for life in here if world.kind_at(life, t) == WON]
        lost = [life for life in here if world.kind_at(life, t) == LOST]
        sized = [life.at("amount", t) for life in won if life.at("amount", t)]
        cycles = _cycles(won, t)
        left = [life for life in here if world.kind_at(life, t) == OPEN]
        weights = [(life.at("amount", t), world.chance(life.state(t))) for life in left]
        rows.append(
            {
                **labels(keys, group),
                "won_value": money(life.at("amount", t) for life in won),
                "n": len(won) + len(lost),
                "won": len(won),
                "lost": len(lost),
                "win_rate": ratio(len(won), len(won) + len(lost)),
                "mean_size": ratio(money(sized), len(sized)),
                "cycle_days": mean(cycles),
                "sized_n": len(sized),
                "cycle_n": len(cycles),
                "open": len(left),
                "open_weighted": money(
                    a * c for a, c in weights if a is not None and c is not None
                ),
                "unweighted": sum(a is None or c is None for a, c in weights),
            }
        )
    several = _several(base, t)
    for row in rows:
        row["rank"] = 1 + sum(
            each["won_value"] > row["won_value"]
            for each in rows
            if not several or each["currency"] == row["currency"]
        )
    # in groups of a currency, by rank, equal ones by name
    rows.sort(key=lambda row: (several and (row["currency"] == NONE, row["currency"]), row["rank"]))
    return Answer(rows)
