"""From a row of a result to its deals: the filter that keeps those that its number counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import polars as pl

from dealdb.errors import QueryError
from dealdb.model.columns import is_text

# from a row to the filter of its deals
Find: TypeAlias = Callable[[Mapping[str, Any]], pl.Expr]
# from a row and a count to what that counts
Lines: TypeAlias = Callable[[Mapping[str, Any], str], pl.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """
    How the deals of a row are found.

    Attributes
    ----------
    columns
        What tells the rows of a result apart.
    find
        Gives the filter of a row, by its values of these.
    count
        The column whose number says how many deals it keeps.
    others
        The same for other counts, by their columns.
    lines
        Gives what a count of a row counts, one line each, with ``id``; None where a filter can always say it.
    """

    columns: Sequence[str]
    find: Find
    count: str = "n"
    others: Mapping[str, Find] = field(default_factory=dict)
    lines: Lines | None = None

    def __call__(self, row: Mapping[str, Any], count: str | None = None) -> pl.Expr:
        """
        The filter of a row.

        Raises
        ------
        QueryError
            If the row lacks a column, or no filter says which deals a count is of.
        """
        missing = [name for name in self.columns if name not in row]
        if missing:
            msg = f"where takes a row as to_dicts() has it: this one has no {missing[0]!r}"
            raise QueryError(msg)
        if count in (None, self.count):
            return self.find(row)
        if count not in self.others:
            known = ", ".join(sorted({self.count, *self.others}))
            msg = f"no filter says which deals {count!r} counts; one does for {known}"
            raise QueryError(msg)
        return self.others[count](row)

    def unread(self, refuse: Find) -> Links:
        """The same, of the deals that a filter keeps which nobody can read here."""
        return replace(self, find=refuse, others=dict.fromkeys(self.others, refuse))

    def within(self, where: pl.Expr | None) -> Links:
        """The same, of the deals that a filter keeps."""
        if where is None:
            return self

        def kept(find: Find) -> Find:
            return lambda row: where & find(row)

        others = {name: kept(find) for name, find in self.others.items()}
        return replace(self, find=kept(self.find), others=others)


def has_values(
    row: Mapping[str, Any], columns: Sequence[str], none: Mapping[str, str], types: pl.Schema
) -> pl.Expr:
    """
    Whether a deal has the values of a row.

    Parameters
    ----------
    row
        Of a result.
    columns
        Which of its values.
    none
        What the result calls a column's missing value, where it has a name for it.
    types
        Of the columns; as in the deals.

    Examples
    --------
    >>> deals = pl.DataFrame({"owner": ["Ann", None]})
    >>> same = has_values({"owner": "(none)"}, ["owner"], {"owner": "(none)"}, deals.schema)
    >>> deals.filter(same).rows()
    [(None,)]
    """
    found = pl.lit(value=True)
    for name in columns:
        value = row[name]
        if value is None or (name in none and value == none[name]):
            found = found & pl.col(name).is_null()
        elif isinstance(types.get(name), pl.List):
            only = pl.lit(pl.Series([value], dtype=types[name])).first()
            found = found & pl.col(name).eq_missing(only)
        elif name in types and not is_text(types[name]):
            found = found & pl.col(name).eq_missing(pl.lit(value, types[name]))
        else:
            # texts may be categories, whose values don't compare with those of another table
            found = found & pl.col(name).eq_missing(pl.lit(value))
    return found
