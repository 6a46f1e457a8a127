"""
What is on either side of an operator: its kind, its expression, and constants made to fit the other side.

Constants stay Python values until they meet a column, because only the column says what ``'2026-01-31'`` is.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import polars as pl

from dealdb.model.columns import is_text
from dealdb.model.decimals import scale_of
from dealdb.model.moments import EPOCH, PLAIN_DATE, as_utc, midnight
from dealdb.model.schema import MAX_DECIMAL_DIGITS


class OperandKind(StrEnum):
    """Family of types within which values compare."""

    NULL = "null"
    TEXT = "text"
    NUMBER = "a number"
    BOOL = "true or false"
    DATE = "a date"
    DATETIME = "a date and time"
    SPAN = "a span of time"
    LIST = "a list of texts"


class Span(NamedTuple):
    """Span of time; months and days are apart because a month has no fixed length."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    def negated(self) -> Span:
        """Same span, backwards."""
        return Span(-self.months, -self.days, -self.seconds)


Constant: TypeAlias = str | Decimal | float | bool | date | datetime | Span | None

# how spans are written: 30d, 4w, 3mo, INTERVAL 1 YEAR; no bare m, which is minutes to DuckDB and months to people
UNITS: dict[str, Span] = {
    name: span
    for names, span in (
        ("h hour hours", Span(seconds=3600)),
        ("minute minutes", Span(seconds=60)),
        ("second seconds", Span(seconds=1)),
        ("d day days", Span(days=1)),
        ("w week weeks", Span(days=7)),
        ("mo mon month months", Span(months=1)),
        ("q quarter quarters", Span(months=3)),
        ("y year years", Span(months=12)),
    )
    for name in names.split()
}
DATETIME_TYPE = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Operand:
    """
    One side of an operator.

    Attributes
    ----------
    kind
        Family of its type.
    at
        Offset in the filter's text, for errors.
    expr
        Polars expression; None for a constant.
    dtype
        Polars type of ``expr``.
    value
        The constant, when ``expr`` is None.
    name
        What errors call it, e.g. the column's name.
    category
        The column of categories, where ``expr`` is its texts or made of each alone.
    spelled
        What makes ``expr`` of the texts of ``category``; None where it is these texts.
    """

    kind: OperandKind
    at: int = 0
    expr: pl.Expr | None = None
    dtype: pl.DataType | None = None
    value: Constant = None
    name: str = ""
    category: pl.Expr | None = None
    spelled: Callable[[pl.Expr], pl.Expr] | None = None

    @property
    def is_constant(self) -> bool:
        """Whether it is a value and not computed from columns."""
        return self.expr is None

    @property
    def is_category(self) -> bool:
        """Whether it is a column of categories as it is."""
        return self.category is not None and self.spelled is None

    @property
    def is_float(self) -> bool:
        """Whether it is a binary floating-point number, which is not exact."""
        return isinstance(self.value, float) or (self.dtype is not None and self.dtype.is_float())

    @property
    def scale(self) -> int:
        """Digits after the decimal point of an exact number."""
        if isinstance(self.value, Decimal):
            return scale_of(self.value)
        return (self.dtype.scale or 0) if isinstance(self.dtype, pl.Decimal) else 0


class Unfit(Exception):
    """Operands that don't go together; says what to write, and ``at`` where, when that is known."""

    def __init__(self, message: str, at: int | None = None) -> None:
        super().__init__(message)
        self.at = at


def column(name: str) -> pl.Expr:
    """Column of exactly this name: ``pl.col`` would take ``*`` and ``^...$`` for patterns."""
    if name == "*" or name.startswith("^"):
        return pl.selectors.by_name(name).as_expr()
    return pl.col(name)


def constant(value: Constant, at: int = 0) -> Operand:
    """Operand for a Python value."""
    match value:
        case None:
            kind = OperandKind.NULL
        case str():
            kind = OperandKind.TEXT
        case bool():
            kind = OperandKind.BOOL
        case Decimal() | float():
            kind = OperandKind.NUMBER
        case datetime():
            kind = OperandKind.DATETIME
        case date():
            kind = OperandKind.DATE
        case Span():
            kind = OperandKind.SPAN
    return Operand(kind, at, value=value)


