"""``drawn``: a chart as one element of SVG, for a page; ``standalone``: as a file."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from dealdb.charts.chart import Chart, ChartForm
from dealdb.charts.svg.colours import rules
from dealdb.charts.svg.elements import Svg, element, escaped, moved
from dealdb.charts.svg.forms.bands import fan, steps
from dealdb.charts.svg.forms.bars import bars
from dealdb.charts.svg.forms.dots import dots, scatter
from dealdb.charts.svg.forms.funnel import funnel
from dealdb.charts.svg.forms.heat import heat
from dealdb.charts.svg.forms.lines import lines
from dealdb.charts.svg.forms.thinning import thinned
from dealdb.charts.svg.forms.waterfall import waterfall
from dealdb.charts.svg.lettering import SMALL, SOFT, TEXT, TITLE, lettered, wrapped
from dealdb.charts.svg.pen import Drawn, Link, Pen, Row, brief, nothing
from dealdb.charts.wording import label_text, mark_text
from dealdb.formats.locale import PLAIN, Locale

WIDTH = 640.0
FONTS = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
# what a reader of screens is told of the marks at most; a page has its table beside the picture
_MOST_TOLD = 30
_MOST_PANELS = 12
# of what the figures rest on, and of a note
_MOST_LINES = 8
_PANEL, _GAP = 340.0, 28.0

_MARGIN = 16
_PROPERTY = re.compile(r'\b(fill|stroke)="var\(--([\w-]+), (#[0-9a-f]+)\)"')
_TAG = re.compile(r"<[^<>]*var\(--[^<>]*>")
_HEIGHT = re.compile(r'<svg [^>]*\bheight="([\d.]+)"')

_FORMS: dict[ChartForm, Callable[[Pen, Sequence[Row], float], Drawn]] = {
    ChartForm.BARS: bars,
    ChartForm.FUNNEL: funnel,
    ChartForm.WATERFALL: waterfall,
    ChartForm.HEAT: heat,
    ChartForm.FAN: fan,
    ChartForm.STEPS: steps,
    ChartForm.DOTS: dots,
    ChartForm.LINES: lines,
    ChartForm.SCATTER: scatter,
}


def drawn(
    chart: Chart,
    *,
    locale: Locale = PLAIN,
    width: float = WIDTH,
    link: Link | None = None,
    id_prefix: str | None = None,
    with_heading: bool = True,
) -> str:
    """
    A chart as an ``<svg>`` to stand in a page.

    Colours are custom properties (``--chart-1`` and so on, see ``colours.style_sheet``) with our own behind them, and
    texts have the colour of the page. Nothing in it needs a script or a style, so it may stand under any policy.

    Parameters
    ----------
    chart
        What to draw.
    locale
        How the reader writes numbers and days.
    width
        In pixels; the height follows from the marks. A page may show it narrower.
    link
        Where a mark leads, by its row of the marks; None where it leads nowhere. Texts from data in it must be quoted
        for a URL; it is escaped here as an attribute.
    id_prefix
        Of the ids in it; without one, it is made from the words of the chart. Give one where the same chart is twice
        in a page.
    with_heading
        Draw the title and what stands below it; without, the page says them. Readers of screens are told in both
        cases.

    Returns
    -------
    str
        Markup; all texts in it are escaped.

    Raises
    ------
    ValueError
        If a link is not one to a page.

    Examples
    --------
    >>> import polars as pl
    >>> from dealdb.charts import Axis, Unit
    >>> chart = Chart(
    ...     form=ChartForm.BARS,
    ...     title="Open deals",
    ...     subtitle="n 10",
    ...     marks=pl.DataFrame({"label": ["Ann", "Bob"], "value": [7, 3]}),
    ...     x=Axis(title="owner", unit=Unit.LABEL),
    ...     y=Axis(title="deals", unit=Unit.DEALS),
    ... )
    >>> "<title>Ann: 7 deals</title>" in drawn(chart)
    True
    """
    pen = Pen(chart, locale, link)
    parts, height = _heading(chart, width) if with_heading else ([], 0.0)
    notes = [*chart.notes]
    panels = _panels(pen, width)
    for piece, x, y in panels:
        parts.append(moved(piece.parts, x, height + y))
        notes += piece.notes
    height += max((y + piece.height for piece, _, y in panels), default=0.0)
    for note in dict.fromkeys(notes):
        for number, line in enumerate(wrapped(note, width, SMALL, most=_MOST_LINES)):
            height += 16 + (0 if number else 4)
            parts.append(lettered(line, 0, height, size=SMALL, fill=SOFT))
    return _framed(pen, parts, width, height + 6, id_prefix or _id_of(chart))


def standalone(chart: Chart, *, locale: Locale = PLAIN, width: float = WIDTH) -> str:
    """
    A chart as a file of SVG, with a ground, and colours for light and dark.

    Programs that know no custom properties and no style see the colours for light.

    Parameters
    ----------
    chart, locale, width
        As for ``drawn``.

    Returns
    -------
    str
        The text of the file.

    Examples
    --------
    >>> import polars as pl
    >>> from dealdb.charts import Axis, Unit
    >>> chart = Chart(
    ...     form=ChartForm.BARS,
    ...     title="Open deals",
    ...     subtitle="n 10",
    ...     marks=pl.DataFrame({"label": ["Ann", "Bob"], "value": [7, 3]}),
    ...     x=Axis(title="owner", unit=Unit.LABEL),
    ...     y=Axis(title="deals", unit=Unit.DEALS),
    ... )
    >>> "var(" in standalone(chart)
    False
    """
    text = drawn(chart, locale=locale, width=width - 2 * _MARGIN)
    # no text looks like a tag: its brackets are escaped
    text = _TAG.sub(_with_classes, text)
    height = float(_HEIGHT.findall(text)[0]) + 2 * _MARGIN
    ground = element("rect", width=width, height=height, fill="#ffffff", class_="fill-chart-ground")
    inner = text.replace("<svg ", f'<svg x="{_MARGIN}" y="{_MARGIN}" ', 1)
    return element(
        "svg",
        element("style", Svg(rules())),
        ground,
        Svg(inner),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        color="#18212b",
        class_="color-chart-ink",
    )


def _with_classes(tag: re.Match[str]) -> str:
    """A tag with our colours for light, and classes by which the style gives those for dark."""
    classes = " ".join(f"{what}-{name}" for what, name, _ in _PROPERTY.findall(tag[0]))
    text = _PROPERTY.sub(r'\1="\3"', tag[0])
    if ' class="' in text:
        return text.replace(' class="', f' class="{classes} ', 1)
    return re.sub(r"(/?>)$", rf' class="{classes}"\1', text)


def _heading(chart: Chart, width: float) -> tuple[list[Svg], float]:
    parts, y = list[Svg](), 0.0
    for line in wrapped(chart.title, width, TITLE * 1.06, most=2):
        y += 19
        parts.append(lettered(line, 0, y, size=TITLE, bold=True))
    for line in wrapped(chart.subtitle, width, TEXT, most=_MOST_LINES):
        y += 17
        parts.append(lettered(line, 0, y, fill=SOFT))
    return parts, y + 14


def _panels(pen: Pen, width: float) -> list[tuple[Drawn, float, float]]:
    """Panels with their places: side by side where there is room, else one below the other."""
    names = pen.chart.panels
    many = max(1, min(len(names), int((width + _GAP) // (_PANEL + _GAP))))
    wide = (width - _GAP * (many - 1)) / many
    found, y, tallest = [], 0.0, 0.0
    for number, name in enumerate(names[:_MOST_PANELS]):
        if number and number % many == 0:
            y, tallest = y + tallest + 16, 0.0
        piece = _panel(pen, name, wide)
        found.append((piece, (number % many) * (wide + _GAP), y))
        tallest = max(tallest, piece.height)
    if len(names) > _MOST_PANELS:
        said = f"{len(names) - _MOST_PANELS:,} more of {len(names):,} parts are not drawn"
        found.append((Drawn(0, [], [said]), 0.0, y))
    return found


def _panel(pen: Pen, name: str | None, width: float) -> Drawn:
    rows = _rows(pen.chart, pen.chart.of_panel(name), width)
    scaled = [_rows(pen.chart, marks, width) for marks in pen.chart.with_panel(name)]
    pen = replace(pen, scaled=scaled)
    piece = _FORMS[pen.chart.form](pen, rows, width) if rows else nothing()
    if len(pen.chart.panels) == 1 and name is None:
        return piece
    text = lettered(label_text(name, pen.locale), 0, 12, bold=True)
    return Drawn(piece.height + 22, [text, moved(piece.parts, 0, 22)], piece.notes)


def _rows(chart: Chart, marks: pl.DataFrame, width: float) -> list[Row]:
    seen = thinned(marks, width) if chart.form is ChartForm.STEPS else marks
    return list(seen.iter_rows(named=True))


def _framed(pen: Pen, parts: Sequence[Svg], width: float, height: float, prefix: str) -> str:
    title, described = f"{prefix}-title", f"{prefix}-desc"
    return element(
        "svg",
        element("title", escaped(pen.chart.title), id=title),
        element("desc", escaped(_told(pen)), id=described),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        class_="chart",
        # what has links in it is no picture to a reader of screens
        role="group" if pen.link else "img",
        aria_labelledby=title,
        aria_describedby=described,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        font_family=FONTS,
        font_size=TEXT,
        fill="none",
    )


def _told(pen: Pen) -> str:
    """The chart in words: what it rests on, and its marks."""
    marks = pen.chart.marks
    rows = list(marks.head(_MOST_TOLD).iter_rows(named=True))
    told = [brief(mark_text(pen.chart, row, pen.locale)) for row in rows] or ["no deals"]
    if marks.height > len(rows):
        told.append(f"and {marks.height - len(rows):,} more")
    return ". ".join(
        part for part in (pen.chart.subtitle, "; ".join(told), *pen.chart.notes) if part
    )


def _id_of(chart: Chart) -> str:
    words = f"{chart.form}\n{chart.title}\n{chart.subtitle}\n{chart.x.title}\n{chart.y.title}"
    return f"chart-{zlib.crc32(words.encode(errors='surrogatepass')):08x}"
