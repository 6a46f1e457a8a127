"""``Pen``: what all forms need to draw their marks; ``Drawn``: what they give."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dealdb.charts.chart import Chart
from dealdb.charts.svg.elements import Svg, element, escaped
from dealdb.charts.svg.lettering import SMALL, SOFT, lettered, shortened, width_in_pixels
from dealdb.charts.wording import label_text, mark_text
from dealdb.formats.locale import Locale

Row = Mapping[str, Any]
Link = Callable[[dict[str, Any]], str | None]

# a path, a query, a part of the page, or the web: never a script
_SAFE = re.compile(r"(?:https?://|[/?#.]|[\w%-]+(?:[/?#]|$))", re.IGNORECASE)
_TEXT = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_SWATCH, _LINE = 10.0, 18.0
_SPOKEN = 300


@dataclass(frozen=True, slots=True)
class Drawn:
    """
    Something drawn from the left upper corner on.

    Attributes
    ----------
    height
        In pixels of the drawing.
    parts
        Its elements.
    notes
        What to say below the chart, such as how many marks are not drawn.
    """

    height: float
    parts: Sequence[Svg]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Pen:
    """
    What a chart is drawn with.

    Attributes
    ----------
    chart, locale
        What is drawn, and in which form its numbers are.
    link
        Where a mark leads, by its row; None where none does.
    scaled
        The marks of each panel that is on one scale with the one that is drawn, itself among them.
    """

    chart: Chart
    locale: Locale
    link: Link | None = None
    scaled: Sequence[Sequence[Row]] = ()

    def beside(self, rows: Sequence[Row]) -> Sequence[Sequence[Row]]:
        """The marks of each panel that is on one scale with these."""
        return self.scaled or [rows]

    def mark(self, row: Row, *shapes: Svg) -> Svg:
        """
        Shapes of a mark: a pointer shows what it says, and a link leads to it.

        Raises
        ------
        ValueError
            If the link is not one to a page.
        """
        text = mark_text(self.chart, row, self.locale)
        title = element("title", escaped(text))
        href = self.link(dict(row)) if self.link else None
        if href is None:
            return element("g", title, *shapes, class_="mark")
        if not _SAFE.match(href):
            msg = "a mark's link is not one to a page"
            raise ValueError(msg)
        # who speaks to a browser says what is seen, so the link's name has it, too
        seen = _seen(shapes)
        name = brief(text if seen in text else f"{seen}: {text}")
        return element("a", title, *shapes, href=href, class_="mark", aria_label=name)

    def legend(self, names: Sequence[tuple[str | None, str]], width: float) -> Drawn:
        """Names of colours, as many in a line as there is room for."""
        x, y, parts = 0.0, 0.0, list[Svg]()
        for name, fill in names:
            whole = label_text(name, self.locale)
            text = shortened(whole, width - _SWATCH - 6, SMALL)
            wide = _SWATCH + 5 + width_in_pixels(text, SMALL) + 12
            if x and x + wide - 12 > width:
                x, y = 0.0, y + _LINE
            parts += [
                element("rect", x=x, y=y + 3, width=_SWATCH, height=_SWATCH, rx=2, fill=fill),
                lettered(text, x + _SWATCH + 5, y + 12, size=SMALL, whole=whole),
            ]
            x += wide
        return Drawn(y + _LINE + 4 if names else 0, parts)


def brief(text: str) -> str:
    """A text that is read aloud, without the rest of a name of thousands of characters."""
    return text if len(text) <= _SPOKEN else f"{text[:_SPOKEN]}…"


def nothing(text: str = "no deals") -> Drawn:
    """What is drawn where there is no mark."""
    return Drawn(44, [lettered(text, 0, 26, fill=SOFT)])


def _seen(shapes: Sequence[Svg]) -> str:
    """The texts that are drawn, in order."""
    found = _TEXT.findall("".join(map(str, shapes)))
    return " ".join(html.unescape(_TAG.sub("", each)).strip() for each in found)
