"""Metrics on history in plain Python, one deal after the other, and random histories to try them on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeAlias

import polars as pl
from hypothesis import strategies as st

import h1
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import Facts
from dealdb.store.facts.fold import folded

Deal: TypeAlias = dict[str, Any]
# id, day of January 2026 and hour, field (None deletes), value
Row: TypeAlias = tuple[str, int, int, str | None, str | None]
Due: TypeAlias = tuple[date, date] | None
Cell: TypeAlias = list[Any]

PLUS = ("start", "created", "pulled_in", "reopened", "up", "transferred_in")
_DATES = ("expected_close", "closed", "created")


def day(number: int) -> str:
    return f"2026-01-{number:02}"


@dataclass
class History:
    """Rows in the order in which they were saved."""

    rows: list[Row]

    @cached_property
    def events(self) -> list[tuple[int, str, str | None, Any]]:
        found = []
        for deal, number, hour, field, text in self.rows:
            value: Any = text
            if text is not None and field == "amount":
                value = Decimal(text)
            if text is not None and field in _DATES:
                value = date.fromisoformat(text)
            found.append((h1.moment(day(number), hour), deal, field, value))
        return sorted(found, key=lambda event: event[0])

    def facts(self, pipeline: Pipeline = h1.PIPELINE) -> Facts:
        table = [
            (deal, h1.moment(day(number), hour), seq, field, text, "set" if field else "delete")
            for seq, (deal, number, hour, field, text) in enumerate(self.rows)
        ]
        columns = ["id", "at", "seq", "field", "value", "op"]
        return folded(
            pl.DataFrame(table, schema=columns, orient="row"), Schema.standard(), pipeline
        )

    def state(self, moment: int, *, dead: bool = False) -> dict[str, Deal]:
        """Deals just before a moment; ``dead`` gives the last values of those that were deleted, too."""
        alive: dict[str, Deal] = {}
        last: dict[str, Deal] = {}
        for at, deal, field, value in self.events:
            if at >= moment:
                break
            apply(alive, deal, field, value)
            if deal in alive:
                last[deal] = dict(alive[deal])
        return {**last, **alive} if dead else alive

    def changes(self, first: int, end: int) -> Iterator[tuple[int, str, Deal | None, Deal | None]]:
        """Each deal before and after all that happened to it at one moment."""
        moments = sorted({(at, deal) for at, deal, *_ in self.events if first <= at < end})
        for at, deal in moments:
            yield at, deal, self.state(at).get(deal), self.state(at + 1).get(deal)


def apply(deals: dict[str, Deal], deal: str, field: str | None, value: Any) -> None:
    if field is None:
        deals.pop(deal, None)
    else:
        deals.setdefault(deal, {})[field] = value


def kind_of(deal: Deal, pipeline: Pipeline = h1.PIPELINE) -> str:
    kinds = {stage.name: str(stage.kind) for stage in pipeline}
    return kinds.get(deal.get("stage") or "", "open")


def amount(deal: Deal) -> Decimal:
    return deal.get("amount") or Decimal(0)


def is_due(day: date | None, due: Due) -> bool:
    return due is None or (day is not None and due[0] <= day < due[1])


def standing(deal: Deal | None, due: Due) -> str:
    if deal is None:
        return "absent"
    kind = kind_of(deal)
    if kind != "open":
        return kind
    return "in" if is_due(deal.get("expected_close"), due) else "out"


def waterfall(
    history: History,
    first: int,
    end: int,
    due: Due,
    key: Callable[[Deal], Any],
    *,
    net: bool,
) -> dict[tuple[Any, str], Cell]:
    """Number, value and blanks of each bucket of each group that has any."""
    cells: dict[tuple[Any, str], Cell] = defaultdict(lambda: [0, Decimal(0), 0])

    def put(group: Any, bucket: str, value: Decimal, of: Deal) -> None:
        cell = cells[group, bucket]
        cell[0] += 1
        cell[1] += value
        cell[2] += of.get("amount") is None

    old, new, last = history.state(first), history.state(end), history.state(end, dead=True)
    for each in old.values():
        if standing(each, due) == "in":
            put(key(each), "start", amount(each), each)
    for each in new.values():
        if standing(each, due) == "in":
            put(key(each), "end", amount(each), each)
    if net:
        for name in sorted(old.keys() | new.keys()):
            _net(put, key, due, old.get(name), new.get(name), last[name])
    else:
        for at, name, was, now in history.changes(first, end):
            _gross(put, key, due, was, now, history.state(at + 1, dead=True).get(name, {}))
    return dict(cells)


def _transfer(put: Any, key: Any, was: Deal, last: Deal) -> None:
    if key(was) != key(last):
        put(key(was), "transferred_out", amount(was), last)
        put(key(last), "transferred_in", amount(was), last)


def _change(put: Any, group: Any, was: Deal, now: Deal) -> None:
    change = amount(now) - amount(was)
    if change:
        put(group, "up" if change > 0 else "down", abs(change), now)


def _net(put: Any, key: Any, due: Due, was: Deal | None, now: Deal | None, last: Deal) -> None:
    x, y, group = standing(was, due), standing(now, due), key(last)
    entry = {"out": "pulled_in", "won": "reopened", "lost": "reopened"}
    if x == "in":
        assert was is not None
        _transfer(put, key, was, last)
        if y == "absent":
            put(group, "deleted", amount(was), was)
        elif y == "out":
            put(group, "pushed_out", amount(was), was)
        else:
            assert now is not None
            _change(put, group, was, now)
            if y != "in":
                put(group, y, amount(now), now)
        return
    if now is None or y == "out":
        return
    counts = y != "in" and is_due(now.get("closed") or now.get("expected_close"), due)
    if y != "in" and (not counts or x == y):
        return
    if was is None:
        put(group, "created", amount(now), now)
    else:
        put(group, entry[x], amount(was), now)
        _change(put, group, was, now)
    if y != "in":
        put(group, y, amount(now), now)


def _gross(put: Any, key: Any, due: Due, was: Deal | None, now: Deal | None, last: Deal) -> None:
    x, y, group = standing(was, due), standing(now, due), key(last)
    if x == "in":
        assert was is not None
        _transfer(put, key, was, last)
        if now is None:
            put(group, "deleted", amount(was), was)
            return
        _change(put, group, was, now)
        if y != "in":
            put(group, "pushed_out" if y == "out" else y, amount(now), now)
    elif y == "in":
        assert now is not None
        entry = {"absent": "created", "out": "pulled_in", "won": "reopened", "lost": "reopened"}
        put(group, entry[x], amount(now), now)


_VALUES: dict[str, list[str | None]] = {
    "stage": ["Lead", "Demo", "Offer", "Won", "Lost", "Won", "Lost", "Gone", None],
    "amount": ["100.00", "250.25", "-40.10", "0", None],
    "owner": ["Ann", "Bob", None],
    "expected_close": [day(3), day(9), day(10), day(15), day(20), None],
    "closed": [day(5), day(10), day(12), None],
    "created": [day(1), day(8), day(25), None],
}
_FIELDS = [*_VALUES, "stage", "stage", "amount", "expected_close"]


@st.composite
def histories(draw: st.DrawFn, *, currencies: bool = False) -> History:
    """Few deals, so that much happens to each: in one moment, at midnight, after it was deleted."""
    values = {**_VALUES, **({"currency": ["EUR", "USD", None]} if currencies else {})}
    fields = [*_FIELDS, *(["currency"] if currencies else [])]
    ids = st.sampled_from("ABCD")
    rows: list[Row] = []
    for _ in range(draw(st.integers(1, 24))):
        deal, number = draw(ids), draw(st.integers(1, 20))
        hour = draw(st.sampled_from([0, 12]))
        if draw(st.integers(0, 9)) == 0:
            rows.append((deal, number, hour, None, None))
            continue
        for _ in range(draw(st.integers(1, 3))):
            field = draw(st.sampled_from(fields))
            rows.append((deal, number, hour, field, draw(st.sampled_from(values[field]))))
    return History(rows)
