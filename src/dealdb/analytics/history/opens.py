"""What a stage makes of a deal: its kind, its place, its category in a forecast; and sums that can't overflow."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from dealdb.analytics.exact import Amounts
from dealdb.analytics.flags import is_one_of, standardised
from dealdb.analytics.weights import Weights, weights_of
from dealdb.model.pipeline import Kind, Pipeline

PIPELINE = "pipeline"
# a deal's own category, where a collection has the field
_OWN = "forecast_category"
_CATEGORIES = {
    "commit": "commit",
    "best": "best",
    "bestcase": "best",
    "pipeline": PIPELINE,
    "omitted": "omitted",
}
# a number beneath, which is written and compared in a fraction of the time of a text
KINDS = pl.Enum(["open", "won", "lost"])


def kind_of(pipeline: Pipeline, column: str = "stage") -> pl.Expr:
    """
    ``"open"``, ``"won"`` or ``"lost"``; a deal without a stage, or in one that the pipeline lacks, is open.

    Examples
    --------
    >>> stages = pl.DataFrame({"stage": ["Won", None, "Gone"]})
    >>> stages.select(kind_of(Pipeline().covering(["Won"]))).to_series().to_list()
    ['won', 'open', 'open']
    """
    won, lost = (stands_in(pipeline, kind, column) for kind in (Kind.WON, Kind.LOST))
    return (
        pl.when(won)
        .then(_kind("won"))
        .when(lost)
        .then(_kind("lost"))
        .otherwise(_kind("open"))
        .alias("kind")
    )


def _kind(name: str) -> pl.Expr:
    return pl.lit(name, KINDS)


def stands_in(pipeline: Pipeline, kind: Kind, column: str = "stage") -> pl.Expr:
    """
    Whether a stage is of a kind; false for none, and for one that the pipeline lacks.

    Examples
    --------
    >>> stages = pl.DataFrame({"stage": ["Won", None, "Gone"]})
    >>> won = stands_in(Pipeline().covering(["Won"]), Kind.WON)
    >>> stages.select(won).to_series().to_list()
    [True, False, False]
    """
    return is_one_of(column, pipeline.names(kind))


def place_of(pipeline: Pipeline, column: str) -> pl.Expr:
    """Place of a stage in the pipeline, null for one that it lacks."""
    names = [stage.name for stage in pipeline]
    places = list(range(len(names)))
    return pl.col(column).replace_strict(names, places, default=None, return_dtype=pl.Int64)


def own_category(names: Collection[str]) -> list[str]:
    """
    The field with a deal's own category, if it is among these.

    Examples
    --------
    >>> own_category(["stage", "forecast_category"]), own_category(["stage"])
    (['forecast_category'], [])
    """
    return [_OWN] if _OWN in names else []


def category(deals: pl.DataFrame, pipeline: Pipeline) -> pl.Expr:
    """
    Category of open deals in a forecast: the deal's own, where it has a known one, else that of its stage.

    Examples
    --------
    >>> deals = pl.DataFrame({"stage": ["Demo", "Demo"], "forecast_category": [None, "Best Case"]})
    >>> deals.select(category(deals, Pipeline().covering(["Demo"]))).to_series().to_list()
    ['pipeline', 'best']
    """
    stages = {stage.name: _CATEGORIES[stage.category or PIPELINE] for stage in pipeline}
    of_stage = pl.col("stage").replace_strict(
        list(stages), list(stages.values()), default=PIPELINE, return_dtype=pl.String
    )
    if _OWN not in deals.columns:
        return of_stage
    plain = pl.col(_OWN).cast(pl.String).str.to_lowercase().str.replace_all("[^a-z]", "")
    own = plain.replace_strict(
        list(_CATEGORIES), list(_CATEGORIES.values()), default=None, return_dtype=pl.String
    )
    return pl.coalesce(own, of_stage)


def check_amounts(frame: pl.DataFrame, column: str = "amount") -> None:
    """
    Refuse amounts whose sum could need more than 38 digits.

    Raises
    ------
    QueryError
        If it could.
    """
    Amounts(frame.select(amount=column)).check()


def weighed(
    deals: pl.DataFrame, pipeline: Pipeline, *, amount: str = "amount"
) -> tuple[pl.DataFrame, Weights]:
    """
    Deals with the columns that weighted sums are made of, and how they are put together.

    Parameters
    ----------
    deals
        ``stage``, an amount and ``probability``; with ``kind``, only those that are open weigh anything.
    pipeline
        The chances of the stages.
    amount
        Column of the money.

    Raises
    ------
    QueryError
        If the amounts can't be summed exactly.
    """
    is_open = pl.col("kind") == "open" if "kind" in deals.columns else pl.lit(value=True)
    frame = standardised(deals.with_columns(amount=amount)).with_columns(_open=is_open)
    amounts = Amounts(frame)
    amounts.check()
    weights = weights_of(frame, pipeline, amounts)
    reads = frame.with_columns(weights.reads).select(
        read.meta.output_name() for read in weights.reads
    )
    return deals.hstack(reads), weights
