"""Rows and columns of a frame that a query asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from dealdb.errors import QueryError
from dealdb.model.names import column_named
from dealdb.query.filters.operands import OperandKind, column, kind_of
from dealdb.query.filters.simple import plain_terms
from dealdb.query.filters.where import compile_where
from dealdb.query.results.sorting import Sort, SortKey, sorted_rows

if TYPE_CHECKING:
    from dealdb.store.replica.snapshot import Snapshot

Params: TypeAlias = Mapping[str, object] | None
MOST_ROWS = 2**31 - 1
# what a search adds; a search of its result has them anew
ADDED = SCORE, FOUND_IN, HIGHLIGHT = "_score", "_in", "_highlight"


def text_columns(frame: pl.DataFrame, columns: str | Sequence[str] | None) -> list[str]:
    """Columns to search: those of text, or those chosen."""
    if columns is None:
        kinds = zip(frame.columns, map(kind_of, frame.dtypes), strict=True)
        texts = [n for n, kind in kinds if kind is OperandKind.TEXT and n not in ADDED]
        if not texts:
            raise QueryError("there is no column of text to search")
        return texts
    chosen = projected(frame, [columns] if isinstance(columns, str) else columns)
    other = next(
        (n for n, dtype in chosen.schema.items() if kind_of(dtype) is not OperandKind.TEXT), None
    )
    if other is not None or not chosen.columns:
        msg = f"{other!r} is not a column of text" if other else "columns names no column to search"
        raise QueryError(msg)
    return chosen.columns


def slice_of(offset: int, limit: int | None) -> slice:
    """Offset and limit as a slice, once both are whole numbers from 0 up."""
    begin = count_of("offset", offset)
    return slice(begin, None if limit is None else begin + count_of("limit", limit))


def rows_found(
    frame: pl.DataFrame,
    shown: pl.DataFrame,
    kept: pl.Series | None,
    keys: Sequence[SortKey],
    wanted: slice,
) -> pl.DataFrame:
    """Rows of ``shown`` that are kept, in order, of that slice."""
    if kept is not None and not keys and wanted.stop is None:
        return shown.filter(kept).slice(wanted.start)
    if kept is None and not keys:
        return shown[wanted]
    return shown[sorted_rows(frame, kept, keys, wanted.stop).slice(wanted.start)]


def projected(frame: pl.DataFrame, columns: Sequence[str] | None) -> pl.DataFrame:
    """Frame of the columns asked for; an unknown name is reported with the nearest one."""
    if columns is None:
        return frame.clone()
    if isinstance(columns, str):
        msg = f"columns is a list of names: [{columns[:80]!r}]"
        raise QueryError(msg)
    if not _are_names(columns):
        raise QueryError("columns is a list of names such as ['id', 'name']")
    names = [column_named(name, frame.columns) for name in columns]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        msg = f"columns has {repeated!r} twice"
        raise QueryError(msg)
    return frame.select([column(name) for name in names])


def _are_names(given: object) -> bool:
    # what can be read but once, such as a generator, would be used up by a look at it
    return isinstance(given, Collection) and all(isinstance(each, str) for each in given)


def columns_named(
    where: str | pl.Expr | None,
    equals: Mapping[str, object],
    sort: Sort,
    columns: Sequence[str] | None,
) -> set[str] | None:
    """
    Names of columns that a query has to read, as it spells them, or None where it may be any.

    What can't be understood is left to those that report it.

    Examples
    --------
    >>> sorted(columns_named("amount > 5", {"stage": "won"}, "-created", ["id"]))
    ['amount', 'created', 'id', 'stage']
    """
    given = [sort] if isinstance(sort, str) else () if sort is None else sort
    if columns is None or isinstance(where, pl.Expr):
        return None
    if not (_are_names(columns) and _are_names(given)):
        return None
    found = {name.removeprefix("-") for name in given} | set(equals) | set(columns)
    if not isinstance(where, str):
        return found
    terms = plain_terms(where)
    if terms is not None:
        return found | {term.name for term in terms}
    # not at the top: the SQL parser is a tenth of a second of import that keywords don't need
    from dealdb.query.filters.parser import column_names, parse

    try:
        return found | column_names(parse(where))
    except QueryError:
        return None


def with_ids(names: Collection[str] | None, sort: Sort) -> Collection[str] | None:
    """
    The same names with that of the ids, which tell ties apart, if there is an order.

    Examples
    --------
    >>> with_ids({"amount"}, None)
    {'amount'}
    """
    return names if names is None or sort is None or not len(sort) else {*names, "id"}


def kept_rows(
    deals: Snapshot,
    where: str | pl.Expr | None,
    equals: Mapping[str, object],
    params: Params,
) -> pl.Series | None:
    """Boolean a row, true for the deals that a filter keeps, or None when all rows are."""
    if where is None and not equals and not params:
        # not even the types of the columns are asked for
        return deals.kept
    zone = deals.pipeline.zone
    condition = compile_where(where, deals.rows.schema, equals, params, zone=zone)
    return evaluated(deals, condition, where)


def evaluated(
    deals: Snapshot, condition: pl.Expr | None, where: str | pl.Expr | None
) -> pl.Series | None:
    """Boolean a row, true for the deals that a condition keeps, or None when all rows are."""
    if condition is None:
        return deals.kept
    if deals.kept is None:
        return _computed(deals.rows, condition, where)
    if not isinstance(where, pl.Expr):
        return _computed(deals.rows, condition, where) & deals.kept
    # such an expression may look from one row to others, and has to find only deals there
    found = deals.kept.arg_true().filter(_computed(deals.frame, condition, where))
    return pl.repeat(value=False, n=deals.rows.height, eager=True).scatter(found, values=True)


def _computed(frame: pl.DataFrame, condition: pl.Expr, where: str | pl.Expr | None) -> pl.Series:
    """Boolean a row of a condition, never null."""
    try:
        kept = frame.select(condition.alias("kept")).to_series()
    except pl.exceptions.PolarsError as error:
        # Polars quotes values in such messages, so its words are not passed on
        if "overflow" in str(error):
            msg = "a sum or product in the filter has more than 38 digits"
        else:
            msg = f"the filter can't be computed ({type(error).__name__})"
        raise QueryError(msg, text=where if isinstance(where, str) else None) from None
    if kept.len() == 1 and frame.height != 1:
        kept = kept.new_from_index(0, frame.height)
    if kept.len() != frame.height:
        msg = f"the expression gives {kept.len()} values for {frame.height} deals; one a deal is needed"
        raise QueryError(msg)
    return kept.cast(pl.Boolean).fill_null(value=False)


def count_of(name: str, value: int, *, least: int = 0) -> int:
    """The value itself, once it is a whole number that is large enough."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:  # type: ignore[redundant-expr]  # callers may be untyped
        try:
            shown = repr(value)
        except ValueError:
            # of more digits than Python writes
            shown = "a huge negative number"
        msg = f"{name} is a whole number from {least} up, not {shown}"
        raise QueryError(msg)
    # no collection has as many rows, and nothing counts further
    return min(value, MOST_ROWS)


def positive(name: str, value: int) -> int:
    """The value itself, once it is a whole number from 1 up."""
    return count_of(name, value, least=1)
