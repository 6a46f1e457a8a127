"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dealdb.answers.asked import listing, money
from dealdb.charts import Chart, ChartForm
from dealdb.charts.text.printing import lines_of
from dealdb.formats.locale import Locale
from dealdb.formats.markdown import NUMBER_EDGE, TEXT_EDGE, markdown_cell
from dealdb.report.contents import ReportContents
from dealdb.report.parts import Headline, QualityNote, ReportSection, ReportTable
from dealdb.report.writing.cells import (
    FigureSource,
    headings,
    headline_lines,
    moment_text,
    more_rows,
    rows_of,
    sources_of,
    title_of,
    top_of,
    zone_sentence,
)

# columns that a page shows without a bar to scroll
_CHART_WIDTH = 76


def markdown_of(contents: ReportContents, locale: Locale) -> str:
    """The report as the text of a Markdown file."""
    return "\n".join(_lines(contents, locale)) + "\n"


def _lines(contents: ReportContents, locale: Locale) -> Iterator[str]:
    yield "# Sales report"
    yield ""
    yield markdown_cell(title_of(contents))
    for sentence in contents.brief:
        yield ""
        yield markdown_cell(sentence)
    yield ""
    yield from _grid(
        [
            ("figure", False),
            ("now", True),
            ("before", True),
            ("change", True),
            ("compared with", False),
        ],
        [row for each in contents.headlines for row in _headline(each, locale)],
    )
    yield ""
    yield contents.compared_with
    for section in contents.sections:
        yield ""
        yield from _section(section, locale, contents.zone)
    yield ""
    yield (
        f"All figures are of commit {locale.number(contents.commit)}, as of {moment_text(contents, locale)}. "
        f"{zone_sentence(contents)} Each "
        "command gives the same figures until a deal changes. The figures at the top:"
    )
    yield ""
    for source in sources_of(top_of(contents)):
        yield f"- {_source(source)}"


def _headline(headline: Headline, locale: Locale) -> list[list[str]]:
    return [[headline.label, *each, headline.than] for each in headline_lines(headline, locale)]


def _section(section: ReportSection, locale: Locale, zone: str) -> Iterator[str]:
    yield f"## {markdown_cell(section.title)}"
    yield ""
    yield "\n\n".join(map(markdown_cell, section.answer.split("\n")))
    for chart in section.charts:
        if chart.form is ChartForm.FAN:
            # of two days, whose figures the table has
            continue
        yield ""
        yield from _chart(chart, locale)
    for table in section.tables:
        yield ""
        yield from _table(table, locale, zone)
    for note in section.quality:
        yield ""
        yield from _quality(note)
    if section.notes:
        yield ""
        if section.quality:
            # they are none of the things that were counted
            yield "To know besides:"
            yield ""
        for each in section.notes:
            yield f"- {markdown_cell(each)}"
    for source in sources_of(section.evidence):
        yield ""
        yield _source(source)


def _source(source: FigureSource) -> str:
    told = [markdown_cell(source.meaning)] if source.meaning else []
    for rests, commands in source.grounds.items():
        shown = " and ".join(map(code, commands))
        told.append(f"{markdown_cell(rests)} {shown}" if rests else shown)
    return " ".join(told)


def _chart(chart: Chart, locale: Locale) -> Iterator[str]:
    """A chart of bars that are characters, which a block of code keeps in their places."""
    lines = lines_of(chart, _CHART_WIDTH, locale, with_heading=False)
    fence = "`" * max(3, 1 + max(len(run) for line in lines for run in re.findall("`*", line)))
    yield f"**{markdown_cell(chart.title)}**"
    yield ""
    yield f"{fence}text"
    yield from (line.rstrip() for line in lines)
    yield fence


def _table(table: ReportTable, locale: Locale, zone: str) -> Iterator[str]:
    if table.title:
        yield f"### {table.title}"
        yield ""
    yield from _grid(headings(table), rows_of(table, locale, zone))
    if table.left_out:
        yield ""
        yield f"{more_rows(table.left_out, locale)}; the command below gives all."


def _quality(note: QualityNote) -> Iterator[str]:
    worth = [money(value, currency) for currency, value in note.sums.items()]
    shown = f"{note.text} (worth {listing(worth)})" if worth else note.text
    yield f"- {markdown_cell(shown)}. {note.effect} {code(note.evidence.typed)}"


def _grid(columns: list[tuple[str, bool]], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(markdown_cell(name) for name, _ in columns)} |"
    yield f"| {' | '.join(NUMBER_EDGE if is_number else TEXT_EDGE for _, is_number in columns)} |"
    for row in rows:
        yield f"| {' | '.join(map(markdown_cell, row))} |"


def code(text: str) -> str:
    """
    A text as code, whatever quotes of code are in it.

    Examples
    --------
    >>> code("find a"), code("find `a`")
    ('`find a`', '``` find `a` ```')
    """
    line = " ".join(text.split())
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (max(len(run) for run in line.replace("`", " `").split() if "`" in run) + 1)
    while fence in line:
        fence += "`"
    return f"{fence} {line} {fence}"
