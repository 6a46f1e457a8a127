"""Parameters of ``sql()``: ``:name`` besides DuckDB's own ``$name``, and the values that may be bound to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from dealdb.errors import QueryError
from dealdb.model.schema import MAX_DECIMAL_DIGITS
from dealdb.query.filters.constants import MANY

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
    Values as DuckDB takes them: those of filters, and lists of them.

    Raises
    ------
    QueryError
        If a value has another type, or more digits than a decimal holds.

    Examples
    --------
    >>> bound({"stages": ("won", "lost")})
    {'stages': ['won', 'lost']}
    """
    return {
        name: [_checked(name, each) for each in value]
        if isinstance(value, MANY)
        else _checked(name, value)
        for name, value in params.items()
    }


def _checked(name: str, value: object) -> object:
    if (
        isinstance(value, int | Decimal)
        and len(Decimal(value).as_tuple().digits) > MAX_DECIMAL_DIGITS
    ):
        msg = f"the parameter :{name[:80]} has more than {MAX_DECIMAL_DIGITS} digits"
        raise QueryError(msg)
    if value is None or isinstance(value, str | int | float | Decimal | date | datetime):
        return value
    msg = f"the parameter :{name[:80]} can't be a value of type {type(value).__name__}"
    raise QueryError(msg)
