"""
Tables of stages, as CRMs export them next to the deals: what an id in the deals is called, and what it means.

HubSpot has ``stage_id, label, display_order, probability, is_closed, closed_won``, Salesforce
``ApiName, MasterLabel, SortOrder, DefaultProbability, IsClosed, IsWon``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.chunk import Chunk, Source, unmarked
from dealdb.loader.columns.headers import find_header, nearest_header
from dealdb.loader.columns.stage_flags import kind_of
from dealdb.loader.derive.derived_source import DerivedSource
from dealdb.loader.sources.open import open_source
from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema

_HEADERS = {
    "id": ("stage_id", "api_name", "id", "value"),
    "label": ("label", "master_label", "name", "stage_name", "stage"),
    "order": ("display_order", "sort_order", "order_nr", "order"),
    "probability": ("probability", "default_probability", "deal_probability"),
    "won": ("closed_won", "is_won", "won"),
    "closed": ("is_closed", "closed"),
}


@dataclass(frozen=True, slots=True)
class StageTable:
    """
    Stages of a table.

    Attributes
    ----------
    labels
        Name by id.
    stages
        In order; open ones first, won and lost last.
    """

    labels: Mapping[str, str]
    stages: tuple[Stage, ...]

    def defining(self, pipeline: Pipeline) -> Pipeline:
        """Pipeline that has these stages as the table defines them, and keeps the others."""
        known = {stage.name: stage for stage in pipeline}
        own = [_with_what_no_table_says(stage, known.get(stage.name)) for stage in self.stages]
        others = [stage for stage in pipeline if stage.name not in self.labels.values()]
        stages = sorted([*own, *others], key=lambda stage: stage.kind.rank)
        return pipeline.with_stages(stages)


def _with_what_no_table_says(stage: Stage, known: Stage | None) -> Stage:
    if known is None:
        return stage
    return replace(stage, rot_days=known.rot_days, category=known.category)


def read_stages(source: Any) -> StageTable:
    """
    Table of stages from anything that deals are loaded from.

    Raises
    ------
    LoadError
        If it can't be read, has no column of ids, or one name stands for stages of different outcomes.

    Examples
    --------
    >>> rows = [
    ...     {"stage_id": "s2", "label": "Won", "closed_won": "true", "is_closed": "true"},
    ...     {"stage_id": "s1", "label": "Demo", "closed_won": "false", "is_closed": "false"},
    ... ]
    >>> table = read_stages(rows)
    >>> table.labels["s2"], [stage.name for stage in table.stages]
    ('Won', ['Demo', 'Won'])
    """
    rows = stage_rows(source)
    labels = {str(row["id"]): str(row["label"] or row["id"]) for row in rows}
    return StageTable(labels, tuple(_stages(rows)))


def stage_rows(source: Any) -> list[dict[str, str | None]]:
    """
    Rows of a table of stages, in the order of the stages, with the same names whatever program wrote it.

    Returns
    -------
    list
        For each stage ``id``, ``label``, ``order``, ``probability``, ``won`` and ``closed``, None where it has none.

    Raises
    ------
    LoadError
        If it can't be read, or has no column of ids.

    Examples
    --------
    >>> [(row["id"], row["label"]) for row in stage_rows([{"id": 4, "name": "Demo"}])]
    [('4', 'Demo')]
    """
    with ExitStack() as keep:
        opened = open_source(source, format=None, delimiter=None, keep=keep)
        frame = pl.concat([chunk.frame for chunk in opened.chunks()], how="diagonal")
    headers = {
        role: next((h for h in (find_header(name, frame.columns) for name in names) if h), None)
        for role, names in _HEADERS.items()
    }
    if headers["id"] is None:
        nearest = nearest_header("stage_id", map(unmarked, frame.columns))
        msg = f"stages: no column has the ids of stages (stage_id); {nearest}"
        raise LoadError(msg)
    cells = {
        role: frame[header].to_list() if header else [None] * frame.height
        for role, header in headers.items()
    }
    rows = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
    return sorted((row for row in rows if row["id"]), key=lambda row: _number(row["order"]) or 0)


class WithStages(DerivedSource):
    """
    A source whose stages are called by the labels of a table.

    Parameters
    ----------
    source
        The rows.
    table
        The labels.
    mapping
        Field by header, as the caller chose.
    schema
        Fields that exist.
    """

    def __init__(
        self,
        source: Source,
        table: StageTable,
        mapping: Mapping[str, str | None] | None,
        schema: Schema,
    ) -> None:
        super().__init__(source, mapping, schema)
        self._table = table

    @property
    def notes(self) -> list[str]:
        """What was detected."""
        return [*super().notes, f"stages from a table: {len(self._table.labels)}"]

    def _begin(self) -> Callable[[Chunk], Chunk]:
        return self._named

    def _named(self, chunk: Chunk) -> Chunk:
        """Rows with the names of stages for their ids."""
        labels, header = self._table.labels, self._stage_header(chunk.frame.columns)
        if header is None or not labels:
            return chunk
        named = chunk.frame[header].replace(list(labels), list(labels.values()))
        return replace(chunk, frame=chunk.frame.with_columns(named.alias(header)))


def _stages(rows: Iterable[Mapping[str, str | None]]) -> list[Stage]:
    stages: dict[str, Stage] = {}
    for row in rows:
        name = str(row["label"] or row["id"])
        proposed = Pipeline().covering([name]).stages[0]
        kind = kind_of(row["won"], row["closed"]) or proposed.kind
        chance = _number(row["probability"])
        chance = chance if chance is None or chance <= 1 else chance / 100
        if kind is not Kind.OPEN:
            chance = Decimal(kind is Kind.WON)
        stage = Stage(name, kind, chance)
        if stages.setdefault(name, stage).kind is not kind:
            msg = f"stages: {name!r} stands for {stages[name].kind} and {kind} in one table; give one pipeline's stages"
            raise LoadError(msg)
    return sorted(stages.values(), key=lambda stage: stage.kind.rank)


def _number(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None
