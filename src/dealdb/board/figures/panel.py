"""``figure_panel``: a metric as a page shows it: its answer, chart, table, basis and command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dealdb.analytics.options import as_of_day
from dealdb.answers.answer import answer_of
from dealdb.answers.asked import speaking
from dealdb.answers.people import basis_in_words
from dealdb.board.figures.catalogue import ENTRIES, FigureEntry
from dealdb.board.figures.figure import Figure
from dealdb.board.figures.linked import Address, deals_addresses
from dealdb.board.figures.sheet import FigureSheet, figure_sheet
from dealdb.board.html import remark
from dealdb.charts.svg.drawing import drawn
from dealdb.errors import QueryError

if TYPE_CHECKING:
    from dealdb.analytics import MetricResult
    from dealdb.board.page_request import PageRequest

_WIDTH = 620.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FigurePanel:
    """
    A metric as a page shows it.

    Attributes
    ----------
    entry, figure
        What it is, and how it was asked.
    result
        Its figures.
    answer
        What they say, in a few sentences; None where they have none.
    caption, chart
        What is drawn, and the picture as SVG; None where there is nothing to draw.
    sheet
        The table.
    basis
        What the figures rest on.
    notes, warnings
        What to know before believing them.
    """

    entry: FigureEntry
    figure: Figure
    result: MetricResult
    answer: str | None
    caption: str
    chart: str | None
    sheet: FigureSheet
    basis: str
    notes: Sequence[str]
    warnings: Sequence[str]

    def data(self) -> dict[str, Any]:
        """The same for programs, as the command's ``--json``."""
        return figure_data(self.result)


def figure_panel(asked: PageRequest, figure: Figure, *, width: float = _WIDTH) -> FigurePanel:
    """
    A metric for a page.

    Raises
    ------
    QueryError
        If an option can't be understood.
    """
    given = figure.arguments(asked.db)
    fixed = figure.fixed(as_of_day(None, asked.db.pipeline.zone))
    result = fixed.result(asked.db)

    link = deals_addresses(asked, fixed, result)
    caption, chart, said = _picture(asked, result, link, width)
    basis, said_here = result.basis, partial(remark, asked.locale, result.name)
    with speaking(asked.locale):
        answer, rests_on = answer_of(result, given), basis_in_words(basis)
    return FigurePanel(
        entry=ENTRIES[figure.metric],
        figure=figure,
        result=result,
        answer=answer,
        caption=caption,
        chart=chart,
        sheet=figure_sheet(result, asked.locale, link),
        basis=rests_on,
        notes=list(map(said_here, [*said, *basis.remarks])),
        warnings=list(map(said_here, basis.warnings)),
    )


def figure_data(result: MetricResult) -> dict[str, Any]:
    """A result for programs, as ``--json`` of its command prints it."""
    totals = {"totals": dict(result.totals)} if result.totals else {}
    return {
        "metric": result.name,
        "basis": asdict(result.basis),
        **totals,
        "rows": result.frame.to_dicts(),
    }


def _picture(
    asked: PageRequest, result: MetricResult, link: Address, width: float
) -> tuple[str, str | None, Sequence[str]]:
    if not len(result):
        return "", None, ()
    try:
        chart = result.chart()
    except QueryError:
        return "", None, ()
    if chart.marks.is_empty():
        return chart.title, None, ()

    def leads_to(mark: dict[str, Any]) -> str | None:
        place = mark.get("row")
        if not isinstance(place, int) or place >= len(result):
            return None
        return link(result.frame.row(place, named=True))

    basis = result.basis
    # the page has the remarks and warnings of the basis below; what is left is about the drawing
    own = [each for each in chart.notes if each not in (*basis.remarks, *basis.warnings)]
    picture = drawn(
        replace(chart, notes=()),
        locale=asked.locale,
        width=width,
        link=leads_to,
        id_prefix=f"c-{result.name}",
        with_heading=False,
    )
    return chart.title, picture, own
