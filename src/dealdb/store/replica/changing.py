"""How a column of a replica changes: some of its rows, its type, and the pieces of memory that it is in."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from dealdb.model.columns import decode_column, dtype_of, encode_column
from dealdb.model.schema import Field, FieldType
from dealdb.store.archive.unpacking import CHUNK_ROWS

# appending to texts adds a piece; a scan slows down with their number
_MAX_PIECES = 32
# rows that are compared one by one in less time than a query of Polars takes
_FEW = 8
_WIDENED = (FieldType.INT, FieldType.DECIMAL)


def with_values(column: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """Column with these values in these rows; the last one counts of those for the same row."""
    if values.null_count() and rows.n_unique() < len(rows):
        # the last value of a row counts; Polars writes all nulls after all values
        last = rows.is_last_distinct()
        rows, values = rows.filter(last), values.filter(last)
    if not isinstance(column.dtype, pl.List):
        return column.scatter(rows, values)
    # Polars can't change a list in place: take each row from the column or from the values behind it
    places = pl.Series(range(len(column)), dtype=pl.UInt32)
    places.scatter(rows, pl.Series(range(len(column), len(column) + len(rows)), dtype=pl.UInt32))
    # without its name, which older collections may have as a pattern of names
    both = pl.concat([column.alias(""), values.alias("")])
    return both.gather(places).alias(column.name)


def values_of(
    field: Field, places: list[int], texts: list[str | None], column: pl.Series | None
) -> tuple[pl.Series, pl.Series] | None:
    """
    Rows and values that texts put into a column; None for nothing.

    Parameters
    ----------
    column
        Of texts, as it is: what it has already is left out. None where it can't be compared.
    """
    is_few = len(places) <= _FEW
    if column is not None and is_few:
        # compared before a column is made of them: most are there already, such as the ids
        places, texts = few_changing(column, places, texts)
        if not places:
            return None
    rows, values = pl.Series(places, dtype=pl.UInt32), decoded(texts, field)
    if column is not None and not is_few:
        rows, values = changing(column, rows, values)
    return None if rows.is_empty() else (rows, values)


def decoded(texts: list[str | None], field: Field) -> pl.Series:
    """A column of texts as they are in the log."""
    return decode_column(pl.Series(field.name, texts, dtype=pl.String), field)


def changing(column: pl.Series, rows: pl.Series, values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """
    Of some values for rows of a column, those that it hasn't already; the last one counts of those for the same row.

    Examples
    --------
    >>> rows, values = changing(
    ...     pl.Series(["a", "b"]), pl.Series([0, 1, 1]), pl.Series(["a", "c", "d"])
    ... )
    >>> rows.to_list(), values.to_list()
    ([1], ['d'])
    """
    # see above
    before, values = column[rows].alias(""), values.alias("")
    are_new = before.ne_missing(values) & rows.is_last_distinct()
    return (rows, values) if are_new.all() else (rows.filter(are_new), values.filter(are_new))


def few_changing(
    column: pl.Series, rows: Sequence[int], values: Sequence[str | None]
) -> tuple[list[int], list[str | None]]:
    """
    The same of a few values, before a column is made of them.

    Examples
    --------
    >>> few_changing(pl.Series(["a", "b"]), [0, 1, 1], ["a", "c", "d"])
    ([1], ['d'])
    """
    last = dict(zip(rows, values, strict=True))
    new = {row: value for row, value in last.items() if column[row] != value}
    return [*new], [*new.values()]


def chunks_of(rows: pl.Series) -> Collection[int]:
    """Numbers of the chunks that have these rows."""
    if len(rows) <= _FEW:
        return {row // CHUNK_ROWS for row in rows}
    return (rows // CHUNK_ROWS).unique().to_list()


def retyped(column: pl.Series, known: Field | None, field: Field) -> pl.Series:
    """Column of a field that was known as another one, or not at all, by then."""
    if column.dtype == dtype_of(field):
        return column
    if known and known.type is not field.type and (known.type, field.type) != _WIDENED:
        # its texts were made those of the new type before
        return decode_column(encode_column(column, known).cast(pl.String), field)
    # a number of another program may be too long for a column that has got more decimals: null, as in decode_column
    return column.cast(dtype_of(field), strict=False)


def with_fewer_pieces(column: pl.Series) -> pl.Series:
    """The same, of many pieces the small ones at its end made one: a value is copied when its piece grows by half."""
    if column.n_chunks() <= _MAX_PIECES:
        return column
    pieces = column.get_chunks()
    start, size = len(pieces) - 1, len(pieces[-1])
    # pieces that get smaller little by little are made one as well
    while start and len(pieces[start - 1]) <= 2 * size:
        start -= 1
        size += len(pieces[start])
    last = pl.concat(pieces[start:]).rechunk()
    return pl.concat([*pieces[:start], last], rechunk=False) if start else last
