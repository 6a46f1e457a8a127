"""
Amounts that count cents or millionths of their currency, as APIs write them, or thousands, as people do.

Close gives ``value`` 300000 next to ``value_formatted`` "$3,000", Twenty calls its column ``amountMicros``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import polars as pl

from dealdb.loader.cells.column_profile import without_nothing
from dealdb.loader.cells.currencies import DOLLAR
from dealdb.loader.cells.numbers import by_unique, currencies_of, decimals
from dealdb.loader.chunk import Chunk
from dealdb.loader.columns.aliases import key_of
from dealdb.loader.columns.plan import ColumnPlan
from dealdb.loader.columns.units import minor_digits
from dealdb.model.decimals import encode_decimal

_FORMATTED = "formatted"
# currencies that are written with the sign of the dollar, beside those whose codes end in D
_PESOS = frozenset(("ARS", "BRL", "CLP", "COP", "MXN", "UYU"))
_US_DOLLAR = "USD"
# languages of countries none of which has a dollar or peso of its own, by the names that amounts have in them
_NO_OWN_DOLLAR = re.compile(
    r"betrag|wert|summe|umsatz|volumen|preis|importo|valore|ammontare|fatturato|prezzo|bedrag|waarde|omzet|prijs"
)
# digits of the whole part; what follows the last point or comma may be a fraction
_WHOLE = r"^[^0-9]*([0-9][0-9.,'\s\u{a0}\u{202f}]*?)(?:[.,][0-9]{1,2})?(?:[^0-9.,].*)?$"


class MinorUnits:
    """What the columns beside those of amounts say about the unit in which these count."""

    def __init__(self) -> None:
        self._in_cents: Counter[str] = Counter()
        self._in_units: Counter[str] = Counter()

    def add(self, frame: pl.DataFrame) -> None:
        """Compare the amounts of some more rows with the same amounts as people read them."""
        for header, shown in _pairs(frame.columns):
            amount = frame[header].cast(pl.Float64, strict=False)
            whole = frame[shown].str.extract(_WHOLE).str.replace_all(r"[^0-9]", "")
            read = whole.cast(pl.Float64, strict=False)
            cents = ((amount.abs() / 100 - read).abs() < 1).fill_null(value=False)
            units = ((amount.abs() - read).abs() < 1).fill_null(value=False)
            self._in_cents[header] += int((cents & ~units).sum())
            self._in_units[header] += int((units & ~cents).sum())

    def digits_of(self, header: str, target: str) -> int:
        """
        Digits by which the point of a column's numbers is to be moved.

        Parameters
        ----------
        header
            Column.
        target
            Field that it becomes: what a column of its own is called, its name says by itself.
        """
        if self._in_cents[header] and not self._in_units[header]:
            return 2
        return minor_digits(header) if target == "amount" and not self._in_units[header] else 0


def in_units(cells: pl.Series, point: str, digits: int) -> pl.Series:
    """
    Numbers with the point moved to the left, exactly; null where a cell is not a number.

    Examples
    --------
    >>> in_units(pl.Series(["300000", "5", None]), ".", 2).to_list()
    ['3000', '0.05', None]
    """

    def moved(text: str) -> str:
        sign, shown, exponent = Decimal(text).as_tuple()
        return encode_decimal(Decimal((sign, shown, int(exponent) - digits)))

    return by_unique(decimals(cells, point), moved)


def _pairs(headers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Columns with those that have the same amounts as people read them."""
    formatted = [(key_of(h).removesuffix(_FORMATTED), h) for h in headers if _is_formatted(h)]
    for key, shown in formatted:
        yield from ((header, shown) for header in headers if key_of(header) == key)


def _is_formatted(header: str) -> bool:
    return key_of(header).endswith(_FORMATTED)


def with_currency(
    plan: ColumnPlan, named: Collection[str], notes: list[str], *, has_currencies: bool
) -> ColumnPlan:
    """
    Plan of a column of numbers with the currencies that its cells name.

    Parameters
    ----------
    plan
        Of the column so far.
    named
        These currencies.
    has_currencies
        Whether the source has a column of currencies with anything in it.
    notes
        What was decided is added to them.
    """
    if plan.field.name != "amount":
        if len(named) > 1:
            notes.append(f"{plan.header!r} has several currencies; only 'amount' keeps them")
        return plan
    if not named:
        return plan
    dollar = _dollar_in(plan, named)
    if DOLLAR in named and dollar != DOLLAR:
        notes.append(f"'$' in {plan.header!r} is taken for {dollar}")
    found = sorted({dollar if each == DOLLAR else each for each in named})
    notes.append(f"currencies of {plan.header!r}: {', '.join(found)}")
    # a sheet may have the sign in its first row only, and deals whose amount is not known yet
    only = None if has_currencies or len(found) > 1 else found[0]
    return replace(plan, named_currency=True, currency=only, dollar=dollar)


def _dollar_in(plan: ColumnPlan, named: Collection[str]) -> str:
    """What ``$`` is in a column: who writes decimals with commas may have another dollar, or pesos."""
    others = set(named) - {DOLLAR}
    if plan.point == "." or _NO_OWN_DOLLAR.search(key_of(plan.header)):
        return _US_DOLLAR
    # beside euros or pounds it is no money of the country; beside dollars that say whose they are, it is
    return _US_DOLLAR if others and not any(map(_is_dollar, others)) else DOLLAR


def _is_dollar(currency: str) -> bool:
    return currency.endswith("D") or currency in _PESOS


def with_default(columns: Iterable[ColumnPlan], code: str) -> list[ColumnPlan]:
    """Plans in which amounts that name no currency have the one that the header says."""
    return [
        replace(each, currency=each.currency or code) if each.named_currency else each
        for each in columns
    ]


def name_currencies(
    texts: dict[str, pl.Series], chunk: Chunk, columns: Sequence[ColumnPlan]
) -> None:
    """
    Take the currencies that amounts name for rows that have no other.

    Where they are all in one currency, a deal without an amount is in it too.
    """
    column = next((each for each in columns if each.named_currency), None)
    if column is None:
        return
    cells = without_nothing(chunk.frame[column.header])
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, cells.len())
    named = currencies_of(cells).replace(DOLLAR, column.dollar)
    if column.currency:
        named = named.fill_null(column.currency)
    known = texts.get("currency", nothing)
    texts["currency"] = known.zip_with(known.is_not_null(), named).alias("currency")
