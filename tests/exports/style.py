"""How a program writes down numbers, dates and text: one style an export, as a person with one computer has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from random import Random

# the first ones are more common
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF", "BRL": "R$"}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LONG = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
# "%-d" is not to be had everywhere
DATES = {
    "iso": "{y:04}-{m:02}-{d:02}",
    "us": "{m}/{d}/{y:04}",
    "us2": "{m:02}/{d:02}/{s:02}",
    "us name": "{name} {d}, {y:04}",
    "us long": "{long} {d}, {y:04}",
    "eu": "{d:02}/{m:02}/{y:04}",
    "eu2": "{d:02}/{m:02}/{s:02}",
    "eu name": "{d} {name} {y:04}",
    "dotted": "{d:02}.{m:02}.{y:04}",
    "dotted2": "{d:02}.{m:02}.{s:02}",
    "dashed": "{d:02}-{m:02}-{y:04}",
}
# what to answer when a load asks for the order of dates
ORDERS = {"us": "us", "us2": "us", "us name": "us", "us long": "us"}


@dataclass(frozen=True)
class Locale:
    """What the settings of a computer decide together."""

    separators: tuple[str, ...]
    decimal: str
    thousands: tuple[str, ...]
    dates: tuple[str, ...]
    encodings: tuple[str, ...]


@dataclass(frozen=True)
class Money:
    """An amount that is written in the style of the export."""

    amount: Decimal | None
    currency: str | None


@dataclass(frozen=True)
class Chance:
    """A probability that is written in the style of the export."""

    share: Decimal | None


UTF8 = ("utf-8", "utf-8", "utf-8-sig")
WINDOWS = ("utf-8-sig", "cp1252", "cp1252", "utf-16")
LOCALES = {
    # as a program writes it that asks nobody
    "plain": Locale((",",), ".", ("",), ("iso",), UTF8),
    "us": Locale((",", ",", "\t"), ".", (",", ",", ""), ("us", "us", "us2", "us name"), WINDOWS),
    "uk": Locale((",",), ".", (",", ""), ("eu", "eu", "eu2", "eu name"), WINDOWS),
    "de": Locale((";",), ",", (".", ".", ""), ("dotted", "dotted", "dotted2"), WINDOWS),
    "ch": Locale((";",), ".", ("'",), ("dotted",), WINDOWS),
    "fr": Locale((";",), ",", ("\N{NO-BREAK SPACE}", " ", ""), ("eu", "eu", "eu2"), WINDOWS),
    "nl": Locale((";",), ",", (".", ""), ("dashed",), WINDOWS),
    # what some programs have by their settings, whatever the computer
    "dashed": Locale((",",), ".", (",", ""), ("dashed",), UTF8),
    "named": Locale((",",), ".", (",",), ("eu name",), UTF8),
    "us long": Locale((",",), ".", (",",), ("us long",), UTF8),
    "south": Locale((";",), ",", (".", ""), ("eu", "eu", "eu2"), WINDOWS),
}


@dataclass(frozen=True, kw_only=True)
class Style:
    """
    The style of one export.

    ``chance`` is how probabilities are written (``percent``, ``fraction`` or ``text``), ``money`` where the currency
    is (``bare``, ``column``, ``sign before``, ``sign behind``, ``code`` or ``header``), ``spelling`` how stages are.
    """

    seed: str
    locale: str
    container: str
    separator: str
    encoding: str
    decimal: str
    thousands: str
    days: str
    places: int | None
    chance: str
    money: str
    currency: str
    spelling: str

    def one_of(self, *options: str) -> str:
        """One of several words, the same wherever this export uses it."""
        return Random(f"{self.seed}{options}").choice(options)

    @property
    def order(self) -> str:
        return ORDERS.get(self.days, "eu")

    def number(self, value: Decimal) -> str:
        """A number with its separators."""
        fixed = value if self.places is None else value.quantize(Decimal(1).scaleb(-self.places))
        whole, _, rest = f"{fixed:,f}".partition(".")
        return whole.replace(",", self.thousands) + (self.decimal + rest if rest else "")

    def amount(self, value: Decimal, currency: str | None) -> str:
        """An amount, with its currency where this style has it in the cell."""
        text = self.number(value)
        if currency is None:
            return text
        sign = SIGNS.get(currency, currency)
        return {
            "sign before": f"{sign} {text}" if sign[0].isalpha() else f"{sign}{text}",
            "sign behind": f"{text} {sign}",
            "code": f"{text} {currency}",
        }.get(self.money, text)

    def probability(self, share: Decimal) -> str:
        """A probability, as a share, a number up to 100, or one with a sign of percent."""
        if self.chance == "fraction":
            return f"{share.normalize():f}".replace(".", self.decimal)
        text = f"{(share * 100).normalize():f}"
        return text + ("%" if self.chance == "text" else "")

    def day(self, day: date) -> str:
        """A date."""
        return DATES[self.days].format(
            y=day.year,
            s=day.year % 100,
            m=day.month,
            d=day.day,
            name=MONTHS[day.month - 1],
            long=LONG[day.month - 1],
        )

    def moment(self, moment: datetime) -> str:
        """A date with a time of day."""
        return f"{self.day(moment.date())} {moment:%H:%M}"


def some_style(
    random: Random,
    *,
    seed: str,
    locales: Sequence[str],
    containers: Sequence[str],
    chances: Sequence[str],
    monies: Sequence[str],
    spellings: Sequence[str],
) -> Style:
    """A style that hangs together, from what a shape allows."""
    name = random.choice(locales)
    locale = LOCALES[name]
    thousands = random.choice(locale.thousands)
    encoding = random.choice(locale.encodings)
    return Style(
        seed=seed,
        locale=name,
        container=random.choice(containers),
        # a spreadsheet writes UTF-16 with tabs alone
        separator="\t" if encoding == "utf-16" else random.choice(locale.separators),
        encoding=encoding,
        decimal=locale.decimal,
        thousands=thousands,
        days=random.choice(locale.dates),
        places=random.choice((2, 2, None)),
        chance=random.choice(chances),
        money=random.choice(monies),
        currency=random.choices(tuple(SIGNS), (4, 4, 3, 1, 1))[0],
        spelling=random.choice(spellings),
    )
