"""How deals ended, and where each visit to a stage led to."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.history.past import Past
from dealdb.analytics.history.spans import EXITED, stage_spans
from dealdb.analytics.history.state import latest
from dealdb.model.pipeline import Kind, Pipeline

# causes of an end, as estimates number them
CENSORED, WON, LOST = 0, 1, 2


def kinds(pipeline: Pipeline) -> pl.DataFrame:
    """Stages with what they mean: ``stage``, ``cause`` (0 open, 1 won, 2 lost) and ``place`` in the pipeline."""
    causes = {Kind.OPEN: CENSORED, Kind.WON: WON, Kind.LOST: LOST}
    rows = [(each.name, causes[each.kind], place) for place, each in enumerate(pipeline)]
    types = {"stage": pl.String, "cause": pl.UInt8, "place": pl.Int64}
    return pl.DataFrame(rows, schema=types, orient="row")


def open_stages(pipeline: Pipeline) -> list[str]:
    """Names of the open stages, in order."""
    return pipeline.names(Kind.OPEN)


def ends(past: Past) -> pl.DataFrame:
    """
    How each life stands at ``as_of``.

    Returns
    -------
    DataFrame
        ``life``, ``cause`` (1 won, 2 lost, 0 neither, which a deleted deal is), ``end`` (when it was closed last, or
        deleted, or ``as_of``; milliseconds) and ``is_alive``.
    """
    moment = past.moment
    last = latest(past.facts.of("stage"), moment).join(
        kinds(past.pipeline), left_on="value", right_on="stage", how="left"
    )
    begun = past.facts.lives.filter(pl.col("begin") < moment)
    gone = (pl.col("end") < moment).fill_null(value=False)
    lives = begun.with_columns(is_alive=~gone).join(
        last.select("life", "cause", _at="at"), on="life", how="left", maintain_order="left"
    )
    cause = pl.when("is_alive").then(pl.col("cause").fill_null(CENSORED)).otherwise(CENSORED)
    return past.chosen(lives).select(
        "life",
        "is_alive",
        cause=cause.cast(pl.UInt8),
        end=pl.when(~pl.col("is_alive")).then("end").when(cause > 0).then("_at").otherwise(moment),
    )


def visits(past: Past) -> pl.DataFrame:
    """Visits as ``stage_spans`` has them, of the deals that count, with ``goal``: the stage that came next, or null."""
    spans = stage_spans(past.facts, past.moment)
    # rows of a life stand together; between two visits there may be a time without a stage
    goes_on = pl.col("life") == pl.col("life").shift(-1)
    follows = (pl.col("how") == EXITED) & (pl.col("left") == pl.col("entered").shift(-1))
    goal = pl.when(goes_on & follows).then(pl.col("stage").shift(-1))
    return past.chosen(spans.with_columns(goal=goal))


def closings_after(past: Past) -> pl.DataFrame:
    """Changes into a won or lost stage: ``life``, ``at`` and ``cause``, sorted by moment."""
    changes = past.facts.of("stage").filter(pl.col("at") < past.moment)
    closed = changes.join(kinds(past.pipeline), left_on="value", right_on="stage")
    return closed.filter(pl.col("cause") != CENSORED).select("life", "at", "cause").sort("at")
