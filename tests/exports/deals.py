"""Random deals whose truth is known: what an export says, before any program has written it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

OPEN, WON, LOST = "open", "won", "lost"
KINDS = (OPEN, WON, LOST)
# chances of the open phases, from the first to the last
CHANCES = (Decimal("0.1"), Decimal("0.2"), Decimal("0.4"), Decimal("0.6"), Decimal("0.9"))
TODAY = date(2026, 6, 15)

# all of them can be written in cp1252
PEOPLE = (
    "Ann Baker", "Jürgen Weiß", "María Núñez", "Chloé Lefèvre", "Sven de Vries", "Luca Rossi",
    "João Araújo", "Pat O'Neil", "Priya Shah", "Zoë Smith-Jones", "Bob Lee", "Ólafur Jónsson",
)  # fmt: skip
COMPANIES = (
    "Acme Inc", "Böll & Söhne GmbH", "Café Nervión SA", "Dupont, Frères", "Eneco B.V.", "Fiat Nord S.p.A.",
    "Grupo Açaí Ltda", 'H "Quick" Partners', "Initech", "Jansen Groep", "Kestrel Ltd", "Müller AG", "Nakatomi",
    "Össur hf", "Payroll 4 U", "Quill/Ink", "R&D Works", "Stark Industries",
)  # fmt: skip
THINGS = ("Renewal", "Pilot", "Rollout", "Upgrade", "Support", "Licences", "Phase 2", "Migration")
SOURCES = ("Web", "Referral", "Partner", "Trade Show", "Cold Call")
REASONS = ("Price", "No budget", "Competitor", "Went silent")


@dataclass(frozen=True, kw_only=True)
class Deal:
    """
    One deal as its owner knows it.

    ``phase`` is the open stage that it is in, or was in when it was closed; ``minute`` the time of day of its dates.
    """

    number: int
    id: str
    name: str
    company: str | None
    owner: str | None
    kind: str
    phase: int
    amount: Decimal | None
    currency: str | None
    probability: Decimal | None
    created: date | None
    expected_close: date | None
    closed: date | None
    minute: int
    source: str | None
    loss_reason: str | None

    @property
    def owner_id(self) -> int:
        return 100_200 + 7 * PEOPLE.index(str(self.owner))

    @property
    def company_id(self) -> int:
        return 5_001 + 3 * COMPANIES.index(str(self.company))

    @property
    def weighted(self) -> Decimal | None:
        """What programs call the weighted or expected revenue, which is not the amount."""
        if self.amount is None or self.probability is None:
            return None
        return round(self.amount * self.probability, 2)

    @property
    def last_day(self) -> date | None:
        """What the one close date of most programs says: expected, or what happened."""
        return self.expected_close if self.kind == OPEN else self.closed

    def at(self, day: date | None) -> datetime | None:
        """A moment of that day."""
        if day is None:
            return None
        hour, minute = divmod(self.minute, 60)
        return datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001


def _amount(random: Random, cents: bool) -> Decimal:
    units = random.choice(
        (random.randint(80, 999), random.randint(1_000, 99_999), random.randint(100_000, 2_500_000))
    )
    return Decimal(units) + (Decimal(random.randint(0, 99)) / 100 if cents else 0)


def _deal(random: Random, number: int, currencies: tuple[str, ...], *, cents: bool) -> Deal:
    kind = random.choices(KINDS, (5, 3, 2))[0]
    phase = random.randrange(len(CHANCES))
    created = TODAY - timedelta(random.randint(20, 700))
    expected = created + timedelta(random.randint(20, 300))
    closed = min(created + timedelta(random.randint(5, 200)), TODAY)
    return Deal(
        number=number,
        id=str(number),
        name=f"{random.choice(THINGS)} {number}",
        company=random.choice(COMPANIES),
        owner=random.choice(PEOPLE),
        kind=kind,
        phase=phase,
        amount=None if random.random() < 0.05 else _amount(random, cents),
        currency=random.choice(currencies),
        probability={OPEN: CHANCES[phase], WON: Decimal(1), LOST: Decimal(0)}[kind],
        created=created,
        expected_close=expected,
        closed=None if kind == OPEN else closed,
        # far enough from midnight that the day is the same in most zones
        minute=random.randint(6 * 60, 18 * 60),
        source=random.choice(SOURCES),
        loss_reason=random.choice(REASONS) if kind == LOST else None,
    )


def some_deals(random: Random, currencies: tuple[str, ...], *, cents: bool) -> list[Deal]:
    """12 to 45 deals, at least one of each outcome."""
    first = random.choice((1, 1001, 48_213_900))
    while True:
        deals = [
            _deal(random, first + n, currencies, cents=cents) for n in range(random.randint(12, 45))
        ]
        if {deal.kind for deal in deals} == set(KINDS):
            return deals
