"""How long open deals will still take to close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from dealdb.analytics.estimates.outcomes import NEVER, closings
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import choice, whole_number
from dealdb.analytics.prediction.ends import WON, ends, open_stages, visits
from dealdb.analytics.prediction.learned import chain_of, standing
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dealdb.analytics.estimates.draws import Floats

_FIGURES: dict[str, pl.DataType] = {
    "n": pl.UInt32(),
    "chance": pl.Float64(),
    "p10": pl.Float64(),
    "p50": pl.Float64(),
    "p90": pl.Float64(),
}
_ROW = ("id", "stage", "age_days")
# closings below which nothing is said
_LEAST = 20
_QUANTILES = (10, 50, 90)


def time_to_close(
    past: Past, deal: str | None = None, *, event: str = "won", n: int = 2_000, seed: int = 0
) -> MetricResult:
    """
    Days that open deals still take, from their stage and age, by what earlier deals did.

    Parameters
    ----------
    past
        The past, up to ``as_of``. With ``by="stage"`` the result is of a deal that has just come into each stage.
    deal
        Id of one open deal; None for all of them.
    event
        ``"won"``: days until it is won, if it is. ``"closed"``: until it is won or lost.
    n
        Number of runs for each deal.
    seed
        The same seed gives the same figures, on every machine.

    Returns
    -------
    MetricResult
        For each open deal ``id``, ``stage`` and ``age_days`` (by stage: ``stage``); ``n``, how many earlier deals that
        stood in the stage closed so; ``chance``, the share of the runs that do; and the days within which 10, 50 and
        90 % of these do: ``p10``, ``p50``, ``p90``. They are null where ``n`` is below 20. The lines of ``deals=True``
        are the earlier deals that ``n`` counts, by ``stage``.

    Raises
    ------
    QueryError
        If an option can't be understood, the deal isn't an open one, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#time-to-close
    """
    choice("event", event, ("won", "closed"))
    whole_number("n", n, least=100, most=1_000_000)
    whole_number("seed", seed, least=0, most=2**63)
    by_stage = past.keys(list(_FIGURES)) == ["stage"]
    if past.by is not None and not by_stage:
        msg = "time_to_close goes by deal, or by='stage'"
        raise QueryError(msg)
    spans = visits(past)
    chain = chain_of(past, spans)
    closed = _closed(past, spans, event)
    if by_stage:
        stages = open_stages(past.pipeline)
        asked = pl.DataFrame({"stage": stages}, schema={"stage": pl.String}).with_row_index(
            "_place"
        )
        asked = asked.with_columns(age_days=0.0)
    else:
        asked = _asked(past, spans, deal)
    told = closed.group_by("stage").agg(n=pl.len())
    rows = asked.join(told, on="stage", how="left", maintain_order="left").with_columns(
        pl.col("n").fill_null(0)
    )
    rates = chain.rates()
    # deals that differ by less than a quarter of a day, or are older than all that was seen, have one answer
    edges = [float(stage.edges[-1]) for stage in chain.stages]
    asked_for = [
        (place, round(4 * min(age, edges[place])) / 4, told_by)
        for place, age, told_by in rows.select("_place", "age_days", "n").rows()
    ]
    told_of = sorted({each for each in asked_for if each[2] >= _LEAST})
    runs = closings(chain, rates, [each[:2] for each in told_of], n=n, seed=seed)
    found = {each: _figures(*run, event) for each, run in zip(told_of, runs, strict=True)}
    nothing = (None,) * (len(_FIGURES) - 1)
    figures = [(each[2], *found.get(each, nothing)) for each in asked_for]
    table = rows.drop("n").hstack(pl.DataFrame(figures, schema=_FIGURES, orient="row"))
    few = table.filter(pl.col("n") < _LEAST).height
    # of the stages that were asked for
    lines = closed.join(asked.select("stage").unique(), on="stage", how="semi")
    past.notes.append(f"event {event}")
    return past.result(
        "time_to_close",
        table,
        lines,
        keys=[],
        rows=["stage"] if by_stage else _ROW,
        line_rows=["stage"],
        figures=list(_FIGURES),
        n=lines["life"].n_unique() if by_stage else asked.height,
        counts={f"rows that fewer than {_LEAST} closed deals tell of, left empty": few},
    )


def _closed(past: Past, spans: pl.DataFrame, event: str) -> pl.DataFrame:
    """A line for each stage that a deal ever stood in, of those that have closed in the way that counts."""
    is_won = pl.col("cause") == WON
    closed = ends(past).filter(is_won if event == "won" else pl.col("cause") > 0)
    stood = spans.select("life", "stage").unique(maintain_order=True)
    return stood.join(closed, on="life", maintain_order="left").with_columns(
        pl.col("stage").alias("from"),
        to=pl.when(is_won).then(pl.lit("won")).otherwise(pl.lit("lost")),
        at=pl.col("end"),
        value=pl.lit(1, pl.UInt32),
    )


def _asked(past: Past, spans: pl.DataFrame, deal: str | None) -> pl.DataFrame:
    there = standing(past, spans).join(
        past.facts.lives.select("life", "id"), on="life", maintain_order="left"
    )
    if deal is None:
        return there
    own = there.filter(pl.col("id") == str(deal))
    if own.is_empty():
        msg = f"no open deal has the id {str(deal)[:40]!r} as of {past.day}"
        raise QueryError(msg)
    return own


def _figures(days: Floats, won: NDArray[np.bool_], event: str) -> tuple[float | None, ...]:
    """Share of the runs that close so, and the days within which 10, 50 and 90 % of these do."""
    import numpy as np

    ending = np.sort(days[won if event == "won" else days < NEVER])
    size = len(ending)
    if not size:
        return 0.0, None, None, None
    # the smallest that so many percent are not above
    found = (float(ending[(size * share + 99) // 100 - 1]) for share in _QUANTILES)
    return size / len(days), *found
