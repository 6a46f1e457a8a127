"""The deals behind a number that no filter can name: a line for each, with what it adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from dealdb.answers.labels import label_of
from dealdb.answers.people import words_of
from dealdb.board.figures.linked import LINE
from dealdb.board.figures.named import NamedDeals
from dealdb.board.pages.page import Shown
from dealdb.board.parts.cells import in_table
from dealdb.board.parts.paths import deal_link

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest

# of the deals as they are now, beside their lines
_BESIDE = ("name", "owner", "stage")
MOST_LINES = 1_000
_HEADS = {"id": "deal", "value": "adds", "from": "from", "to": "to", "at": "when"}


def show_lines(asked: PageRequest, number: NamedDeals) -> Shown:
    """The lines of a number; none where its metric has no deals to show."""
    lines = number.lines
    if lines is None:
        lines = pl.DataFrame(schema={"id": pl.String})
    table, name_of = _with_names(asked, lines), number.metric
    return Shown(
        for_template={
            "number": number.said,
            "why": number.why,
            "heads": [
                (_HEADS.get(name) or label_of(name_of, name), _style(table.schema[name]))
                for name in table.columns
            ],
            "rows": [
                _cells(asked, name_of, row) for row in table.head(MOST_LINES).iter_rows(named=True)
            ],
            "total": table.height,
            "deals": table["id"].n_unique(),
            "most": MOST_LINES,
            "data_links": asked.data_links(),
        },
        data=lambda: {"total": table.height, "lines": table.head(MOST_LINES).to_dicts()},
        table=table,
        template="lines.html",
    )


def _with_names(asked: PageRequest, lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with names and owners of now; a deal that was deleted has neither."""
    known = [name for name in _BESIDE if name in asked.db.schema and name not in lines.columns]
    deals = asked.db.query.frame(["id", *known], text=True)
    found = lines.join(deals, on="id", how="left", maintain_order="left")
    others = [name for name in lines.columns if name not in LINE]
    return found.select(
        "id", *known, *(name for name in LINE[1:] if name in lines.columns), *others
    )


def _style(dtype: pl.DataType) -> str:
    return "number" if dtype.is_numeric() else ""


def _cells(asked: PageRequest, metric: str, row: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Text and address of each cell."""
    found: list[tuple[str, str | None]] = []
    for name, value in row.items():
        word = words_of(metric, name, value) if isinstance(value, str) else value
        text = in_table(word, asked.locale)
        address = deal_link(asked, row["id"]) if name in ("id", "name") else None
        found.append((text, address if text else None))
    return found
