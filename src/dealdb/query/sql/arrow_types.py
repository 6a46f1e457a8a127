"""
Results of DuckDB in types that the rest of dealdb has, or refused with the name of their column.

DuckDB knows dates that Python's calendar doesn't, integers of more digits than a decimal holds, and types that a data
frame can't hold. What reads them would give another value, or abort. So they are looked for here, also inside
lists and structs, before anything reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dealdb.errors import QueryError

# types of DuckDB that a data frame has none for, or would show as something else
_NO_COLUMN = frozenset(("interval", "bit", "union", "bignum", "variant", "geometry"))
_NESTED = frozenset(("list", "struct", "tuple", "map", "array"))
_PLAIN = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_dictionary,
)
# 0001-01-01 and 9999-12-31
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_DAY_S = 86_400
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# of a decimal of 38 digits without places, the most that a result may have; others can only be smaller
_MOST_DIGITS = Decimal(10**38 - 1)
# not -_MOST_DIGITS, which would be rounded to the context's digits
_LEAST_DIGITS = Decimal(1 - 10**38)
# the largest integers of 64 bits are infinite times
_INFINITE = 2**63 - 1
_MAX_LEVELS = 32
# a data frame numbers its rows by 32 bits; columns of nulls have any number of them in no memory
MAX_ROWS = 2**31 - 1

_CALENDAR = (
    "a date or time outside the years 1 to 9999, or infinite; cast it to VARCHAR, or leave it out"
)
_DIGITS = "an integer of more than 38 digits; cast it to VARCHAR or DOUBLE"


def check_columns(names: Sequence[str], types: Sequence[Any], statement: str) -> None:
    """
    Refuse a result that no data frame can hold, before it is computed.

    Parameters
    ----------
    names, types
        Columns of the result, with DuckDB's types.
    statement
        Text that it is the result of.

    Raises
    ------
    QueryError
        If two columns have one name, or a column has a type that no data frame has.
    """
    _check_names(names, statement)
    for name, kind in zip(names, types, strict=True):
        _check_type(name, kind, statement)


def fitted(table: pa.Table, types: Sequence[Any], statement: str) -> pa.Table:
    """
    Table whose columns are what they say.

    Parameters
    ----------
    table, types
        Result of DuckDB, with its types.
    statement
        Text that it is the result of.

    Returns
    -------
    pyarrow.Table
        Sums of integers, which DuckDB makes 128 bits wide, are Int64 where they fit.

    Raises
    ------
    QueryError
        If a column has a value that no data frame can hold.
    """
    if table.num_rows > MAX_ROWS:
        msg = f"the result has more than {MAX_ROWS:,} rows; give a LIMIT"
        raise QueryError(msg, text=statement)
    columns = []
    for name, column, kind in zip(table.column_names, table.columns, types, strict=True):
        # DuckDB hands these over as if they were signed
        is_unsigned = any(each.id == "uhugeint" for _, each in _types_within(kind))
        problem = _problem(column, Decimal(0) if is_unsigned else _LEAST_DIGITS)
        if problem:
            msg = f"column {_shown(name)} of the result has {problem}"
            raise QueryError(msg, text=statement)
        columns.append(
            _narrowed(column) if kind.id in ("hugeint", "uhugeint") else _spelled(column)
        )
    return pa.table(columns, names=table.column_names)


def _check_names(names: Sequence[str], statement: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            msg = f"two columns of the result are named {_shown(name)}; name one with AS"
            raise QueryError(msg, text=statement)
        seen.add(name)


def _check_type(name: str, kind: Any, statement: str) -> None:
    for level, each in _types_within(kind):
        if level > _MAX_LEVELS:
            msg = (
                f"column {_shown(name)} of the result is nested more than {_MAX_LEVELS} levels deep"
            )
            raise QueryError(msg, text=statement)
        if each.id == "map" and each.children[0][1].id in _NESTED:
            msg = f"column {_shown(name)} of the result has a map whose keys are no plain values; cast them to VARCHAR"
            raise QueryError(msg, text=statement)
        if each.id in _NO_COLUMN:
            days = ", or count days with datediff()" if each.id == "interval" else ""
            msg = f"column {_shown(name)} of the result has the type {str(kind)[:80]}; cast it, e.g. to VARCHAR{days}"
            raise QueryError(msg, text=statement)


def _types_within(kind: Any) -> Iterator[tuple[int, Any]]:
    stack = [(0, kind)]
    while stack:
        level, each = stack.pop()
        yield level, each
        if level <= _MAX_LEVELS and each.id in _NESTED:
            # an array has its size among them
            inner = (child for _, child in each.children if not isinstance(child, int))
            stack.extend((level + 1, child) for child in inner)


def _problem(values: pa.ChunkedArray[Any] | pa.Array[Any], least_decimal: Decimal) -> str | None:
    """What no data frame can hold in a column, if anything."""
    kind = values.type
    if pa.types.is_decimal(kind):
        least, most = _ends(values)
        return None if most is None or least_decimal <= least <= most <= _MOST_DIGITS else _DIGITS
    if pa.types.is_temporal(kind):
        return _temporal_problem(values)
    if pa.types.is_nested(kind):
        inner = (_problem(each, least_decimal) for each in _inside(values))
        return next((each for each in inner if each), None)
    return None if any(is_kind(kind) for is_kind in _PLAIN) else f"the type {str(kind)[:80]}"


def _temporal_problem(values: Any) -> str | None:
    kind = values.type
    if pa.types.is_date32(kind):
        return _outside(values, pa.int32(), _FIRST_DAY, _LAST_DAY, _CALENDAR)
    if pa.types.is_timestamp(kind):
        unit = _UNITS[kind.unit]
        first, last = _FIRST_DAY * _DAY_S * unit, (_LAST_DAY + 1) * _DAY_S * unit - 1
        least, most = max(first, 1 - _INFINITE), min(last, _INFINITE - 1)
        return _outside(values, pa.int64(), least, most, _CALENDAR)
    if pa.types.is_time(kind):
        # Python's day ends before 24:00:00
        last = _DAY_S * _UNITS[kind.unit] - 1
        return _outside(values, pa.int64(), 0, last, "the time 24:00:00; cast it to VARCHAR")
    return f"the type {str(kind)[:80]}; cast it, e.g. to VARCHAR"


def _outside(values: Any, plain: Any, least: int, most: int, problem: str) -> str | None:
    found = _ends(_viewed(values, plain))
    return None if found[1] is None or least <= found[0] <= found[1] <= most else problem


def _viewed(values: Any, plain: Any) -> Any:
    if isinstance(values, pa.ChunkedArray):
        return pa.chunked_array([chunk.view(plain) for chunk in values.chunks], plain)
    return values.view(plain)


def _ends(values: Any) -> tuple[Any, Any]:
    ends = pc.min_max(values)
    return ends["min"].as_py(), ends["max"].as_py()


def _inside(values: Any) -> Iterator[Any]:
    """Values one level further in; those of null lists and structs are left out."""
    for chunk in values.chunks if isinstance(values, pa.ChunkedArray) else [values]:
        if pa.types.is_map(chunk.type):
            yield from (chunk.keys, chunk.items)
            continue
        flat = chunk.flatten()
        yield from flat if isinstance(flat, list) else [flat]


def _narrowed(column: Any) -> Any:
    least, most = _ends(column)
    if most is not None and not -(2**63) <= least <= most < 2**63:
        return column
    return column.cast(pa.int64())


def _spelled(column: Any) -> Any:
    """Texts in place of numbers of texts: here they are counted as memory of the statement."""
    is_coded = pa.types.is_dictionary(column.type)
    return column.cast(pa.large_string()) if is_coded else column


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:80]}…")
