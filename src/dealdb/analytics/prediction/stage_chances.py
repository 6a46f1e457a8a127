"""Chances to be won from each stage, learned from what became of earlier deals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics.estimates.absorbing import absorption
from dealdb.analytics.estimates.curves import incidence
from dealdb.analytics.estimates.intervals import beta_mean, logit, wilson
from dealdb.analytics.history.past import Past, spine
from dealdb.analytics.history.spans import EXITED
from dealdb.analytics.options import Day, choice
from dealdb.analytics.prediction.ends import LOST, WON, ends, kinds, open_stages, visits
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.model.pipeline import Pipeline

_FIGURES: dict[str, pl.DataType] = {
    "won": pl.UInt32(),
    "n": pl.UInt32(),
    "chance": pl.Float64(),
    "lo": pl.Float64(),
    "hi": pl.Float64(),
    "undecided": pl.Float64(),
}
# above this, what the open deals will do could change the chance too much
_UNDECIDED = 0.05


def stage_chances(
    past: Past, *, since: Day = None, until: Day = None, method: str = "competing"
) -> MetricResult:
    """
    Chance that a deal which comes into a stage is won in the end.

    Parameters
    ----------
    past
        The past, up to ``as_of``.
    since, until
        Days on which deals first came into the stage (``"markov"``: on which they left it), ``until`` itself outside.
    method
        ``"closed"``: won deals over closed deals, of those that ever stood there; it is too low while lost deals close
        sooner than won ones. ``"competing"``: the Aalen-Johansen incidence of won against lost, where deals that are
        open count for as long as they were watched. ``"markov"``: from the moves between stages, as a chain without a
        memory that ends when a deal is closed.

    Returns
    -------
    MetricResult
        A row for each open stage, in the order of the pipeline: ``won`` and ``n`` (deals; of ``"markov"`` moves out of
        the stage), ``chance`` and its 95 % interval ``lo`` to ``hi``. Of ``"competing"`` also ``undecided``: the share
        that is in neither end by the longest time watched, so that the truth lies between ``chance`` and ``chance`` +
        ``undecided``.

    Raises
    ------
    QueryError
        If an option can't be understood, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#stage-chances
    """
    methods = {"closed": _closed, "competing": _competing, "markov": _markov}
    found_by = methods[choice("method", method, methods)]
    figures = [name for name in _FIGURES if name != "undecided" or method == "competing"]
    keys = past.keys(("stage", *_FIGURES))
    first, end, window = past.bounds(since, until)
    lines = _entries(past, keys) if method != "markov" else _moves(past, keys)
    inside = (
        pl.col("at") < end if first is None else pl.col("at").is_between(first, end, closed="left")
    )
    lines = lines.filter(inside)
    if method == "closed":
        lines = lines.filter("is_alive", pl.col("cause") > 0)
    stages = open_stages(past.pipeline)
    table = _by_group(lines, keys, stages, found_by, figures)
    own = lines.with_columns(value=(pl.col("cause") == WON).cast(pl.UInt32))
    past.notes.append(f"method {method}")
    return past.result(
        "stage_chances",
        table,
        own,
        keys=keys,
        rows=("stage",),
        figures=figures,
        n=lines["life"].n_unique(),
        window=window,
        counts=_doubts(table, method),
        counted={"won": pl.col("cause") == WON},
    )


def adopted(pipeline: Pipeline, chances: MetricResult) -> Pipeline:
    """
    The pipeline with learned chances, for ``set_pipeline``; stages that no deal tells of keep theirs.

    Of the method ``"closed"`` each is the mean of the posterior Beta(won + 1/2, n - won + 1/2), which is never 0 or 1.

    Parameters
    ----------
    pipeline
        The present one.
    chances
        What ``stage_chances`` gave, without groups.

    Raises
    ------
    QueryError
        If it has groups, or more than 5 % of a stage is undecided.
    """
    table = chances.frame
    if table.columns[0] != "stage" or "chance" not in table.columns:
        msg = "only stage_chances without groups, and without deals=True, give one chance for each stage"
        raise QueryError(msg)
    is_closed = "method closed" in chances.basis.notes
    found: dict[str, Decimal] = {}
    for row in table.iter_rows(named=True):
        if not row["n"] or row["chance"] is None:
            continue
        if (row.get("undecided") or 0) > _UNDECIDED:
            msg = f"stage {row['stage']!r}: more than 5 % is undecided, so that its chance is only a lower bound"
            raise QueryError(msg)
        chance = beta_mean(row["won"], row["n"]) if is_closed else row["chance"]
        found[row["stage"]] = Decimal(f"{chance:.4f}")
    stages = (
        replace(each, probability=found.get(each.name, each.probability)) for each in pipeline
    )
    return replace(pipeline, stages=tuple(stages))


def _entries(past: Past, keys: Sequence[str]) -> pl.DataFrame:
    """The first entry of each deal into each open stage, with how the deal ended."""
    stages = open_stages(past.pipeline)
    entered = visits(past).filter(pl.col("stage").is_in(stages))
    firsts = entered.group_by("life", "stage", maintain_order=True).agg(at=pl.col("entered").min())
    lines = firsts.join(ends(past), on="life", maintain_order="left").with_columns(
        time=pl.col("end") - pl.col("at")
    )
    moments = {
        shown: pl.col(name).cast(pl.Datetime("ms", "UTC")).dt.to_string("iso")
        for name, shown in (("at", "from"), ("end", "to"))
    }
    return past.grouped(lines.with_columns(**moments), keys)


def _moves(past: Past, keys: Sequence[str]) -> pl.DataFrame:
    """Moves out of open stages, each with its goal."""
    stages = open_stages(past.pipeline)
    left = visits(past).filter(pl.col("stage").is_in(stages), pl.col("how") == EXITED)
    goals = kinds(past.pipeline).select(goal="stage", cause="cause")
    moves = left.join(goals, on="goal", maintain_order="left").with_columns(at=pl.col("left"))
    return past.grouped(moves.with_columns(pl.col("stage").alias("from"), to="goal"), keys)


def _by_group(
    lines: pl.DataFrame,
    keys: list[str],
    stages: list[str],
    found_by: Callable[[pl.DataFrame, list[str]], Iterator[dict[str, Any]]],
    figures: list[str],
) -> pl.DataFrame:
    rows = spine(lines, keys, "stage", stages)
    if not keys:
        groups = [((), lines)]
    else:
        parts = lines.partition_by(keys, as_dict=True, maintain_order=True)
        groups = [(key, parts[key]) for key in rows.select(keys).unique(maintain_order=True).rows()]
    found = [row for _, own in groups for row in found_by(own, stages)]
    return rows.with_columns(pl.DataFrame(found, schema=_FIGURES).select(figures))


def _row(
    won: int, n: int, chance: float | None = None, bounds: Any = (None, None)
) -> dict[str, Any]:
    return {"won": won, "n": n, "chance": chance, "lo": bounds[0], "hi": bounds[1]}


def _closed(lines: pl.DataFrame, stages: list[str]) -> Iterator[dict[str, Any]]:
    for own in (lines.filter(pl.col("stage") == stage) for stage in stages):
        won, n = int((own["cause"] == WON).sum()), own.height
        yield _row(won, n, won / n if n else None, wilson(won, n))


def _competing(lines: pl.DataFrame, stages: list[str]) -> Iterator[dict[str, Any]]:
    for own in (lines.filter(pl.col("stage") == stage) for stage in stages):
        won, lost = (int((own["cause"] == cause).sum()) for cause in (WON, LOST))
        curve = incidence(own.select("time", "cause"))
        if curve.is_empty():
            yield _row(0, 0)
            continue
        chance, lo, hi, undecided = curve.select("incidence", "lo", "hi", "undecided").row(-1)
        # where all or none were won the curve has no spread: then those that closed say how little is known
        bounds = wilson(won, won + lost) if lo is None else (lo, hi)
        yield {**_row(won, own.height, chance, bounds), "undecided": undecided}


def _markov(lines: pl.DataFrame, stages: list[str]) -> Iterator[dict[str, Any]]:
    if not stages:
        return
    places = {stage: place for place, stage in enumerate(stages)}
    counts = [[0.0] * (len(stages) + 2) for _ in stages]
    moves = lines.group_by("stage", "goal", "cause").len()
    for stage, goal, cause, n in moves.rows():
        column = places[goal] if cause not in (WON, LOST) else len(stages) + cause - WON
        counts[places[stage]][column] += n
    for own, (chances, variance) in zip(counts, absorption(counts), strict=True):
        won, n = int(own[len(stages)]), int(sum(own))
        yield _row(won, n, chances[0], logit(chances[0], variance))


def _doubts(table: pl.DataFrame, method: str) -> dict[str, int]:
    if method == "competing":
        many = int((table["undecided"] > _UNDECIDED).sum())
        return {
            "stages of which more than 5 % is undecided, so that the chance is a lower bound": many
        }
    empty = int((table["n"] == 0).sum())
    return {"stages that no deal tells of": empty}
