"""The question box: a statement of SQL, its table, and a chart where it fits; the address is a permalink."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, proxy

import polars as pl

from dealdb.board.html import marked_fault
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.cells import in_table
from dealdb.charts.frames import table_chart
from dealdb.charts.svg.drawing import drawn
from dealdb.database import LiveDeals
from dealdb.errors import QueryError
from dealdb.query import QueryEngine

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
    from dealdb.database import DealDatabase

MOST_ROWS = 1_000
MOST_BARS = 40
EXAMPLES = (
    "SELECT owner, sum(amount) AS won FROM deals WHERE stage = 'Won' GROUP BY owner ORDER BY won DESC",
    "SELECT stage, count(*) AS deals, median(amount) AS median FROM deals GROUP BY stage",
    "SELECT who, count(DISTINCT id) AS deals FROM history GROUP BY who ORDER BY deals DESC",
)
# of databases whose own statements run in this process; here they never do
_ISOLATED: WeakKeyDictionary[DealDatabase, QueryEngine] = WeakKeyDictionary()


def show(asked: PageRequest) -> Shown:
    """The answer to a statement; without one, what can be asked."""
    statement = asked.option("q") or ""
    limits = asked.db.sql_limits
    frame = {
        "statement": statement,
        "examples": [(each, asked.link("/sql", q=each, where=None)) for each in EXAMPLES],
        "limits": limits,
        "most": MOST_ROWS,
        "fault": None,
        "result": None,
    }
    if not statement.strip():
        return Shown(for_template=frame)
    try:
        table = _engine(asked.db).sql(statement)
    except QueryError as error:
        return Shown(
            for_template={**frame, "fault": marked_fault(error), "said": str(error)}, problem=error
        )
    rows = table.head(MOST_ROWS)
    return Shown(
        for_template={
            **frame,
            "result": table,
            "heads": [(name, _style(dtype)) for name, dtype in table.schema.items()],
            "rows": [[in_table(cell, asked.locale) for cell in row] for row in rows.iter_rows()],
            "chart": _picture(asked, table),
            "data_links": asked.data_links(),
        },
        data=lambda: {"rows": rows.to_dicts(), "total": table.height},
        table=table,
    )


def _engine(db: DealDatabase) -> QueryEngine:
    """What runs statements: in a process of its own, also where the database's own ones are not."""
    limits = db.sql_limits
    if limits.sql_isolated:
        return db.query
    if db not in _ISOLATED:
        _ISOLATED[db] = QueryEngine(
            # what is kept for a database must not keep it
            LiveDeals(proxy(db)),
            sql_timeout_s=limits.sql_timeout_s,
            sql_memory_mb=limits.sql_memory_mb,
            sql_isolated=True,
        )
    return _ISOLATED[db]


def _style(dtype: pl.DataType) -> str:
    return "number" if dtype.is_numeric() else "day" if dtype.is_temporal() else ""


def _picture(asked: PageRequest, table: pl.DataFrame) -> str | None:
    """Bars of a table of a label and a number."""
    if not 1 < table.height <= MOST_BARS:
        return None
    try:
        chart = table_chart(table)
    except QueryError:
        return None
    if not chart.marks["value"].count():
        return None
    return drawn(
        chart,
        locale=asked.locale,
        width=720,
        with_heading=False,
        id_prefix="sql",
    )


SQL = BoardPage(path="/sql", title="Question", template="sql.html", show=show, has_filter=False)
