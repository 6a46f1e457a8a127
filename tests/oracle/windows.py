"""Brute force: slippage, coverage, forecast."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from oracle.past import LOST, OPEN, WON, Deal, Life, State, World, deals_of, midnight, within
from oracle.sums import ZERO, blanks, cents, money, ratio
from oracle.tables import Answer, group_at, in_order, keys_of, labels


class Push(NamedTuple):
    """A change of the expected date to a later one."""

    deal: Deal
    at: int
    days: int


def _pushes(world: World, deal: Deal, t0: int, t1: int) -> list[Push]:
    found = []
    for life in deal.lives:
        for each in life.changes.get("expected_close", ()):
            if not t0 <= each.at < t1 or world.kind_at(life, each.at) != OPEN:
                continue
            old = life.at("expected_close", each.at)
            if old is not None and each.value is not None and each.value > old:
                found.append(Push(deal, each.at, (each.value - old).days))
    return found


def slippage(world: World, *, since: date, until: date) -> Answer:
    """Of both ends: a deal that was deleted and is there again at the end is not deleted."""
    t0, t1 = midnight(since), midnight(until)
    before, after = {}, {}
    for deal in deals_of(world, t1):
        state = deal.state(t0)
        is_open = deal.alive(t0) and world.kind(state.get("stage")) == OPEN
        if is_open and within(state.get("expected_close"), since, until):
            before[deal], after[deal] = state, deal.state(t1)

    def fate(deal: Deal) -> str:
        if not deal.alive(t1):
            return "deleted"
        kind = world.kind(after[deal].get("stage"))
        if kind != OPEN:
            return kind
        day = after[deal].get("expected_close")
        return "overdue" if day is not None and day < until else "moved"

    def group(state: State) -> tuple[Any, ...]:
        return tuple(state.get(key) for key in keys)

    fates = {deal: fate(deal) for deal in before}
    pushes = [push for deal in before for push in _pushes(world, deal, t0, t1)]
    # the amount is that of the beginning, and so is its currency
    keys = keys_of(
        world.by, ((state.get("currency"), state.get("amount")) for state in before.values())
    )
    own_currency = "currency" in keys
    if own_currency:
        after = {deal: {**after[deal], "currency": before[deal].get("currency")} for deal in before}
    at_push = {
        push: push.deal.state(push.at + 1)
        | ({"currency": before[push.deal].get("currency")} if own_currency else {})
        for push in pushes
    }
    answer = Answer([])
    for each in in_order([group(state) for state in (*after.values(), *at_push.values())], keys):
        here = [deal for deal in before if group(after[deal]) == each]
        ends = [fates[deal] for deal in here]
        slipped = [deal for deal in here if fates[deal] in ("moved", "overdue")]
        own = [push for push in pushes if group(at_push[push]) == each]
        value = money(before[deal].get("amount") for deal in here)
        late = money(before[deal].get("amount") for deal in slipped)
        answer.rows.append(
            {
                **labels(keys, each),
                "n": len(here),
                "value": value,
                **{name: ends.count(name) for name in (WON, LOST, "moved", "overdue", "deleted")},
                "slipped": len(slipped),
                "slipped_value": late,
                "share_n": ratio(len(slipped), len(here)),
                "share_value": ratio(late, value),
                "pushes": len(own),
                "pushed_deals": len({push.deal for push in own}),
                "mean_days_pushed": ratio(sum(push.days for push in own), len(own)),
                "blank": blanks(before[deal].get("amount") for deal in here),
            }
        )
        answer.lines.update((*labels(keys, each).values(), deal.id) for deal in here)
    return answer


def coverage(
    world: World,
    *,
    since: date,
    until: date,
    target: Decimal | Mapping[Any, Decimal],
    win_rate: Decimal | None = None,
) -> Answer:
    t, day = world.t, world.as_of
    alive = [life for life in world.kept() if life.alive(t)]
    kinds = {life: world.kind_at(life, t) for life in alive}
    closed = {life: life.at("closed", t) for life in alive}
    due = {life: life.at("expected_close", t) for life in alive}
    won = [life for life in alive if kinds[life] == WON and _upto(closed[life], since, day)]
    opened = [life for life in alive if kinds[life] == OPEN and within(due[life], since, until)]
    undated = [life for life in alive if kinds[life] == OPEN and due[life] is None]
    year = day - timedelta(days=364)
    ended = [life for life in alive if kinds[life] != OPEN and _upto(closed[life], year, day)]
    counted = [*won, *opened, *undated]
    keys = keys_of(world.by, ((life.at("currency", t), life.at("amount", t)) for life in counted))
    answer = Answer([])

    def of(lives: list[Life], group: tuple[Any, ...]) -> list[Life]:
        return [life for life in lives if group_at(life, keys, t) == group]

    for group in in_order((group_at(life, keys, t) for life in counted), keys):
        goal = target if isinstance(target, Decimal) else target.get(group[0])
        here, own = of(opened, group), of(ended, group)
        got = money(life.at("amount", t) for life in of(won, group))
        value = money(life.at("amount", t) for life in here)
        n_won = sum(kinds[life] == WON for life in own)
        required = Fraction(len(own), n_won) if n_won else None
        if win_rate is not None:
            required = 1 / Fraction(win_rate) if win_rate else None
        row: dict[str, Any] = {
            **labels(keys, group),
            "target": goal,
            "won": got,
            "open": value,
            "overdue": sum(due[life] < day for life in here),
            "undated_value": money(life.at("amount", t) for life in of(undated, group)),
            "blank": blanks(life.at("amount", t) for life in here),
            "required": None if required is None else float(required),
            **dict.fromkeys(("remaining", "coverage", "gap", "met", "surplus")),
        }
        if goal is not None:
            rest = goal - got
            row["remaining"], row["met"] = rest, rest <= 0
            if rest <= 0:
                row["surplus"] = -rest
            else:
                row["coverage"] = ratio(value, rest)
                if required is not None:
                    row["gap"] = cents(required * Fraction(rest)) - value
        answer.rows.append(row)
    return answer


def _upto(day: date | None, first: date, last: date) -> bool:
    return day is not None and first <= day <= last


def month(day: date) -> date:
    return day.replace(day=1)


def next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def forecast(world: World, *, since: date, until: date, period: str = "month") -> Answer:
    """By month or by day; a stage without a category is of "pipeline"."""
    t, day = world.t, world.as_of
    begin, then = (month, next_month) if period == "month" else (_same, _next_day)
    alive = [life for life in world.kept() if life.alive(t)]
    row_of: dict[Life, Any] = {}
    for life in alive:
        kind, due = world.kind_at(life, t), life.at("expected_close", t)
        closed = life.at("closed", t)
        if kind == WON and within(closed, since, until):
            row_of[life] = begin(closed)
        elif kind == OPEN and due is None:
            row_of[life] = "undated"
        elif kind == OPEN and within(due, since, until):
            row_of[life] = "overdue" if due < day else begin(due)
    keys = keys_of(world.by, ((life.at("currency", t), life.at("amount", t)) for life in row_of))
    periods, first = [], begin(since)
    while first < until:
        periods.append(first)
        first = then(first)
    answer = Answer([])

    def category(life: Life) -> str:
        step = world.steps.get(life.at("stage", t) or "")
        return (step and step.category) or "pipeline"

    for group in in_order((group_at(life, keys, t) for life in row_of), keys):
        for each in ["overdue", *periods, "undated"]:
            here = [
                life
                for life, row in row_of.items()
                if row == each and group_at(life, keys, t) == group
            ]
            won = [life for life in here if world.kind_at(life, t) == WON]
            opened = [life for life in here if world.kind_at(life, t) == OPEN]
            chances = {life: world.chance(life.state(t)) for life in opened}
            amounts = {life: life.at("amount", t) for life in opened}
            answer.rows.append(
                {
                    **labels(keys, group),
                    "period": each if isinstance(each, date) else None,
                    "label": _label(each, period),
                    "won": money(life.at("amount", t) for life in won),
                    "weighted": sum(
                        ((amounts[life] or ZERO) * (chances[life] or ZERO) for life in opened), ZERO
                    ),
                    **{
                        name: money(amounts[life] for life in opened if category(life) == own)
                        for name, own in (
                            ("commit", "commit"),
                            ("best", "bestcase"),
                            ("pipeline", "pipeline"),
                            ("omitted", "omitted"),
                        )
                    },
                    "n": len(opened),
                    "blank": blanks(amounts.values()),
                    "unweighted": sum(
                        amounts[life] is not None and chances[life] is None for life in opened
                    ),
                }
            )
    return answer


def _same(day: date) -> date:
    return day


def _next_day(day: date) -> date:
    return day + timedelta(days=1)


def _label(row: Any, period: str) -> str:
    if not isinstance(row, date):
        return str(row)
    return f"{row:%Y-%m}" if period == "month" else row.isoformat()


def totals(answer: Answer) -> dict[str, Decimal]:
    """The window as a whole: what is undated lies outside."""
    rows = [row for row in answer.rows if row["label"] != "undated"]
    won = sum((row["won"] for row in rows), ZERO)
    low = won + sum((row["commit"] for row in rows), ZERO)
    # all that is open, what is omitted from the categories' sums too: base has its weighted amount
    parts = ("commit", "best", "pipeline", "omitted")
    high = won + sum((row[name] for row in rows for name in parts), ZERO)
    return {"low": low, "base": won + sum((row["weighted"] for row in rows), ZERO), "high": high}
