"""What all makers of marks need: names for values, names that differ, and no more marks than can be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import polars as pl

from dealdb.charts.chart import ChartForm

MOST_PANELS = 12
# as many colours as can be told apart by all
MOST_SERIES = 7
_MOST_LABELS = {
    ChartForm.BARS: 40,
    ChartForm.FUNNEL: 40,
    ChartForm.WATERFALL: 40,
    ChartForm.HEAT: 60,
}
_MOST_DOTS = 2_000
_NONE = "(none)"


def called(value: object) -> str:
    """
    What a value is called beside a mark.

    Examples
    --------
    >>> called(None), called(["a", "b"]), called(True), called(Decimal("1E+2"))
    ('(none)', 'a, b', 'yes', '100')
    """
    if value is None:
        return _NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return ", ".join(map(called, value))
    return str(value)


def told_apart(labels: pl.Series, panel: pl.Series | None = None) -> pl.Series:
    """
    Labels of which no two of a panel are the same, as equal ones would be drawn as one mark.

    Examples
    --------
    >>> told_apart(pl.Series(["Ann", "Bob", "Ann"])).to_list()
    ['Ann', 'Bob', 'Ann (2)']
    """
    panels: Sequence[object] = [None] * len(labels) if panel is None else panel.to_list()
    whole = list(zip(panels, labels.to_list(), strict=True))
    taken, seen = set(whole), Counter[object]()
    found = []
    for place, label in whole:
        seen[place, label] += 1
        name = label
        while seen[place, label] > 1 and (place, name) in taken:
            name = f"{label} ({seen[place, label]})"
            seen[place, label] += (place, name) in taken
        taken.add((place, name))
        found.append(name)
    return pl.Series(found, dtype=pl.String)


def fitting(form: ChartForm, marks: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """
    As many marks as can be told apart, the first ones, and sentences that say what was left out.

    Examples
    --------
    >>> marks = pl.DataFrame({"label": [str(n) for n in range(50)], "value": range(50)})
    >>> shown, notes = fitting(ChartForm.BARS, marks)
    >>> shown.height, notes
    (40, ['Drawn are the first 40 of 50 labels; the table has all.'])
    """
    bounds = {"panel": MOST_PANELS, "series": MOST_SERIES, "label": _MOST_LABELS.get(form)}
    if form is ChartForm.HEAT:
        bounds["column"] = _MOST_LABELS[form]
    notes = []
    for name, most in bounds.items():
        if most is None or name not in marks.columns:
            continue
        known = marks[name].unique(maintain_order=True)
        if len(known) > most:
            marks = marks.filter(pl.col(name).is_in(known.head(most).implode(), nulls_equal=True))
            words = "series" if name == "series" else f"{name}s"
            notes.append(
                f"Drawn are the first {most} of {len(known):,} {words}; the table has all."
            )
    if form is ChartForm.SCATTER and marks.height > _MOST_DOTS:
        notes.append(f"Drawn are the first {_MOST_DOTS:,} of {marks.height:,} deals.")
        marks = marks.head(_MOST_DOTS)
    return marks, notes
