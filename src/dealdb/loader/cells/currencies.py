"""
Currencies as exports write them, before and behind amounts or in a column of their own, and the code of each.

A sign that several countries use has no code of its own and stays as it is written.
"""

from __future__ import annotations

import re

_CODE_LIST = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL
HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL
MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
"""
CODES = frozenset(_CODE_LIST.split())
DOLLAR = "$"
_SIGNS = {
    "US$": "USD", "$US": "USD", "$ US": "USD", "$CA": "CAD", "$ CA": "CAD", "$AU": "AUD", "$MX": "MXN",
    "US $": "USD", "U$S": "USD", "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₩": "KRW", "₪": "ILS",
    "₺": "TRY", "₴": "UAH", "₫": "VND", "₦": "NGN", "₱": "PHP", "₵": "GHS", "₡": "CRC", "₲": "PYG", "₸": "KZT",
    "₾": "GEL", "₼": "AZN", "₮": "MNT", "₭": "LAK", "৳": "BDT", "฿": "THB", "円": "JPY", "元": "CNY", "R$": "BRL",
    "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "SG$": "SGD",
    "NT$": "TWD", "MX$": "MXN", "CN¥": "CNY", "JP¥": "JPY", "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "lei": "RON",
    "лв": "BGN", "лв.": "BGN", "грн": "UAH", "Rp": "IDR", "SFr.": "CHF", "Fr.": "CHF", "SFr": "CHF", "Fr": "CHF",
    "S/": "PEN", "TL": "TRY", "руб.": "RUB", "руб": "RUB",  # noqa: RUF001  # Russian letters
}  # fmt: skip
# several countries write these
_SHARED = (DOLLAR, "¥", "kr.", "kr", "Rs.", "Rs")
_NAMES = {
    "euro": "EUR", "euros": "EUR", "us dollar": "USD", "us dollars": "USD", "u.s. dollar": "USD",
    "united states dollar": "USD", "american dollar": "USD", "british pound": "GBP", "pound sterling": "GBP",
    "british pound sterling": "GBP", "canadian dollar": "CAD", "australian dollar": "AUD",
    "new zealand dollar": "NZD", "singapore dollar": "SGD", "hong kong dollar": "HKD", "swiss franc": "CHF",
    "indian rupee": "INR", "japanese yen": "JPY", "yen": "JPY", "chinese yuan": "CNY", "brazilian real": "BRL",
    "mexican peso": "MXN", "swedish krona": "SEK", "norwegian krone": "NOK", "danish krone": "DKK",
    "polish zloty": "PLN", "czech koruna": "CZK", "hungarian forint": "HUF", "south african rand": "ZAR",
}  # fmt: skip
_BY_SIGN = {sign.casefold(): code for sign, code in _SIGNS.items()}


def _either(*words: str) -> str:
    # what begins like a longer one comes behind it
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


_ANY = rf"(?i:{_either(*CODES)})(?: ?\$)?|{_either(*_SIGNS, *_SHARED)}"
# letters that are a currency before a number, and something else behind one
CURRENCY_BEFORE = rf"(?:{_ANY}|RM|R)"
CURRENCY_BEHIND = rf"(?:{_ANY}|(?i:euros?))"
_BEFORE_ONLY = {"r": "ZAR", "rm": "MYR"}
_CODE = re.compile(r"\b[A-Z]{3}\b")


def currency_name(text: str) -> str | None:
    """
    One name for a currency, however it is written: its code, or the trimmed text where that is not known.

    Examples
    --------
    >>> [currency_name(text) for text in ("eur", " EUR ", "€", "US Dollar (USD)", "kr", " ")]
    ['EUR', 'EUR', 'EUR', 'USD', 'kr', None]
    """
    name = " ".join(text.split())
    if name.upper() in CODES:
        return name.upper()
    known = _BY_SIGN.get(name.casefold()) or _NAMES.get(name.casefold())
    if known:
        return known
    codes = CODES.intersection(_CODE.findall(name))
    return next(iter(codes)) if len(codes) == 1 else name or None


def is_currency(text: str) -> bool:
    """
    Whether a text is a code, a sign or a name of a currency.

    Examples
    --------
    >>> [is_currency(text) for text in ("eur", "$", "US Dollar", "not invoiced")]
    [True, True, True, False]
    """
    return currency_name(text) in CODES or text.strip() in _SHARED


def currency_of_amount(before: str | None, behind: str | None) -> str | None:
    """
    Currency of an amount with signs or codes on its sides; the one behind says more than a ``$`` before.

    Examples
    --------
    >>> (
    ...     currency_of_amount("$", "CAD"),
    ...     currency_of_amount("R", None),
    ...     currency_of_amount(None, None),
    ... )
    ('CAD', 'ZAR', None)
    """
    sign = (behind or before or "").strip()
    if len(sign) > len(DOLLAR) and sign[:3].upper() in CODES:
        sign = sign[:3]
    return _BEFORE_ONLY.get(sign.casefold()) or currency_name(sign)
