"""Survival of deals in a stage: how many are still there, or not won yet, after each number of days."""

from __future__ import annotations

from functools import partial

import polars as pl

from dealdb.analytics.calendar.zone import DAY_MS, in_days
from dealdb.analytics.estimates.curves import first_at_most, incidence, kaplan_meier
from dealdb.analytics.history.linked import Counted, Row
from dealdb.analytics.history.past import Past
from dealdb.analytics.history.spans import EXITED
from dealdb.analytics.options import Day, choice, share
from dealdb.analytics.prediction.ends import CENSORED, LOST, WON, closings_after, kinds, visits
from dealdb.analytics.result import MetricResult
from dealdb.errors import NotYetKnown, QueryError
from dealdb.model.names import unknown

_CURVE = ("days", "at_risk", "events", "censored", "s", "lo", "hi")
_COMPETING = (*_CURVE, "competing", "incidence")
_EVENTS = {"left": _CURVE, "forward": _COMPETING, "closed": _CURVE, "won": _COMPETING}
_DTYPES = {name: pl.UInt32() for name in ("at_risk", "events", "censored", "competing")}


def survival(
    past: Past, stage: str, *, event: str = "left", since: Day = None, level: float = 0.95
) -> MetricResult:
    """
    Share of visits to a stage that something has not ended yet, by days since the entry.

    Deals that stand there at ``as_of`` count for as long as they have been there, and deleted ones until then, so that
    the curve isn't too short as a mean of visits that ended is.

    Parameters
    ----------
    past
        The past, up to ``as_of``.
    stage
        Name of the stage; each visit to it counts by itself.
    event
        ``"left"``: the visit ended. ``"closed"``: the deal was won or lost, from whichever stage. ``"forward"`` (it
        moved to a later open stage or was won) and ``"won"`` can be made impossible by another end, so they are
        cumulative incidences (Aalen-Johansen), and ``s`` is one minus that: one minus Kaplan-Meier would be too much.
    since
        Day from which history is known: a visit that began before counts from then on, at the age that it had.
    level
        Of the interval.

    Returns
    -------
    MetricResult
        A row for each length at which something ended or was last seen: ``days``, ``at_risk``, ``events``,
        ``censored``, ``s``, ``lo``, ``hi``; of ``"forward"`` and ``"won"`` also ``competing`` (other ends) and
        ``incidence``. Without groups the notes have the median: the first length at which ``s`` is at most one half.

    Raises
    ------
    QueryError
        If an option can't be understood, the pipeline has no such stage, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#survival
    """
    figures = _EVENTS[choice("event", event, _EVENTS)]
    names = [each.name for each in past.pipeline]
    if not names:
        raise NotYetKnown("no stage is in the history: nothing tells how long deals stay in one")
    if stage not in names:
        raise QueryError(unknown("stage", str(stage)[:40], names))
    level = share("level", level, "a share between 0 and 1")
    keys = past.keys(_COMPETING)
    first, _, window = past.bounds(since, None)
    # by their own next stage, visits have to be found before one stage is chosen
    own = visits(past).filter(pl.col("stage") == stage)
    lines = _timed(past, own, event, first)
    lines = past.grouped(lines.with_columns(at="end"), keys)
    parts = _partitions(lines, keys)
    curves = [_curve(part, event, level).with_columns(**group) for group, part in parts]
    medians = [(group, first_at_most(each)) for (group, _), each in zip(parts, curves, strict=True)]
    past.notes.extend([f"stage {stage!r}", *_told(event, medians)])
    curve = pl.concat(curves)
    return past.result(
        "survival",
        curve.with_columns(days=in_days(curve["time"])),
        _shown(lines) if past.deals else lines,
        keys=keys,
        rows=("days",),
        line_rows=(),
        figures=figures[1:],
        counted=_counted(lines),
        n=lines["life"].n_unique(),
        window=window if first is not None else None,
    )


