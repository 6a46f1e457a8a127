"""Order of results: any number of keys, nulls last, ties by id; without keys that of the rows, which is stable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import polars as pl

from dealdb.errors import QueryError
from dealdb.model.names import column_named
from dealdb.query.filters.operands import column
from dealdb.query.results.by_id import first_in_order, ids_of

Sort: TypeAlias = str | Sequence[str] | None
# with so many rows more than wanted, sorting is faster than separating them
_FEW_ROWS = 10_000
# what lists that have an order are of; those of no list that has an element are of nulls
_TEXTS = (pl.String, pl.Categorical, pl.Enum, pl.Null)
# rows that show whether categories are few
_SAMPLE = 20_000


class SortKey(NamedTuple):
    """One column to sort by."""

    name: str
    descending: bool

    @property
    def text(self) -> str:
        """The key as ``sort`` takes it."""
        return f"-{self.name}" if self.descending else self.name


def parse_sort(sort: Sort, columns: Iterable[str]) -> list[SortKey]:
    """
    Keys of a sort specification.

    Parameters
    ----------
    sort
        Column name, with a leading ``-`` for descending; or several of them, the first counting most.
    columns
        Names that exist.

    Raises
    ------
    QueryError
        If a column doesn't exist, or is named twice.

    Examples
    --------
    >>> parse_sort(["-amount", "name"], ["name", "amount"])
    [SortKey(name='amount', descending=True), SortKey(name='name', descending=False)]
    """
    if sort is not None and not isinstance(sort, Iterable):
        msg = f"sort is a column name such as '-amount' or a list of them, not of type {type(sort).__name__}"
        raise QueryError(msg)
    given = [sort] if isinstance(sort, str) else list(() if sort is None else sort)
    known = list(columns)
    keys: list[SortKey] = []
    for spec in given:
        if not isinstance(spec, str):
            msg = f"a sort key is a column name such as '-amount', not a value of type {type(spec).__name__}"
            raise QueryError(msg)
        descending = spec.startswith("-")
        name = column_named(spec.removeprefix("-"), known)
        if any(name == key.name for key in keys):
            msg = f"{name!r} is sorted by twice"
            raise QueryError(msg, text=spec)
        keys.append(SortKey(name, descending))
    return keys


def sortable(frame: pl.DataFrame, keys: Iterable[SortKey]) -> pl.DataFrame:
    """
    Frame whose sorted columns have an order: a list of texts becomes a text that has its place.

    Lists are in the order of their first texts that differ; a list comes before those that it begins.

    Raises
    ------
    QueryError
        If a key is a column of other lists, or of records.

    Examples
    --------
    >>> frame = pl.DataFrame({"tags": [["b"], ["a", "c"], ["a"], []]})
    >>> keys = [SortKey("tags", descending=False)]
    >>> sortable(frame, keys).select(pl.col("tags").arg_sort()).to_series().to_list()
    [3, 2, 1, 0]
    """
    nested = [(key.name, dtype) for key in keys if (dtype := frame.schema[key.name]).is_nested()]
    for name, dtype in nested:
        inner = dtype.inner if isinstance(dtype, pl.List) else dtype
        if inner not in _TEXTS:
            msg = f"deals can't be sorted by {name!r}, which is {dtype}"
            raise QueryError(msg)
    return frame.with_columns(_in_order(name) for name, _ in nested) if nested else frame


def _in_order(name: str) -> pl.Expr:
    # each text begins with 1 and ends with 0, which comes before all that may follow in a longer one; a 0 within is
    # followed by the last character, as it comes after the end; nulls are last
    text = pl.element().str.replace_all("\0", "\0\U0010ffff", literal=True)
    marked = (pl.lit("\1") + text + pl.lit("\0")).fill_null("\2")
    return column(name).cast(pl.List(pl.String)).list.eval(marked).list.join("")


def sorted_rows(
    frame: pl.DataFrame, kept: pl.Series | None, keys: Sequence[SortKey], count: int | None
) -> pl.Series:
    """
    Row numbers of a frame in order: nulls last in either direction, ties by id; in the order of the frame without ids.

    Parameters
    ----------
    frame
        Deals in an order that stays.
    kept
        Boolean a row, true for those that count; None for all.
    keys
        What to sort by; none keeps the order.
    count
        Rows wanted, or None for all.

    Returns
    -------
    polars.Series
        UInt32 numbers, at most ``count``.

    Cost
    ----
    With a count: one pass to find the value that the last wanted row has in the first key, and where many rows have
    it, one for each further key; then a sort of the rows up to it. Without: a full sort. The ids are compared only of
    rows that are equal otherwise.

    Examples
    --------
    >>> frame = pl.DataFrame({"amount": [5, None, 9, 5]})
    >>> sorted_rows(frame, None, [SortKey("amount", True)], 3).to_list()
    [2, 0, 3]
    """
    frame = sortable(frame, keys)
    ids = None if any(key.name == "id" for key in keys) else ids_of(frame)
    if keys and count is not None:
        kept = _narrowed(frame, kept, keys, count, ids)
    rows = pl.int_range(frame.height, dtype=pl.UInt32, eager=True)
    if kept is not None:
        rows = rows.filter(kept)
    if keys:
        names = [column(key.name) for key in keys]
        values = frame.select(names)[rows]
        order = values.select(
            pl.arg_sort_by(
                names,
                descending=[key.descending for key in keys],
                nulls_last=True,
                maintain_order=True,
            )
        )
        rows = rows[order.to_series()]
        if ids is not None:
            rows = _ties_by_id(values[order.to_series()], rows, ids, count)
    return rows if count is None else rows.head(count)


def are_tied(frame: pl.DataFrame, keys: Sequence[SortKey], rows: pl.Series) -> bool:
    """
    Whether two of some rows, which are in order, are equal in all keys.

    Examples
    --------
    >>> frame = pl.DataFrame({"amount": [5, None, 9, 5]})
    >>> [
    ...     are_tied(frame, [SortKey("amount", True)], pl.Series(rows))
    ...     for rows in ([2, 0], [2, 0, 3])
    ... ]
    [False, True]
    """
    if not keys:
        return False
    values = sortable(frame, keys).select([column(key.name) for key in keys])[rows]
    # nothing is before the first
    return not _begins(values).slice(1).all()


def _begins(values: pl.DataFrame) -> pl.Series:
    """Of sorted rows, those that differ from the one before."""
    each = [column(name) for name in values.columns]
    differs = [one.ne_missing(one.shift(1)) for one in each]
    return values.select(pl.any_horizontal(differs)).to_series()


def _ties_by_id(
    values: pl.DataFrame, rows: pl.Series, ids: pl.Series, count: int | None
) -> pl.Series:
    """Rows in the order of what they are sorted by, of which those with equal values are put in that of their ids."""
    groups = _begins(values).cum_sum()
    if count is not None and 0 < count < len(rows):
        groups = groups.filter(groups <= groups[count - 1])
        rows = rows.head(len(groups))
    is_again = (groups == groups.shift(1)).fill_null(value=False)
    is_tied = is_again | is_again.shift(-1, fill_value=False)
    if not is_tied.any():
        return rows
    tied = rows.filter(is_tied)
    ties = pl.DataFrame({"group": groups.filter(is_tied), "id": ids[tied], "row": tied})
    ordered = ties.sort("group", "id", nulls_last=True, maintain_order=True)
    return rows.scatter(is_tied.arg_true(), ordered["row"])


def _narrowed(
    frame: pl.DataFrame,
    kept: pl.Series | None,
    keys: Sequence[SortKey],
    count: int,
    ids: pl.Series | None,
) -> pl.Series | None:
    """Rows that can be among the first ``count``: none that comes after the worst of them in the first keys."""
    key, rest = keys[0], keys[1:]
    values = frame[key.name]
    candidates = values if kept is None else values.filter(kept)
    if not 0 < count < candidates.len() - candidates.null_count():
        # nulls are among the wanted rows, or all rows are
        return kept
    near, bound = _near(values, candidates, count, descending=key.descending)
    near = near if kept is None else near & kept
    surplus = int(near.sum()) - count
    if surplus <= _FEW_ROWS:
        return near
    ties = near & (values == bound)
    better = near & ~ties
    missing = count - int(better.sum())
    return better | (
        _narrowed(frame, ties, rest, missing, ids) if rest else _first(ties, missing, ids)
    )


def _near(
    values: pl.Series, candidates: pl.Series, count: int, *, descending: bool
) -> tuple[pl.Series, pl.Series]:
    """Rows as good as the worst of the best ``count`` candidates, and the value of that one."""
    if values.dtype == pl.Categorical and values.head(_SAMPLE).n_unique() < _SAMPLE // 4:
        return _near_categories(values, candidates, count, descending=descending)
    best = candidates.top_k(count) if descending else candidates.bottom_k(count)
    bound = best.sort(descending=not descending).head(1)
    return (values >= bound if descending else values <= bound), bound


def _near_categories(
    values: pl.Series, candidates: pl.Series, count: int, *, descending: bool
) -> tuple[pl.Series, pl.Series]:
    # counting few categories and looking for numbers is several times as fast as comparing texts
    counts = candidates.alias("category").drop_nulls().value_counts(name="deals")
    best = counts.bottom_k(count, by="category", reverse=descending)
    order = best.sort("category", descending=descending)
    before = int((order["deals"].cum_sum() < count).sum())
    reached = order["category"].head(before + 1)
    return values.is_in(reached.implode()), reached.tail(1)


def _first(mask: pl.Series, count: int, ids: pl.Series | None) -> pl.Series:
    if ids is None:
        return mask & (mask.cum_sum() <= count)
    first = first_in_order(mask.arg_true(), ids, count)
    return pl.repeat(value=False, n=len(mask), eager=True).scatter(first, values=True)
