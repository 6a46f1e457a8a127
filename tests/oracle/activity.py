"""Brute force: activity of people, and what happened in each period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from oracle.past import (
    OPEN,
    WON,
    Answer,
    Life,
    World,
    day_of,
    in_order,
    keys_of,
    labels,
    midnight,
    money,
    ratio,
)
from oracle.windows import month, next_month


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


def _bounds(world: World, since: date | None, until: date | None) -> tuple[int | None, int]:
    first = None if since is None else midnight(since)
    return first, world.t if until is None else min(midnight(until), world.t)


def activity(
    world: World, *, by: str = "owner", since: date | None = None, until: date | None = None
) -> Answer:
    first, last = _bounds(world, since, until)
    found = list(events_of(world.kept(), first, last))

    def group(event: Event) -> tuple[Any, ...]:
        if by == "who":
            return (world.actors.get(event.seq),)
        return (event.life.at(by, event.at + 1),)

    answer = Answer([])
    for key in in_order((group(event) for event in found), [by]):
        own = [event for event in found if group(event) == key]
        stages = [event for event in own if event.field == "stage"]
        dates = [event for event in own if event.field == "expected_close"]
        answer.rows.append(
            {
                **labels([by], key),
                "deals_touched": len({event.life.id for event in own}),
                "changes": len(own),
                "stage_moves": sum(event.old is not None for event in stages),
                "pushes": sum(
                    event.old is not None and event.new is not None and event.new > event.old
                    for event in dates
                ),
                "amount_changes": sum(
                    event.field == "amount" and event.at > event.life.begin for event in own
                ),
                "created": len({event.life for event in own if event.at == event.life.begin}),
                "closed": sum(world.kind(event.new) != OPEN for event in stages),
                "days_active": len({day_of(event.at) for event in own}),
                "last": max(event.at for event in own),
            }
        )
    return answer


def events(world: World, *, since: date | None = None, until: date | None = None) -> Answer:
    """What happened in each month, by the moments of the facts; what was undone or deleted since is in."""
    first, last = _bounds(world, since, until)
    lives = world.kept()
    found: list[tuple[str, Life, int]] = [
        ("created", life, life.begin)
        for life in lives
        if (first is None or life.begin >= first) and life.begin < last
    ]
    found += [
        (world.kind(event.new), event.life, event.at)
        for event in events_of(lives, first, last)
        if event.field == "stage" and world.kind(event.new) != OPEN
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
    return answer
