"""The funnel: how many deals of a period came how far, and what became of those that stopped."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.exact import ratio
from dealdb.analytics.history.money import BLANK
from dealdb.analytics.history.opens import kind_of
from dealdb.analytics.history.past import Past, spine
from dealdb.analytics.history.spans import stage_spans
from dealdb.analytics.options import Day, Window, choice
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.model.names import unknown
from dealdb.model.pipeline import Kind, Pipeline

_FIGURES = ("n", "next", "cumulative", "open", "lost", "value", "blank")
_WON = "won"
_ENTERED = "entered:"
_READS = ("stage", "amount", "currency", "created", "closed")


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
        without an amount).

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
    lines = _lines(past, deals, steps, mode)
    keys = past.keys(("stage", *_FIGURES))
    lines = past.grouped(lines, keys)
    currency, keys = past.currency(lines, keys)
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
        counts={**counts, "deals that never had a stage, in no step": _stageless(past, deals)},
    )


def _stageless(past: Past, deals: pl.DataFrame) -> int:
    visits = stage_spans(past.facts, past.moment)
    return deals.join(visits, on="life", how="anti").height


def _cohort(past: Past, cohort: str, window: Window) -> tuple[pl.DataFrame, dict[str, int]]:
    """Deals of the cohort that exist at ``as_of``, with what they are then; and what is left out."""
    values = past.values(_READS)
    if cohort == "created":
        day = pl.col("created")
    elif cohort.startswith(_ENTERED):
        values = values.join(
            _first_entries(past, cohort.removeprefix(_ENTERED)), on="life", how="left"
        )
        day = pl.col("_entered")
    else:
        msg = f"cohort={cohort[:40]!r} is not a choice: use created or entered:STAGE"
        raise QueryError(msg)
    inside = values.filter(window.holds(day.meta.output_name()) & day.is_not_null())
    alive = inside.filter("is_alive")
    undated = values.filter(day.is_null() & pl.col("is_alive")).height
    return alive, {
        "deals of the period that were deleted, in no step": inside.height - alive.height,
        "deals without a date, in no cohort": undated,
    }


def _first_entries(past: Past, stage: str) -> pl.DataFrame:
    if stage not in past.pipeline:
        msg = f"cohort: {unknown('stage', stage, [each.name for each in past.pipeline])}"
        raise QueryError(msg)
    entries = stage_spans(past.facts, past.moment).filter(pl.col("stage") == stage)
    first = entries.group_by("life", maintain_order=True).agg(pl.col("entered").first())
    return first.select("life", _entered=past.zone.days_of_ms(pl.col("entered")))


def _lines(past: Past, deals: pl.DataFrame, steps: list[str], mode: str) -> pl.DataFrame:
    """A line for each deal and step in which it counts: the step, when it came there, and its amount at the end."""
    visits = stage_spans(past.facts, past.moment).join(deals.select("life"), on="life", how="semi")
    came = _came(visits, past.pipeline, steps, mode)
    won = deals.filter(pl.col("stage").is_in(past.pipeline.names(Kind.WON)))
    if mode == "ordered":
        last = came.filter(pl.col("_step") == len(steps) - 1)
        won = won.join(last.select("life"), on="life", how="semi") if steps else won
    entered = visits.group_by("life", maintain_order=True).agg(at=pl.col("entered").last())
    wins = (
        won.select("life")
        .join(entered, on="life")
        .select("life", _step=pl.lit(len(steps), pl.UInt32), at="at")
    )
    all_lines = pl.concat([came.cast({"_step": pl.UInt32}), wins])
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
    names = pl.DataFrame({"stage": [*steps, _WON]}).with_row_index("_step")
    return (
        all_lines.join(told, on="life")
        .join(furthest, on="life", how="left")
        .join(names, on="_step")
        .with_columns(
            pl.when(pl.col("_step") == pl.col("_last")).then("_outcome").alias("_outcome"),
            pl.lit(None, pl.String).alias("from"),
        )
        .sort("_step", "life")
    )


def _came(visits: pl.DataFrame, pipeline: Pipeline, steps: list[str], mode: str) -> pl.DataFrame:
    """Steps in which deals count, with the moment at which each came there."""
    places = pl.DataFrame(
        {"stage": steps, "_place": range(len(steps))},
        schema={"stage": pl.String, "_place": pl.UInt32},
    )
    wins = pl.DataFrame(
        {"stage": pipeline.names(Kind.WON)}, schema={"stage": pl.String}
    ).with_columns(_place=pl.lit(len(steps), pl.UInt32))
    placed = visits.join(pl.concat([places, wins]), on="stage", maintain_order="left")
    if mode == "any":
        stood = placed.filter(pl.col("_place") < len(steps))
        return stood.group_by("life", _step="_place").agg(at=pl.col("entered").min())
    numbers = pl.DataFrame({"_step": pl.Series(range(len(steps)), dtype=pl.UInt32)})
    if mode == "reached":
        # the first visit that is as far as the step, or further
        reached = placed.group_by("life", "_place").agg(at=pl.col("entered").min())
        crossed = reached.join(numbers, how="cross").filter(pl.col("_place") >= pl.col("_step"))
        return crossed.group_by("life", "_step").agg(pl.col("at").min())
    return _in_order(placed, len(steps))


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
