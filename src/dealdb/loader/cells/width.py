"""How many columns a source has, and how many of them have cells: what is too wide is refused before more is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from dealdb.errors import LoadError, SchemaError
from dealdb.loader.chunk import MAX_COLUMNS
from dealdb.model.schema import MAX_FIELDS

# some columns together are one field
_MOST_FILLED = MAX_FIELDS + 64


class Width:
    """
    Columns of a source, as they are found.

    Examples
    --------
    >>> width = Width()
    >>> width.check(["id", "note"])
    >>> width.filled_of(pl.DataFrame({"id": ["1"], "note": [None]}), {"id": "id", "note": "note"})
    {'id'}
    """

    def __init__(self) -> None:
        self._columns: set[str] = set()
        self._filled: set[str] = set()

    def check(self, columns: Iterable[str]) -> None:
        """
        Take in the columns of some more rows.

        Raises
        ------
        LoadError
            If there are more than a table has.
        """
        self._columns.update(columns)
        if len(self._columns) > MAX_COLUMNS:
            msg = (
                f"the rows have more than {MAX_COLUMNS:,} different columns; a table has at most that many: "
                "is the source what its name says?"
            )
            raise LoadError(msg)

    def filled_of(self, frame: pl.DataFrame, mapping: Mapping[str, str | None]) -> set[str]:
        """
        Columns of some more rows that have a value.

        Raises
        ------
        SchemaError
            If more of those that are loaded have one than a collection has fields.
        """
        n_nulls = frame.null_count().row(0) if frame.width else ()
        filled = {name for name, n in zip(frame.columns, n_nulls, strict=True) if n < frame.height}
        self._filled |= {name for name in filled if mapping.get(name) is not None}
        if len(self._filled) > _MOST_FILLED:
            msg = (
                f"{len(self._filled):,} columns have values, but a collection has at most {MAX_FIELDS} fields: "
                "leave columns out with mapping={'<column>': None}"
            )
            raise SchemaError(msg, expected=f"at most {MAX_FIELDS} fields")
        return filled
