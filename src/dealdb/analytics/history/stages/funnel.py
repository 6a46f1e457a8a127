"""The funnel: how many deals of a period came how far, and what became of those that stopped."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.exact import ratio
from dealdb.analytics.history.lookup import are_among, beside, gathered
from dealdb.analytics.history.money import BLANK
from dealdb.analytics.history.opens import kind_of
from dealdb.analytics.history.past import Past, spine
from dealdb.analytics.history.spans import stage_spans
from dealdb.analytics.history.state import with_last
from dealdb.analytics.options import Day, Window, choice
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.model.names import unknown
from dealdb.model.pipeline import Kind, Pipeline

_FIGURES = ("n", "next", "cumulative", "open", "lost", "value", "blank")
_WON = "won"
_ENTERED = "entered:"
_READS = ("stage", "amount", "currency", "created", "closed")
# deals of the cohort that had a stage and are in no step, such as those that are only known as lost
_DELETED = "deals of the period that were deleted, in no step"
_NOWHERE = "deals that never stood in an open stage and were never won, in no step"
_NOT_FIRST = "deals that never stood in the first open stage, in no step"


def funnel(
    past: Past,
    *,
    since: Day = None,
    until: Day = None,
    mode: str = "reached",
    cohort: str = "created",
) -> MetricResult:
    """
    How many deals of a period reached each open stage, and how many were won.

    Parameters
    ----------
    past
        The past, up to ``as_of``.
    since, until
        Days of the cohort, ``until`` itself outside.
    mode
        ``"reached"``: a deal counts in a step if it stood in this or a later open stage, or was ever won.
        ``"any"``: if it ever stood in this stage. ``"ordered"``: if it entered the steps up to this one in their order.
    cohort
        ``"created"``: by the creation date. ``"entered:STAGE"``: by the first entry into a stage.

    Returns
    -------
    MetricResult
        A row for each open stage, in order, and ``won``: those won at ``as_of``. ``n`` deals, ``next`` (the share that
        came to the next row), ``cumulative`` (share of the first row), ``open`` and ``lost`` (deals whose last step
        this is, by what they are at ``as_of``), ``value`` (sum of their amounts at ``as_of``) and ``blank`` (deals
        without an amount). ``totals`` has how many deals of the cohort were ``deleted``, if any.

    Raises
    ------
    QueryError
        If an option can't be understood, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#funnel
    """
    choice("mode", mode, ("reached", "any", "ordered"))
    steps = past.pipeline.names(Kind.OPEN)
    window = past.bounds(since, until)[2]
    deals, counts = _cohort(past, cohort, window)
    visits = stage_spans(past.facts, past.moment, past.pipeline)
    visits = visits.filter(are_among(visits["life"], deals["life"]))
    lines = _lines(past, deals, visits, steps, mode)
    keys = past.keys(("stage", *_FIGURES))
    lines = past.grouped(lines, keys)
    currency, keys = past.currency(lines, keys)
    stepless = deals.filter(~are_among(deals["life"], lines["life"]))
    had_stage = are_among(stepless["life"], visits["life"])
    past.notes.append(f"cohort {cohort}, mode {mode}")
    return past.result(
        "funnel",
        _table(lines, keys, [*steps, _WON]),
        lines,
        keys=keys,
        rows=("stage",),
        figures=_FIGURES,
        n=deals.height,
        window=window,
        currency=currency,
        counts={
            **counts,
            "deals that never had a stage, in no step": int((~had_stage).sum()),
            (_NOT_FIRST if mode == "ordered" else _NOWHERE): int(had_stage.sum()),
        },
        totals={"deleted": counts[_DELETED]} if counts[_DELETED] else {},
        counted={
            "open": pl.col("_outcome") == "open",
            "lost": pl.col("_outcome") == "lost",
            "blank": BLANK,
        },
    )


def _cohort(past: Past, cohort: str, window: Window) -> tuple[pl.DataFrame, dict[str, int]]:
    """Deals of the cohort that exist at ``as_of``, with what they are then; and what is left out."""
    values = past.values(["created"])
    if cohort == "created":
        day = pl.col("created")
    elif isinstance(cohort, str) and cohort.startswith(_ENTERED):  # type: ignore[redundant-expr]  # callers may be untyped
        values = values.join(
            _first_entries(past, cohort.removeprefix(_ENTERED)), on="life", how="left"
        )
        day = pl.col("_entered")
    else:
        msg = f"cohort={str(cohort)[:40]!r} is not a choice: use created or entered:STAGE"
        raise QueryError(msg)
    inside = values.filter(window.holds(day.meta.output_name()) & day.is_not_null())
    alive = inside.filter("is_alive")
    undated = values.filter(day.is_null() & pl.col("is_alive")).height
    read = with_last(alive, past.facts, past.moment, _READS)
    return read, {
        _DELETED: inside.height - alive.height,
        "deals without a date, in no cohort": undated,
    }


def _first_entries(past: Past, stage: str) -> pl.DataFrame:
    if stage not in past.pipeline:
        msg = f"cohort: {unknown('stage', stage, [each.name for each in past.pipeline])}"
        raise QueryError(msg)
    entries = stage_spans(past.facts, past.moment).filter(pl.col("stage") == stage)
    first = entries.group_by("life", maintain_order=True).agg(pl.col("entered").first())
    return first.select("life", _entered=past.zone.days_of_ms(pl.col("entered")))


def _lines(
    past: Past, deals: pl.DataFrame, visits: pl.DataFrame, steps: list[str], mode: str
) -> pl.DataFrame:
    """A line for each deal and step in which it counts: the step, when it came there, and its amount at the end."""
    came = _came(visits, past.pipeline, steps, mode)
    won = deals.filter(pl.col("stage").is_in(past.pipeline.names(Kind.WON)))["life"]
    if mode == "ordered" and steps:
        last = came.filter(pl.col("_step") == len(steps) - 1)
        won = won.filter(are_among(won, last["life"]))
    entered = visits.filter((pl.col("life") != pl.col("life").shift(-1)).fill_null(value=True))
    wins = beside(won.to_frame(), entered.select("life", at="entered")).select(
        "life", _step=pl.lit(len(steps), pl.UInt32), at="at"
    )
    all_lines = pl.concat([came, wins.filter(pl.col("at").is_not_null())])
    # the last open step in which it counts is where it stopped, unless it is won
    furthest = came.group_by("life").agg(_last=pl.col("_step").max())
    kinds = past.pipeline
    outcome = (
        pl.when(pl.col("stage").is_in(kinds.names(Kind.LOST)))
        .then(pl.lit("lost"))
        .when(~pl.col("stage").is_in(kinds.names(Kind.WON)) | pl.col("stage").is_null())
        .then(pl.lit("open"))
    )
    worth = past.priced(
        deals.with_columns(value="amount"), is_closed=kind_of(past.pipeline) != "open"
    )
    told = worth.select("life", "currency", "value", "_unpriced", to="stage", _outcome=outcome)
    names = pl.Series("stage", [*steps, _WON])
    lines = beside(all_lines, beside(told, furthest)).with_columns(
        names.gather(all_lines["_step"]),
        pl.when(pl.col("_step") == pl.col("_last")).then("_outcome").alias("_outcome"),
        pl.lit(None, pl.String).alias("from"),
    )
    return lines.sort("_step", "life") if past.deals else lines


def _came(visits: pl.DataFrame, pipeline: Pipeline, steps: list[str], mode: str) -> pl.DataFrame:
    """Steps in which deals count, with the moment at which each came there: ``life``, ``_step``, ``at``."""
    # of each stage of the pipeline: its step, the number of steps where it is won, or null
    of_stage = [
        len(steps)
        if stage.kind is Kind.WON
        else steps.index(stage.name)
        if stage.name in steps
        else None
        for stage in pipeline
    ]
    place = gathered(pl.Series(of_stage, dtype=pl.Int64), visits["stage"].to_physical())
    placed = visits.select("life", "entered", _place=place).filter(pl.col("_place").is_not_null())
    if mode == "reached":
        found = _reached(placed, len(steps))
    elif mode == "any":
        stood = placed.filter(pl.col("_place") < len(steps))
        found = stood.group_by("life", _step="_place").agg(at=pl.col("entered").min())
    else:
        found = _in_order(placed, len(steps))
    return found.select("life", pl.col("_step").cast(pl.UInt32), "at")


def _reached(placed: pl.DataFrame, n_steps: int) -> pl.DataFrame:
    """For each step the first visit that is as far, or further."""
    size = n_steps + 2
    # visits are sorted by life: the highest number so far is the furthest place of the same life
    number = pl.col("life").cast(pl.Int64) * size + pl.col("_place")
    same = pl.col("life") == pl.col("life").shift(1)
    so_far = number.cum_max().shift(1) - pl.col("life").cast(pl.Int64) * size
    before = pl.when(same).then(so_far).otherwise(-1)
    first = placed.select("life", "entered", "_place", _before=before).filter(
        (pl.col("_place") > pl.col("_before")) & (pl.col("_before") < n_steps - 1)
    )
    steps = pl.int_ranges(pl.col("_before") + 1, pl.min_horizontal("_place", n_steps - 1) + 1)
    return first.select("life", at="entered", _step=steps).explode("_step")


def _in_order(placed: pl.DataFrame, n_steps: int) -> pl.DataFrame:
    """Steps that deals entered in their order: for each, the first entry after that of the step before."""
    found: list[pl.DataFrame] = []
    before = placed.select("life").unique().with_columns(at=pl.lit(None, pl.Int64))
    for step in range(n_steps):
        entries = placed.filter(pl.col("_place") == step).join(before, on="life")
        later = entries.filter(pl.col("at").is_null() | (pl.col("entered") > pl.col("at")))
        before = later.group_by("life").agg(at=pl.col("entered").min())
        found.append(before.select("life", _step=pl.lit(step, pl.UInt32), at="at"))
    empty = pl.DataFrame(schema={"life": pl.UInt32, "_step": pl.UInt32, "at": pl.Int64})
    return pl.concat([empty, *found])


def _table(lines: pl.DataFrame, keys: list[str], names: list[str]) -> pl.DataFrame:
    cells = lines.group_by(*keys, "stage").agg(
        n=pl.len().cast(pl.UInt32),
        open=(pl.col("_outcome") == "open").sum().cast(pl.UInt32),
        lost=(pl.col("_outcome") == "lost").sum().cast(pl.UInt32),
        value=pl.col("value").sum(),
        blank=BLANK.sum().cast(pl.UInt32),
    )
    rows = spine(lines, keys, "stage", names)
    table = rows.join(
        cells, on=[*keys, "stage"], how="left", nulls_equal=True, maintain_order="left"
    )
    filled = table.with_columns(pl.col("n", "open", "lost", "value", "blank").fill_null(0))
    group = [pl.col(key) for key in keys] or [pl.lit(0)]
    beside = filled.with_columns(
        _following=pl.col("n").shift(-1).over(group), _first=pl.col("n").first().over(group)
    )
    return beside.with_columns(
        next=ratio(beside["_following"], beside["n"]),
        cumulative=ratio(beside["n"], beside["_first"]),
    )
