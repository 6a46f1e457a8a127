"""Bars, sparklines and shades of block characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

EIGHTHS = " ▏▎▍▌▋▊▉█"
HEIGHTS = "▁▂▃▄▅▆▇█"
SHADES = "·░▒▓█"
# parts of a bar, one beside the other
PARTS = "█▓▒░#=+-"


def bar(start: float, end: float, cells: int, *, block: str = "█") -> str:
    """
    A bar from one part of its room to another, each from 0 to 1; what goes to the right is exact to an eighth.

    Examples
    --------
    >>> bar(0, 0.5, 5), bar(0.4, 1, 5), bar(1, 0.4, 5), bar(0, 0.001, 5)
    ('██▌', '  ███', '  ███', '')
    """
    first = round(start * cells)
    if end < start or block != "█":
        # nothing fills a column from the right, and there are no eighths of a shade
        long = round(abs(end - start) * cells)
        first = max(first - long, 0) if end < start else first
        return " " * first + block * long if long else ""
    whole, rest = divmod(round((end - start) * cells * 8), 8)
    text = block * whole + EIGHTHS[rest].strip()
    return " " * first + text if text else ""


def sparkline(parts: Sequence[float | None]) -> str:
    """
    A column for each part from 0 to 1; a blank where there is none.

    Examples
    --------
    >>> sparkline([0, 0.5, None, 1])
    '▁▅ █'
    """
    return "".join(
        " " if part is None else HEIGHTS[round(part * (len(HEIGHTS) - 1))] for part in parts
    )


def shade(part: float | None) -> str:
    """
    How much a part from 0 to 1 is, as one character.

    Examples
    --------
    >>> shade(0), shade(0.4), shade(1), shade(None)
    ('·', '▒', '█', ' ')
    """
    return " " if part is None else SHADES[round(part * (len(SHADES) - 1))]


def thinned(values: Sequence[float | None], most: int) -> list[float | None]:
    """
    At most so many values: of those that share a column, the last one that there is.

    Examples
    --------
    >>> thinned([1, 2, 3, None, 5], 3)
    [1, 3, 5]
    """
    if len(values) <= most:
        return list(values)
    step = len(values) / most
    found = []
    for number in range(most):
        group = values[math.floor(number * step) : math.floor((number + 1) * step)]
        found.append(next((value for value in reversed(group) if value is not None), None))
    return found
