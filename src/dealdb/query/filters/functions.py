"""Arithmetic and the functions that filters may call; exact on exact numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import reduce

import polars as pl

from dealdb.model.moments import as_utc
from dealdb.model.schema import MAX_DECIMAL_DIGITS
from dealdb.query.filters.comparisons import contained, lowered, text_test
from dealdb.query.filters.operands import (
    DATETIME_TYPE,
    Operand,
    OperandKind,
    Span,
    Unfit,
    as_datetime,
    as_float,
    computed,
    constant,
    decimal_literal,
    described,
    expr_of,
    fitted,
    read_date,
    read_datetime,
    shifted_day,
)

_EXACT = Context(prec=2 * MAX_DECIMAL_DIGITS + 2, traps=[Inexact, InvalidOperation, Overflow])
_FOLDED = {"+": _EXACT.add, "-": _EXACT.subtract, "*": _EXACT.multiply}
_OPERATORS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def arithmetic(left: Operand, sign: str, right: Operand) -> Operand:
    """
    Sum, difference, product or quotient.

    ``+ - *`` of exact numbers are exact; a quotient is a float, as in DuckDB. Dates take spans and whole days.

    Raises
    ------
    Unfit
        If the operands don't go together, or a constant has too many digits.
    """
    if sign in "+-" and left.kind in (OperandKind.DATE, OperandKind.DATETIME):
        return _shifted(left, sign, right)
    for operand in (left, right):
        if operand.kind not in (OperandKind.NUMBER, OperandKind.NULL):
            msg = f"{described(operand)}; {sign} is for numbers"
            raise Unfit(msg, operand.at)
    if OperandKind.NULL in (left.kind, right.kind):
        return constant(None, left.at)
    if isinstance(left.value, Decimal) and isinstance(right.value, Decimal) and sign != "/":
        return constant(_folded(left.value, sign, right.value), left.at)
    if sign == "/" or left.is_float or right.is_float:
        quotient = _OPERATORS[sign](as_float(left), as_float(right))
        return computed(quotient, pl.Float64(), left.at)
    return _exact(left, sign, right)


def _folded(left: Decimal, sign: str, right: Decimal) -> Decimal:
    try:
        number = _FOLDED[sign](left, right)
    except (Inexact, InvalidOperation, Overflow):
        number = None
    if number is None or len(number.normalize(_EXACT).as_tuple().digits) > MAX_DECIMAL_DIGITS:
        msg = f"a number has at most {MAX_DECIMAL_DIGITS} digits"
        raise Unfit(msg)
    return number


def _exact(left: Operand, sign: str, right: Operand) -> Operand:
    scales = left.scale, right.scale
    scale = sum(scales) if sign == "*" else max(scales)
    if scale > MAX_DECIMAL_DIGITS:
        msg = f"the product has more than {MAX_DECIMAL_DIGITS} digits after the point"
        raise Unfit(msg)
    dtype = pl.Decimal(MAX_DECIMAL_DIGITS, scale)
    # Polars rounds a product to the larger scale of its factors, so one factor gets the full scale first
    first = _decimal(left, scale)
    second = _decimal(right, right.scale if sign == "*" else scale)
    return computed(_OPERATORS[sign](first, second), dtype, left.at)


def _decimal(operand: Operand, scale: int) -> pl.Expr:
    if isinstance(operand.value, Decimal):
        return decimal_literal(operand.value, scale)
    return expr_of(operand).cast(pl.Decimal(MAX_DECIMAL_DIGITS, scale))


def _shifted(left: Operand, sign: str, right: Operand) -> Operand:
    if right.kind is OperandKind.TEXT:
        right = fitted(right, left)
    if sign == "-" and left.kind is right.kind is OperandKind.DATE:
        days = (expr_of(left) - expr_of(right)).dt.total_days()
        return computed(days, pl.Int64(), left.at)
    span = _span_of(right)
    if span is None:
        hint = "; subtract days: date(a) - date(b)" if right.kind is OperandKind.DATETIME else ""
        msg = f"{described(left)}; add or subtract a span such as 30d or INTERVAL 3 MONTH{hint}"
        raise Unfit(msg, left.at)
    span = span.negated() if sign == "-" else span
    if left.kind is OperandKind.DATE and span.seconds:
        msg = f"{described(left)} without a time of day; add or subtract whole days"
        raise Unfit(msg, left.at)
    return _moved(left, span)


def _span_of(operand: Operand) -> Span | None:
    if isinstance(operand.value, Span):
        return operand.value
    number = operand.value
    if isinstance(number, Decimal) and number == int(number) and abs(number) < 10**7:
        return Span(days=int(number))
    return None


def _moved(operand: Operand, span: Span) -> Operand:
    if operand.expr is None and isinstance(operand.value, date):
        return replace(operand, value=shifted_day(operand.value, span))
    moved = expr_of(operand)
    # months first, then days, as SQL adds an interval
    for amount, unit in ((span.months, "mo"), (span.days, "d"), (span.seconds, "s")):
        if amount:
            moved = moved.dt.offset_by(f"{amount}{unit}")
    return replace(operand, expr=moved, name="")


def negated(operand: Operand) -> Operand:
    """
    Number or span with the opposite sign.

    Raises
    ------
    Unfit
        If it is neither.
    """
    if isinstance(operand.value, Decimal):
        # not by the operator, which rounds to the 28 digits of the default context
        return replace(operand, value=_EXACT.minus(operand.value))
    if isinstance(operand.value, Span):
        return replace(operand, value=operand.value.negated())
    if operand.is_float:
        return computed(-as_float(operand), pl.Float64(), operand.at)
    return arithmetic(constant(Decimal(0), operand.at), "-", operand)


def _text(operand: Operand, function: str) -> pl.Expr:
    if operand.kind is not OperandKind.TEXT:
        msg = f"{described(operand)}; {function}() is for text"
        raise Unfit(msg, operand.at)
    return expr_of(operand)


# what DuckDB's trim() takes away: the space separators of Unicode
_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def _text_function(name: str, apply: Callable[[pl.Expr], pl.Expr], dtype: pl.DataType) -> Function:
    def call(operands: Sequence[Operand]) -> Operand:
        (operand,) = operands
        result = computed(apply(_text(operand, name)), dtype, operand.at)
        if operand.category is None:
            return result
        before = operand.spelled or (lambda texts: texts)
        return replace(
            result, category=operand.category, spelled=lambda texts: apply(before(texts))
        )

    return call


def _length(operands: Sequence[Operand]) -> Operand:
    (operand,) = operands
    if operand.kind is OperandKind.LIST:
        return computed(expr_of(operand).list.len().cast(pl.Int64), pl.Int64(), operand.at)
    size = _text(operand, "length").str.len_chars()
    return computed(size.cast(pl.Int64), pl.Int64(), operand.at)


def _contains(operands: Sequence[Operand]) -> Operand:
    where, what = operands
    if where.kind is OperandKind.LIST:
        return _has(operands)
    return _searched("contains", lambda e, t: e.str.contains(t, literal=True), where, what)


def _has(operands: Sequence[Operand]) -> Operand:
    several, item = operands
    return computed(contained(item, several), pl.Boolean(), several.at)


def _search_function(name: str, apply: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Function:
    def call(operands: Sequence[Operand]) -> Operand:
        return _searched(name, apply, *operands)

    return call


def _searched(
    name: str, apply: Callable[[pl.Expr, pl.Expr], pl.Expr], where: Operand, what: Operand
) -> Operand:
    texts, sought = _text(where, name), _text(what, name)
    once = what.is_constant
    found = text_test(where, lambda each: apply(each, sought)) if once else apply(texts, sought)
    return computed(found, pl.Boolean(), where.at)


def _date_part(name: str, apply: Callable[[pl.Expr], pl.Expr]) -> Function:
    def call(operands: Sequence[Operand]) -> Operand:
        (operand,) = operands
        if operand.kind not in (OperandKind.DATE, OperandKind.DATETIME):
            msg = f"{described(operand)}; {name}() is for dates"
            raise Unfit(msg, operand.at)
        return computed(apply(expr_of(operand)).cast(pl.Int64), pl.Int64(), operand.at)

    return call


def to_date(operands: Sequence[Operand]) -> Operand:
    """Day of a date, a moment (in UTC) or a text constant."""
    (operand,) = operands
    if isinstance(operand.value, str):
        return replace(operand, kind=OperandKind.DATE, value=read_date(operand.value, operand.at))
    if isinstance(operand.value, datetime):
        return replace(operand, kind=OperandKind.DATE, value=as_utc(operand.value).date())
    if operand.kind is OperandKind.DATETIME:
        return computed(expr_of(operand).dt.date(), pl.Date(), operand.at)
    if operand.kind not in (OperandKind.DATE, OperandKind.NULL):
        msg = (
            f"{described(operand)}; a date is made of a date, a time, or text such as '2026-01-31'"
        )
        raise Unfit(msg, operand.at)
    return operand


def to_datetime(operands: Sequence[Operand]) -> Operand:
    """Moment of a date (midnight UTC), a moment or a text constant."""
    (operand,) = operands
    if isinstance(operand.value, str):
        return replace(
            operand, kind=OperandKind.DATETIME, value=read_datetime(operand.value, operand.at)
        )
    if operand.kind is OperandKind.DATE:
        return as_datetime(operand)
    if operand.kind not in (OperandKind.DATETIME, OperandKind.NULL):
        msg = f"{described(operand)}; a time is made of a date, a time, or text such as '2026-01-31 09:30'"
        raise Unfit(msg, operand.at)
    return operand


def _absolute(operands: Sequence[Operand]) -> Operand:
    (operand,) = operands
    if isinstance(operand.value, Decimal):
        return replace(operand, value=_EXACT.abs(operand.value))
    if operand.kind is not OperandKind.NUMBER or operand.dtype is None:
        msg = f"{described(operand)}; abs() is for numbers"
        raise Unfit(msg, operand.at)
    return computed(expr_of(operand).abs(), operand.dtype, operand.at)


def _coalesced(operands: Sequence[Operand]) -> Operand:
    present = [operand for operand in operands if operand.kind is not OperandKind.NULL]
    if not present:
        return operands[0]
    # the first that isn't a bare text constant says what the others have to be
    model = next((o for o in present if not isinstance(o.value, str)), present[0])
    fits = [fitted(operand, model) for operand in present]
    if any(operand.kind is not model.kind for operand in fits):
        fits = [as_datetime(operand) for operand in fits]
    if model.kind is not OperandKind.NUMBER:
        dtype = {
            OperandKind.TEXT: pl.String(),
            OperandKind.BOOL: pl.Boolean(),
            OperandKind.DATE: pl.Date(),
            OperandKind.DATETIME: DATETIME_TYPE,
        }.get(fits[0].kind)
        if dtype is None:
            msg = "coalesce() is for text, numbers, dates, and true or false"
            raise Unfit(msg)
        return computed(pl.coalesce([expr_of(o) for o in fits]), dtype, operands[0].at)
    if any(operand.is_float for operand in fits):
        return computed(pl.coalesce([as_float(o) for o in fits]), pl.Float64(), operands[0].at)
    scale = reduce(max, (operand.scale for operand in fits))
    exact = pl.Decimal(MAX_DECIMAL_DIGITS, scale)
    return computed(pl.coalesce([_decimal(o, scale) for o in fits]), exact, operands[0].at)


Function = Callable[[Sequence[Operand]], Operand]


def _of_known(function: Function) -> Function:
    """A function of which nothing is known where an argument is ``NULL``, as in SQL."""

    def applied(operands: Sequence[Operand]) -> Operand:
        unknown = [operand for operand in operands if operand.kind is OperandKind.NULL]
        return unknown[0] if unknown else function(operands)

    return applied


_OF_KNOWN: dict[str, tuple[Function, int, int]] = {
    "lower": (_text_function("lower", lowered, pl.String()), 1, 1),
    "upper": (_text_function("upper", lambda e: e.str.to_uppercase(), pl.String()), 1, 1),
    "trim": (_text_function("trim", lambda e: e.str.strip_chars(_SPACES), pl.String()), 1, 1),
    "length": (_length, 1, 1),
    "contains": (_contains, 2, 2),
    "list_contains": (_has, 2, 2),
    "starts_with": (_search_function("starts_with", lambda e, t: e.str.starts_with(t)), 2, 2),
    "ends_with": (_search_function("ends_with", lambda e, t: e.str.ends_with(t)), 2, 2),
    "abs": (_absolute, 1, 1),
    "year": (_date_part("year", lambda e: e.dt.year()), 1, 1),
    "quarter": (_date_part("quarter", lambda e: e.dt.quarter()), 1, 1),
    "month": (_date_part("month", lambda e: e.dt.month()), 1, 1),
    "day": (_date_part("day", lambda e: e.dt.day()), 1, 1),
    "date": (to_date, 1, 1),
}
# name -> function, fewest and most arguments
FUNCTIONS: dict[str, tuple[Function, int, int]] = {
    **{name: (_of_known(each), fewest, most) for name, (each, fewest, most) in _OF_KNOWN.items()},
    "coalesce": (_coalesced, 1, 100),
}
