"""
Pages of a result, each beginning where the last one ended: after the sort values and the id of its last deal.

Such a place stays good while others write, which a number of rows to skip doesn't.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from dealdb.errors import QueryError
from dealdb.model.columns import field_of, spelled_out
from dealdb.model.names import column_named
from dealdb.model.schema import Field, FieldType
from dealdb.model.values import decode, encode
from dealdb.query.filters.comparisons import all_of, any_of, compare
from dealdb.query.filters.constants import MANY, given_constant
from dealdb.query.filters.operands import Operand, OperandKind, column, computed, constant, kind_of
from dealdb.query.results.rows import Params, kept_rows, projected
from dealdb.query.results.sorting import Sort, SortKey, parse_sort, sortable, sorted_rows

if TYPE_CHECKING:
    from dealdb.store.replica.snapshot import Snapshot

VERSION = 1
_CHECK_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    Some deals of a longer result, and where the next ones begin.

    Attributes
    ----------
    items
        One row a deal.
    total
        Deals that the filter keeps, on all pages.
    next
        Cursor of the next page; None when this is the last one. It holds the sort values and the id of the
        last deal: nobody who may not read deals should see it.

    Examples
    --------
    >>> Page(items=pl.DataFrame({"id": ["1", "2"]}), total=2, next=None)
    Page(2 of 2 deals, last page)
    """

    items: pl.DataFrame
    total: int
    next: str | None

    def __repr__(self) -> str:
        more = "last page" if self.next is None else "more"
        return f"Page({self.items.height:,} of {self.total:,} deals, {more})"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.items._repr_html_()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked for on every page of a result: the arguments of ``page`` by the same names."""

    where: str | pl.Expr | None
    equals: Mapping[str, object]
    sort: Sort
    params: Params


def page_of(
    deals: Snapshot,
    asked: Question,
    *,
    size: int,
    cursor: str | None,
    columns: Sequence[str] | None,
) -> Page:
    """One page of the deals that a filter keeps; see ``QueryEngine.page``."""
    frame = deals.rows
    # what tells equal deals apart; rows that were never in a database may lack it
    column_named("id", frame.columns)
    keys = total_order(parse_sort(asked.sort, frame.columns))
    shown = projected(frame, columns)
    kept = kept_rows(deals, asked.where, asked.equals, asked.params)
    total = frame.height if kept is None else int(kept.sum() or 0)
    frame = sortable(frame, keys)
    mark = question_mark(asked.where, asked.equals, keys, frame.schema, asked.params)
    if cursor is not None:
        behind = frame.select(beyond(cursor, frame.schema, keys, mark)).to_series()
        kept = behind if kept is None else kept & behind
    # one more than wanted shows whether this is the last page
    rows = sorted_rows(frame, kept, keys, size + 1)
    more = len(rows) > size
    following = cursor_after(frame, int(rows[size - 1]), keys, mark) if more else None
    return Page(items=spelled_out(shown[rows.head(size)]), total=total, next=following)


def total_order(keys: Sequence[SortKey]) -> list[SortKey]:
    """
    Keys by which no two deals are equal: the id comes last.

    Examples
    --------
    >>> [key.name for key in total_order([SortKey("amount", True)])]
    ['amount', 'id']
    """
    unique = any(key.name == "id" for key in keys)
    return list(keys) if unique else [*keys, SortKey("id", descending=False)]


def question_mark(
    where: str | pl.Expr | None,
    equals: Mapping[str, object],
    keys: Sequence[SortKey],
    schema: pl.Schema,
    params: Mapping[str, object] | None = None,
) -> str:
    """
    Short mark of a filter and an order, kinds of the sorted columns included: what a cursor belongs to.

    Examples
    --------
    >>> keys, schema = [SortKey("id", False)], pl.Schema({"id": pl.String()})
    >>> question_mark("amount > 5", {}, keys, schema) == question_mark(
    ...     "amount > 6", {}, keys, schema
    ... )
    False
    """
    filtered = where.meta.serialize() if isinstance(where, pl.Expr) else where
    named = [
        [(name, _spelled(value)) for name, value in sorted(given.items())]
        for given in (equals, params or {})
    ]
    order = [(*key, kind_of(schema[key.name])) for key in keys]
    asked = repr((filtered, named, order))
    return hashlib.blake2b(asked.encode(), digest_size=8).hexdigest()


def _spelled(value: object) -> str:
    # a set has no order of its own, and that of a list means nothing here
    return repr(sorted(map(repr, value))) if isinstance(value, MANY) else repr(value)


def cursor_after(frame: pl.DataFrame, row: int, keys: Sequence[SortKey], mark: str) -> str:
    """
    Cursor of the place behind one row.

    Raises
    ------
    QueryError
        If a key has a type that no field has.

    Examples
    --------
    >>> frame, keys = pl.DataFrame({"id": ["1", "2"]}), [SortKey("id", False)]
    >>> frame.filter(beyond(cursor_after(frame, 0, keys, "m"), frame.schema, keys, "m"))[
    ...     "id"
    ... ].to_list()
    ['2']
    """
    texts = [_text(frame[key.name][row], _field(key, frame.schema)) for key in keys]
    body = json.dumps([VERSION, mark, texts], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(body) + body).rstrip(b"=").decode()


def beyond(cursor: str, schema: pl.Schema, keys: Sequence[SortKey], mark: str) -> pl.Expr:
    """
    Condition that the deals behind a cursor meet.

    Raises
    ------
    QueryError
        If the cursor was changed, or belongs to another filter, order or version.

    Source
    ------
    docs/querying.md#pages
    """
    texts = _texts(cursor, keys, mark)
    fields = [_field(key, schema) for key in keys]
    try:
        values = [_operand(text, field) for text, field in zip(texts, fields, strict=True)]
    except ValueError:
        raise _foreign() from None
    items = [computed(column(key.name), schema[key.name], 0, key.name) for key in keys]
    alternatives = []
    for place, key in enumerate(keys):
        same = [
            compare(item, "is not distinct from", value)
            for item, value in zip(items[:place], values[:place], strict=True)
        ]
        alternatives.append(all_of([*same, _later(items[place], key, values[place])]))
    return any_of(alternatives).fill_null(value=False)


def _later(item: Operand, key: SortKey, value: Operand) -> pl.Expr:
    """Whether an item comes behind a value in one key; nulls are last, and nothing is behind them."""
    if value.kind is OperandKind.NULL:
        return pl.lit(value=False)
    later = compare(item, "<" if key.descending else ">", value)
    missing = compare(item, "is not distinct from", constant(None))
    return later.fill_null(value=False) | missing


def _field(key: SortKey, schema: pl.Schema) -> Field:
    field = field_of(key.name, schema[key.name])
    if field is None or kind_of(schema[key.name]) in (None, OperandKind.LIST):
        msg = f"pages can't be sorted by {key.name!r}, which is {schema[key.name]}"
        raise QueryError(msg)
    return field


def _text(value: object, field: Field) -> str | None:
    if value is None:
        return None
    # a float column that another program wrote to may hold nan, which no field takes
    return repr(value) if field.type is FieldType.FLOAT else encode(value, field)


def _operand(text: str | None, field: Field) -> Operand:
    if text is None:
        return constant(None)
    exact = field.type is not FieldType.FLOAT
    return constant(given_constant(decode(text, field)) if exact else float(text))


def _texts(cursor: str, keys: Sequence[SortKey], mark: str) -> list[str | None]:
    if not isinstance(cursor, str):
        msg = f"a cursor is the text of Page.next, not a value of type {type(cursor).__name__}"
        raise QueryError(msg)
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise _unreadable() from None
    body = raw[_CHECK_BYTES:]
    if not body or raw[:_CHECK_BYTES] != _check(body):
        raise _unreadable()
    version, owner, texts = json.loads(body)
    if version != VERSION:
        msg = "this cursor was made by another version of dealdb; begin again without one"
        raise QueryError(msg)
    if owner != mark or len(texts) != len(keys):
        raise _foreign()
    return list(texts)


def _check(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES).digest()


def _unreadable() -> QueryError:
    return QueryError("this cursor can't be read; pass Page.next exactly as it is")


def _foreign() -> QueryError:
    return QueryError("this cursor belongs to another filter or sort; begin again without one")
