"""``Plane``: two axes with round values, days or labels, that lines, bands and dots are drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from dealdb.charts.chart import Axis, Unit
from dealdb.charts.scales import Scale, month_starts, round_values, some_of
from dealdb.charts.svg.colours import colour
from dealdb.charts.svg.elements import Svg, element
from dealdb.charts.svg.lettering import SMALL, SOFT, lettered, shortened, width_in_pixels
from dealdb.charts.wording import MINUS, axis_title, label_text, place_of
from dealdb.formats.locale import Locale

HEIGHT = 200.0
_TOP, _TICKS, _TITLE = 20.0, 21.0, 16.0
_MOST_ACROSS = 5
# what the numbers of an axis are counted in, from where on
_UNITS = ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "m"), (Decimal(10) ** 3, "k"))
_LARGE, _HUGE, _TINY = Decimal(10) ** 4, Decimal(10) ** 15, Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Plane:
    """
    Where marks go.

    Attributes
    ----------
    x, y
        The scales; labels along ``x`` stand at 0, 1, 2, ...
    places
        The place of each label, where ``x`` has labels.
    frame
        Axes, to be drawn below the marks.
    height
        Of all of it.
    """

    x: Scale
    y: Scale
    places: dict[object, float]
    frame: Sequence[Svg]
    height: float

    def across(self, value: object) -> float | None:
        """Where a value, day or label stands along ``x``."""
        place = self.places.get(value) if self.places else place_of(value)
        return None if place is None else self.x.place(place)

    def up(self, value: object) -> float | None:
        """Where a value stands along ``y``."""
        place = place_of(value)
        return None if place is None else self.y.place(place)


def plane_of(
    axes: tuple[Axis, Axis],
    xs: Sequence[object],
    ys: Sequence[object],
    width: float,
    locale: Locale,
    *,
    right: float = 10.0,
    height: float = HEIGHT,
    is_square: bool = False,
) -> Plane:
    """
    A plane that has room for all values.

    Parameters
    ----------
    axes
        Those of ``x`` and of ``y``.
    xs, ys
        All values that are drawn.
    width, locale
        Of the drawing; of its texts.
    right
        Room behind the last value, for names.
    height
        Of the plane without what stands below it.
    is_square
        Whether both axes have the same values, from zero on.
    """
    across, upward = axes
    bottom = _TOP + height
    both = [*map(place_of, [*xs, *ys])]
    y = Scale.over(both if is_square else map(place_of, ys), bottom, _TOP).widened(_MOST_ACROSS)
    ticks = round_values(y.low, y.high, _MOST_ACROSS)
    texts, unit = tick_texts(ticks, upward, locale)
    left = max(map(width_in_pixels, texts), default=0.0) + 8
    above = axis_title(upward, unit)
    frame: list[Svg] = [
        lettered(shortened(above, width, SMALL), 0, 9, size=SMALL, fill=SOFT, whole=above)
    ]
    for tick, text in zip(ticks, texts, strict=True):
        at = y.place(float(tick))
        stroke = colour("line" if tick == 0 else "grid")
        frame += [
            element("line", x1=left, x2=width - right, y1=at, y2=at, stroke=stroke),
            lettered(text, left - 6, at + SMALL * 0.35, size=SMALL, anchor="end", fill=SOFT),
        ]
    days = any(isinstance(value, date) for value in xs)
    has_labels = not _are_places(xs) or (across.unit is Unit.LABEL and not days)
    places = {value: float(n) for n, value in enumerate(dict.fromkeys(xs))} if has_labels else {}
    marks = [*places.values()] if places else both if is_square else [*map(place_of, xs)]
    x = Scale.over(marks, left + 4, width - right - 4, with_zero=is_square)
    if is_square:
        x = x.widened(_MOST_ACROSS)
    if days and len(set(marks) - {None}) == 1:
        # a day alone stands in the middle of its month
        x = replace(x, low=(x.low + x.high) / 2 - 15, high=(x.low + x.high) / 2 + 15)
    room = width - right - left
    frame += _below(_ticks_across(x, places, across, locale, room, are_days=days), bottom, width)
    # months need no title
    title = axis_title(across, _unit_across(x, places, across)) if not days else ""
    if not title:
        return Plane(x, y, places, frame, bottom + _TICKS)
    text = shortened(title, width, SMALL)
    half = width_in_pixels(text, SMALL) / 2
    # below the middle of the axis, as far as that is within the picture
    middle = max(min(left + room / 2, width - half), half)
    frame.append(
        lettered(
            text,
            middle,
            bottom + _TICKS + 12,
            size=SMALL,
            anchor="middle",
            fill=SOFT,
            whole=title,
        )
    )
    return Plane(x, y, places, frame, bottom + _TICKS + _TITLE)


def _are_places(xs: Sequence[object]) -> bool:
    """Whether they are days or numbers, and no labels."""
    return any(place_of(value) is not None for value in xs) and all(
        value is None or place_of(value) is not None or isinstance(value, float) for value in xs
    )


def tick_texts(ticks: Sequence[Decimal], axis: Axis, locale: Locale) -> tuple[list[str], str]:
    """
    Round values as texts, all counted in one unit, which is given too.

    Examples
    --------
    >>> from dealdb.formats.locale import PLAIN
    >>> tick_texts([Decimal(0), Decimal(2_500_000)], Axis(title="", unit=Unit.MONEY), PLAIN)
    (['0', '2.5'], 'm')
    """
    largest = max(map(abs, ticks), default=Decimal(0))
    if axis.unit is Unit.SHARE and largest < _LARGE:
        digits = max(0, *(-_exponent(tick * 100) for tick in ticks), 0)
        return [locale.share(tick, digits if tick else 0) for tick in ticks], ""
    by, unit = Decimal(1), ""
    if largest >= _HUGE or 0 < largest < _TINY:
        power = largest.adjusted()
        by, unit = Decimal(1).scaleb(power), f"\N{MULTIPLICATION SIGN} 10^{power}"
    elif largest >= _LARGE:
        by, unit = next(found for found in _UNITS if largest >= found[0])
    plain = [tick / by for tick in ticks]
    digits = max((max(0, -_exponent(value)) for value in plain), default=0)
    return [
        locale.number(value, digits if value else 0).replace("-", MINUS) for value in plain
    ], unit


def _exponent(value: Decimal) -> int:
    return int(value.normalize().as_tuple().exponent)


def _ticks_across(
    x: Scale,
    places: dict[object, float],
    axis: Axis,
    locale: Locale,
    room: float,
    *,
    are_days: bool,
) -> list[tuple[float, str]]:
    if places:
        labels = [label_text(value, locale) for value in places]
        widest = min(max((width_in_pixels(label[:60], SMALL) for label in labels), default=1), 110)
        chosen = some_of(len(labels), int(room / (widest + 10)))
        return [(x.place(float(n)), shortened(labels[n], 110, SMALL)) for n in chosen]
    if are_days:
        days = month_starts(x.low, x.high, int(room / 70))
        by_month = all(day.day == 1 for day in days)
        told = locale.month if by_month else locale.day
        return [(x.place(float(day.toordinal())), told(day)) for day in days]
    values = round_values(x.low, x.high, max(2, int(room / 60)))
    texts, _ = tick_texts(values, axis, locale)
    return [(x.place(float(value)), text) for value, text in zip(values, texts, strict=True)]


def _unit_across(x: Scale, places: dict[object, float], axis: Axis) -> str:
    if places:
        return ""
    return tick_texts(round_values(x.low, x.high, 5), axis, Locale())[1]


def _below(ticks: Sequence[tuple[float, str]], bottom: float, right: float) -> list[Svg]:
    found = []
    for at, text in ticks:
        half = width_in_pixels(text, SMALL) / 2
        # the first and the last stay within the picture
        x = min(max(at, half), right - half)
        found += [
            element("line", x1=at, x2=at, y1=bottom, y2=bottom + 4, stroke=colour("line")),
            lettered(text, x, bottom + _TICKS - 3, size=SMALL, anchor="middle", fill=SOFT),
        ]
    return found
