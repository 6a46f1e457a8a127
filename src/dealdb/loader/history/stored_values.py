"""Values of a history as the store keeps them: what a load makes of the same cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk, RowPlace
from dealdb.loader.columns.encode import encode_chunk
from dealdb.loader.columns.plan import Plan
from dealdb.loader.columns.profile import Profile
from dealdb.loader.history.changes import CLOSE_DATE
from dealdb.loader.load_options import ColumnOptions
from dealdb.model.schema import Field, FieldType, Schema

_ROW = "\0row"
_TYPES: dict[str, pl.DataType] = {
    "field": pl.String(),
    "text": pl.String(),
    "stored": pl.String(),
    "currency": pl.String(),
    "code": pl.String(),
    "message": pl.String(),
}


class _Cells(NamedTuple):
    """Different texts of a field: ``told`` as the source has them, ``read`` as a load would have them."""

    field: Field
    told: pl.DataFrame
    read: pl.Series

    @property
    def chunk(self) -> Chunk:
        """The texts as a column of rows."""
        rows = pl.int_range(self.read.len(), eager=True).cast(pl.String).alias(_ROW)
        return Chunk(
            frame=pl.DataFrame([rows, self.read.alias(self.field.name)]),
            locate=lambda wanted: [RowPlace(row, "") for row in wanted],
        )


def stored_values(
    cells: pl.DataFrame, fields: Mapping[str, Field] | None = None, *, percent: bool = False
) -> pl.DataFrame:
    """
    What the store keeps for the different texts of each field; the fields are read as the columns of one file.

    Parameters
    ----------
    cells
        Columns ``field`` and ``text``.
    fields
        Those besides the standard ones, by name, and standard ones that are wider than usual; values of others stay as
        they are.
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
    >>> stored_values(cells).sort("field")["stored"].to_list()
    ['1200', '07']
    """
    pairs = cells.drop_nulls().unique().sort("field", "text")
    known = {**Schema.standard().by_name, **(fields or {})}
    found, columns = [pl.DataFrame(schema=_TYPES)], list[_Cells]()
    for (name,), told in pairs.group_by("field", maintain_order=True):
        field = known.get("expected_close" if name == CLOSE_DATE else str(name))
        if field is None or (field.type is FieldType.TEXT and field.name != "currency"):
            found.append(told.with_columns(pl.col("text").alias("stored")))
            continue
        is_share = percent and field.name == "probability"
        read = told["text"].str.strip_chars(" %") + "%" if is_share else told["text"]
        columns.append(_Cells(field, told, read))
    # an amount is to tell its own currency, also beside a field of currencies
    for is_apart in (True, False):
        group = [each for each in columns if (each.field.name == "currency") is is_apart]
        plan = _plan(group) if group else None
        found += [_stored(each, plan) for each in group if plan]
    return pl.concat(found, how="diagonal")


def _plan(columns: Sequence[_Cells]) -> Plan:
    """How the columns are read, of which each may say how the others write dates and numbers."""
    names = {each.field.name: each.field for each in columns}
    mapping: dict[str, str | None] = {_ROW: "id", **{name: name for name in names}}
    schema = Schema.standard().with_fields(names.values())
    profile = Profile(ColumnOptions(mapping=mapping), schema)
    empty = pl.DataFrame(schema=dict.fromkeys(mapping, pl.String))
    profile.add(Chunk(frame=empty, locate=lambda _: []))
    for each in columns:
        profile.add(each.chunk)
    try:
        return profile.plan()
    except LoadError as problem:
        # of what could be said to a load, nothing can be said here
        what = str(problem).partition("; say ")[0]
        msg = f"{what}; write dates as 2026-01-31 and numbers as 1234.50"
        raise LoadError(msg) from None


def _stored(cells: _Cells, plan: Plan) -> pl.DataFrame:
    """Texts of a field with what the store keeps for each."""
    encoded = encode_chunk(cells.chunk, plan, ())
    nothing = pl.repeat(None, encoded.ids.len(), dtype=pl.String, eager=True)
    is_amount = cells.field.name == "amount"
    good = pl.DataFrame(
        [
            encoded.ids.alias(_ROW),
            encoded.columns.get(cells.field.name, nothing).alias("stored"),
            (encoded.columns.get("currency", nothing) if is_amount else nothing).alias("currency"),
        ]
    )
    bad = pl.DataFrame(
        [(str(each.line), each.code, each.message) for each in encoded.rejects],
        schema={_ROW: pl.String, "code": pl.String, "message": pl.String},
        orient="row",
    )
    return (
        cells.told.with_columns(cells.chunk.frame[_ROW])
        .join(good, on=_ROW, how="left", maintain_order="left")
        .join(bad, on=_ROW, how="left", maintain_order="left")
        .drop(_ROW)
    )
