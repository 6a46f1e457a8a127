"""The table of deals: what a filter keeps, page by page, with its facets and sums."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dealdb.analytics.options import as_of_day
from dealdb.board.figures.named import named_deals
from dealdb.board.page_request import PageRequest
from dealdb.board.pages.lines import show_lines
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.at_once import AtOnce
from dealdb.board.parts.conditions import conditions_of, joined
from dealdb.board.parts.facets import USUAL, facet_lists
from dealdb.board.parts.sums import sums_of
from dealdb.board.parts.table import table_columns, table_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dealdb.query.results.saved import SavedQuery

PAGE_ROWS = 100
# shown where the address names no columns
UNUSUAL = ("updated", "probability")
COLUMNS = ("id", "name", "company", "owner", "stage", "amount", "currency", "expected_close")


def show(asked: PageRequest) -> Shown:
    """The deals of a page of the table; those behind a number where the address names one."""
    deals = AtOnce(asked.db)
    number = named_deals(asked, deals.snapshot)
    if number is not None and number.where is None:
        return show_lines(asked, number)
    if number is not None and number.where is not None:
        deals.narrow(number.where)
    names, sort = _columns(asked, deals), asked.several("sort")
    page = deals.query.page(
        asked.where,
        sort=sort,
        size=PAGE_ROWS,
        cursor=asked.option("cursor"),
        columns=list(dict.fromkeys([*names, "id"])),
    )
    columns = table_columns(asked, names, deals.schema)
    facets = asked.several("facets") or [name for name in USUAL if name in deals.filled()]
    sums = sums_of(deals.query, asked.where, set(deals.schema))
    rows = page.items.to_dicts()
    return Shown(
        for_template={
            "number": number and number.said,
            "columns": columns,
            "shown_names": list(names),
            "page_rows": PAGE_ROWS,
            "rows": table_rows(asked, rows, columns),
            "total": page.total,
            "all": deals.query.count(),
            "seq": deals.seq,
            "token": deals.token,
            "today": as_of_day(None, deals.pipeline.zone),
            "first": asked.here(cursor=None) if asked.option("cursor") else None,
            "next": page.next and asked.here(cursor=page.next),
            "facets": facet_lists(asked, deals.query, facets),
            "facet_names": facets,
            "sums": sums,
            "conditions": _conditions(asked),
            "fields": list(deals.schema),
            "kinds": {stage.name: str(stage.kind) for stage in deals.pipeline},
            "saved": asked.db.query.saved(),
            "saved_address": partial(_saved_address, asked),
            "data_links": asked.data_links(),
        },
        data=lambda: {
            "total": page.total,
            "next": page.next,
            "items": [{name: row[name] for name in names} for row in rows],
            "sums": [
                {"currency": each.currency, "n": each.n, "sum": each.total, "mean": each.mean}
                for each in sums
            ],
        },
        rows=partial(deals.query.find, asked.where, sort=sort or None, columns=names),
    )


def _columns(asked: PageRequest, deals: AtOnce) -> Sequence[str]:
    """The columns that are asked for; else the usual ones, and others in place of those without any value."""
    if wanted := asked.several("columns"):
        return wanted
    filled = deals.filled()
    usual = [name for name in COLUMNS if name in filled]
    others = [name for name in deals.schema if name in filled and name not in (*COLUMNS, *UNUSUAL)]
    return [*usual, *others][: len(COLUMNS)] or ["id"]


def _conditions(asked: PageRequest) -> list[tuple[str, str]]:
    """Each condition of the filter, with the address of the page without it."""
    has = conditions_of(asked.where)
    rest = [joined([*has[:place], *has[place + 1 :]]) for place in range(len(has))]
    return [
        (each, asked.here(where=where, cursor=None)) for each, where in zip(has, rest, strict=True)
    ]


def _saved_address(asked: PageRequest, query: SavedQuery) -> str:
    """Address of the table of a saved query."""
    given = {
        "sort": ",".join(query.sort),
        "columns": ",".join(query.columns or ()),
    }
    chosen = {name: value for name, value in given.items() if value}
    return asked.link("/deals", where=query.where or None, **chosen)


DEALS = BoardPage(path="/deals", title="Deals", template="deals.html", show=show)
