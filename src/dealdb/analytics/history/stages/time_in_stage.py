"""Time in stage: how long deals stayed, of those that left, and how long the others have been there."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.calendar.zone import DAY_MS
from dealdb.analytics.exact import ratio
from dealdb.analytics.history.lookup import gathered, rows_of
from dealdb.analytics.history.past import Past, spine
from dealdb.analytics.history.spans import DELETED, EXITED, OPEN, stage_spans
from dealdb.analytics.options import Day, choice
from dealdb.analytics.result import MetricResult
from dealdb.model.pipeline import Kind, Pipeline

_FIGURES = (
    "n", "deals", "mean_days", "median_days", "p90_days", "total_days", "open_n", "open_mean_days", "open_median_days",
    "deleted", "backward",
)  # fmt: skip
_COUNTS = ("n", "deals", "open_n", "deleted", "backward")


def time_in_stage(
    past: Past,
    *,
    since: Day = None,
    until: Day = None,
    unit: str = "deal",
    closed: bool = False,
) -> MetricResult:
    """
    How long deals stayed in each stage.

    Parameters
    ----------
    past
        The past, up to ``as_of``.
    since, until
        Days on which visits ended, ``until`` itself outside.
    unit
        ``"deal"``: the visits of a deal to a stage are added, of deals that don't stand there at ``as_of``.
        ``"visit"``: each visit by itself.
    closed
        Whether won and lost stages have rows: the time until a deal was reopened.

    Returns
    -------
    MetricResult
        A row for each stage, in the order of the pipeline. ``n`` deals or visits that ended, of ``deals`` deals;
        ``mean_days``, ``median_days``, ``p90_days`` (the shortest that 90 % don't exceed) and ``total_days``; of those
        that stand there at ``as_of`` ``open_n``, ``open_mean_days`` and ``open_median_days``; visits that a deletion
        ended (``deleted``), and entries from a later stage (``backward``).

    Raises
    ------
    QueryError
        If an option can't be understood, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#time-in-stage
    """
    choice("unit", unit, ("deal", "visit"))
    first, end, window = past.bounds(since, until)
    keys = past.keys(("stage", *_FIGURES))
    stages = [each.name for each in past.pipeline if closed or each.kind is Kind.OPEN]
    spans = past.chosen(stage_spans(past.facts, past.moment))
    known = _with_places(spans.filter(pl.col("stage").is_in(stages)), past.pipeline)
    # groups are those of the end of a visit, or of the last moment that counts
    visits = past.grouped(known.with_columns(at=pl.col("left").fill_null(past.moment - 1)), keys)
    ended = visits.filter(_inside("left", first, end))
    lines = _lines(past, visits, ended, keys, unit)
    entries = visits.filter(_inside("entered", first, end) & (pl.col("_before") > pl.col("_place")))
    past.notes.append(f"unit {unit}")
    table = _table(lines, visits, ended, entries, keys, stages)
    return past.result(
        "time_in_stage",
        table,
        _told(lines) if past.deals else lines,
        keys=keys,
        rows=("stage",),
        figures=_FIGURES,
        n=lines["life"].n_unique(),
        window=window,
    )


def _inside(name: str, first: int | None, end: int) -> pl.Expr:
    inside = pl.col(name) < end
    return inside if first is None else inside & (pl.col(name) >= first)


def _lines(
    past: Past, visits: pl.DataFrame, ended: pl.DataFrame, keys: list[str], unit: str
) -> pl.DataFrame:
    """Milliseconds of each visit that ended, or of all of a deal to a stage together."""
    exited = ended.filter(pl.col("how") == EXITED).with_columns(
        ms=pl.col("left") - pl.col("entered")
    )
    if unit == "visit":
        return exited
    # who stands there, or was deleted while it did, has not left for good
    stays = visits.filter(pl.col("how") != EXITED)
    stands = gathered(stays["_place"], rows_of(stays["life"], exited["life"]))
    left = exited.filter((exited["_place"] != stands).fill_null(value=True))
    # one number for life and stage, which is found in a third of the time of both
    size = len(past.pipeline) + 1
    key = left["life"].cast(pl.Int64) * size + left["_place"].cast(pl.Int64)
    last = (*keys, "entered", "left", "at") if past.deals else keys
    return (
        left.with_columns(key.alias("_key"))
        .group_by("_key", maintain_order=past.deals)
        .agg(pl.col("ms").sum(), pl.col("life", "stage", *last).last())
    )


def _with_places(visits: pl.DataFrame, pipeline: Pipeline) -> pl.DataFrame:
    """Visits with the place of their stage in the pipeline, and of the stage before, null for one that it lacks."""
    names = [each.name for each in pipeline]
    places = (
        pl.col(name).cast(pl.Enum(names), strict=False).to_physical().alias(place)
        for name, place in (("stage", "_place"), ("before", "_before"))
    )
    return visits.with_columns(places)


def _told(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines as the result has them: days, and when the visit began and ended."""
    days = pl.Series(
        "value",
        ratio(lines["ms"], pl.Series([DAY_MS]).new_from_index(0, lines.height)),
        dtype=pl.Float64,
    )
    moments = (
        pl.col(name).cast(pl.Datetime("ms", "UTC")).dt.to_string("iso").alias(shown)
        for name, shown in (("entered", "from"), ("left", "to"))
    )
    return lines.with_columns(days, *moments, at=pl.col("left"))


def _table(
    lines: pl.DataFrame,
    visits: pl.DataFrame,
    ended: pl.DataFrame,
    entries: pl.DataFrame,
    keys: list[str],
    stages: list[str],
) -> pl.DataFrame:
    by = [*keys, "stage"]
    stands = visits.filter(pl.col("how") == OPEN).with_columns(
        # the last moment that counts is the one before the end
        ms=pl.col("at") + 1 - pl.col("entered")
    )
    nearest = (pl.len() * 9 + 9) // 10 - 1
    parts = [
        lines.group_by(by).agg(
            n=pl.len(),
            deals=pl.col("life").n_unique(),
            _total=pl.col("ms").sum(),
            _median=pl.col("ms").median(),
            _p90=pl.col("ms").sort().get(nearest),
        ),
        stands.group_by(by).agg(
            open_n=pl.len(), _open=pl.col("ms").sum(), _open_median=pl.col("ms").median()
        ),
        ended.filter(pl.col("how") == DELETED).group_by(by).agg(deleted=pl.len()),
        entries.group_by(by).agg(backward=pl.len()),
    ]
    # groups in which nothing happened have no rows
    table = spine(pl.concat(part.select(keys) for part in parts), keys, "stage", stages)
    for part in parts:
        table = table.join(part, on=by, how="left", nulls_equal=True, maintain_order="left")
    table = table.with_columns(pl.col(*_COUNTS, "_total").fill_null(0)).with_columns(
        pl.col(_COUNTS).cast(pl.UInt32)
    )
    day = pl.Series([DAY_MS]).new_from_index(0, table.height)
    return table.with_columns(
        mean_days=ratio(table["_total"], table["n"].cast(pl.Int64) * DAY_MS),
        median_days=ratio(table["_median"], day),
        p90_days=ratio(table["_p90"], day),
        total_days=ratio(table["_total"], day),
        open_mean_days=ratio(table["_open"], table["open_n"].cast(pl.Int64) * DAY_MS),
        open_median_days=ratio(table["_open_median"], day),
    )
