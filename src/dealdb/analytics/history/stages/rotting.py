"""Rotting: open deals with which nothing has happened for longer than their stage allows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from dealdb.analytics.exact import ratio
from dealdb.analytics.history.linked import ALL
from dealdb.analytics.history.opens import check_amounts
from dealdb.analytics.history.past import Past, spine
from dealdb.analytics.history.stages.ages import BASES, open_deals, with_age
from dealdb.analytics.options import choice, whole_number
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.model.names import unknown
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import FieldType

_FIGURES = ("rot_days", "n", "rotting", "share", "value", "worst_days")
_MOST_DAYS = 1_000_000


def rotting(
    past: Past,
    *,
    basis: str = "update",
    rot_days: int | Mapping[str, int] | None = None,
    respite: str | None = None,
    ignore_actors: Collection[str] = (),
) -> MetricResult:
    """
    Open deals that are older than the ``rot_days`` of their stage.

    Parameters
    ----------
    past
        The past, up to ``as_of``, the day on which ages are told.
    basis
        Since when days are counted. ``"update"``: the last change of any field. ``"stage"``: the entry into the stage.
        ``"created"``: the creation date. ``"activity"``: the day in the field ``last_activity``.
    rot_days
        Days for all open stages, or by stage; those of the pipeline by default. Stages with 0 or none have no row.
    respite
        A field with a date, such as that of the next step: deals whose date lies after ``as_of`` don't rot.
    ignore_actors
        Whose changes are none, such as a sync's; for ``basis="update"``.

    Returns
    -------
    MetricResult
        A row for each stage with ``rot_days``, in the order of the pipeline: ``n`` open deals, ``rotting``, their
        ``share``, ``value`` (sum of the amounts of those that rot) and ``worst_days`` (the greatest age among them). A
        line for each deal is one for each that rots, those that are longest over their days first.

    Raises
    ------
    QueryError
        If an option can't be understood, ``as_of`` is before the first fact, or amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#rotting
    """
    choice("basis", basis, BASES)
    actors = _actors(ignore_actors, basis)
    limits = _limits(past.pipeline, rot_days)
    keys = past.keys(("stage", *_FIGURES, "from", "to", "at"))
    fields = [] if respite is None else [_date_field(past, respite)]
    deals = open_deals(past, fields).join(limits, on="stage", maintain_order="left")
    aged = with_age(deals, past, basis, ignore_actors=actors)
    if actors:
        changed = "open deals that nobody else has changed, which don't rot"
    else:
        changed = "open deals whose age is not known, which don't rot"
    undated = aged.filter(pl.col("_age").is_null() | (pl.col("_age") < 0)).height
    rots = pl.col("_age") > pl.col("rot_days")
    if respite is not None:
        rots = rots & ~_lies_after(past, respite)
    base = past.grouped(aged.with_columns(_rots=rots.fill_null(value=False)), keys)
    base = past.priced(base.with_columns(value="amount"), is_closed=False)
    check_amounts(base, "value")
    lines = _lines(base.filter("_rots"), past)
    currency, keys = past.currency(lines, keys)
    past.notes.append(f"basis {basis}" + (f", respite {respite}" if respite else ""))
    return past.result(
        "rotting",
        _table(base, keys, limits),
        lines,
        keys=keys,
        rows=("stage",),
        figures=_FIGURES,
        n=base.height,
        counted={"n": lambda _: base, "rotting": ALL},
        currency=currency,
        counts={changed: undated},
    )


def _actors(given: Collection[str], basis: str) -> list[str]:
    is_list = isinstance(given, Collection) and not isinstance(given, str)  # type: ignore[redundant-expr]  # callers may be untyped
    if not is_list or not all(isinstance(each, str) for each in given):
        msg = "ignore_actors is a list of names"
        raise QueryError(msg)
    if given and basis != "update":
        msg = f"ignore_actors is for basis='update', not for {basis!r}"
        raise QueryError(msg)
    return list(given)


def _limits(pipeline: Pipeline, rot_days: int | Mapping[str, int] | None) -> pl.DataFrame:
    """Open stages that deals rot in, with their days, in the order of the pipeline."""
    days: dict[str, int | None] = {
        stage.name: stage.rot_days for stage in pipeline if stage.kind is Kind.OPEN
    }
    if isinstance(rot_days, Mapping):
        for name, number in rot_days.items():
            if name not in days:
                msg = f"rot_days: {unknown('open stage', name, list(days))}"
                raise QueryError(msg)
            days[name] = whole_number("rot_days", number, least=0, most=_MOST_DAYS)
    elif rot_days is not None:
        number = whole_number("rot_days", rot_days, least=0, most=_MOST_DAYS)
        days = dict.fromkeys(days, number)
    found = {name: number for name, number in days.items() if number}
    return pl.DataFrame(
        {"stage": list(found), "rot_days": list(found.values())},
        schema={"stage": pl.String, "rot_days": pl.UInt32},
    )


def _date_field(past: Past, name: str) -> str:
    schema = past.facts.schema
    if not isinstance(name, str) or name not in schema:  # type: ignore[redundant-expr]  # callers may be untyped
        msg = f"respite: {unknown('column', str(name), list(schema))}"
        raise QueryError(msg)
    if schema[name].type not in (FieldType.DATE, FieldType.DATETIME):
        msg = f"respite={name!r} is a field of {schema[name].describe()}, not of dates"
        raise QueryError(msg)
    return name


def _lies_after(past: Past, name: str) -> pl.Expr:
    day = pl.col(name)
    if past.facts.schema[name].type is FieldType.DATETIME:
        day = past.zone.days(day)
    return (day > past.day).fill_null(value=False)


def _lines(rots: pl.DataFrame, past: Past) -> pl.DataFrame:
    over = pl.col("_age") - pl.col("rot_days")
    told = rots.with_columns(
        pl.col("_day").cast(pl.String).alias("from"), pl.lit(str(past.day)).alias("to"), _over=over
    )
    return told.sort("_over", "life", descending=[True, False])


def _table(base: pl.DataFrame, keys: list[str], limits: pl.DataFrame) -> pl.DataFrame:
    by = [*keys, "stage"]
    cells = base.group_by(by).agg(
        n=pl.len().cast(pl.UInt32),
        rotting=pl.col("_rots").sum().cast(pl.UInt32),
        value=pl.col("value").filter("_rots").sum(),
        worst_days=pl.col("_age").filter("_rots").max().cast(pl.UInt32),
    )
    rows = spine(base, keys, "stage", limits["stage"].to_list())
    table = rows.join(limits, on="stage", maintain_order="left").join(
        cells, on=by, how="left", nulls_equal=True, maintain_order="left"
    )
    filled = table.with_columns(pl.col("n", "rotting", "value").fill_null(0))
    return filled.with_columns(share=ratio(filled["rotting"], filled["n"]))
