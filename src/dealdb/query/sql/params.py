"""Parameters of ``sql()``: ``:name`` besides DuckDB's own ``$name``, and the values that may be bound to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from dealdb.errors import QueryError
from dealdb.model.schema import MAX_DECIMAL_DIGITS

# of all values together; DuckDB takes 20 µs for one, and twelve bytes for a character
MAX_VALUES = 50_000
MAX_CHARACTERS = 10_000_000
_MOST_BITS = 128
# of what a float still tells from 0
_LEAST_EXPONENT = -400

_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
# a colon right behind one of these is a slice or the second of a cast
_NO_VALUE_AFTER = b":[)]}"


def with_dollars(statement: str, params: Mapping[str, object]) -> str:
    """
    Statement with ``$name`` for each ``:name`` that has a value; of the same length, so that places stay.

    Where texts, comments and names begin only DuckDB knows for sure, so its tokens are taken.

    Examples
    --------
    >>> with_dollars("SELECT ':n', x::INT + :n FROM deals -- :n", {"n": 5})
    "SELECT ':n', x::INT + $n FROM deals -- :n"
    """
    import duckdb

    text = bytearray(statement.encode())
    tokens = duckdb.tokenize(statement)
    before = None
    for place, kind in tokens:
        name = _NAME.match(text, place + 1) if text[place] == ord(":") else None
        is_value = before is None or before[1] in (
            duckdb.token_type.operator,
            duckdb.token_type.keyword,
        )
        is_slice = before == (place - 1, kind) and text[place - 1] in _NO_VALUE_AFTER
        if kind is duckdb.token_type.operator and name and is_value and not is_slice:
            text[place] = ord("$" if name[0].decode() in params else ":")
        before = (place, kind)
    return text.decode()


def bound(params: Mapping[str, object]) -> dict[str, object]:
    """
    Values as DuckDB takes them: those of filters, and lists of them; of the plain types, whatever class they had.

    Raises
    ------
    QueryError
        If a value has another type, or more digits than a decimal holds; or if they are too many or too long.

    Examples
    --------
    >>> bound({"stages": ("won", "lost")})
    {'stages': ['won', 'lost']}
    """
    # not at the top: it needs Polars, which the process of DuckDB goes without
    from dealdb.query.filters.constants import MANY

    values: dict[str, object] = {}
    bounds = _Bounds()
    for name, value in params.items():
        if not isinstance(name, str):
            msg = f"the name of a parameter is a text, not a {type(name).__name__}"
            raise QueryError(msg)
        if isinstance(value, MANY):
            bounds.count(name, len(value))
            values[name] = [_checked(name, each, bounds) for each in value]
        else:
            bounds.count(name, 1)
            values[name] = _checked(name, value, bounds)
    return values


class _Bounds:
    """How much the values of a statement are together."""

    def __init__(self) -> None:
        self._values = 0
        self._characters = 0

    def count(self, name: str, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            msg = (
                f"the parameters have more than {MAX_VALUES:,} values with :{name[:80]}; join a table "
                "of them instead (tables=)"
            )
            raise QueryError(msg)

    def measure(self, name: str, text: str) -> None:
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            msg = f"the parameters have more than {MAX_CHARACTERS:,} characters with :{name[:80]}"
            raise QueryError(msg)


def _checked(name: str, value: object, bounds: _Bounds) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        if _has_too_many_digits(value):
            msg = f"the parameter :{name[:80]} has more than {MAX_DECIMAL_DIGITS} digits"
            raise QueryError(msg)
        return int(value) if isinstance(value, int) else Decimal(value)
    if isinstance(value, str):
        bounds.measure(name, value)
        return _text(name, value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, date):
        return _moment(name, value)
    msg = f"the parameter :{name[:80]} can't be a value of type {type(value).__name__}"
    raise QueryError(msg)


def _has_too_many_digits(value: int | Decimal) -> bool:
    if isinstance(value, int):
        # by its bits first: to write out a huge one takes long
        return value.bit_length() > _MOST_BITS or abs(value) >= 10**MAX_DECIMAL_DIGITS
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return False
    return len(digits) + max(exponent, 0) > MAX_DECIMAL_DIGITS or exponent < _LEAST_EXPONENT


def _text(name: str, value: str) -> str:
    text = str.__str__(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = f"the parameter :{name[:80]} is no text: it has half of a surrogate pair"
        raise QueryError(msg) from None
    return text


def _moment(name: str, value: date) -> date:
    if not isinstance(value, datetime):
        return date(value.year, value.month, value.day)
    # a zone of a class of its own need not be known elsewhere
    try:
        there = value if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        msg = f"the parameter :{name[:80]} is outside the years 1 to 9999 in UTC"
        raise QueryError(msg) from None
    day = (there.year, there.month, there.day)
    return datetime(
        *day, there.hour, there.minute, there.second, there.microsecond, tzinfo=there.tzinfo
    )