def kind_of(dtype: pl.DataType) -> OperandKind | None:
    """Kind of a Polars type, or None for one that no field has."""
    if dtype.is_numeric():
        return OperandKind.NUMBER
    if is_text(dtype):
        return OperandKind.TEXT
    if dtype == pl.List(pl.String):
        return OperandKind.LIST
    simple = {
        pl.Boolean: OperandKind.BOOL,
        pl.Date: OperandKind.DATE,
        pl.Datetime: OperandKind.DATETIME,
    }
    return simple.get(type(dtype), OperandKind.NULL if dtype == pl.Null else None)


def computed(expr: pl.Expr, dtype: pl.DataType, at: int, name: str = "") -> Operand:
    """Operand for an expression of a known type."""
    kind = kind_of(dtype)
    if kind is None:
        msg = f"a column of type {dtype} can't be filtered by"
        raise Unfit(msg)
    if kind is not OperandKind.TEXT or dtype == pl.String:
        return Operand(kind, at, expr, dtype, name=name)
    category = expr if dtype == pl.Categorical else None
    return Operand(kind, at, expr.cast(pl.String), pl.String(), name=name, category=category)


def described(operand: Operand) -> str:
    """What an operand is, in the words of an error: a column by its name, a value by its kind."""
    return f"{operand.name} is {operand.kind}" if operand.name else f"this is {operand.kind}"


_WRITE = {
    OperandKind.TEXT: "text in single quotes, such as 'won'",
    OperandKind.NUMBER: "a number without quotes, such as 100000",
    OperandKind.BOOL: "TRUE or FALSE",
    OperandKind.DATE: "a date such as '2026-01-31'",
    OperandKind.DATETIME: "a date or time such as '2026-01-31 09:30'",
}


def fitted(operand: Operand, partner: Operand) -> Operand:
    """
    Operand in the kind of its partner: a constant adapts, a date becomes midnight UTC of it.

    Raises
    ------
    Unfit
        If they can't be compared; the message says what to write.
    """
    if OperandKind.NULL in (operand.kind, partner.kind):
        return operand
    for each in (operand, partner):
        if each.kind is OperandKind.LIST:
            msg = f"{described(each)}; ask for one of them: 'x' IN {each.name or 'tags'}"
            raise Unfit(msg, each.at)
    if operand.is_constant and isinstance(operand.value, str):
        if partner.kind is OperandKind.DATE:
            return replace(
                operand, kind=OperandKind.DATE, value=read_date(operand.value, operand.at, partner)
            )
        if partner.kind is OperandKind.DATETIME:
            moment = read_datetime(operand.value, operand.at, partner)
            return replace(operand, kind=OperandKind.DATETIME, value=moment)
    if operand.kind is OperandKind.DATE and partner.kind is OperandKind.DATETIME:
        return as_datetime(operand)
    if operand.kind is not partner.kind and not _fits_later(operand, partner):
        other, model = (
            (partner, operand) if operand.name and not partner.name else (operand, partner)
        )
        wanted = _WRITE.get(model.kind, "another span of time")
        msg = f"{described(model)}; compare it with {wanted}"
        raise Unfit(msg, other.at)
    return operand


def _fits_later(operand: Operand, partner: Operand) -> bool:
    # the partner is the one that adapts when its turn comes
    if operand.kind is OperandKind.DATETIME and partner.kind is OperandKind.DATE:
        return True
    dated = operand.kind in (OperandKind.DATE, OperandKind.DATETIME)
    return dated and partner.is_constant and isinstance(partner.value, str)


_DATETIME = re.compile(
    r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}([.]\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)?)?", re.ASCII
)


