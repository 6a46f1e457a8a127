"""A column whose field has got another type."""

from __future__ import annotations

import polars as pl

from dealdb.model.columns import decode_column, dtype_of, encode_column
from dealdb.model.schema import Field, FieldType

_WIDENED = (FieldType.INT, FieldType.DECIMAL)


def retyped(column: pl.Series, before: Field | None, field: Field) -> pl.Series:
    """Column of a field, from what it was before."""
    if column.dtype == dtype_of(field):
        return column
    if before and before.type is not field.type and (before.type, field.type) != _WIDENED:
        # its texts were made those of the new type before
        return decode_column(encode_column(column, before).cast(pl.String), field)
    # a number of another program may be too long for a column that has got more decimals: null, as in decode_column
    return column.cast(dtype_of(field), strict=False)
