"""``Locale``: numbers, money and days as readers of a language write them; the words are English everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import MAX_PREC, Decimal, localcontext
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from dealdb.errors import MissingExtra
from dealdb.model.fiscal import time_zone

if TYPE_CHECKING:
    from babel.core import Locale as BabelLocale

Number = int | float | Decimal

# digits of a day, in the order of the language
_DAY, _MONTH = "yMd", "yM"
# up to here a number is short enough by itself
_SHORT = 10_000
_MARKS = dict.fromkeys(map(ord, "\u061c\u200e\u200f"))


@dataclass(frozen=True)
class Locale:
    """
    How a reader writes numbers, money and days.

    Attributes
    ----------
    tag
        Such as ``"de-DE"``; ``""`` writes as the command line does: ``1,234.50``, ``2026-01-31``.
    zone
        By whose clocks moments are told.

    Examples
    --------
    >>> plain, german = Locale(""), Locale("de-DE")
    >>> plain.money(Decimal("1234.50"), "EUR"), german.money(Decimal("1234.50"), "EUR")
    ('1,234.50 EUR', '1.234,50 EUR')
    >>> german.day(date(2026, 1, 31)), german.share(0.25), german.short(Decimal("12500000"))
    ('31.1.2026', '25,0 %', '12,5 Mio.')
    >>> plain.name(2026), german.name(2026), german.name(Decimal("1234.50"))
    ('2026', '2026', '1234,50')
    """

    tag: str = ""
    zone: str = "UTC"

    @cached_property
    def _babel(self) -> BabelLocale:
        return _known(self.tag)

    def number(self, value: Number, digits: int | None = None) -> str:
        """A number with its thousands grouped; all digits that it has, or so many behind the point."""
        exact = _exact(value) if digits is None else _rounded(_exact(value), digits)
        if not self.tag:
            return f"{exact:,f}"
        # groups as the language has them
        return self._in_language(exact, str(self._babel.decimal_formats[None].pattern))

    def name(self, value: Number) -> str:
        """A number that is a name, such as a year: all its digits, and no groups."""
        exact = _exact(value)
        return self._in_language(exact, "0") if self.tag else f"{exact:f}"

    def _in_language(self, exact: Decimal, pattern: str) -> str:
        return _formatted(str(exact), pattern, self.tag)

    def money(self, value: Number, currency: str | None = None) -> str:
        """An amount with all its digits, and its currency behind it, by its code as no two currencies share one."""
        amount = self.number(value)
        return f"{amount} {currency}" if currency else amount

    def share(self, value: Number, digits: int = 1) -> str:
        """A ratio as a percentage."""
        return f"{self.number(_times_100(_exact(value)), digits)} %"

    def short(self, value: Number) -> str:
        """A large number in three digits or so: ``12.5 m``; below 10,000 the number itself without a fraction."""
        exact = _exact(value)
        if abs(exact) < _SHORT:
            return self.number(exact, 0)
        if self.tag:
            from babel.numbers import format_compact_decimal

            text = _plainly(format_compact_decimal(exact, locale=self._babel, fraction_digits=1))
            if text[-1].isdigit():
                # there is no short word for thousands in this language, and the digits would stand ungrouped
                return self.number(exact, 0)
            return text.replace("\N{NO-BREAK SPACE}", " ")
        for unit, name in ((10**9, "bn"), (10**6, "m"), (10**3, "k")):
            # what would be rounded to a thousand of the unit below is one of this
            if abs(exact) >= unit - unit // 20_000:
                return f"{exact / unit:,.1f} {name}"
        raise AssertionError(exact)

    def day(self, value: date) -> str:
        """A day, with a year of four digits."""
        if not self.tag:
            return value.isoformat()
        from babel.dates import format_skeleton

        return _plainly(format_skeleton(_DAY, value, locale=self._babel))

    def moment(self, value: datetime) -> str:
        """
        A moment to the minute, with the zone by whose clocks it is told; one without a zone as it is.

        Examples
        --------
        >>> from datetime import UTC
        >>> late = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
        >>> Locale(zone="Europe/Berlin").moment(late), Locale().moment(late.replace(tzinfo=None))
        ('2026-02-01 00:30 Europe/Berlin', '2026-01-31 23:30')
        """
        if value.tzinfo is None:
            return f"{self.day(value.date())} {value:%H:%M}"
        there = value.astimezone(time_zone(self.zone))
        return f"{self.day(there.date())} {there:%H:%M} {self.zone}"

    def month(self, value: date) -> str:
        """A month of a year, in digits where the words would be of another language."""
        if not self.tag:
            return f"{value:%Y-%m}"
        from babel.dates import format_skeleton

        return _plainly(format_skeleton(_MONTH, value, locale=self._babel))


def _plainly(text: str) -> str:
    """Without marks of direction: what is around it is English, and they would move its parts."""
    return text.translate(_MARKS)


# a page is made again after each commit, and nearly all its numbers are those that it had
@lru_cache(4_096)
def _formatted(number: str, pattern: str, tag: str) -> str:
    """A number by its text, as 1.0 and 1.00 are equal, and are not written alike."""
    from babel.numbers import format_decimal

    exact = Decimal(number)
    places = max(0, -int(exact.as_tuple().exponent)) if exact.is_finite() else 0
    # as many digits as the number has: it is not rounded again
    pattern = pattern.partition(".")[0] + ("." + "0" * places if places else "")
    # it counts digits in the context of the thread, which has 28 of them
    with localcontext() as context:
        context.prec = MAX_PREC
        return format_decimal(exact, pattern, locale=_known(tag))


PLAIN = Locale()


def locale_for(accepted: str | None) -> Locale:
    """
    The locale that a browser asks for.

    Parameters
    ----------
    accepted
        Its header ``Accept-Language``.

    Examples
    --------
    >>> locale_for("xx;q=0.9, fr-CH, fr;q=0.8").tag, locale_for(None).tag
    ('fr-CH', '')
    """
    for tag in _by_weight(accepted or ""):
        if _is_known(tag):
            return Locale(tag)
    return PLAIN


def _by_weight(accepted: str) -> Sequence[str]:
    found = []
    # a browser names a handful; a header of kilobytes is no wish
    for place, part in enumerate(accepted[:500].split(",")[:20]):
        tag, _, weight = part.partition(";q=")
        try:
            found.append((-float(weight or 1), place, tag.strip()))
        except ValueError:
            continue
    return [tag for _, _, tag in sorted(found)]


def _is_known(tag: str) -> bool:
    from babel.core import UnknownLocaleError

    try:
        _known(tag)
    except (UnknownLocaleError, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def _known(tag: str) -> BabelLocale:
    try:
        from babel.core import Locale as BabelLocale
    except ImportError as error:
        msg = "numbers and dates of a language need the extra 'board': pip install 'dealdb[board]'"
        raise MissingExtra(msg) from error
    return BabelLocale.parse(tag, sep="-")


def _rounded(value: Decimal, digits: int) -> Decimal:
    """A number with so many digits behind the point; none of the others is lost, and nothing has no sign."""
    with localcontext() as context:
        context.prec = MAX_PREC
        found = round(value, digits)
    return found or found.copy_abs()


def _times_100(value: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = MAX_PREC
        return value * 100


def _exact(value: Number) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))
