"""Brute force: the waterfall, net (both ends alone) and gross (each change)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from oracle.past import OPEN, Deal, State, World, deals_of, midnight, within
from oracle.sums import ZERO
from oracle.tables import Answer, in_order, keys_of, labels

_MORE = "start created pulled_in reopened up transferred_in"
_LESS = "won lost pushed_out down deleted transferred_out"
ADDED = _MORE.split()
BUCKETS = [*ADDED, *_LESS.split(), "end"]

Due = tuple[date, date] | None


class Move(NamedTuple):
    """
    What one deal adds to a bucket, in the group of a state.

    ``amount`` is the one that may be unknown; ``other`` is the state at the other side of a transfer.
    """

    bucket: str
    id: str
    state: State
    value: Decimal
    amount: Decimal | None
    other: State | None = None


def _where(world: World, state: State | None, due: Due) -> str:
    if state is None:
        return "absent"
    kind = world.kind(state.get("stage"))
    if kind != OPEN:
        return kind
    return "in" if due is None or within(state.get("expected_close"), *due) else "out"


def _counted(state: State, due: Due) -> bool:
    """Whether a closed deal counts: it closed in the window, or was to."""
    if due is None:
        return True
    day = state.get("closed")
    return within(state.get("expected_close") if day is None else day, *due)


def _money(state: State) -> Decimal:
    amount: Decimal | None = state.get("amount")
    return ZERO if amount is None else amount


def _transfer(deal: Deal, before: State, after: State) -> list[Move]:
    """From one group to another, with the old amount; it is none where the group is the same."""
    # what is blank is told by the later end, as of all but start, deleted and pushed_out
    value, amount = _money(before), after.get("amount")
    return [
        Move("transferred_out", deal.id, before, value, amount, after),
        Move("transferred_in", deal.id, after, value, amount, before),
    ]


def _net(world: World, deal: Deal, t0: int, t1: int, due: Due) -> list[Move]:
    """The moves of one deal by the table of both ends; without groups, these are found later."""
    old = deal.state(t0) if deal.alive(t0) else None
    new = deal.state(t1) if deal.alive(t1) else None
    x, y = _where(world, old, due), _where(world, new, due)
    before, after = old or {}, new or deal.state(t1)
    a0, a1 = _money(before), _money(after)
    counts = y in ("won", "lost") and _counted(after, due)
    found: list[Move] = []

    def add(bucket: str, value: Decimal, side: State) -> None:
        state = before if bucket == "start" else after
        found.append(Move(bucket, deal.id, state, value, side.get("amount")))

    def change() -> None:
        if a1 != a0:
            add("up" if a1 > a0 else "down", abs(a1 - a0), after)

    if x == "in":
        add("start", a0, before)
        found += _transfer(deal, before, after)
        if y == "out":
            add("pushed_out", a0, before)
        elif y == "absent":
            add("deleted", a0, before)
        else:
            change()
    elif y == "in" or counts:
        if x == "absent":
            add("created", a1, after)
        elif x == "out":
            add("pulled_in", a0, after)
            change()
        elif x != y:
            add("reopened", a0, after)
            change()
    if y == "in":
        add("end", a1, after)
    elif y in ("won", "lost") and (x == "in" or (counts and x != y)):
        add(y, a1, after)
    return found


def _gross(world: World, deal: Deal, t0: int, t1: int, due: Due) -> list[Move]:
    """The moves of one deal, moment by moment."""
    found: list[Move] = []

    def add(bucket: str, value: Decimal, state: State, side: State) -> None:
        found.append(Move(bucket, deal.id, state, value, side.get("amount")))

    first = deal.state(t0) if deal.alive(t0) else None
    if first is not None and _where(world, first, due) == "in":
        add("start", _money(first), first, first)
    for at in deal.moments():
        if not t0 <= at < t1:
            continue
        old = deal.state(at) if deal.alive(at) else None
        new = deal.state(at + 1) if deal.alive(at + 1) else None
        x, y = _where(world, old, due), _where(world, new, due)
        before, last = old or {}, deal.state(at + 1)
        if x == "in":
            found += _transfer(deal, before, last)
            if new is not None and _money(new) != _money(before):
                bucket = "up" if _money(new) > _money(before) else "down"
                add(bucket, abs(_money(new) - _money(before)), new, new)
            if y == "absent":
                add("deleted", _money(before), last, before)
            elif y != "in":
                add("pushed_out" if y == "out" else y, _money(last), last, last)
        elif y == "in":
            cause = {"absent": "created", "out": "pulled_in"}.get(x, "reopened")
            add(cause, _money(last), last, last)
    final = deal.state(t1) if deal.alive(t1) else None
    if final is not None and _where(world, final, due) == "in":
        add("end", _money(final), final, final)
    return found


def waterfall(
    world: World, *, since: date, until: date, due: Due = None, net: bool = True
) -> Answer:
    t0, t1 = midnight(since), midnight(until)
    walk = _net if net else _gross
    moves = [move for deal in deals_of(world, t1) for move in walk(world, deal, t0, t1, due)]
    # of both ends alone, what counts is a contribution or a close; of each change, all of them
    ends = ("start", "end", "won", "lost")
    keys = keys_of(
        world.by,
        (
            (move.state.get("currency"), move.value)
            for move in moves
            if not net or move.bucket in ends
        ),
    )

    def group(state: State) -> tuple[Any, ...]:
        return tuple(state.get(key) for key in keys)

    kept = [move for move in moves if move.other is None or group(move.other) != group(move.state)]
    answer = Answer([])
    for each in in_order((group(move.state) for move in kept), keys):
        total = ZERO
        for bucket in BUCKETS:
            if not keys and bucket.startswith("transferred"):
                continue
            here = [move for move in kept if move.bucket == bucket and group(move.state) == each]
            value = sum((move.value for move in here), ZERO)
            answer.rows.append(
                {
                    **labels(keys, each),
                    "bucket": bucket,
                    "n": len(here),
                    "value": value,
                    "blank": sum(move.amount is None for move in here),
                }
            )
            answer.lines.update(
                (*labels(keys, each).values(), bucket, move.id, move.value) for move in here
            )
            if bucket == "end":
                assert total == value, "every group balances"
            total += value if bucket in ADDED else -value
    return answer
