"""Time in stage: how long deals stayed, of those that left, and how long the others have been there."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.calendar.zone import DAY_MS, in_days
from dealdb.analytics.exact import ratio
from dealdb.analytics.history.lookup import are_among, gathered, n_lives, rows_of
from dealdb.analytics.history.past import Past, spine
from dealdb.analytics.history.spans import DELETED, EXITED, OPEN, stage_spans
from dealdb.analytics.options import Day, choice
from dealdb.analytics.result import MetricResult
from dealdb.model.pipeline import Kind

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
    spans = past.chosen(stage_spans(past.facts, past.moment, past.pipeline))
    known = spans.filter(pl.col("stage").is_in(stages))
    # groups are those of the end of a visit, or of the last moment that counts
    visits = past.grouped(known.with_columns(at=pl.col("left").fill_null(past.moment - 1)), keys)
    ended = visits.filter(_inside("left", first, end))
    lines = _lines(past, visits, ended, keys, unit)
    # by their places in the pipeline
    is_back = pl.col("before").to_physical() > pl.col("stage").to_physical()
    entries = visits.filter(_inside("entered", first, end) & is_back)
    past.notes.append(f"unit {unit}")
    table = _table(lines, visits, ended, entries, keys, stages, unit)
    return past.result(
        "time_in_stage",
        table,
        _told(lines) if past.deals else lines,
        keys=keys,
        rows=("stage",),
        figures=_FIGURES,
        n=n_lives(lines["life"]),
        window=window,
        counted={
            "deals": lambda _: lines.unique(["life", "stage", *keys], maintain_order=True),
            "open_n": lambda _: _of_stages(visits.filter(pl.col("how") == OPEN)),
            "deleted": lambda _: _of_stages(ended.filter(pl.col("how") == DELETED)),
            "backward": lambda _: _of_stages(entries),
        },
    )


def _of_stages(visits: pl.DataFrame) -> pl.DataFrame:
    """Visits as a row of the table names their stage."""
    return visits.with_columns(pl.col("stage").cast(pl.String))


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
    stands = gathered(stays["stage"].to_physical(), rows_of(stays["life"], exited["life"]))
    stages = exited["stage"].to_physical()
    left = exited.filter((stages != stands).fill_null(value=True))
    # who only went on was in no stage twice: the visits of the others alone have to be added
    place = pl.col("stage").to_physical()
    returns = (pl.col("life") == pl.col("life").shift(1)) & (place <= place.shift(1))
    many = are_among(left["life"], left.filter(returns)["life"])
    last = (*keys, "entered", "left", "at") if past.deals else keys
    # one number for life and stage is found in a third of the time of both
    key = pl.col("life").cast(pl.Int64) * len(past.pipeline) + place.cast(pl.Int64)
    columns = ("life", "stage", *last)
    added = left.filter(many).group_by(_key=key).agg(pl.col("ms").sum(), pl.col(columns).last())
    lines = pl.concat(each.select("ms", *columns) for each in (left.filter(~many), added))
    return lines.sort("life", "entered") if past.deals else lines


def _told(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines as the result has them: days, and when the visit began and ended."""
    moments = (
        pl.col(name).cast(pl.Datetime("ms", "UTC")).dt.to_string("iso").alias(shown)
        for name, shown in (("entered", "from"), ("left", "to"))
    )
    return lines.with_columns(
        *moments, pl.col("stage").cast(pl.String), value=in_days(lines["ms"]), at=pl.col("left")
    )


def _exits(lines: pl.DataFrame, by: list[str], unit: str) -> pl.DataFrame:
    """Figures of what ended, of each group."""
    # of a deal and a stage there is one line
    deals = pl.len() if unit == "deal" else pl.col("life").n_unique()
    sums = lines.group_by(by).agg(
        n=pl.len(), deals=deals, _total=pl.col("ms").sum(), _ms=pl.col("ms").sort()
    )
    ordered, n = pl.col("_ms").list, pl.col("n").cast(pl.Int64)
    return sums.with_columns(
        _median=(ordered.get((n - 1) // 2) + ordered.get(n // 2)) / 2,
        _p90=ordered.get((n * 9 + 9) // 10 - 1),
    ).drop("_ms")


def _table(
    lines: pl.DataFrame,
    visits: pl.DataFrame,
    ended: pl.DataFrame,
    entries: pl.DataFrame,
    keys: list[str],
    stages: list[str],
    unit: str,
) -> pl.DataFrame:
    by = [*keys, "stage"]
    stands = visits.filter(pl.col("how") == OPEN).with_columns(
        # the last moment that counts is the one before the end
        ms=pl.col("at") + 1 - pl.col("entered")
    )
    parts = [
        _exits(lines, by, unit),
        stands.group_by(by).agg(
            open_n=pl.len(), _open=pl.col("ms").sum(), _open_median=pl.col("ms").median()
        ),
        ended.filter(pl.col("how") == DELETED).group_by(by).agg(deleted=pl.len()),
        entries.group_by(by).agg(backward=pl.len()),
    ]
    parts = [part.with_columns(pl.col("stage").cast(pl.String)) for part in parts]
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
