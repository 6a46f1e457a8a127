"""Random histories, full of what goes wrong: few days and few values, so that bounds and ties are met often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from oracle.past import DAY_MS, Row, Step, World, midnight

FIRST, LAST = date(2026, 1, 1), date(2026, 4, 10)
PIPELINES: tuple[tuple[Step, ...], ...] = (
    (
        Step("Lead", "open", Decimal("0.10"), 14),
        Step("Demo", "open", Decimal("0.30"), 14),
        Step("Offer", "open", Decimal("0.60"), 7),
        Step("Won", "won"),
        Step("Lost", "lost"),
    ),
    (
        Step("Lead", "open", None, 0),
        Step("Demo", "open", Decimal("0.333"), None, "bestcase"),
        Step("Offer", "open", Decimal(1), 3, "commit"),
        Step("Deal", "open", Decimal(0), 30, "omitted"),
        Step("Won", "won"),
        Step("Signed", "won"),
        Step("Lost", "lost"),
        Step("Gone", "lost"),
    ),
    (Step("Demo", "open", Decimal("0.5"), 5), Step("Won", "won"), Step("Lost", "lost")),
)
AMOUNTS = [Decimal(x) for x in ("0.00", "100.00", "-50.25", "1000.10", "0.01", "333.33", "100.00")]
CHANCES = [Decimal(x) for x in ("0", "0.25", "1", "1.5", "-0.1")]
OWNERS, CURRENCIES, REASONS = ("Ann", "Bob", "Cy"), ("EUR", "USD"), ("Price", "price", "Time")
ACTORS, KINDS = ("Ann", "sync", "Bob"), ("set", "set", "add")

State = dict[str, Any]
Filter = tuple[str, Callable[[State], bool | None]]
FILTERS: tuple[Filter, ...] = (
    ("owner = 'Ann'", lambda deal: deal.get("owner") == "Ann"),
    ("owner IS NULL", lambda deal: deal.get("owner") is None),
    ("amount > 100", lambda deal: deal.get("amount") is not None and deal["amount"] > 100),
    ("stage = 'Demo' OR stage = 'Won'", lambda deal: deal.get("stage") in ("Demo", "Won")),
    ("currency = 'EUR'", lambda deal: deal.get("currency") == "EUR"),
    (
        "expected_close >= DATE '2026-02-15'",
        lambda deal: (
            deal.get("expected_close") is not None and deal["expected_close"] >= date(2026, 2, 15)
        ),
    ),
)


@dataclass
class History:
    """What happened, as rows, and what it means."""

    rows: list[Row]
    pipeline: tuple[Step, ...]
    actors: dict[int, str] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)

    def world(self, as_of: date, by: tuple[str, ...] = (), where: Filter | None = None) -> World:
        return World(
            rows=self.rows,
            pipeline=self.pipeline,
            as_of=as_of,
            by=by,
            where=None if where is None else where[1],
            actors=self.actors,
            kinds=self.kinds,
        )


def a_day(random: Random) -> date:
    """Few days, the borders of months among them."""
    if random.random() < 0.4:
        return random.choice([date(2026, month, 1) for month in (1, 2, 3, 4)])
    return FIRST + timedelta(days=random.randrange((LAST - FIRST).days))


def _a_moment(random: Random) -> int:
    hours = random.choice((0, 0, 1, DAY_MS // 2, DAY_MS - 1, random.randrange(DAY_MS)))
    return midnight(a_day(random)) + hours


def history(seed: int | str) -> History:
    """The same history for the same seed."""
    random = Random(f"history {seed}")
    pipeline = random.choices(PIPELINES, (5, 3, 2))[0]
    currencies: tuple[str | None, ...] = random.choice(
        (("EUR",), ("EUR",), CURRENCIES, (*CURRENCIES, None), (None,), ("EUR", None))
    )
    commits: list[tuple[int, str, list[tuple[str | None, Any]]]] = []
    for number in range(random.choice((1, 2, 3, 5, 8, 12, 30))):
        commits += _deal(random, str(number), pipeline, currencies)
    commits.sort(key=lambda commit: commit[0])
    numbers = list(range(1, len(commits) + 1))
    if random.random() < 0.1:
        # what was imported late
        random.shuffle(numbers)
    found = History([], pipeline)
    shared = random.random() < 0.2
    for seq, (at, name, changes) in zip(numbers, commits, strict=True):
        found.actors[seq] = random.choice(ACTORS)
        found.kinds[seq] = random.choice(KINDS)
        for column, value in changes:
            op = "delete" if column is None else "set"
            found.rows.append(Row(name, at, column, value, op, seq))
    if shared:
        random.shuffle(found.rows)
        found.rows.sort(key=lambda row: row.seq)
    return found


def _stage(random: Random, pipeline: tuple[Step, ...]) -> str | None:
    if random.random() < 0.08:
        return random.choice(("Old", "Older", None))
    return random.choice(pipeline).name


def _deal(
    random: Random, name: str, pipeline: tuple[Step, ...], currencies: tuple[str | None, ...]
) -> list[tuple[int, str, list[tuple[str | None, Any]]]]:
    at = _a_moment(random)
    commits: list[tuple[int, str, list[tuple[str | None, Any]]]] = []
    start: list[tuple[str | None, Any]] = [
        ("stage", random.choice(pipeline[:2]).name),
        ("amount", random.choice(AMOUNTS)),
        ("currency", random.choice(currencies)),
        ("owner", random.choice(OWNERS)),
        ("created", _created(random, at)),
        ("expected_close", a_day(random)),
    ]
    kept = [each for each in start if random.random() < 0.85]
    commits.append((at, name, kept or start[:1]))
    for _ in range(random.choice((0, 1, 2, 4, 6, 9))):
        # sometimes two changes in one moment
        at += random.choice((0, 1, DAY_MS, random.randrange(20 * DAY_MS), _to_midnight(at)))
        if random.random() < 0.07:
            commits.append((at, name, [(None, None)]))
            continue
        n = random.choice((1, 1, 1, 2, 3))
        changes = [_change(random, pipeline, currencies, at) for _ in range(n)]
        flat = {column: value for change in changes for column, value in change.items()}
        commits.append((at, name, list(flat.items())))
    return commits


def _to_midnight(at: int) -> int:
    return DAY_MS - at % DAY_MS


def _created(random: Random, at: int) -> date:
    day = date(1970, 1, 1) + timedelta(days=at // DAY_MS)
    return day if random.random() < 0.8 else a_day(random)


def _change(
    random: Random, pipeline: tuple[Step, ...], currencies: tuple[str | None, ...], at: int
) -> dict[str | None, Any]:
    what = random.choices(
        [
            "stage",
            "amount",
            "owner",
            "expected_close",
            "currency",
            "closed",
            "created",
            "probability",
            "loss_reason",
        ],
        (40, 15, 10, 20, 3, 4, 2, 5, 4),
    )[0]
    if what == "stage":
        stage = _stage(random, pipeline)
        kinds = {step.name: step.kind for step in pipeline}
        kind = kinds.get(stage or "", "open")
        found: dict[str | None, Any] = {"stage": stage}
        if random.random() < 0.85:
            found["closed"] = None if kind == "open" else _created(random, at)
        if kind == "lost" and random.random() < 0.6:
            found["loss_reason"] = random.choice(REASONS)
        return found
    cleared = random.random() < 0.15
    pools: dict[str, Callable[[], Any]] = {
        "amount": lambda: random.choice(AMOUNTS),
        "owner": lambda: random.choice(OWNERS),
        "currency": lambda: random.choice(currencies),
        "probability": lambda: random.choice(CHANCES),
        "loss_reason": lambda: random.choice(REASONS),
    }
    return {what: None if cleared else pools.get(what, lambda: a_day(random))()}
