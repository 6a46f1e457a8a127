"""The table of deals: what a filter keeps, page by page."""

from __future__ import annotations

from dealdb.board.page_request import PageRequest
from dealdb.board.pages.page import BoardPage, Shown

PAGE_ROWS = 100
# shown where the URL names no columns
COLUMNS = ("id", "name", "company", "owner", "stage", "amount", "currency", "expected_close")


def show(asked: PageRequest) -> Shown:
    """The deals of a page of the table."""
    columns = asked.several("columns") or [
        name for name in COLUMNS if name == "id" or name in asked.db.schema
    ]
    page = asked.db.query.page(
        asked.where,
        sort=asked.option("sort"),
        size=PAGE_ROWS,
        cursor=asked.option("cursor"),
        columns=columns,
    )
    return Shown(
        for_template={
            "columns": columns,
            "rows": page.items.to_dicts(),
            "total": page.total,
            "next": page.next and asked.here(cursor=page.next),
        },
        data={"total": page.total, "next": page.next, "items": page.items.to_dicts()},
        table=page.items,
    )


DEALS = BoardPage(path="/deals", title="Deals", template="deals.html", show=show)
