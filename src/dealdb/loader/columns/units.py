"""
The unit in which a column of amounts counts, as its header says: thousands of euros, cents, an amount without tax.

What says so is no part of the name: "Umsatz in T€", "Est. Value ($K)" and "Importe sin IVA" are Umsatz, value and
importe.
"""

from __future__ import annotations

import re

from dealdb.loader.columns.aliases import key_of

# parts of the unit, by the end of the name: digits to move the point
_MINOR = {"micros": 6, "incents": 2, "cents": 2}
_MONEY = r"(?:€|\$|£|EUR\b|USD\b|GBP\b|CHF\b|BRL\b)"
_START, _END = r"(?<![^\W_])(?:in\s+)?", r"(?:\s+(?:of|de|di|d['\u2019]))?(?![^\W_])"
_THOUSANDS = re.compile(
    rf"{_START}[TtkK](?={_MONEY})|(?<=[€$£])[kK](?![^\W_])"
    rf"|{_START}(?i:tsd\.?|tausend|thousands?|milliers|migliaia|duizend(?:en)?|milhares|'?000s?){_END}"
)
_MILLIONS = re.compile(
    rf"{_START}M(?={_MONEY})|(?<=[€$£])(?:M|MM|mm)(?![^\W_])"
    rf"|{_START}(?i:mio\.?|mln\.?|millions?|millionen|millones|milioni|miljoen|milhões){_END}"
)
# what is counted without taxes is what a deal brings in
_TAX = re.compile(
    r"(?<![^\W_])(?i:netto|net|ht|hors\s+taxes?|sin\s+iva|iva\s+excluido|senza\s+iva|iva\s+esclusa|sem\s+iva|s/\s*iva"
    r"|ex(?:cl)?\.?\s*(?:btw|vat|tax|taxes|mwst|ust)\.?|ohne\s+(?:mwst|ust)\.?|zzgl\.?\s+(?:mwst|ust)\.?)(?![^\W_])"
)
_MULTIPLES = ((_MILLIONS, -6), (_THOUSANDS, -3))


def without_units(header: str) -> str:
    """
    Header without what says that it counts thousands or millions, or leaves out taxes.

    Examples
    --------
    >>> [
    ...     without_units(each)
    ...     for each in ("Umsatz in T€", "Value ($K)", "Importe sin IVA", "Amount")
    ... ]
    ['Umsatz €', 'Value ($)', 'Importe', 'Amount']
    """
    for pattern in (_TAX, *(multiple for multiple, _ in _MULTIPLES)):
        header = pattern.sub("", header)
    return re.sub(r"\s+(?=[)\]])", "", header).strip()


def minor_digits(header: str) -> int:
    """
    Digits by which the point of an amount is to be moved to the left, as its name says; to the right if negative.

    Examples
    --------
    >>> [
    ...     minor_digits(each)
    ...     for each in ("amountMicros", "amount_in_cents", "amount", "Umsatz (Mio. €)")
    ... ]
    [6, 2, 0, -6]
    """
    key = key_of(header)
    parts = next((digits for end, digits in _MINOR.items() if key.endswith(end)), 0)
    return parts or next((digits for each, digits in _MULTIPLES if each.search(header)), 0)


def without_minor(key: str) -> str:
    """Key of a header without its end that names a part of the unit; empty if it names none."""
    end = next((end for end in _MINOR if key.endswith(end)), "")
    return key.removesuffix(end) if end else ""
