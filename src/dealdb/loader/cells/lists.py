"""Cells that hold several texts."""

from __future__ import annotations

import polars as pl

from dealdb.model.columns import decode_column, encode_column
from dealdb.model.schema import Field, FieldType

_LIST = Field("list", FieldType.LIST)
# what HubSpot, Salesforce and others put between the choices of one cell
_BETWEEN = ";"


def list_texts(cells: pl.Series) -> pl.Series:
    """
    Lists as the store keeps them, from arrays of JSON or from texts with semicolons between them; null for others.

    A text that begins as an array or an object does is nothing else: where it is no array of texts, it is no list.

    Examples
    --------
    >>> list_texts(pl.Series(['["a", "b;c"]', "a; b", "a", "[1]", ";"])).to_list()
    ['["a","b;c"]', '["a","b"]', '["a"]', None, None]
    """
    different = cells.unique().drop_nulls()
    texts = encode_column(_lists(different), _LIST)
    return cells.replace_strict(different, texts, default=None, return_dtype=pl.String)


def _lists(cells: pl.Series) -> pl.Series:
    bare = cells.str.strip_chars()
    is_json = bare.str.contains(r"^[\[{]")
    parts = bare.str.split(_BETWEEN).list.eval(pl.element().str.strip_chars())
    chosen = parts.list.eval(pl.element().filter(pl.element() != ""))
    found = chosen.set(chosen.list.len() == 0, None)
    return decode_column(bare, _LIST).zip_with(is_json, found)
