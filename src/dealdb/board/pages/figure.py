"""One metric with its options as a form; as a part of another page with ``fragment``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dealdb.board.figures.catalogue import ENTRIES, FigureEntry
from dealdb.board.figures.figure import Figure
from dealdb.board.figures.panel import figure_panel
from dealdb.board.html import marked_fault
from dealdb.board.page_request import whole_number
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.errors import NotYetKnown, QueryError
from dealdb.model.pipeline import Kind

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest

# options of the page, and not of the metric
PAGE_OPTIONS = ("fragment", "embed", "width", "whole")
# from so many deals on, what is slow waits until one asks for it, and a page does not wait for its figure
LARGE = 200_000
# what the page of a metric asks its figure for by, which then stands alone
_ALONE = "alone"
# of a chart, in pixels; where nobody says it, that of a panel on a usual screen
WIDTH, _LEAST_WIDTH, _MOST_WIDTH = 620, 280, 900
_HINTS = {
    "by": "owner, source",
    "in": "this-quarter",
    "since": "2026-10-01",
    "until": "2027-01-01",
    "to": "EUR",
    "as_of": "now",
    "target": "500000",
    "known": "2026-10-01",
}
_LABELS = {
    "in": "period",
    "to": "in currency",
    "net": "first and last day only",
    "k": "top",
    "n": "runs",
    "rho": "correlation",
}
_WINDOW = ("in", "since", "until")


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureInput:
    """
    An option in the form.

    Attributes
    ----------
    name, label
        As the address and as people have it.
    value
        As given.
    choices
        The values of one that has a few.
    hint
        An example.
    """

    name: str
    label: str
    value: str
    choices: Sequence[str] = ()
    hint: str = ""


def show(asked: PageRequest) -> Shown:
    """The metric that the path names."""
    options = [(name, value) for name, value in asked.options if name not in PAGE_OPTIONS]
    figure = Figure.asked(asked.names["metric"], options)
    entry = ENTRIES[figure.metric]
    fragment = asked.option("fragment")
    is_fragment = fragment is not None
    frame = {
        "title": entry.title,
        "entry": entry,
        "figure": figure,
        "inputs": _inputs(asked, entry, figure),
        # its filter is one of its own options
        "address": asked.link(figure.path(), where=None),
        "data_links": [
            (word, asked.base + figure.path(ending))
            for word, ending in (("CSV", ".csv"), ("JSON", ".json"))
        ],
        "is_alone": fragment in (None, _ALONE),
        "whole": None,
        "problem": None,
        "is_early": False,
        "panel": None,
    }
    if not is_fragment and asked.option("whole") is None and len(asked.db) > LARGE:
        return _frame_first(asked, figure, frame)
    template = "panel.html" if is_fragment else None
    try:
        panel = figure_panel(asked, figure, width=_width(asked))
    except QueryError as error:
        # the form stays, to be mended
        fault, is_early = marked_fault(error), isinstance(error, NotYetKnown)
        told = {
            **frame,
            "problem": fault.message if fault else str(error),
            "is_early": is_early,
        }
        status = 200 if is_early else None
        return Shown(for_template=told, template=template, problem=error, status=status)
    return Shown(
        for_template={**frame, "panel": panel},
        data=panel.data,
        table=panel.result.frame,
        template=template,
    )


def _frame_first(asked: PageRequest, figure: Figure, frame: Mapping[str, Any]) -> Shown:
    """The page without its figure, which it asks for as soon as it is there."""
    panel = partial(figure_panel, asked, figure)
    whole = asked.link(figure.path(), where=None, whole=1)
    return Shown(
        for_template={**frame, "whole": whole},
        data=lambda: panel().data(),
        rows=lambda: panel().result.frame,
    )


def _width(asked: PageRequest) -> int:
    given = whole_number(asked.option("width"))
    return WIDTH if given is None else min(max(given, _LEAST_WIDTH), _MOST_WIDTH)


def _inputs(asked: PageRequest, entry: FigureEntry, figure: Figure) -> list[FigureInput]:
    """The options of its form, in the order in which one thinks of them."""
    known = figure.known_options()
    names = ["by", *_WINDOW, *entry.more, *entry.choices, "to", "as_of"]
    if "stage" in names:
        # without it there is nothing to show
        names.remove("stage")
        names.insert(0, "stage")
    found = []
    for name in dict.fromkeys(names):
        # what an entry gives only tells apart two commands of one name
        if name not in known and name not in entry.choices:
            continue
        choices = entry.choices.get(name, ())
        if name == "stage":
            choices = [each.name for each in asked.db.pipeline if each.kind is Kind.OPEN]
        value = figure.options.get(name, "")
        if choices and value and value not in choices:
            choices = [value, *choices]
        found.append(
            FigureInput(
                name=name,
                label=_LABELS.get(name, name.replace("_", " ")),
                value=value,
                choices=choices,
                hint=_HINTS.get(name, ""),
            )
        )
    return found


FIGURE = BoardPage(
    path="/figures/{metric}", title="Figure", template="figure.html", show=show, in_menu=False
)
