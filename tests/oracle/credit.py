"""Brute force: attainment of quotas, ramp, late entry, hindsight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from oracle.outcomes import closings, ended, group_closing
from oracle.past import WON, Life, World, day_of, within
from oracle.sums import ZERO, money, ratio
from oracle.tables import Answer, in_order, keys_of, labels
from oracle.windows import next_month


class Quota(NamedTuple):
    """What somebody is to win."""

    key: str
    amount: Decimal
    currency: str | None = None


class Win(NamedTuple):
    """A win, by whom, when, and of how much."""

    owner: str | None
    day: date | None
    value: Decimal | None
    currency: str | None


def wins_of(world: World, *, events: bool = False) -> list[Win]:
    """Deals that are won, or all wins that there ever were, with the owner at the closing."""
    t, found = world.t, []
    for life in world.kept():
        if events:
            for each in closings(world, life, t):
                if world.kind(each.value) == WON:
                    owner, value, currency = (
                        life.at(name, each.at + 1) for name in ("owner", "amount", "currency")
                    )
                    found.append(Win(owner, day_of(each.at), value, currency))
        elif life.alive(t) and world.kind_at(life, t) == WON:
            [owner] = group_closing(world, life, ("owner",))
            found.append(
                Win(owner, life.at("closed", t), life.at("amount", t), life.at("currency", t))
            )
    return found


def attainment(world: World, *, quotas: Sequence[Quota], first: date) -> Answer:
    """Of a month, by owner; the last row of a currency is the team."""
    until = next_month(first)
    inside = [win for win in wins_of(world) if within(win.day, first, until)]
    # who has closed a deal in the month has a row, also without a win
    closed = _closed(world, first, until)
    said = [(each.currency, each.amount) for each in quotas if each.currency is not None]
    # where no deal has a currency, all are in that of the quotas
    has_currency = any(life.at("currency", world.t) for life in closed)
    of_wins = [(win.currency, win.value) for win in inside] if has_currency else []
    is_mixed = "currency" in keys_of((), [*of_wins, *said])
    keys = ("currency", "owner") if is_mixed else ("owner",)
    groups = {group_closing(world, life, keys) for life in closed}
    groups |= {(each.currency, each.key) if is_mixed else (each.key,) for each in quotas}
    days = (until - first).days
    gone = min(max((world.as_of - first).days + 1, 0), days)
    # the team stands behind its owners, and there is one without any of them, too
    apart = in_order({group[:-1] for group in groups}, keys[:-1])
    rows = []
    for place in apart:
        owners = in_order((group for group in groups if group[:-1] == place), keys)
        for *_, owner in [*owners, (*place, "team")]:
            own = [each for each in quotas if not is_mixed or (each.currency,) == place]
            some = [win for win in inside if not is_mixed or (win.currency,) == place]
            won = money(win.value for win in some if owner in ("team", win.owner))
            set_for = [each.amount for each in own if owner in ("team", each.key)]
            quota = sum(set_for, ZERO) if set_for else None
            share, left = Fraction(gone, days), days - gone
            rest = None if quota is None else quota - won
            rows.append(
                {
                    **labels(keys, (*place, owner)),
                    "quota": quota,
                    "won": won,
                    "remaining": rest,
                    "attainment": None if quota is None else ratio(won, quota),
                    "pace": None
                    if quota is None or not gone
                    else ratio(won, Fraction(quota) * share),
                    "days_left": left,
                    "needed_per_day": None if rest is None else ratio(rest, left),
                }
            )
    return Answer([{"key": row.pop("owner"), **row} for row in rows])


def _closed(world: World, since: date, until: date) -> list[Life]:
    return ended(world, (WON, "lost"), since, until)


def _months(start: date, day: date) -> int:
    """Whole months of tenure."""
    months = 12 * (day.year - start.year) + day.month - start.month
    last = (next_month(day) - timedelta(days=1)).day
    return months if day.day >= min(start.day, last) else months - 1


def ramp(
    world: World, *, start: str = "first_deal", months: int = 4, events: bool = False
) -> Answer:
    wins = [win for win in wins_of(world, events=events) if win.owner and win.day]
    begun: dict[str, date] = {}

    def seen(owner: str | None, day: date) -> None:
        if owner:
            begun[owner] = min(day, begun.get(owner, day))

    if start == "first_win":
        for win in wins:
            seen(win.owner, win.day or world.as_of)
    else:
        for life in world.kept():
            for each in life.changes.get("owner", ()):
                if each.at < world.t:
                    seen(each.value, day_of(each.at))
    keys = keys_of(("owner",), ((win.currency, win.value) for win in wins))
    currencies = sorted({win.currency for win in wins}, key=str) if "currency" in keys else [None]
    rows = []
    for owner in begun:
        own = [win for win in wins if win.owner == owner]
        for month in range(months):
            for currency in currencies:
                some = [win for win in own if "currency" not in keys or win.currency == currency]
                ages = [(_months(begun[owner], win.day), win) for win in some if win.day]
                active = month <= _months(begun[owner], world.as_of)
                exact = [win for age, win in ages if age == month]
                upto = [win for age, win in ages if 0 <= age <= month]
                rows.append(
                    {
                        **labels(keys, (owner, currency)[: len(keys)]),
                        "month": month,
                        "won": len(exact) if active else None,
                        "value": money(win.value for win in exact) if active else None,
                        "cumulative": money(win.value for win in upto) if active else None,
                        "active": active,
                    }
                )
    return Answer(rows)


def late_entry(
    world: World, *, lags: Mapping[int, int], since: date, until: date, days: int = 7
) -> Answer:
    """Of won deals, by how many days later than it happened the closing was recorded."""
    base = ended(world, (WON,), since, until)
    t = world.t
    keys = keys_of((), ((life.at("currency", t), life.at("amount", t)) for life in base))
    rows = []
    for group in in_order((group_closing(world, life, keys) for life in base), keys):
        here = [life for life in base if group_closing(world, life, keys) == group]
        late = [lags.get(closings(world, life, t)[-1].seq, 0) for life in here]
        rows.append(
            {
                **labels(keys, group),
                "n": len(here),
                "late": sum(each > days for each in late),
                "worst_days": max(late, default=None),
            }
        )
    return Answer(rows)


def hindsight(world: World, *, known: World, since: date, until: date) -> Answer:
    """What was won in a window, as it was known once and as it is known now."""
    # a deal counts by what is known of it now; one that is unknown now, by what was known
    kept, there = {life.id for life in world.kept()}, {life.id for life in world.all}
    kept |= {life.id for life in known.kept() if life.id not in there}
    once = replace(known, where=None)
    won = [
        [life for life in ended(once, (WON,), since, until) if life.id in kept],
        ended(world, (WON,), since, until),
    ]
    sides = [
        {life.id: (life.at("amount", world.t), life.at("currency", world.t)) for life in lives}
        for lives in won
    ]
    then, now = sides
    found: dict[str, list[tuple[Decimal, str | None]]] = {
        name: [] for name in ("then", "added", "up", "down", "removed", "now")
    }
    for deal in then.keys() | now.keys():
        new = (now.get(deal) or then[deal])[1]
        old = then[deal][1] if deal in then else new
        a, b = ((side[deal][0] if deal in side else None) or ZERO for side in sides)
        if not (a or b):
            old = new
        moves = {"then": a if deal in then else None, "now": b if deal in now else None}
        if deal in then and deal in now and old == new and a != b:
            moves["up" if b > a else "down"] = abs(b - a)
        if deal not in then or (deal in now and old != new):
            moves["added"] = b
        if deal not in now or (deal in then and old != new):
            moves["removed"] = a
        for name, value in moves.items():
            if value is not None:
                found[name].append((value, old if name in ("then", "removed") else new))
    keys = keys_of((), ((currency, value) for each in found.values() for value, currency in each))
    groups = {(currency,) for each in found.values() for _, currency in each} if keys else {()}
    return Answer(
        [
            {
                **labels(keys, group),
                "bucket": bucket,
                "n": len(own := [v for v, cur in lines if not keys or (cur,) == group]),
                "value": sum(own, ZERO),
            }
            for group in in_order(groups, keys)
            for bucket, lines in found.items()
        ]
    )
