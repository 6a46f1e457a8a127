"""Labels at the side of bars, and the room that they leave."""

from __future__ import annotations

from collections.abc import Sequence

from dealdb.charts.chart import Axis
from dealdb.charts.svg.elements import Svg
from dealdb.charts.svg.lettering import SMALL, SOFT, TEXT, lettered, shortened, width_in_pixels
from dealdb.charts.wording import axis_title

# of the width, for labels at most
_MOST = 0.36
GAP = 8.0
# the height of a line above the bars
CAPTION = 18.0
# the room that bars have, however narrow the drawing is
LEAST = 20.0


def side_width(labels: Sequence[str], width: float) -> float:
    """
    The room that labels take at the side, with the gap behind them.

    Examples
    --------
    >>> side_width(["Ann"], 400) < side_width(["Meridian Logistics"] * 9, 400) <= 400
    True
    """
    # of a text of 10,000 characters, the first ones are enough to fill the room
    wanted = max((width_in_pixels(label[:200]) for label in labels), default=0.0)
    return min(wanted, width * _MOST) + GAP


def side_label(label: str, side: float, middle: float) -> Svg:
    """A label that ends at the side, with its whole text where it is cut."""
    text = shortened(label, side - GAP, TEXT)
    return lettered(text, side - GAP, middle + TEXT * 0.35, anchor="end", whole=label)


def caption(axis: Axis, x: float, width: float) -> Svg:
    """What the values are, to stand above them: as far to the left as it takes to be whole."""
    whole = axis_title(axis)
    text = shortened(whole, width, SMALL)
    at = max(min(x, width - width_in_pixels(text, SMALL)), 0.0)
    return lettered(text, at, 11, size=SMALL, fill=SOFT, whole=whole)
