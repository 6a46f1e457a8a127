"""How wide a text is drawn, as far as that can be known without the letters of the browser, and what fits."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from dealdb.charts.svg.elements import Svg, element, escaped

# sizes of letters, in pixels of the drawing
TITLE, TEXT, SMALL = 15.0, 12.0, 11.0
INK, SOFT = "currentColor", "var(--chart-soft, #566170)"
# widths in parts of the size: rather too wide, as a text that is cut is worse than a gap
_NARROW = frozenset("iljtfrI.,:;'|!()[] -/\\")
_ROUND = frozenset("DGHNOQU&")
_BROAD = frozenset("mwMW@%+<>=~\N{MINUS SIGN}\N{RIGHTWARDS ARROW}")


@lru_cache(maxsize=4096)
def _ems(letter: str) -> float:
    if letter in _NARROW:
        return 0.38
    if letter in _BROAD:
        return 0.94
    if letter in _ROUND:
        return 0.8
    if letter.isascii():
        return 0.7 if letter.isupper() else 0.64
    if unicodedata.combining(letter):
        return 0
    return 1.05 if unicodedata.east_asian_width(letter) in "WF" else 0.7


def width_in_pixels(text: str, size: float = TEXT) -> float:
    """
    About as wide as a text is drawn by a usual sans-serif.

    Examples
    --------
    >>> width_in_pixels("Ann") < width_in_pixels("Anna") < width_in_pixels("株式会社")
    True
    """
    return sum(map(_ems, text)) * size


def shortened(text: str, room: float, size: float = TEXT) -> str:
    """
    As much of a text as there is room for; a sign stands for what was cut off.

    Examples
    --------
    >>> shortened("Meridian Logistics", 70), shortened("Acme", 70)
    ('Meridian…', 'Acme')
    """
    # of 10,000 characters a few are drawn; a room that was made for a text is missed by no error of floats
    if len(text) < 1000 and width_in_pixels(text, size) <= room + 0.01:
        return text
    left, end = room - _ems("…") * size, 0
    for letter in text:
        left -= _ems(letter) * size
        if left < 0:
            break
        end += 1
    return text[:end].rstrip() + "…"


def wrapped(text: str, room: float, size: float = TEXT, *, most: int = 3) -> list[str]:
    """
    Lines of a text, none wider than the room, and no more than so many.

    Examples
    --------
    >>> wrapped("open value by owner", 80)
    ['open value', 'by owner']
    """
    lines: list[str] = []
    words = text[:2000].split()
    while words and len(lines) < most:
        line = words.pop(0)
        while words and width_in_pixels(f"{line} {words[0]}", size) <= room:
            line += f" {words.pop(0)}"
        if words and len(lines) == most - 1:
            line += " …"
        lines.append(shortened(line, room, size))
    return lines


def lettered(
    text: str,
    x: float,
    y: float,
    *,
    size: float = TEXT,
    anchor: str | None = None,
    fill: str = INK,
    bold: bool = False,
    whole: str | None = None,
) -> Svg:
    """
    A text at a place, ``y`` being its base line.

    Parameters
    ----------
    text, x, y, size, fill, bold
        What, where, and how.
    anchor
        ``middle`` or ``end`` of it is at ``x``.
    whole
        What it was cut from, to be shown by a pointer.

    Examples
    --------
    >>> lettered("Ann", 4, 12, anchor="end")
    '<text x="4" y="12" text-anchor="end" font-size="12" fill="currentColor">Ann</text>'
    """
    title = [element("title", escaped(whole))] if whole is not None and whole != text else []
    return element(
        "text",
        *title,
        escaped(text),
        x=x,
        y=y,
        text_anchor=anchor,
        font_size=size,
        font_weight="600" if bold else None,
        fill=fill,
    )
