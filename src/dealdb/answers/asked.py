"""What a sentence is made from: a result, what was asked, and how figures are said in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from dealdb.formats.locale import PLAIN, Locale

if TYPE_CHECKING:
    from dealdb.analytics.result import MetricResult

Row: TypeAlias = Mapping[str, Any]

_LOCALE: ContextVar[Locale] = ContextVar("locale", default=PLAIN)
# as Basis.currency says it
_MIXED = "mixed"
# what results call a missing text
_NONE = "(none)"


@dataclass(frozen=True)
class AskedMetric:
    """
    A result, and what was asked for.

    Attributes
    ----------
    result
        All of its rows.
    options
        As they were given to the method.
    """

    result: MetricResult
    options: Mapping[str, Any]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the result, with money as it was before it was rounded: sums of them are rounded once."""
        exact = self.result.exact
        return self.result.to_dicts() if exact is None else exact.to_dicts()

    @property
    def groups(self) -> list[str]:
        """Columns that the rows are grouped by."""
        by = self.options.get("by")
        names = [by] if isinstance(by, str) else list(by or ())
        return [name for name in names if name in self.result.frame.columns]

    @property
    def parts(self) -> list[tuple[str | None, list[dict[str, Any]]]]:
        """The rows of each currency, as money of several is never added."""
        currency = self.result.basis.currency
        if currency != _MIXED or "currency" not in self.result.frame.columns:
            return [(None if currency == _MIXED else currency, self.rows)]
        found: dict[str | None, list[dict[str, Any]]] = {}
        for row in self.rows:
            found.setdefault(row["currency"], []).append(row)
        return list(found.items())

    @property
    def span(self) -> str:
        """The days of the window, both inside; empty where there is none."""
        return days_between(self.result.basis.since, self.result.basis.until)

    def group(self, row: Row) -> str:
        """What the groups of a row are called; empty where there are none."""
        return ", ".join(str(row[name]) for name in self.groups)

    def named(self, row: Row) -> str:
        """The same in brackets, to stand behind what is said of the row."""
        group = self.group(row)
        # "(none)" has its brackets already
        return f" {group if group[:1] == '(' else f'({group})'}" if self.groups else ""


@contextmanager
def speaking(locale: Locale) -> Iterator[None]:
    """
    Write the numbers and days of all sentences as readers of a language do, in this thread and for a while.

    Examples
    --------
    >>> with speaking(Locale("de-DE")):
    ...     money(Decimal("1200"), "EUR"), percent(0.25)
    ('1.200,00 EUR', '25,0 %')
    """
    token = _LOCALE.set(locale)
    try:
        yield
    finally:
        _LOCALE.reset(token)


def locale() -> Locale:
    """
    How those who read now write numbers and days.

    Examples
    --------
    >>> locale() == PLAIN
    True
    """
    return _LOCALE.get()


def whole(number: int) -> str:
    """
    A count.

    Examples
    --------
    >>> whole(1200)
    '1,200'
    """
    return _LOCALE.get().number(number)


def decimal(number: Decimal | float, digits: int = 2) -> str:
    """
    A number with so many digits behind the point.

    Examples
    --------
    >>> decimal(1200), decimal(0.25, 1)
    ('1,200.00', '0.2')
    """
    return _LOCALE.get().number(number, digits)


def day(value: date | None) -> str:
    """
    A day.

    Examples
    --------
    >>> day(date(2026, 1, 31)), day(None)
    ('2026-01-31', 'an unknown day')
    """
    return "an unknown day" if value is None else _LOCALE.get().day(value)


def days_between(since: date | None, until: date | None) -> str:
    """
    The days of a window in words, whose end is outside.

    Examples
    --------
    >>> days_between(date(2026, 1, 1), date(2026, 4, 1))
    'from 2026-01-01 to 2026-03-31'
    >>> days_between(date(2026, 1, 1), None), days_between(None, None)
    ('since 2026-01-01', '')
    """
    last = until - timedelta(days=1) if until and until > date.min else None
    if since and last:
        return f"from {day(since)} to {day(last)}" if last > since else f"on {day(since)}"
    return f"since {day(since)}" if since else f"up to {day(last)}" if last else ""


