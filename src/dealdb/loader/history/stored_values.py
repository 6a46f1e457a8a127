"""Values of a history as the store keeps them: what a load makes of the same cells."""

from __future__ import annotations

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk, RowPlace
from dealdb.loader.columns.encode import encode_chunk
from dealdb.loader.columns.profile import Profile
from dealdb.loader.history.changes import CLOSE_DATE
from dealdb.loader.load_options import ColumnOptions
from dealdb.model.schema import Field, FieldType, Schema

_ROW = "\0row"
# types of which each cell says by itself what it is, whatever the others are
_READ_ALONE = (FieldType.LIST, FieldType.BOOL)
_TYPES: dict[str, pl.DataType] = {
    "field": pl.String(),
    "text": pl.String(),
    "stored": pl.String(),
    "currency": pl.String(),
    "code": pl.String(),
    "message": pl.String(),
}


def stored_values(
    cells: pl.DataFrame, schema: Schema | None = None, *, percent: bool = False
) -> pl.DataFrame:
    """
    What the store keeps for the different texts of each field.

    Parameters
    ----------
    cells
        Columns ``field`` and ``text``.
    schema
        Of the collection, for the fields besides the standard ones that have lists or truth values; None for none.
    percent
        Whether probabilities count to 100, whatever they are.

    Returns
    -------
    polars.DataFrame
        A row for each different pair: ``stored``, null for what stands for nothing; ``currency``, what an amount
        names; ``code`` and ``message``, set where the text doesn't fit.

    Raises
    ------
    LoadError
        If dates or numbers of a field can be read in several ways.

    Examples
    --------
    >>> cells = pl.DataFrame({"field": ["amount", "tier"], "text": ["1,200.00", "07"]})
    >>> stored_values(cells)["stored"].to_list()
    ['1200', '07']
    """
    pairs = cells.drop_nulls().unique().sort("field", "text")
    parts = [
        _of_field(name, _known_field(name, schema), part["text"], percent=percent)
        for (name,), part in pairs.group_by("field", maintain_order=True)
        if isinstance(name, str)
    ]
    return pl.concat([pl.DataFrame(schema=_TYPES), *parts], how="diagonal")


def _known_field(name: str, schema: Schema | None) -> Field | None:
    """Field whose cells are read as a load would; None where they stay as they are."""
    field = Schema.standard().by_name.get("expected_close" if name == CLOSE_DATE else name)
    own = schema.get(name) if schema else None
    return own if own and field is None and own.type in _READ_ALONE else field


def _of_field(name: str, field: Field | None, texts: pl.Series, *, percent: bool) -> pl.DataFrame:
    found = pl.DataFrame({"field": [name], "text": texts.implode()}).explode("text")
    is_text = field is None or (field.type is FieldType.TEXT and field.name != "currency")
    if field is None or is_text:
        return found.with_columns(pl.col("text").alias("stored"))
    if percent and field.name == "probability":
        texts = texts.str.strip_chars(" %") + "%"
    return pl.concat([found, _loaded(field, texts)], how="horizontal")


def _loaded(field: Field, texts: pl.Series) -> pl.DataFrame:
    """Stored texts of a column that a load would take for a field."""
    rows = pl.int_range(texts.len(), eager=True).cast(pl.String).alias(_ROW)
    chunk = Chunk(
        frame=pl.DataFrame([rows, texts.alias(field.name)]),
        locate=lambda wanted: [RowPlace(row, "") for row in wanted],
    )
    mapping: dict[str, str | None] = {_ROW: "id", field.name: field.name}
    schema = Schema.standard().with_fields([field])
    profile = Profile(ColumnOptions(mapping=mapping), schema)
    profile.add(chunk)
    try:
        plan = profile.plan()
    except LoadError as problem:
        # of what could be said to a load, nothing can be said here
        what = str(problem).partition("; say ")[0]
        msg = f"{what}; write dates as 2026-01-31 and numbers as 1234.50"
        raise LoadError(msg) from None
    encoded = encode_chunk(chunk, plan, ())
    nothing = pl.repeat(None, encoded.ids.len(), dtype=pl.String, eager=True)
    good = pl.DataFrame(
        [
            encoded.ids.alias(_ROW),
            encoded.columns.get(field.name, nothing).alias("stored"),
            encoded.columns.get("currency", nothing).alias("currency")
            if field.name == "amount"
            else nothing.alias("currency"),
        ]
    )
    bad = pl.DataFrame(
        [(str(each.line), each.code, each.message) for each in encoded.rejects],
        schema={_ROW: pl.String, "code": pl.String, "message": pl.String},
        orient="row",
    )
    return (
        rows.to_frame()
        .join(good, on=_ROW, how="left", maintain_order="left")
        .join(bad, on=_ROW, how="left", maintain_order="left")
        .drop(_ROW)
    )
