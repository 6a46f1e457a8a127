"""Elements of SVG as text; what comes from data is escaped here and nowhere else."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from typing import NewType

from dealdb.formats.controls import visible

# text that is SVG already, so that a text from data can't take its place
Svg = NewType("Svg", str)

# what is left of characters that XML doesn't allow when those that steer have been written as names
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> Svg:
    r"""
    A text as content or in an attribute.

    Examples
    --------
    >>> escaped('<img src=x onerror="alert(1)">\u202e')
    '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;\\u202e'
    """
    return Svg(html.escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", visible(text))))


def coordinate(value: float) -> str:
    """
    A number of the drawing, in hundredths.

    Raises
    ------
    ValueError
        If it is not finite: that is a fault of the drawing, and never of the data.

    Examples
    --------
    >>> coordinate(12.0), coordinate(0.125), coordinate(-0.001)
    ('12', '0.12', '0')
    """
    if not math.isfinite(value):
        msg = "a coordinate is not finite"
        raise ValueError(msg)
    return f"{value:.2f}".rstrip("0").rstrip(".") if round(value, 2) else "0"


def element(name: str, *inside: Svg, **attributes: str | float | None) -> Svg:
    """
    An element; ``_`` in the name of an attribute is ``-``, one at its end goes, and None is no attribute.

    Examples
    --------
    >>> element("rect", width=2.5, fill="none", class_="bar")
    '<rect width="2.5" fill="none" class="bar"/>'
    >>> element("text", escaped("a < b"), x=1)
    '<text x="1">a &lt; b</text>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value) if isinstance(value, str) else coordinate(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not inside:
        return Svg(f"<{name}{said}/>")
    return Svg(f"<{name}{said}>{''.join(inside)}</{name}>")


def joined(parts: Sequence[Svg]) -> Svg:
    """Elements one after the other."""
    return Svg("".join(parts))


def moved(inside: Sequence[Svg], x: float, y: float) -> Svg:
    """Elements at another place."""
    return element("g", *inside, transform=f"translate({coordinate(x)} {coordinate(y)})")


def path(points: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    """
    A line through points, for the attribute ``d``.

    Examples
    --------
    >>> path([(0, 1), (2.5, 3)])
    'M0 1L2.5 3'
    """
    steps = "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points)
    return f"M{steps}{'Z' if closed else ''}"


def bar_between(start: float, end: float, middle: float, *, high: float, fill: str) -> Svg:
    """
    A bar that lies, from one place to another, whichever of them is the left one.

    Examples
    --------
    >>> str(bar_between(9, 4, 10, high=6, fill="red"))
    '<rect class="bar" x="4" y="7" width="5" height="6" rx="1.5" fill="red"/>'
    """
    return element(
        "rect",
        class_="bar",
        x=min(start, end),
        y=middle - high / 2,
        width=abs(end - start),
        height=high,
        rx=1.5,
        fill=fill,
    )