def _timed(past: Past, own: pl.DataFrame, event: str, first: int | None) -> pl.DataFrame:
    """Each visit with ``time`` (milliseconds), ``cause``, ``entry`` and ``end``."""
    moment = past.moment
    ended = pl.col("how") == EXITED
    if event == "left":
        found = own.with_columns(cause=ended.cast(pl.UInt8), end=pl.col("left").fill_null(moment))
    elif event == "forward":
        places = kinds(past.pipeline)
        goals = places.select(goal="stage", _cause="cause", _goal="place")
        place = places.select("stage", "place")
        joined = own.join(goals, on="goal", how="left").join(place, on="stage", how="left")
        ahead = (pl.col("_goal") > pl.col("place")) & (pl.col("_cause") != LOST)
        cause = pl.when(ended).then(pl.when(ahead.fill_null(value=False)).then(WON).otherwise(LOST))
        found = joined.with_columns(
            cause=cause.otherwise(0).cast(pl.UInt8), end=pl.col("left").fill_null(moment)
        )
    else:
        found = _until_closed(past, own)
        if event == "closed":
            found = found.with_columns(cause=pl.col("cause").clip(0, 1))
    time = pl.col("end") - pl.col("entered")
    entry = pl.lit(None, pl.Int64) if first is None else (first - pl.col("entered")).clip(0)
    known = found.with_columns(time=time, entry=entry)
    # what was over before history began was never in view
    return known if first is None else known.filter(pl.col("end") > first)


def _until_closed(past: Past, own: pl.DataFrame) -> pl.DataFrame:
    """Visits until the next change into a won or lost stage; else until the deal was deleted, or ``as_of``."""
    closed = closings_after(past).rename({"at": "_closed"})
    gone = past.facts.lives.select("life", _gone=pl.when(pl.col("end") < past.moment).then("end"))
    joined = (
        own.sort("entered")
        .join_asof(
            closed,
            left_on="entered",
            right_on="_closed",
            by="life",
            strategy="forward",
            check_sortedness=False,
            allow_exact_matches=False,
        )
        .join(gone, on="life", how="left", maintain_order="left")
    )
    return joined.with_columns(
        cause=pl.col("cause").fill_null(0), end=pl.coalesce("_closed", "_gone", past.moment)
    )


def _curve(own: pl.DataFrame, event: str, level: float) -> pl.DataFrame:
    spans = own.select("time", "cause", "entry")
    if _EVENTS[event] is _CURVE:
        return kaplan_meier(spans, level)
    curve = incidence(spans, WON, level)
    return curve.with_columns(s=1 - pl.col("incidence"), lo=1 - pl.col("hi"), hi=1 - pl.col("lo"))


def _partitions(
    lines: pl.DataFrame, keys: list[str]
) -> list[tuple[dict[str, pl.Expr], pl.DataFrame]]:
    """Groups in order, with their values as literals of the types of their columns."""
    if not keys or lines.is_empty():
        none = {key: pl.lit(None, lines.schema[key]).alias(key) for key in keys}
        return [(none, lines)]
    ordered = lines.sort(keys, nulls_last=True, maintain_order=True)
    parts = ordered.partition_by(keys, as_dict=True, maintain_order=True)
    return [
        (
            {key: pl.lit(value, lines.schema[key]) for key, value in zip(keys, group, strict=True)},
            part,
        )
        for group, part in parts.items()
    ]


def _shown(lines: pl.DataFrame) -> pl.DataFrame:
    moments = {
        shown: pl.col(name).cast(pl.Datetime("ms", "UTC")).dt.to_string("iso")
        for name, shown in (("entered", "from"), ("end", "to"))
    }
    return lines.with_columns(value=in_days(lines["time"]), **moments)


def _counted(lines: pl.DataFrame) -> dict[str, Counted]:
    """Which visits the counts of a row are of: those of its length, and of at least that."""
    how = {
        "events": pl.col("cause") == WON,
        "competing": pl.col("cause") > WON,
        "censored": pl.col("cause") == CENSORED,
    }

    def at_risk(row: Row) -> pl.DataFrame:
        is_long = pl.col("value") >= row["days"]
        came = in_days(lines["entry"].fill_null(-1)) < row["days"]
        return _shown(lines).filter(is_long & came)

    def ended(row: Row, condition: pl.Expr) -> pl.DataFrame:
        return _shown(lines).filter((pl.col("value") == row["days"]) & condition)

    return {
        "at_risk": at_risk,
        **{name: partial(ended, condition=each) for name, each in how.items()},
    }


def _told(event: str, medians: list[tuple[dict[str, pl.Expr], int | None]]) -> list[str]:
    told = [f"event {event}"]
    if event in ("forward", "won"):
        told.append("other ends compete: cumulative incidence, not Kaplan-Meier")
    if len(medians) == 1 and not medians[0][0]:
        median = medians[0][1]
        told.append(
            "median never reached" if median is None else f"median {median / DAY_MS:g} days"
        )
    return told
