"""From a number of a page to its deals: the address that it links to, and what stands there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import polars as pl

from dealdb.board.figures.figure import Figure
from dealdb.errors import QueryError
from dealdb.formats.cells import to_text

if TYPE_CHECKING:
    from dealdb.analytics import MetricResult
    from dealdb.board.page_request import PageRequest
    from dealdb.database import DealDatabase

# whole numbers that count days, and not deals: those of the deals that the row counts first
_DAYS = ("min_days", "max_days", "worst_days")
# what the deals of a number are, where they are not those that the row counts first
COUNTED_BY = {
    "mean_size": "sized_n",
    "median_size": "sized_n",
    "cycle_days": "cycle_n",
    "mean_cycle_days": "cycle_n",
    "median_cycle_days": "cycle_n",
    "mean_age_days": "age_n",
    "open_mean_days": "open_n",
    "open_median_days": "open_n",
    "slipped_value": "slipped",
    "mean_days_pushed": "pushes",
    "late_value": "late",
    "rotting.value": "rotting",
    "worst_days": "rotting",
    "won_value": "won",
    "lost_value": "lost",
    "pipeline_value": "open",
    "weighted": "open",
    "open_weighted": "open",
}
# of a line for each deal: what it adds, and what this rests on
LINE = ("id", "value", "from", "to", "at")
# what tells the rows of metrics apart that count no deals, besides groups
_ROWS = ("key", "period", "month", "quarter", "days_before", "currency")
# the rows of a curve are told apart by it alone
_LENGTH = "days"
# numbers that rest on no deals
_NO_DEALS = (
    "rho",
    "rank",
    "k",
    "groups",
    "days_left",
    "days_active",
    "ramped",
    "error",
    "hhi",
    "target",
    "quota",
    "required",
    "needed_per_day",
    "pace",
    "rot_days",
)


class Address(Protocol):
    """Gives the address of the deals behind a number, by its row and column; the first count by default."""

    def __call__(self, row: Mapping[str, Any], column: str | None = None) -> str:
        """The address."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DealsBehind:
    """
    The deals behind a number.

    Attributes
    ----------
    figure
        What was asked.
    result
        Its figures, of now.
    row
        The row of the number.
    count
        Its column.
    where
        The filter that keeps exactly these deals; None where none can say it.
    lines
        A line for each deal in place of a filter, with what it adds.
    """

    figure: Figure
    result: MetricResult
    row: Mapping[str, Any]
    count: str
    where: pl.Expr | None
    lines: pl.DataFrame | None = None

    @property
    def number(self) -> Any:
        """What the number is."""
        return self.row.get(self.count)


def key_columns(result: MetricResult) -> Sequence[str]:
    """
    The columns that tell the rows of a result apart.

    Examples
    --------
    >>> from dealdb.analytics import Analytics
    >>> from dealdb.query import QueryEngine
    >>> deals = QueryEngine.over([{"id": "1", "stage": "Won", "owner": "Ann"}])
    >>> key_columns(Analytics(deals.select).win_rate(by="owner"))
    ('owner',)
    """
    if result.links is not None:
        types = result.frame.schema
        # ages go on with the clock, and tell nothing apart for long
        return tuple(
            name for name in result.links.columns if name == _LENGTH or not types[name].is_float()
        )
    columns = result.frame.columns
    first = next((at for at, name in enumerate(columns) if name in _ROWS), len(columns))
    return [name for at, name in enumerate(columns) if at < first or name in _ROWS]


def key_of(result: MetricResult, row: Mapping[str, Any]) -> str:
    """
    What names a row in an address: its groups as texts.

    Examples
    --------
    >>> from dealdb.analytics import Analytics
    >>> from dealdb.query import QueryEngine
    >>> rates = Analytics(
    ...     QueryEngine.over([{"id": "1", "stage": "Won", "owner": "Ann"}]).select
    ... ).win_rate(by="owner")
    >>> key_of(rates, rates.to_dicts()[0])
    '["Ann"]'
    """
    return _key(row, key_columns(result))


