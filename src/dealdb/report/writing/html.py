"""A report as one page of HTML: no script, no other file, no network."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dealdb.answers.asked import days_between, money
from dealdb.charts import Chart
from dealdb.charts.svg.colours import LIGHT, style_sheet
from dealdb.charts.svg.drawing import drawn
from dealdb.database import DEFAULT_COLLECTION
from dealdb.errors import MissingExtra
from dealdb.formats.controls import visible
from dealdb.formats.locale import Locale
from dealdb.report.contents import ReportContents
from dealdb.report.parts import Headline, ReportTable
from dealdb.report.writing.cells import (
    headings,
    headline_lines,
    moment_text,
    more_rows,
    rows_of,
    sources_of,
    top_of,
    zone_sentence,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_WIDE, _NARROW = 820.0, 350.0
_TOGETHER = re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d[\d.,]* [A-Z]{3}\b")


def page_of(contents: ReportContents, locale: Locale) -> str:
    """
    The page.

    Parameters
    ----------
    contents
        What it says.
    locale
        How the reader writes numbers and days.

    Raises
    ------
    MissingExtra
        If the extra ``report`` is not installed.
    """
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=contents,
            locale=locale,
            colours=_colours(),
            headlines=[_headline(each, locale) for each in contents.headlines],
            period=days_between(contents.span.since, contents.span.until),
            pictures={
                section.key: [
                    _picture(chart, locale, f"{section.key}-{number}")
                    for number, chart in enumerate(section.charts)
                ]
                for section in contents.sections
            },
            table=lambda table: _table(table, locale, contents.zone),
            sums=lambda note: [money(value, currency) for currency, value in note.sums.items()],
            sources=sources_of,
            moment=moment_text(contents, locale),
            zone=zone_sentence(contents),
            # the only one that most have is not worth a word
            collection="" if contents.collection == DEFAULT_COLLECTION else contents.collection,
            top=top_of(contents),
        )
    )


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        msg = "a report as HTML needs the extra 'report': pip install 'dealdb[report]'"
        raise MissingExtra(msg) from error
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        # a name that the report does not give is a fault, not an empty text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # texts from data never steer the reader's eye: what turns or hides letters is written out
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    found.filters["kept_together"] = kept_together
    found.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return found


def kept_together(text: str) -> Markup:
    """
    A sentence whose days and amounts of money don't break at the end of a line.

    Examples
    --------
    >>> str(kept_together("5.00 EUR <b>"))
    '<span class="together">5.00 EUR</span> &lt;b&gt;'
    """
    from markupsafe import Markup, escape

    shown = _TOGETHER.sub(r'<span class="together">\g<0></span>', str(escape(visible(text))))
    return Markup(shown)  # noqa: S704  # nosec B704  # it is escaped, and spans are all that is added


def _colours() -> str:
    """Custom properties of the charts, those of light on paper."""
    light = "".join(f"--{name}:{value};" for name, value in LIGHT.items())
    return f"{style_sheet()}@media print {{ :root {{ {light} }} }}\n"


def _picture(chart: Chart, locale: Locale, name: str) -> dict[str, Any]:
    """A chart for screens and paper, and one for phones, whose letters would be too small otherwise."""
    from markupsafe import Markup

    return {
        "title": chart.title,
        **{
            size: Markup(  # noqa: S704  # nosec B704  # `drawn` escapes all texts
                drawn(
                    chart,
                    locale=locale,
                    width=width,
                    id_prefix=f"{name}-{size}",
                    with_heading=False,
                )
            )
            for size, width in (("wide", _WIDE), ("narrow", _NARROW))
        },
    }


def _headline(headline: Headline, locale: Locale) -> dict[str, Any]:
    return {
        "label": headline.label,
        "than": headline.than,
        "values": [
            {"now": now, "before": before, "change": change}
            for now, before, change in headline_lines(headline, locale)
        ],
    }


def _table(table: ReportTable, locale: Locale, zone: str) -> dict[str, Any]:
    return {
        "title": table.title,
        "headings": headings(table),
        "rows": rows_of(table, locale, zone),
        "left_out": table.left_out,
        "more": more_rows(table.left_out, locale),
    }