def counted(number: int, one: str, many: str | None = None) -> str:
    """
    A number of things.

    Examples
    --------
    >>> counted(1, "deal"), counted(1200, "deal"), counted(2, "is", "are")
    ('1 deal', '1,200 deals', '2 are')
    """
    return f"{whole(number)} {one if number == 1 else many or one + 's'}"


def deals(number: int) -> str:
    """
    A number of deals.

    Examples
    --------
    >>> deals(1), deals(0)
    ('1 deal', '0 deals')
    """
    return counted(number, "deal")


def money(value: Decimal | None, currency: str | None) -> str:
    """
    An amount of money to the cent.

    Examples
    --------
    >>> money(Decimal("1200"), "EUR"), money(Decimal("80.0500"), None), money(None, "(none)")
    ('1,200.00 EUR', '80.05', '0.00 without a currency')
    """
    text = decimal(value or Decimal(0))
    if currency == _NONE:
        return f"{text} without a currency"
    return f"{text} {currency}" if currency else text


def in_currency(currency: str | None) -> str:
    """
    Behind the name of some money, in which currency it is.

    Examples
    --------
    >>> in_currency("EUR"), in_currency("(none)"), in_currency(None)
    (' in EUR', ' without a currency', '')
    """
    if currency == _NONE:
        return " without a currency"
    return f" in {currency}" if currency else ""


def signed(sign: str, value: Decimal) -> str:
    """
    What a sum adds or takes, with its sign: money that was given back has the other one.

    Examples
    --------
    >>> signed("-", Decimal("80")), signed("-", Decimal("-80"))
    ('-80.00', '+80.00')
    """
    shown = value if sign == "+" else -value
    return f"{'+' if shown >= 0 else '-'}{decimal(abs(shown))}"


def percent(share: float | None) -> str:
    """
    A share as a percentage.

    Examples
    --------
    >>> percent(0.2857), percent(None)
    ('28.6 %', 'an unknown share')
    """
    return "an unknown share" if share is None else _LOCALE.get().share(share)


def days(number: float) -> str:
    """
    A number of days.

    Examples
    --------
    >>> days(1), days(26.5), days(27.0)
    ('1 day', '26.5 days', '27 days')
    """
    rounded = round(number, 1)
    text = whole(int(rounded)) if rounded == int(rounded) else decimal(rounded, 1)
    return f"{text} {'day' if text == '1' else 'days'}"


def listing(items: Sequence[str]) -> str:
    """
    Items in one phrase.

    Examples
    --------
    >>> listing(["a", "b", "c"]), listing(["a"])
    ('a, b and c', 'a')
    """
    *rest, last = items
    return f"{', '.join(rest)} and {last}" if rest else last


def total(rows: Iterable[Row], key: str) -> Any:
    """
    Sum of a column, nulls left out.

    Examples
    --------
    >>> total([{"n": 2}, {"n": None}, {"n": 3}], "n")
    5
    """
    return sum(row[key] for row in rows if row[key] is not None)


def sentences(*parts: str | None) -> str:
    """
    What there is to say, one behind the other.

    Examples
    --------
    >>> sentences("It rains.", None, "", "It pours.")
    'It rains. It pours.'
    """
    return " ".join(part for part in parts if part)


def blanks(number: int, what: str = "deal") -> str | None:
    """
    What deals without an amount do to a sum; None where there are none.

    Examples
    --------
    >>> blanks(1), blanks(2, "open deal")
    ('1 deal has no amount and counts as 0.', '2 open deals have no amount and count as 0.')
    """
    if not number:
        return None
    has, counts = ("has", "counts") if number == 1 else ("have", "count")
    return f"{counted(number, what)} {has} no amount and {counts} as 0."
