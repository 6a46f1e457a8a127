"""The pipeline by stage: what is where, what it is worth, how old it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

import polars as pl

from dealdb.analytics.calendar.zone import Zone
from dealdb.analytics.conversion import Conversion
from dealdb.analytics.exact import Amounts, ratio
from dealdb.analytics.flags import (
    BLANK,
    OPEN,
    UNPRICED,
    days_between,
    few_with_open,
    standardised,
    standing,
)
from dealdb.analytics.options import By, Day, Window, as_of_day, label_of_none
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import ANY, Metric, Scope, scope, total
from dealdb.analytics.shared_sums import counts_of_levers
from dealdb.analytics.weights import weights_of
from dealdb.model.columns import spelled_out
from dealdb.model.pipeline import Kind, Pipeline

_COLUMNS = (
    "stage",
    "kind",
    "n",
    "value",
    "blank",
    "weighted",
    "unweighted",
    "mean_age_days",
    "age_n",
    "rotting",
    "overdue",
)
_BY_CREATED = (
    "rotting deals whose last change is not known, by their day of creation; the metric rotting goes by their "
    "history"
)
_COUNTS = ["n", "blank", "unweighted", "age_n", "rotting", "overdue"]


def pipeline_by_stage(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = None,
    *,
    as_of: Day = None,
    conversion: Conversion | None = None,
) -> MetricResult:
    """
    Deals of each stage, in the order of the pipeline; stages without deals are rows of 0.

    Deals without a stage, and those in a stage that the pipeline doesn't define, are open and follow the open stages.

    Parameters
    ----------
    frame
        One row a deal.
    pipeline
        What the stages mean.
    by
        Columns to group by; each group has all stages.
    as_of
        Day on which age, rotting and overdue are judged; today in the pipeline's zone by default.
    conversion
        What money is converted to, and by which rates; None keeps currencies apart. With it there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).

    Returns
    -------
    MetricResult
        ``stage``, ``kind``, ``n``, ``value`` (sum of the amounts), ``blank`` (deals without an amount); and for
        open deals alone: ``weighted`` (amount times probability), ``unweighted`` (left out of it for want of an
        amount or a probability), ``mean_age_days`` over ``age_n`` deals, ``rotting`` (no update for longer than
        the stage's ``rot_days``), ``overdue`` (expected to close before ``as_of``).

    Raises
    ------
    QueryError
        If an option can't be understood, or the amounts can't be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#pipeline

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Demo", "Demo", "Won"], "amount": [100, 300, 900]})
    >>> result = pipeline_by_stage(deals, Pipeline().covering(["Demo", "Won"]))
    >>> result.frame.select("stage", "n", "value", "weighted").rows()
    [('Demo', 2, Decimal('400.00'), Decimal('200.0000')), ('Won', 1, Decimal('900.00'), None)]
    """
    day = as_of_day(as_of, pipeline.zone)
    metric = Metric(
        name="pipeline",
        base=ANY,
        columns=_COLUMNS,
        reads=(
            pl.col("stage"),
            *open_days(pipeline, day),
            pl.col("updated").is_null().alias("_unchanged"),
        ),
        weighs=True,
        n_of=("open", "won", "lost"),
    )
    deals = scope(frame, pipeline, metric, by=by, as_of=day, conversion=conversion)
    cells = _cells(deals)
    strays = _strays(cells, pipeline)
    spine = _spine(deals, cells, pipeline, strays)
    is_open = pl.col("kind") == Kind.OPEN.value
    table = spine.join(cells, on=["stage", *deals.keys], how="left", nulls_equal=True)
    filled = table.with_columns(pl.col(*_COUNTS, "value", "weighted").fill_null(0))
    none = label_of_none(filled["stage"])
    figures = filled.with_columns(
        pl.col("stage").fill_null(none),
        weighted=pl.when(is_open).then("weighted"),
        mean_age_days=ratio(filled["_age"], filled["age_n"]),
    )
    ordered = figures.sort([*deals.keys, "_place"], nulls_last=True, maintain_order=True)

    def stands_in(stage: str) -> pl.Expr:
        return pl.col("stage").is_null() if stage == none else pl.col("stage") == stage

    notes = _notes(cells, strays)
    return deals.result(
        ordered,
        notes,
        also={"stage": stands_in},
        counts=_counts(pipeline, day, conversion),
    )


def each_of_stages(
    frame: pl.DataFrame, pipeline: Pipeline, day: date
) -> tuple[pl.DataFrame, int] | None:
    """
    What each deal adds to the figures of its stage, and the digits after the point of ``_weighted``, which is in units.

    None where the amounts are too large to be put together one by one.

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Demo", "Won"], "expected_close": [date(2026, 1, 5), None]})
    >>> found = each_of_stages(deals, Pipeline().covering(["Demo", "Won"]), date(2026, 2, 1))
    >>> found[0].select("stage", "_overdue").rows()
    [('Demo', True), ('Won', False)]
    """
    frame = standardised(frame)
    amounts = Amounts(frame)
    if amounts.are_wide:
        return None
    weights = weights_of(frame, pipeline, amounts)
    if len(weights.powers) > 1:
        return None
    _, *of_open = open_days(pipeline, day)
    flagged = few_with_open(frame, pipeline)
    found = flagged.select("stage", "amount", "currency", *weights.reads, *of_open)
    return spelled_out(found), weights.scale


@lru_cache(16)
def _counts(pipeline: Pipeline, as_of: date, conversion: Conversion | None) -> dict[str, pl.Expr]:
    """Which deals the counts of a row are of, by the columns of deals."""
    is_open = standing(pipeline, Window())["open"]
    age, rotting, _ = _days_of(pipeline, as_of, is_open)
    return {
        "blank": pl.col("amount").is_null(),
        "unweighted": counts_of_levers(pipeline, Window(), conversion)["unweighted"],
        "age_n": age.is_not_null(),
        "rotting": rotting,
    }


@lru_cache(16)
def open_days(pipeline: Pipeline, as_of: date) -> tuple[pl.Expr, ...]:
    """Of each open deal ``_age`` in days, and whether it is ``_rotting`` and ``_overdue``."""
    return _days_of(pipeline, as_of, OPEN)


def _days_of(pipeline: Pipeline, as_of: date, is_open: pl.Expr) -> tuple[pl.Expr, ...]:
    created, today = pl.col("created"), pl.lit(as_of)
    touched = pl.coalesce(Zone.of(pipeline).days(pl.col("updated")), created)
    rotting = pl.lit(value=False)
    for stage in pipeline:
        if stage.kind is Kind.OPEN and stage.rot_days:
            is_stale = days_between(touched, today) > stage.rot_days
            rotting = rotting | ((pl.col("stage") == stage.name) & is_stale)
    return (
        pl.when(is_open & (created <= today)).then(days_between(created, today)).alias("_age"),
        (is_open & rotting).fill_null(value=False).alias("_rotting"),
        (is_open & (pl.col("expected_close") < today)).fill_null(value=False).alias("_overdue"),
    )


def _cells(deals: Scope) -> pl.DataFrame:
    measures = {
        "n": pl.len(),
        "value": pl.col("amount").sum(),
        "blank": BLANK.sum(),
        "weighted": deals.weighted_sum(),
        "unweighted": (OPEN & pl.col("_weighted").is_null() & ~UNPRICED).sum(),
        "_age": pl.col("_age").cast(pl.Int64).sum(),
        "age_n": pl.col("_age").count(),
        "rotting": pl.col("_rotting").sum(),
        "overdue": pl.col("_overdue").sum(),
        "_blank": (OPEN & BLANK).sum(),
        "_chance": (OPEN & pl.col("amount").is_not_null() & pl.col("_weighted").is_null()).sum(),
        "_no_age": (OPEN & pl.col("_age").is_null()).sum(),
        "_by_created": (pl.col("_rotting") & pl.col("_unchanged")).sum(),
        **deals.unpriced(),
    }
    cells = deals.deals.group_by("stage", *deals.keys).agg(**measures)
    return deals.settled(deals.looked_at(spelled_out(cells)))


def _spine(
    deals: Scope, cells: pl.DataFrame, pipeline: Pipeline, strays: Sequence[str | None]
) -> pl.DataFrame:
    """Every stage for every group, with its kind and place."""
    stages: list[tuple[str | None, Kind]] = [(stage.name, stage.kind) for stage in pipeline]
    open_places = [place for place, (_, kind) in enumerate(stages) if kind is Kind.OPEN]
    after = open_places[-1] + 1 if open_places else 0
    stages[after:after] = [(stray, Kind.OPEN) for stray in strays]
    rows = [(place, name, kind.value) for place, (name, kind) in enumerate(stages)]
    columns = {"_place": pl.UInt32, "stage": pl.String, "kind": pl.String}
    spine = pl.DataFrame(rows, schema=columns, orient="row")
    return spine.join(cells.select(deals.keys).unique(), how="cross") if deals.keys else spine


def _strays(cells: pl.DataFrame, pipeline: Pipeline) -> list[str | None]:
    """Stages of deals that the pipeline doesn't have, the null one last."""
    seen = cells["stage"].unique().sort(nulls_last=True).to_list()
    return [name for name in seen if name not in pipeline]


def _notes(cells: pl.DataFrame, strays: Sequence[str | None]) -> dict[str, int]:
    unknown = [name for name in strays if name is not None]
    undefined = cells.filter(pl.col("stage").is_in(unknown)) if unknown else cells.clear()
    return {
        "deals in stages that the pipeline does not define, counted as open": total(undefined, "n"),
        "open deals without an amount": total(cells, "_blank"),
        "open deals without a probability from 0 to 1, not in weighted": total(cells, "_chance"),
        "open deals without a creation date by then, not in mean_age_days": total(cells, "_no_age"),
        _BY_CREATED: total(cells, "_by_created"),
    }
