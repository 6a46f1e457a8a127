"""Figures of the board's columns: those of ``analytics.pipeline``, by stage and, in swimlanes, by lane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dealdb.analytics.options import label_of_none
from dealdb.model.pipeline import Kind

if TYPE_CHECKING:
    import polars as pl

    from dealdb.analytics.result import MetricResult
    from dealdb.store.replica.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSum:
    """
    Money of one currency.

    Attributes
    ----------
    currency
        Its code; None for amounts without one.
    n
        Number of deals with an amount.
    value
        Sum of the amounts.
    weighted
        Of open deals, sum of amount times probability; None for won and lost ones.
    """

    currency: str | None
    n: int
    value: Decimal
    weighted: Decimal | None


@dataclass(slots=True, kw_only=True)
class StageFigures:
    """
    Figures of the deals of a stage.

    Attributes
    ----------
    stage
        Its name; None for deals without one.
    kind
        Whether they are open, won or lost.
    lane
        Value of the swimlane's column; None for none, and where there are no lanes.
    n, rotting, overdue, blank
        Numbers of deals: all, unchanged for too long, expected to close before today, without an amount.
    sums
        A line for each currency, the order being that of the metric.
    """

    stage: str | None
    kind: Kind
    lane: str | None = None
    n: int = 0
    rotting: int = 0
    overdue: int = 0
    blank: int = 0
    sums: list[StageSum] = field(default_factory=list)


def stage_figures(
    result: MetricResult, deals: Snapshot, lanes: str | None = None
) -> list[StageFigures]:
    """
    Figures by lane and stage, in the order of the result, several currencies together.

    Parameters
    ----------
    result
        Of ``analytics.pipeline``.
    deals
        What it was made of.
    lanes
        Column that the result is grouped by.

    Examples
    --------
    >>> from dealdb.analytics import Analytics
    >>> from dealdb.query import QueryEngine
    >>> demo = {"stage": "Demo", "amount": Decimal(5)}
    >>> query = QueryEngine.over([demo | {"currency": "EUR"}, demo | {"currency": "USD"}])
    >>> found = stage_figures(Analytics(query.select).pipeline(), query.select())
    >>> [(each.stage, each.n, [(s.currency, s.value) for s in each.sums]) for each in found]
    [('Demo', 2, [('EUR', Decimal('5')), ('USD', Decimal('5'))])]
    """
    frame = result.frame
    has_currency = "currency" in frame.columns
    columns = ["stage", *filter(None, [lanes]), *(["currency"] if has_currency else [])]
    none = {name: label_of_missing(frame, deals, name) for name in columns}
    found: dict[tuple[str | None, str | None], StageFigures] = {}
    for row in frame.iter_rows(named=True):
        values = {name: None if row[name] == none[name] else row[name] for name in columns}
        stage, lane = values["stage"], values[lanes] if lanes else None
        figures = found.setdefault(
            (lane, stage), StageFigures(stage=stage, lane=lane, kind=Kind(row["kind"]))
        )
        _add(figures, row, values["currency"] if has_currency else result.basis.currency)
    return list(found.values())


def _add(figures: StageFigures, row: Mapping[str, Any], currency: str | None) -> None:
    figures.n += row["n"]
    figures.rotting += row["rotting"]
    figures.overdue += row["overdue"]
    figures.blank += row["blank"]
    # a currency that no deal here has is no line
    if row["n"] > row["blank"]:
        figures.sums.append(
            StageSum(
                currency=currency,
                n=row["n"] - row["blank"],
                value=row["value"],
                weighted=row["weighted"],
            )
        )


def label_of_missing(frame: pl.DataFrame, deals: Snapshot, column: str) -> str | None:
    """
    What a result calls the group of deals without a value in a column; None where there is no such deal.

    Parameters
    ----------
    frame
        The result's.
    deals
        What it was made of; one of them may have a value that reads like that label.
    column
        The column.
    """
    if column not in deals.rows.columns:
        return str(frame[column][0]) if frame.height else None
    values = deals.rows[column]
    if not values.null_count():
        return None
    kept = values if deals.kept is None else values.filter(deals.kept)
    return label_of_none(kept.unique()) if kept.null_count() else None
