"""All figures: the headlines at once, and each metric as soon as one looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from dealdb.board.figures.catalogue import SECTIONS, FigureEntry, FigureSection
from dealdb.board.figures.figure import Figure
from dealdb.board.figures.tiles import Headlines, headlines
from dealdb.board.html import rendered
from dealdb.board.pages.figure import LARGE
from dealdb.board.pages.figure import show as show_figure
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.formats.cells import to_text
from dealdb.model.pipeline import Kind

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest

# options that go on to all figures that take them
_SHARED = ("where", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class FigurePlace:
    """Where a metric will stand, the address from which it is loaded, and it itself where all are asked for."""

    entry: FigureEntry
    figure: Figure
    address: str
    drawn: str | None = None


def show(asked: PageRequest) -> Shown:
    """The headlines, and the places of all metrics."""
    shared = {name: value for name in _SHARED if (value := asked.option(name))}
    found = headlines(asked, shared)
    is_large = len(asked.db) > LARGE
    places = [(section, _places(asked, section, shared, found)) for section in SECTIONS]
    if asked.option("all") is not None:
        places = [
            (section, [_drawn(asked, each, is_large=is_large) for each in row])
            for section, row in places
        ]
    lines = [
        {
            "label": tile.label,
            "figure": line.figure,
            "key": line.key,
            "value": line.amount,
            "before": line.before,
        }
        for tile in found.tiles
        for line in tile.lines
    ]
    return Shown(
        for_template={
            "headlines": found,
            "sections": places,
            "is_large": is_large,
            "all": asked.here(all=None if asked.option("all") else 1),
            "to": asked.option("to") or "",
        },
        data=lambda: {
            **{name: value for name, value in asdict(found).items() if name != "tiles"},
            "headlines": lines,
            "figures": [each.address for _, found in places for each in found],
        },
        table=pl.DataFrame(
            [{name: to_text(value) for name, value in line.items()} for line in lines]
        ),
    )


def _places(
    asked: PageRequest, section: FigureSection, shared: Mapping[str, str], found: Headlines
) -> Sequence[FigurePlace]:
    """The metrics of a section; what one needs and nobody has said is chosen here, and stands in its address."""
    places = []
    for entry in section.entries:
        figure = Figure(entry.metric, {**entry.given})
        known = figure.known_options()
        figure = figure.having(**{name: value for name, value in shared.items() if name in known})
        figure = figure.having(**_chosen(asked, entry.metric, found))
        places.append(
            FigurePlace(entry=entry, figure=figure, address=asked.link(figure.path(), where=None))
        )
    return places


def _drawn(asked: PageRequest, place: FigurePlace, *, is_large: bool) -> FigurePlace:
    """A place with its metric; what takes seconds is asked for by its own link."""
    if place.entry.is_slow and is_large:
        return place
    options = [*place.figure.options.items(), ("fragment", "1")]
    options += [("embed", "1")] if asked.option("embed") else []
    path, names = f"/figures/{place.figure.name}", {"metric": place.figure.name}
    own = replace(asked, path=path, names=names, options=options)
    return replace(place, drawn=rendered("panel.html", own, show_figure(own).for_template))


def _chosen(asked: PageRequest, metric: str, found: Headlines) -> dict[str, str]:
    if metric == "survival":
        stage = next((each.name for each in asked.db.pipeline if each.kind is Kind.OPEN), None)
        return {"stage": stage} if stage else {}
    if metric == "calibration":
        # a year of days that were looked at, the last ones of which have an outcome
        return {"since": str(found.since.replace(day=1, year=found.since.year - 1))}
    if metric == "hindsight":
        return {
            "since": str(found.before_since),
            "until": str(found.since),
            "known": str(found.since),
        }
    return {}


FIGURES = BoardPage(path="/figures", title="Figures", template="figures.html", show=show)
