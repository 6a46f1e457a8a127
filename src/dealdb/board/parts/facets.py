"""Facets: how the deals that a filter keeps are spread, each part a link that adds its condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dealdb.board.parts.cells import in_table
from dealdb.board.parts.conditions import toggled
from dealdb.formats.cells import is_number

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
    from dealdb.query import Facet, QueryEngine

# parts of a column; what is left is told as a number
MOST_PARTS = 8
# shown where the address names none
USUAL = ("stage", "owner", "source", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetPart:
    """
    Some deals of a facet.

    Attributes
    ----------
    label
        What they have in common.
    deals
        How many they are.
    share
        Of those of the largest part, from 0 to 100.
    link
        Address of the page with the condition, or without it where it has it; None where no filter says it.
    is_chosen
        Whether the filter has the condition.
    is_missing
        Whether these are the deals without a value.
    """

    label: str
    deals: int
    share: float
    link: str | None
    is_chosen: bool
    is_missing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetList:
    """
    A facet as the page shows it.

    Attributes
    ----------
    column
        Its column.
    parts
        The largest ones.
    others
        Deals in none of these.
    """

    column: str
    parts: list[FacetPart]
    others: int


def facet_lists(asked: PageRequest, query: QueryEngine, columns: Sequence[str]) -> list[FacetList]:
    """The facets of some columns."""
    if not columns:
        return []
    found = query.facets(columns, asked.where, limit=MOST_PARTS)
    return [_facet_list(asked, facet) for facet in found.values()]


def _facet_list(asked: PageRequest, facet: Facet) -> FacetList:
    rows = facet.table.to_dicts()
    most = max((row["deals"] for row in rows), default=1)
    parts = [_part(asked, facet.by, row, most) for row in rows]
    return FacetList(column=facet.column, parts=parts, others=facet.others)


def _part(asked: PageRequest, by: str, row: dict[str, Any], most: int) -> FacetPart:
    where, chosen = toggled(asked.where, row["where"]) if row["where"] else (None, False)
    return FacetPart(
        label=_label(asked, by, row),
        deals=row["deals"],
        share=round(100 * row["deals"] / most, 1),
        link=asked.here(where=where, cursor=None) if row["where"] else None,
        is_chosen=chosen,
        is_missing=row.get("value", row.get("from")) is None,
    )


def _label(asked: PageRequest, by: str, row: dict[str, Any]) -> str:
    locale = asked.locale
    if "value" in row:
        value = row["value"]
        if is_number(value):
            return locale.name(value)
        return "no value" if value is None else in_table(value, locale) or "empty"
    first = row["from"]
    if first is None:
        return "no value"
    if by == "amount":
        return f"{locale.number(first)} to below {locale.number(row['below'])}"
    if by == "day":
        return locale.day(first)
    if by == "month":
        return locale.month(first)
    return f"{first:%Y} Q{(first.month + 2) // 3}" if by == "quarter" else f"{first:%Y}"
