"""
Realistic deals, the same ones every time: for the demo, for examples and for tests.

The deals are invented, but they hang together as those of a team do: some owners win more than others, large
deals take longer, referrals close better than cold calls, and what is still open is mostly young.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from random import Random

from dealdb.errors import ConfigError
from dealdb.model.values import Value

# the oldest deal was created that many days ago
HISTORY_DAYS = 540
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class _Owner:
    name: str
    share: int
    win_rate: float
    # time from first contact to close, against the team's usual
    pace: float


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    share: int
    # odds of winning, against the owner's usual
    odds: float


_OWNERS = (
    _Owner("Ana Duarte", 17, 0.64, 0.85),
    _Owner("Ben Okafor", 15, 0.52, 1.00),
    _Owner("Chloe Martin", 14, 0.57, 0.90),
    _Owner("Dev Patel", 13, 0.45, 1.10),
    _Owner("Eva Lindgren", 12, 0.49, 1.25),
    _Owner("Farid Haddad", 11, 0.38, 1.05),
    _Owner("Grace Kim", 10, 0.54, 0.75),
    _Owner("Hugo Weber", 8, 0.31, 1.35),
)
_SOURCES = (
    _Source("Website", 30, 0.90),
    _Source("Referral", 22, 1.60),
    _Source("Outbound", 22, 0.65),
    _Source("Event", 14, 0.85),
    _Source("Partner", 12, 1.25),
)
_NAMES = """
Alder Borealis Cobalt Delta Ember Fjord Granite Harbor Indigo Juniper Kestrel Lumen Meridian Nordic
Orchard Pinnacle Quartz Ridgeway Summit Tidal Umbra Vantage Willow Zephyr
"""
_TRADES = ("Foods", "Energy", "Logistics", "Health", "Bank")
_KINDS = ("new business", "expansion", "renewal", "migration", "pilot")
_KIND_SHARES = (40, 24, 20, 10, 6)
# with the share of its expected life that a deal has lived when it enters the stage
_OPEN_STAGES = (("Lead", 0.0), ("Qualified", 0.2), ("Proposal", 0.45), ("Negotiation", 0.75))
_LOSS_REASONS = ("Price", "No decision", "Competitor", "Missing feature", "Timing")
_LOSS_SHARES = (30, 26, 20, 13, 11)


def deals(n: int = 1600, *, seed: int = 7, today: date | None = None) -> list[dict[str, Value]]:
    """
    Deals of one sales team over the last 18 months: open, won and lost.

    The same arguments give the same deals, on any machine. Fields that a deal does not have (an open deal has no
    ``closed``) are absent. No server is needed.

    Parameters
    ----------
    n
        How many. Fewer deals are the first ones of more deals.
    seed
        Another number gives other deals.
    today
        The day on which the team looks at them; the current day (UTC) by default. No date of ``created``,
        ``closed`` or ``updated`` is later, and another day moves all dates alike.

    Raises
    ------
    ConfigError
        If ``n`` is negative.

    Examples
    --------
    >>> from datetime import date
    >>> deal = deals(3, today=date(2026, 9, 1))[0]
    >>> deal["id"], deal["name"], deal["stage"], deal["amount"]
    ('D0001', 'Ridgeway Foods new business', 'Lost', Decimal('1200.00'))
    """
    if n < 0:
        msg = f"deals(n={n}): n is a number of deals from 0 up"
        raise ConfigError(msg)
    return list(islice(_stream(Random(seed), today or datetime.now(UTC).date()), n))  # noqa: S311 invented data


def _stream(random: Random, today: date) -> Iterator[dict[str, Value]]:
    companies = _companies(random)
    weights = [1 / (rank + 4) for rank in range(len(companies))]
    number = 0
    while True:
        number += 1
        [(company, size)] = random.choices(companies, weights)
        yield _deal(random, f"D{number:04d}", company, size, today)


def _companies(random: Random) -> list[tuple[str, float]]:
    """Names in order of how often they buy, each with the size of its deals against the usual."""
    names = [f"{name} {trade}" for name in _NAMES.split() for trade in _TRADES]
    random.shuffle(names)
    return [(name, random.lognormvariate(0, 0.45)) for name in names]


def _deal(random: Random, id_: str, company: str, size: float, today: date) -> dict[str, Value]:
    [owner] = random.choices(_OWNERS, [owner.share for owner in _OWNERS])
    [source] = random.choices(_SOURCES, [source.share for source in _SOURCES])
    [kind] = random.choices(_KINDS, _KIND_SHARES)
    # the square root makes recent months busier than old ones: the team grows
    age = HISTORY_DAYS - int(HISTORY_DAYS * math.sqrt(random.random()))
    amount = _amount(random, size)
    won = random.random() < _win_rate(owner, source)
    life = _life(random, owner, amount, won=won)
    closed = life < age
    return {
        "id": id_,
        "name": f"{company} {kind}",
        "company": company,
        "owner": owner.name,
        **(_closed_stage(random, won=won) if closed else _open_stage(random, age / life)),
        "amount": amount,
        "currency": "EUR",
        "source": source.name,
        **_dates(random, today - timedelta(age), age, life),
    }


def _amount(random: Random, size: float) -> Decimal:
    euros = Decimal(repr(random.lognormvariate(math.log(16_000), 0.85) * size))
    # most quotes are round; the rest are priced by the seat, to the cent
    round_to = Decimal(50) if random.random() < 0.7 else CENT
    return ((euros / round_to).to_integral_value() * round_to).quantize(CENT)


def _win_rate(owner: _Owner, source: _Source) -> float:
    odds = owner.win_rate / (1 - owner.win_rate) * source.odds
    return odds / (1 + odds)


def _life(random: Random, owner: _Owner, amount: Decimal, *, won: bool) -> int:
    """Days from creation to close; large deals take longer, and what is lost is often lost early."""
    usual = 52 if won else 34
    weight = (float(amount) / 16_000) ** 0.2 if amount else 1.0
    return 1 + int(random.lognormvariate(math.log(usual), 0.6) * owner.pace * weight)


def _closed_stage(random: Random, *, won: bool) -> dict[str, Value]:
    if won:
        return {"stage": "Won"}
    [reason] = random.choices(_LOSS_REASONS, _LOSS_SHARES)
    return {"stage": "Lost", "loss_reason": reason}


def _open_stage(random: Random, lived: float) -> dict[str, Value]:
    stage = [name for name, entered in _OPEN_STAGES if entered <= lived][-1]
    if random.random() > 0.3:
        return {"stage": stage}
    # owners judge some deals themselves, in steps of 5 %
    return {"stage": stage, "probability": Decimal(max(1, round(lived * 18))) * 5 / 100}


def _dates(random: Random, created: date, age: int, life: int) -> dict[str, Value]:
    """Dates of a deal that was created ``age`` days ago and lives, or would live, ``life`` days."""
    hoped = created + timedelta(max(1, int(life * random.uniform(0.7, 1.2))))
    # an open deal was last touched somewhere in its second half, never after yesterday
    touched = life if life < age else int(age * random.uniform(0.5, 1.0))
    last = created + timedelta(touched)
    moment = datetime.combine(last, time(random.randrange(8, 18), random.randrange(60)), UTC)
    dates: dict[str, Value] = {"created": created, "expected_close": hoped, "updated": moment}
    return dates | ({"closed": last} if life < age else {})
