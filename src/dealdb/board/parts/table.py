"""The table of deals: its columns, the order of its rows, and its cells as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dealdb.board.parts.cells import in_table, style_of
from dealdb.board.parts.paths import deal_link
from dealdb.model.schema import NUMBER_TYPES, Field, FieldType

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest

# what a phone shows of a row: its first line, and the second one
# a word of more letters may break anywhere; a name of fewer does not break at all
_LONG_WORD, _SHORT_TEXT = 24, 14
_ON_PHONE = {"name": "first", "amount": "extra", "currency": "extra"} | dict.fromkeys(
    ("company", "owner", "stage", "expected_close"), "meta"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadCell:
    """
    Head of a column.

    Attributes
    ----------
    name
        Of the column.
    style
        Classes of its cells.
    link
        Address of the page sorted by it, or the other way round; None where it can't be sorted.
    order
        ``ascending`` or ``descending`` where the page is sorted by it first.
    """

    name: str
    style: str
    link: str | None
    order: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """Text of a cell, its classes, and the address that it leads to, if any."""

    text: str
    style: str
    link: str | None


def table_columns(
    asked: PageRequest, names: Sequence[str], fields: Mapping[str, Field]
) -> list[HeadCell]:
    """The heads of the columns."""
    first = next(iter(asked.several("sort")), "")
    return [_column(asked, name, fields.get(name), first, names) for name in names]


def _column(
    asked: PageRequest, name: str, field: Field | None, first: str, names: Sequence[str]
) -> HeadCell:
    has_order = field is not None and field.type is not FieldType.LIST
    order = {name: "ascending", f"-{name}": "descending"}.get(first)
    # the large and the late ones are looked for first
    falls = field is not None and field.type in {
        *NUMBER_TYPES,
        FieldType.DATE,
        FieldType.DATETIME,
    }
    following = f"-{name}" if order == "ascending" or (order is None and falls) else name
    on_phone = _ON_PHONE.get(name, "")
    if "name" not in names and name == "id":
        on_phone = "first"
    return HeadCell(
        name=name,
        style=f"{style_of(field)} {on_phone}".strip(),
        link=asked.here(sort=following, cursor=None) if has_order else None,
        order=order,
    )


def table_rows(
    asked: PageRequest, rows: Sequence[Mapping[str, Any]], columns: Sequence[HeadCell]
) -> list[list[TableCell]]:
    """The cells of rows, which have their ids beside the columns that are shown."""
    linked = next((each.name for each in columns if each.name in ("name", "id")), columns[0].name)
    found = []
    for row in rows:
        address = deal_link(asked, row["id"])
        cells = []
        for column in columns:
            text = in_table(row[column.name], asked.locale)
            is_linked = column.name in (linked, "id")
            cells.append(
                TableCell(
                    # a link without a text could not be seen
                    text=text or (row["id"] if is_linked else ""),
                    style=f"{column.style} {_breaking(text)}".strip(),
                    link=address if is_linked else None,
                )
            )
        found.append(cells)
    return found


def _breaking(text: str) -> str:
    """
    Class of a cell by where its text may break.

    Examples
    --------
    >>> _breaking("D0042"), _breaking("Acme renewal 2026"), _breaking("x" * 100)
    ('short', '', 'long')
    """
    if len(text) <= _SHORT_TEXT:
        return "short"
    return "long" if max(map(len, text.split()), default=0) > _LONG_WORD else ""