def read_date(text: str, at: int, partner: Operand | None = None) -> date:
    """
    Date of a text.

    Raises
    ------
    Unfit
        If it is not one.
    """
    wanted = f"{described(partner)}; " if partner and partner.name else ""
    try:
        if PLAIN_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        msg = f"{wanted}there is no such day; write a date such as '2026-01-31'"
        raise Unfit(msg, at) from None
    msg = f"{wanted}write a date such as '2026-01-31'"
    raise Unfit(msg, at)


def read_datetime(text: str, at: int, partner: Operand | None = None) -> datetime:
    """
    Moment of a text; without a zone it is UTC, without a time it is midnight.

    Raises
    ------
    Unfit
        If it is not one.
    """
    wanted = f"{described(partner)}; " if partner and partner.name else ""
    try:
        if _DATETIME.fullmatch(text):
            return as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        msg = f"{wanted}there is no such moment; write a time such as '2026-01-31 09:30'"
        raise Unfit(msg, at) from None
    msg = f"{wanted}write a date or time such as '2026-01-31 09:30' or '2026-01-31T09:30:00Z'"
    raise Unfit(msg, at)


def as_datetime(operand: Operand) -> Operand:
    """Midnight UTC of a date."""
    if isinstance(operand.value, date):
        return replace(operand, kind=OperandKind.DATETIME, value=midnight(operand.value))
    if operand.expr is None:
        return operand
    return replace(
        operand,
        kind=OperandKind.DATETIME,
        expr=operand.expr.cast(DATETIME_TYPE),
        dtype=DATETIME_TYPE,
    )


def expr_of(operand: Operand, *, scale: int = 0) -> pl.Expr:
    """
    Expression of an operand.

    Parameters
    ----------
    operand
        Constant or computed.
    scale
        Digits after the point that a decimal constant gets when it can: comparing like with like is fastest.

    Raises
    ------
    Unfit
        If a number has more digits than decimals hold.
    """
    if operand.expr is not None:
        return operand.expr
    value = operand.value
    match value:
        case None:
            return pl.lit(None, dtype=pl.Boolean)
        case Decimal():
            return decimal_literal(value, scale)
        case datetime():
            # built from microseconds: no zone database is asked for a time that is UTC anyway
            return pl.lit(microseconds(value), dtype=pl.Int64).cast(DATETIME_TYPE)
        case Span():
            msg = "a span of time can be added to a date or subtracted from one, not compared"
            raise Unfit(msg)
    return pl.lit(value)


def decimal_literal(number: Decimal, scale: int) -> pl.Expr:
    """Literal of an exact number, with the wanted scale where that holds it."""
    needed = scale_of(number)
    whole = max(number.adjusted() + 1, 1) if number else 1
    if whole + needed > MAX_DECIMAL_DIGITS:
        msg = f"a number has at most {MAX_DECIMAL_DIGITS} digits"
        raise Unfit(msg)
    fits = needed <= scale <= MAX_DECIMAL_DIGITS - whole
    # from text: for a Decimal, Polars imports numpy wherever that is installed
    return pl.lit(f"{number:f}").cast(pl.Decimal(MAX_DECIMAL_DIGITS, scale if fits else needed))


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; exact."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def as_float(operand: Operand) -> pl.Expr:
    """Expression of a number as a binary float: what an inexact column is compared with."""
    if operand.expr is not None:
        return operand.expr if operand.is_float else operand.expr.cast(pl.Float64)
    return pl.lit(float(operand.value), dtype=pl.Float64)  # type: ignore[arg-type]  # a number here


def shifted_day(day: date, span: Span) -> date:
    """
    Date moved by a span; the 31st becomes the last day of a shorter month.

    Raises
    ------
    Unfit
        If the result is outside the years 1 to 9999.
    """
    month = day.year * 12 + day.month - 1 + span.months
    try:
        year, index = divmod(month, 12)
        last = monthrange(year, index + 1)[1] if 1 <= year <= 9999 else 0
        moved = day.replace(year=year, month=index + 1, day=min(day.day, last))
        return moved + timedelta(days=span.days, seconds=span.seconds)
    except (ValueError, OverflowError):
        msg = "this date is outside the years 1 to 9999"
        raise Unfit(msg) from None
