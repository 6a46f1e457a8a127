"""``thinned``: marks of steps, without those that nobody could see."""

from __future__ import annotations

import polars as pl

from dealdb.charts.svg.forms.lines import MOST_POINTS

# a picture of fewer takes no time
MANY = 4_000
# places to a pixel that a picture tells apart, also on a screen with four dots to each
_FINE = 4
_HEIGHTS = ("value", "low", "high")


def thinned(marks: pl.DataFrame, width: float) -> pl.DataFrame:
    """
    Of marks of a series at one place across, to a quarter of a pixel, the first and the last; all of a picture of few.

    What bounds the axes stays, and so does every gap, and each point that a pointer finds.

    Examples
    --------
    >>> marks = pl.DataFrame({"x": range(100_000), "value": range(100_000, 0, -1)})
    >>> thinned(marks, 600).height
    4802
    """
    if marks.height <= MANY or not marks["x"].dtype.is_numeric():
        return marks
    heights = [name for name in _HEIGHTS if name in marks.columns]
    series = [name for name in ("series",) if name in marks.columns]
    ordered = marks.sort(*series, "x", maintain_order=True)
    x = ordered["x"].cast(pl.Float64)
    first, last = x.min(), x.max()
    if not isinstance(first, float) or not isinstance(last, float) or first == last:
        return marks
    place = ((x - first) / (last - first) * width * _FINE).round().alias("place")
    # a line begins and ends at each gap, too
    is_gap = pl.any_horizontal(pl.col(*heights, "x").is_null()).alias("gap")
    run = pl.struct([place, *(ordered[name] for name in series), is_gap]).rle_id()
    runs = ordered.select(run.alias("run")).to_series()
    is_end = (runs != runs.shift(1)) | (runs != runs.shift(-1))
    bounds = [
        row
        for name in (*heights, "x")
        for row in (ordered[name].arg_min(), ordered[name].arg_max())
        if row is not None
    ]
    kept = is_end.fill_null(value=True).scatter(bounds, values=True)
    return ordered.filter(kept | _are_named(ordered, kept, series))


def _are_named(marks: pl.DataFrame, kept: pl.Series, series: list[str]) -> pl.Series:
    """Which marks are of a series that has a name at each point, or would come to have some."""
    counts = marks.select(*series, kept.alias("kept")).select(
        all=pl.len().over(series) if series else pl.len(),
        some=pl.col("kept").sum().over(series) if series else pl.col("kept").sum(),
    )
    named = counts.select(pl.min_horizontal("all", "some") <= MOST_POINTS).to_series()
    return named if series else named.new_from_index(0, marks.height)
