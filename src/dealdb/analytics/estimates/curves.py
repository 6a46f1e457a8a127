"""Curves of what happens to deals as time goes by: Kaplan-Meier, and Aalen-Johansen for competing ends."""

from __future__ import annotations

import polars as pl

from dealdb.analytics.estimates.intervals import LEVEL, normal_quantile

# of a span that nothing ended while it was watched
CENSORED = 0
# from before any time: a span that is watched from its beginning is at risk at 0, too
_ALWAYS = -1
_SCHEMA: dict[str, pl.DataType] = {
    "time": pl.Int64(),
    "at_risk": pl.UInt32(),
    "events": pl.UInt32(),
    "competing": pl.UInt32(),
    "censored": pl.UInt32(),
}


def kaplan_meier(spans: pl.DataFrame, level: float = LEVEL) -> pl.DataFrame:
    """
    Share of spans that still last after each length, where some were only watched for a while.

    Parameters
    ----------
    spans
        ``time`` i64 (length, in any unit), ``cause`` (0 where it was only watched so long) and, where some were not
        watched from their beginning, ``entry`` i64 or null (length when they came into view).
    level
        Of the interval.

    Returns
    -------
    DataFrame
        A row for each length at which a span ended or left view: ``time``, ``at_risk`` (just before), ``events``,
        ``competing`` (0), ``censored``, ``s``, ``lo``, ``hi``. Of one length, ends come before those that left view.
        The interval is symmetric for log(-log(s)), with the variance of Greenwood, and null where s is 0 or 1.

    Source
    ------
    Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958)

    Examples
    --------
    >>> kaplan_meier(pl.DataFrame({"time": [1, 2, 2, 3], "cause": [1, 1, 0, 1]}))["s"].to_list()
    [0.75, 0.5, 0.0]
    """
    ended = pl.col("cause").cast(pl.UInt8).clip(0, 1).alias("cause")
    table = _steps(spans.with_columns(ended), cause=1)
    at_risk, events = pl.col("at_risk").cast(pl.Float64), pl.col("events").cast(pl.Float64)
    s, greenwood = pl.col("s"), pl.col("_g").cum_sum()
    spread = normal_quantile(level) * greenwood.sqrt() / s.log().abs()
    inside = (s > 0) & (s < 1)
    return (
        table.with_columns(
            s=(1 - events / at_risk).cum_prod(),
            _g=_over(events, at_risk * (at_risk - events)),
        )
        .with_columns(
            lo=pl.when(inside).then(s.pow(spread.exp())),
            hi=pl.when(inside).then(s.pow((-spread).exp())),
        )
        .drop("_g")
    )


def incidence(spans: pl.DataFrame, cause: int = 1, level: float = LEVEL) -> pl.DataFrame:
    """
    Share of spans that have ended in one way by each length, where there are other ways to end.

    One minus Kaplan-Meier, with the other ends as if they had only left view, would tell too much.

    Parameters
    ----------
    spans
        As of ``kaplan_meier``; ``cause`` is a number for each way to end.
    cause
        The way that counts.
    level
        Of the interval.

    Returns
    -------
    DataFrame
        ``time``, ``at_risk``, ``events``, ``competing``, ``censored``, ``incidence``, ``variance``, ``lo``, ``hi``,
        and ``undecided``, the share that has ended in no way yet. The interval is null where the incidence is 0 or 1.

    Source
    ------
    Aalen and Johansen, Scandinavian Journal of Statistics 5 (1978); the variance is that of Marubini and Valsecchi,
    "Analysing survival data from clinical trials", section 10.3

    Examples
    --------
    >>> ends = pl.DataFrame({"time": [1, 2, 3, 4], "cause": [1, 2, 0, 1]})
    >>> incidence(ends).select("time", "incidence", "undecided").rows()[-1]
    (4, 0.75, 0.0)
    """
    table = _steps(spans, cause=cause)
    at_risk, own = pl.col("at_risk").cast(pl.Float64), pl.col("events").cast(pl.Float64)
    every = own + pl.col("competing")
    before = pl.col("undecided").shift(1, fill_value=1.0)
    table = table.with_columns(undecided=(1 - every / at_risk).cum_prod())
    table = table.with_columns(incidence=(before * own / at_risk).cum_sum())
    # sum over earlier lengths of (F - F_i)^2 g + S^2 (n - d) d / n^3 - 2 (F - F_i) S d / n^2, multiplied out
    f, g = pl.col("incidence"), _over(every, at_risk * (at_risk - every))
    cross = before * own / at_risk**2
    own_part = before**2 * (at_risk - own) * own / at_risk**3
    variance = (
        f**2 * g.cum_sum()
        - 2 * f * (f * g).cum_sum()
        + (f**2 * g).cum_sum()
        + own_part.cum_sum()
        - 2 * (f * cross.cum_sum() - (f * cross).cum_sum())
    )
    table = table.with_columns(variance=variance.clip(0))
    spread = normal_quantile(level) * pl.col("variance").sqrt() / (f * f.log().abs())
    inside = (f > 0) & (f < 1)
    return table.with_columns(
        lo=pl.when(inside).then(f.pow(spread.exp())),
        hi=pl.when(inside).then(f.pow((-spread).exp())),
    )


def first_at_most(curve: pl.DataFrame, share: float = 0.5, column: str = "s") -> int | None:
    """
    First length at which a curve has come down to a share, or None where it never does: its median for one half.

    Examples
    --------
    >>> curve = kaplan_meier(pl.DataFrame({"time": [7, 9, 9], "cause": [1, 1, 0]}))
    >>> first_at_most(curve), first_at_most(curve, 0.1)
    (9, None)
    """
    # a product of fractions that is one half may be off by a last digit
    below = curve.filter(pl.col(column) <= share + 1e-12)
    return None if below.is_empty() else int(below["time"][0])


def _steps(spans: pl.DataFrame, *, cause: int) -> pl.DataFrame:
    """Counts at each length; at risk is who came into view before it and has not gone before it."""
    if spans.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    entry = pl.col("entry") if "entry" in spans.columns else pl.lit(None, pl.Int64)
    # in view from the beginning is not the same as coming into view at 0
    came = pl.when(entry > 0).then(entry).otherwise(_ALWAYS).cast(pl.Int64)
    seen = spans.select(pl.col("time").cast(pl.Int64), pl.col("cause"), _came=came)
    own, ends = pl.col("cause") == cause, pl.col("cause") != CENSORED
    steps = (
        seen.filter(pl.col("time") > pl.col("_came"))
        .group_by("time")
        .agg(
            events=own.sum(), competing=(ends & ~own).sum(), censored=(~ends).sum(), _gone=pl.len()
        )
        .sort("time")
    )
    gone = steps["_gone"].cum_sum() - steps["_gone"]
    watched = seen.filter(pl.col("time") > pl.col("_came"))["_came"].sort()
    there = watched.search_sorted(steps["time"], side="left")
    return steps.with_columns(at_risk=pl.Series(there) - gone).select(
        pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items()
    )


def _over(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Quotient; 0 where the whole is, as at the last end of all, after which the curve stays as it is."""
    return pl.when(whole > 0).then(part / whole).otherwise(0.0)