def _key(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    values = (row[name] for name in columns)
    texts = [None if each is None else to_text(each) for each in values]
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def deals_addresses(asked: PageRequest, figure: Figure, result: MetricResult) -> Address:
    """
    What gives the addresses of the deals behind the numbers of a result.

    Parameters
    ----------
    asked
        The page that has the numbers.
    figure, result
        What was asked, and its figures.
    """
    # a table has thousands of numbers
    stem = f"{asked.base}/deals?{urlencode({'figure': figure.text()})}"
    keys, first = key_columns(result), _first_count(result)
    embedded = {"embed": "1"} if asked.option("embed") else {}

    def address(row: Mapping[str, Any], column: str | None = None) -> str:
        count = _count_of(result, column)
        counted = {"count": count} if count != first else {}
        return f"{stem}&{urlencode({'row': _key(row, keys), **counted, **embedded})}"

    return address


def deals_address(
    asked: PageRequest,
    figure: Figure,
    result: MetricResult,
    row: Mapping[str, Any],
    column: str | None = None,
) -> str:
    """
    Address of the deals behind a number.

    Parameters
    ----------
    asked
        The page that has the number.
    figure, result
        What was asked, and its figures.
    row
        The row.
    column
        The number's column; the first count by default.
    """
    return deals_addresses(asked, figure, result)(row, column)


def deals_behind(asked: PageRequest) -> DealsBehind | None:
    """
    The deals behind the number that an address names by ``figure``, ``row`` and ``count``; None where it names none.

    Raises
    ------
    QueryError
        If there is no such figure, or its row is not there any more.
    """
    text = asked.option("figure")
    return (
        None if text is None else behind(asked.db, text, asked.option("row"), asked.option("count"))
    )


def behind(db: DealDatabase, text: str, key: str | None, count: str | None = None) -> DealsBehind:
    """
    The deals behind a number.

    Parameters
    ----------
    db
        The collection.
    text
        The figure, such as ``win-rate?by=owner``.
    key
        Its row, as ``key_of`` names it; None for the only one.
    count
        Its column; None for the first count.

    Raises
    ------
    QueryError
        If there is no such figure, or its row is not there any more.
    """
    figure = Figure.of(text)
    result = figure.result(db)
    row = _row_of(figure, result, key)
    column = count or _first_count(result)
    where, lines = deals_of(db, result, row, column, partial(told_by_deals, db, figure))
    return DealsBehind(
        figure=figure, result=result, row=row, count=column, where=where, lines=lines
    )


def deals_of(
    db: DealDatabase,
    result: MetricResult,
    row: Mapping[str, Any],
    column: str,
    told: Callable[[], MetricResult | None],
) -> tuple[pl.Expr | None, pl.DataFrame | None]:
    """
    The filter of the deals behind a number; where none can say which they are, what it counts, a line each.

    Parameters
    ----------
    db
        The collection.
    result
        The figures.
    row, column
        Where the number stands.
    told
        Gives the same with a line for each deal, if there is that.
    """
    where = _filter_of(db, result, row, column)
    return where, None if where is not None else _lines_of(told(), result, row, column)


def told_by_deals(db: DealDatabase, figure: Figure) -> MetricResult | None:
    """The figure with a line for each deal; None where there is none such."""
    if "where" not in figure.known_options():
        return None
    try:
        return figure.result(db, deals=True)
    except (QueryError, TypeError):
        return None


def is_linked(result: MetricResult, column: str) -> bool:
    """
    Whether the numbers of a column lead to deals.

    Counts of deals do that a filter can keep, and money and ratios lead to the deals that they rest on.

    Examples
    --------
    >>> from dealdb.analytics import Analytics
    >>> from dealdb.query import QueryEngine
    >>> figures = Analytics(QueryEngine.over([{"id": "1", "stage": "Won"}]).select).summary()
    >>> [is_linked(figures, name) for name in ("won", "win_rate", "sized_n", "first_closed")]
    [True, True, True, False]
    """
    if column in key_columns(result) or column in _NO_DEALS:
        return False
    dtype = result.frame.schema[column]
    if not dtype.is_integer() or column in _DAYS:
        return dtype.is_numeric()
    return result.links is not None and column in (result.links.count, *result.links.others)


def _first_count(result: MetricResult) -> str:
    return result.links.count if result.links is not None else ""


def _count_of(result: MetricResult, column: str | None) -> str:
    """The count whose deals are behind the numbers of a column."""
    first = _first_count(result)
    if column is None or result.links is None:
        return first
    counted = COUNTED_BY.get(f"{result.name}.{column}", COUNTED_BY.get(column, column))
    return counted if counted in result.links.others else first


def _row_of(figure: Figure, result: MetricResult, key: str | None) -> Mapping[str, Any]:
    rows = result.to_dicts()
    if key is None and len(rows) == 1:
        return rows[0]
    for row in rows:
        if key == key_of(result, row):
            return row
    msg = f"{figure.name} has no such row any more: deals have changed since, or the address is not whole"
    raise QueryError(msg)


def _filter_of(
    db: DealDatabase, result: MetricResult, row: Mapping[str, Any], column: str
) -> pl.Expr | None:
    try:
        where = result.where(row, column or None)
    except QueryError:
        return None
    # a deal that changed in between would make the page say another number than the one that led to it
    number = row.get(column)
    return where if not isinstance(number, int) or db.query.count(where) == number else None


def _lines_of(
    told: MetricResult | None, result: MetricResult, row: Mapping[str, Any], column: str
) -> pl.DataFrame | None:
    """What a number counts, a line each; of one that counts nothing what it is made of."""
    for links in (told and told.links, result.links):
        if links and links.lines and column in (links.count, *links.others):
            own = links.lines(row, column)
            return own.select(name for name in LINE if name in own.columns)
    if told is None:
        return None
    lines = told.frame
    texts = json.loads(key_of(result, row))
    kept = pl.lit(value=True)
    for name, text in zip(key_columns(result), texts, strict=True):
        if name in lines.columns:
            same = [None if each is None else to_text(each) for each in lines[name]]
            kept = kept & pl.Series(same, dtype=pl.String).eq_missing(
                pl.Series([text], dtype=pl.String)
            )
    return lines.filter(kept)
