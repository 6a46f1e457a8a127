"""Which stages are won, lost or open, where a source has flags that say so and names don't."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

import polars as pl

from dealdb.loader.cells.truth_words import FALSE_WORDS, TRUE_WORDS
from dealdb.model.pipeline import Kind, Pipeline, Stage

# fields that the flags of Salesforce and HubSpot become
_WON = ("is_won", "closed_won", "hs_is_closed_won", "is_closed_won")
_CLOSED = ("is_closed", "hs_is_closed")


def outcomes_in(
    frame: pl.DataFrame, mapping: Mapping[str, str | None]
) -> Iterator[tuple[str, Kind]]:
    """
    Stages of some rows with the outcome that the flags next to them give.

    Examples
    --------
    >>> rows = pl.DataFrame(
    ...     {"Stage": ["S9", "S8"], "IsWon": ["true", "false"], "IsClosed": ["1", "1"]}
    ... )
    >>> fields = {"Stage": "stage", "IsWon": "is_won", "IsClosed": "is_closed"}
    >>> [(name, str(kind)) for name, kind in outcomes_in(rows, fields)]
    [('S9', 'won'), ('S8', 'lost')]
    """
    headers = {field: header for header, field in mapping.items() if header in frame.columns}
    stage = headers.get("stage")
    won, closed = (
        next((headers[f] for f in flags if f in headers), None) for flags in (_WON, _CLOSED)
    )
    if stage is None or won is None or closed is None:
        return
    for name, is_won, is_closed in (
        frame.select(stage, won, closed).unique(maintain_order=True).rows()
    ):
        kind = kind_of(is_won, is_closed)
        if name and kind:
            yield name, kind


def told(pipeline: Pipeline, known: Pipeline, outcomes: Mapping[str, Collection[Kind]]) -> Pipeline:
    """
    Pipeline in which stages that are new have the outcome that all rows agree on.

    Parameters
    ----------
    pipeline
        With the new stages, as their names propose them.
    known
        Without them; what is defined there stays.
    outcomes
        What the rows say, by stage.
    """
    stages = [
        stage if stage.name in known else _with_kind(stage, outcomes.get(stage.name, ()))
        for stage in pipeline
    ]
    return Pipeline(tuple(sorted(stages, key=lambda stage: stage.kind.rank)))


def _with_kind(stage: Stage, kinds: Collection[Kind]) -> Stage:
    kind = next(iter(kinds)) if len(kinds) == 1 else stage.kind
    if kind is stage.kind:
        return stage
    # an open stage whose name says otherwise has no place that would give its chances
    return replace(
        stage, kind=kind, probability=None if kind is Kind.OPEN else Decimal(kind is Kind.WON)
    )


def kind_of(is_won: str | None, is_closed: str | None) -> Kind | None:
    """
    Outcome that two flags give, or None if they don't.

    Examples
    --------
    >>> str(kind_of("FALSE", "TRUE"))
    'lost'
    """
    won, closed = _flag(is_won), _flag(is_closed)
    if won:
        return Kind.WON
    if closed is None or (closed and won is None):
        return None
    return Kind.LOST if closed else Kind.OPEN


def _flag(cell: str | None) -> bool | None:
    word = (cell or "").strip().lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None
