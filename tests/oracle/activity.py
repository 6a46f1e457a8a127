"""Brute force: activity of people, and what happened in each period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from oracle.past import OPEN, WON, Life, World, day_of, midnight
from oracle.sums import money, ratio
from oracle.tables import Answer, in_order, keys_of, labels
from oracle.windows import month, next_month

# after all moments
_EVER = 2**63


class Event(NamedTuple):
    """A field of a deal changed."""

    life: Life
    field: str
    at: int
    old: Any
    new: Any
    seq: int


def events_of(lives: list[Life], since: int | None, until: int) -> Iterator[Event]:
    for life in lives:
        for name, changes in life.changes.items():
            for each in changes:
                if (since is None or each.at >= since) and each.at < until:
                    old = life.before(name, each)
                    yield Event(life, name, each.at, old, each.value, each.seq)


def _births(lives: list[Life], since: int | None, until: int) -> Iterator[Event]:
    """That a deal began, by who made the first of the commits of that moment; the field of these is empty."""
    for life in lives:
        if (since is None or life.begin >= since) and life.begin < until:
            seqs = [
                each.seq
                for changes in life.changes.values()
                for each in changes
                if each.at == life.begin
            ]
            yield Event(life, "", life.begin, None, None, min(seqs, default=0))


def _closes(world: World, event: Event) -> bool:
    """Whether a deal is won or lost by a change of its stage and was not so before."""
    return world.kind(event.new) not in (OPEN, world.kind(event.old))


def _bounds(world: World, since: date | None, until: date | None) -> tuple[int | None, int]:
    first = None if since is None else midnight(since)
    return first, world.t if until is None else min(midnight(until), world.t)


def activity(world: World, *, since: date | None = None, until: date | None = None) -> Answer:
    first, last = _bounds(world, since, until)
    # the filter looks at the state at the end of the window
    lives = world.kept(last)
    found = [*events_of(lives, first, last), *_births(lives, first, last)]
    # who came with others came by a load, whether and whenever those others count or not
    together: dict[int, set[int]] = {}
    for event in [*events_of(world.all, None, _EVER), *_births(world.all, None, _EVER)]:
        together.setdefault(event.seq, set()).add(id(event.life))

    def group(event: Event) -> tuple[Any, ...]:
        return tuple(
            world.actors.get(event.seq) if key == "who" else event.life.at(key, event.at + 1)
            for key in world.by
        )

    answer = Answer([])
    for key in in_order((group(event) for event in found), world.by):
        own = [event for event in found if group(event) == key]
        stages = [event for event in own if event.field == "stage"]
        dates = [event for event in own if event.field == "expected_close"]
        answer.rows.append(
            {
                **labels(world.by, key),
                "deals_touched": len({event.life.id for event in own}),
                "changes": sum(event.field != "" for event in own),
                "stage_moves": sum(
                    event.old is not None and event.new is not None for event in stages
                ),
                "pushes": sum(
                    event.old is not None and event.new is not None and event.new > event.old
                    for event in dates
                ),
                "amount_changes": sum(
                    event.field == "amount" and event.at > event.life.begin for event in own
                ),
                "created": sum(event.field == "" for event in own),
                "closed": sum(_closes(world, event) for event in stages),
                "days_active": len({day_of(event.at) for event in own}),
                "last": max((event.at for event in own), default=None),
                "bulk": sum(
                    event.field != ""
                    and (world.kinds.get(event.seq) == "add" or len(together[event.seq]) > 1)
                    for event in own
                ),
            }
        )
    return answer


def events(world: World, *, since: date | None = None, until: date | None = None) -> Answer:
    """What happened in each month, by the moments of the facts; what was undone or deleted since is in."""
    first, last = _bounds(world, since, until)
    lives = world.kept(last)
    found = [("created", each.life, each.at) for each in _births(lives, first, last)]
    found += [
        (world.kind(event.new), event.life, event.at)
        for event in events_of(lives, first, last)
        if event.field == "stage" and _closes(world, event)
    ]

    def amount(life: Life, at: int) -> Any:
        return life.at("amount", at + 1)

    keys = keys_of(
        world.by, ((life.at("currency", at + 1), amount(life, at)) for _, life, at in found)
    )

    def group(life: Life, at: int) -> tuple[Any, ...]:
        return tuple(life.at(key, at + 1) for key in keys)

    months = sorted({month(day_of(at)) for _, _, at in found})
    begin = month(since) if since else months[0] if months else None
    end = until or (next_month(months[-1]) if months else None)
    answer = Answer([])
    for each in in_order((group(life, at) for _, life, at in found), keys):
        period = begin
        while period is not None and end is not None and period < end:
            here = [
                (what, life, at)
                for what, life, at in found
                if month(day_of(at)) == period and group(life, at) == each
            ]
            kinds = [what for what, _, _ in here]
            won, lost = kinds.count("won"), kinds.count("lost")
            answer.rows.append(
                {
                    **labels(keys, each),
                    "period": period,
                    "label": f"{period:%Y-%m}",
                    "created": kinds.count("created"),
                    "n": won + lost,
                    "won": won,
                    "lost": lost,
                    "won_value": money(amount(life, at) for what, life, at in here if what == WON),
                    "win_rate": ratio(won, won + lost),
                }
            )
            period = next_month(period)
    answer.rows.sort(key=lambda row: row["period"])
    return answer
