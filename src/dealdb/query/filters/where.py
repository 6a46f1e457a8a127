"""
Filters in their three forms - SQL text, a Polars expression, keywords - to one Polars expression.

A filter keeps a deal when it is true of it, and drops it when it is false or unknown (null), as a WHERE does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import polars as pl

from dealdb.errors import QueryError
from dealdb.model.decimals import number_of
from dealdb.model.names import column_named, find_name, unknown
from dealdb.query.filters.comparisons import all_of, any_of, compare, contained, member_of
from dealdb.query.filters.constants import MANY, given_constant
from dealdb.query.filters.operands import (
    Operand,
    OperandKind,
    Unfit,
    column,
    computed,
    constant,
    expr_of,
)
from dealdb.query.filters.simple import plain_condition
from dealdb.query.messages import MOMENTS


def compile_where(
    where: str | pl.Expr | None,
    frame_schema: pl.Schema,
    equals: Mapping[str, object],
    params: Mapping[str, object] | None = None,
    *,
    zone: str = "UTC",
) -> pl.Expr | None:
    """
    One boolean expression for all the forms of a filter, which combine with AND.

    Parameters
    ----------
    where
        SQL text (``"amount > 100000 AND stage = 'won'"``), a boolean Polars expression, or None.
    frame_schema
        Columns that it may name, with their Polars types.
    equals
        Column to the value that it has to have: None means that it is null, a list that it is one of these, None among
        them included. A column of lists has to contain the value, or one of these.
    params
        Values of the parameters ``:name`` in the text.
    zone
        In which ``today`` is told.

    Returns
    -------
    polars.Expr or None
        True, false or null a row; None when there is nothing to filter by.

    Raises
    ------
    QueryError
        If the text can't be understood (the message has it with a caret), a column doesn't exist, a value doesn't
        fit its column, or text and ``params`` don't have the same parameters.

    Cost
    ----
    No server call. 0.2 to 0.5 ms for a text that is new, less for one of the last 256; the first text that is more
    than comparisons of the standard columns with constants also imports the SQL parser (0.1 s).

    Source
    ------
    docs/querying.md#filters

    Examples
    --------
    >>> schema = pl.Schema({"stage": pl.String(), "amount": pl.Decimal(38, 2)})
    >>> deals = pl.DataFrame({"stage": ["won", "lost"], "amount": [5, 7]}, schema=schema)
    >>> deals.filter(compile_where("amount > 5", schema, {}))["stage"].to_list()
    ['lost']
    >>> compile_where("ammount > 5", schema, {})
    Traceback (most recent call last):
    dealdb.QueryError: no column 'ammount'; did you mean 'amount'? the columns are stage, amount
      ammount > 5
      ^
    """
    parts = [_equal(name, value, frame_schema) for name, value in equals.items()]
    if isinstance(where, str):
        parts.insert(0, _from_text(where, frame_schema, params or {}, zone))
    elif isinstance(where, pl.Expr):
        parts.insert(0, _checked(where, frame_schema))
    elif where is not None:
        msg = f"a filter is SQL text, a Polars expression or keywords, not a {type(where).__name__}"
        raise QueryError(msg)
    if params and not isinstance(where, str):
        msg = "params are the values of a filter's text; this filter has none"
        raise QueryError(msg)
    return all_of(parts) if parts else None


def check_text(text: str, schema: pl.Schema) -> None:
    """
    Refuse a text that can't become a filter; with parameters, whose values are unknown yet, as far as can be told.

    Raises
    ------
    QueryError
        If it can't be read, names an unknown column, or, without parameters, is not a filter.

    Examples
    --------
    >>> check_text("amount > :least", pl.Schema({"amount": pl.Int64()}))
    """
    from dealdb.query.filters.parser import column_names, parameter_names, parse

    tree = parse(text)
    if not parameter_names(tree):
        compile_where(text, schema, {})
    for name in column_names(tree):
        if find_name(name, schema) is None and name.lower() not in MOMENTS:
            raise QueryError(unknown("column", name, schema), text=text)


def _from_text(text: str, schema: pl.Schema, params: Mapping[str, object], zone: str) -> pl.Expr:
    plain = None if params else plain_condition(text, schema)
    if plain is not None:
        return plain
    # not at the top: the SQL parser is a tenth of a second of import that keywords don't need
    from dealdb.query.filters.compiler import condition
    from dealdb.query.filters.parser import parameter_names, parse
    from dealdb.query.filters.scope import FilterScope

    tree = parse(text)
    found = condition(tree, FilterScope(text, schema, datetime.now(UTC), params, zone))
    unused = set(params) - parameter_names(tree)
    if unused:
        msg = f"the filter has no parameter :{min(unused)[:80]}; params has a value for it"
        raise QueryError(msg, text=text)
    return found


def _checked(where: pl.Expr, schema: pl.Schema) -> pl.Expr:
    """Refuse an expression that names other columns or isn't one boolean."""
    for name in where.meta.root_names():
        if name not in schema:
            raise QueryError(unknown("column", name, schema))
    try:
        result = pl.LazyFrame(schema=schema).select(where).collect_schema()
    except pl.exceptions.PolarsError as error:
        msg = f"the expression can't be used: {str(error).splitlines()[0]}"
        categories = [n for n in where.meta.root_names() if schema[n] == pl.Categorical]
        if categories and "cat" in msg:
            name = categories[0]
            msg += f"; {name!r} is a category: pl.col({name!r}).cast(pl.String) has its texts"
        raise QueryError(msg) from None
    dtypes = result.dtypes()
    if len(dtypes) != 1 or dtypes[0] not in (pl.Boolean, pl.Null):
        found = f"{len(dtypes)} columns" if len(dtypes) != 1 else f"values of type {dtypes[0]}"
        msg = f"a filter is one boolean expression; this one gives {found}"
        raise QueryError(msg)
    return where


def _equal(name: str, value: object, schema: pl.Schema) -> pl.Expr:
    known = column_named(name, schema)
    try:
        item = computed(column(known), schema[known], 0, known)
        if isinstance(value, MANY):
            return _one_of(item, value)
        if value is None:
            return expr_of(item).is_null()
        if item.kind is OperandKind.LIST:
            return contained(_value(item, value), item)
        return compare(item, "=", _value(item, value))
    except Unfit as problem:
        msg = f"{known}=...: {problem}"
        raise QueryError(msg) from None


def _one_of(item: Operand, values: Iterable[object]) -> pl.Expr:
    """Whether an item is one of these; unlike in SQL, None among them means that it may be null."""
    given = list(values)
    sought = [_value(item, value) for value in given if value is not None]
    if item.kind is OperandKind.LIST:
        found = any_of([contained(each, item) for each in sought])
    else:
        found = member_of(item, sought)
    # null or true is true, so deals without a value are found although nothing else is known of them
    return found | expr_of(item).is_null() if len(sought) < len(given) else found


def _value(item: Operand, value: object) -> Operand:
    """Operand for a Python value; ids may be given as integers, as they may when saving."""
    if item.name == "id" and isinstance(value, int) and not isinstance(value, bool):
        return constant(str(value))
    if isinstance(value, float) and item.kind is OperandKind.NUMBER and not item.is_float:
        # as it was saved: a float loses its noise there
        value = number_of(value) or value
    return constant(given_constant(value))
