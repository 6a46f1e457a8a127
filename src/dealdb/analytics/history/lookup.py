"""Lives are numbers from 0 on: what belongs to one is found by its place, without a join."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dealdb.errors import QueryError
from dealdb.model.schema import STANDARD_NAMES

# columns of metrics that are grouped by, whatever fields there are
_ASKED_FOR = {"who", "from_stage"}


def rows_of(known: pl.Series, wanted: pl.Series) -> pl.Series:
    """
    Row of each wanted life in a table that has every life at most once, null where it has none.

    Examples
    --------
    >>> rows_of(pl.Series([4, 2]), pl.Series([2, 3, 4])).to_list()
    [1, None, 0]
    """
    rows = pl.repeat(None, _size(known, wanted), dtype=pl.UInt32, eager=True)
    if known.len():
        rows = rows.scatter(known, pl.int_range(known.len(), dtype=pl.UInt32, eager=True))
    return rows.gather(wanted)


def are_among(wanted: pl.Series, known: pl.Series) -> pl.Series:
    """
    Whether each life is among those that are known.

    Examples
    --------
    >>> are_among(pl.Series([2, 3]), pl.Series([3, 3])).to_list()
    [False, True]
    """
    found = pl.repeat(False, _size(known, wanted), eager=True)  # noqa: FBT003  # values
    return (found.scatter(known, True) if known.len() else found).gather(wanted)  # noqa: FBT003


def true_rows(condition: pl.Series) -> pl.Series:
    """
    Rows for which a condition is true.

    Where that is so of many, ``arg_true`` takes three times as long.

    Examples
    --------
    >>> true_rows(pl.Series([True, None, False, True])).to_list()
    [0, 3]
    """
    return pl.int_range(condition.len(), dtype=pl.UInt32, eager=True).filter(condition)


def n_lives(lives: pl.Series) -> int:
    """
    How many different lives there are.

    Examples
    --------
    >>> n_lives(pl.Series([4, 0, 4]))
    2
    """
    return int(are_among(pl.int_range(_size(lives, lives), eager=True), lives).sum())


def gathered(values: pl.Series, rows: pl.Series) -> pl.Series:
    """
    Values of rows, null for no row.

    Examples
    --------
    >>> gathered(pl.Series(["a", "b"]), pl.Series([1, None])).to_list()
    ['b', None]
    """
    if values.is_empty():
        return pl.repeat(None, rows.len(), dtype=values.dtype, eager=True).alias(values.name)
    return values.gather(rows)


def beside(lines: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """
    Lines with the columns of a table that has every ``life`` at most once, null where it has none.

    Examples
    --------
    >>> lines = pl.DataFrame({"life": [2, 1]})
    >>> beside(lines, pl.DataFrame({"life": [1], "value": ["a"]})).rows()
    [(2, None), (1, 'a')]
    """
    rows = rows_of(table["life"], lines["life"])
    return lines.with_columns(
        gathered(table[name], rows).alias(name) for name in table.columns if name != "life"
    )


def _size(known: pl.Series, wanted: pl.Series) -> int:
    ends = (known.max(), wanted.max())
    return max((each for each in ends if isinstance(each, int)), default=-1) + 1


def lacking(keys: Iterable[str], columns: Iterable[str], fields: Iterable[str]) -> list[str]:
    """
    Groups that the lines of a metric have no column of yet.

    Parameters
    ----------
    keys
        What to group by.
    columns
        Columns of the lines.
    fields
        Fields of the collection.

    Raises
    ------
    QueryError
        If one is a field of one's own, and the metric has a column of another meaning that is called so.

    Examples
    --------
    >>> lacking(["owner", "who"], ["at", "who"], ["owner", "at", "who"])
    ['owner']
    """
    keys, there = list(keys), set(columns)
    own = set(fields) - STANDARD_NAMES - _ASKED_FOR
    if clash := sorted(own.intersection(keys) & there):
        msg = f"by={clash[0]!r} is also what the metric calls something else; rename the field to group by it"
        raise QueryError(msg)
    return [key for key in keys if key not in there]
