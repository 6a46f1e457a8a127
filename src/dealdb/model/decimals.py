"""Decimal numbers: the one text that each has, how many digits it needs, and which of them fit a field."""

from __future__ import annotations

import re
from decimal import Context, Decimal, Inexact, InvalidOperation

from dealdb.model.schema import (
    DEFAULT_SCALE,
    MAX_DECIMAL_DIGITS,
    MAX_WHOLE_DIGITS,
    Field,
    max_scale,
)

# decimal digits that every float holds; the one or two behind them are what arithmetic leaves: 0.30000000000000004
FLOAT_DIGITS = 15
# callers may have set a context of fewer digits
_ROUNDING = Context(prec=MAX_DECIMAL_DIGITS)
# of all digits that a sum of amounts or of weighted ones can have; what has more is not rounded in silence
EXACT = Context(prec=80, traps=[Inexact])
# what values are to be, for errors
A_NUMBER = "a decimal number"
A_PROBABILITY = "a probability from 0 to 1 (60 % is 0.6)"
# no number that fits has so many characters, however it is written; to read a text costs what its length says
_MAX_TEXT = 400
_PERCENT = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,16})?)\s*%\s*", re.ASCII)


class DoesNotFit(Exception):
    """A value that doesn't fit; the argument says what would have."""


def scale_of(number: Decimal) -> int:
    """
    Digits after the decimal point that a number needs.

    Examples
    --------
    >>> scale_of(Decimal("20.10"))
    1
    """
    # from the digits: arithmetic, normalize() too, rounds to the 28 digits of the default context
    _, digits, exponent = number.as_tuple()
    if not number or not isinstance(exponent, int):
        return 0
    scale = -exponent
    for digit in reversed(digits):
        if digit or scale <= 0:
            break
        scale -= 1
    return max(scale, 0)


def number_of(value: object) -> Decimal | None:
    """The finite number that a value is or reads as, exactly but for a float's noise; None where there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        return None
    try:
        number = Decimal(repr(float(value)) if isinstance(value, float) else value)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return _without_noise(number) if isinstance(value, float) else number


def _without_noise(number: Decimal) -> Decimal:
    """A float's shortest decimal, rounded half to even to 15 digits, but never to less than two after the point."""
    _, digits, exponent = number.as_tuple()
    places = max(DEFAULT_SCALE, FLOAT_DIGITS - 1 - number.adjusted())
    if len(digits) <= FLOAT_DIGITS or not isinstance(exponent, int) or -exponent <= places:
        return number
    return number.quantize(Decimal(1).scaleb(-places, _ROUNDING), context=_ROUNDING)


def encode_decimal(value: object) -> str:
    """Plain digits of a number, without needless zeros; DoesNotFit for what is none, or has too many digits."""
    number = number_of(value)
    if number is None:
        raise DoesNotFit(A_NUMBER)
    text = str(number)
    # the caller's context may write a small e
    if "E" in text or "e" in text or len(text) > MAX_DECIMAL_DIGITS:
        # counted before it is written out: 1E+999999 would be a million digits long
        if max(number.adjusted() + 1, 1) + scale_of(number) > MAX_DECIMAL_DIGITS:
            raise DoesNotFit(f"a decimal number of at most {MAX_DECIMAL_DIGITS} digits")
        text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def plain_digits(number: Decimal) -> str | None:
    """
    Number without an exponent or needless zeros, or None where it has more digits than fit.

    Examples
    --------
    >>> plain_digits(Decimal("1.50E+3")), plain_digits(Decimal("1E+999999"))
    ('1500', None)
    """
    try:
        return encode_decimal(number)
    except DoesNotFit:
        return None


def fits(text: str, name: str) -> bool:
    """
    Whether a decimal field has room for a number in plain digits, whatever other numbers it has.

    Examples
    --------
    >>> fits("12.5", "amount"), fits("0." + "3" * 19, "amount"), fits("9" * 21, "amount")
    (True, False, False)
    """
    whole, _, fraction = text.lstrip("-").partition(".")
    return len(whole) <= MAX_WHOLE_DIGITS and len(fraction) <= max_scale(name)


def check_digits(text: str, name: str) -> None:
    """Raise DoesNotFit where a decimal field has no room for a number in plain digits."""
    if not fits(text, name):
        msg = (
            f"a decimal number of at most {MAX_WHOLE_DIGITS} digits and {max_scale(name)} decimals"
        )
        raise DoesNotFit(msg)


def share_of(value: object) -> object:
    """
    What a probability is: a text such as ``60%`` is a share of hundred, anything else stays.

    Examples
    --------
    >>> share_of("62.5 %"), share_of("60"), share_of(0.6)
    (Decimal('0.625'), '60', 0.6)
    """
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    # scaled digit by digit, so that nothing is rounded
    return Decimal(f"{found[1]}e-2") if found else value


def check_probability(text: str) -> None:
    """Raise DoesNotFit for what is not a number from 0 to 1."""
    number = number_of(text)
    if number is None or not 0 <= number <= 1:
        raise DoesNotFit(A_PROBABILITY)


def decode_decimal(text: str, field: Field) -> Decimal:
    """
    Number from its text, with the decimals that its field shows; ValueError where its column has no room for it.

    Examples
    --------
    >>> from dealdb.model.schema import FieldType
    >>> decode_decimal("20.1", Field("amount", FieldType.DECIMAL, 2))
    Decimal('20.10')
    """
    number = number_of(text)
    if number is None:
        msg = "not a decimal number"
        raise ValueError(msg)
    # counted before anything is written out: an exponent of nine digits stands for as many zeros
    scale = scale_of(number)
    if max(number.adjusted() + 1, 1) + max(scale, field.scale) > MAX_DECIMAL_DIGITS:
        msg = f"more than {MAX_DECIMAL_DIGITS} digits"
        raise ValueError(msg)
    if not number:
        return Decimal((0, (0,), -field.scale))
    # built from digits: quantize() would round to the 28 digits of the default context
    sign, digits, exponent = number.as_tuple()
    shown = max(scale, field.scale)
    # as many zeros behind the last digit as its place leaves, or as many fewer as the text has needlessly
    padding = shown + int(exponent)
    digits = digits + (0,) * padding if padding >= 0 else digits[:padding]
    return Decimal((sign, digits, -shown))
