"""What is known of the stages of a history: their labels, and which are won or lost."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dealdb.loader.columns.stage_flags import kind_of
from dealdb.loader.derive.stage_table import stage_rows
from dealdb.model.pipeline import Kind, Pipeline

_KINDS = (Kind.WON, Kind.LOST)


class KnownStages:
    """
    What is known of stages: their labels, and which are won or lost.

    Parameters
    ----------
    source
        Table of stages, or None.
    pipeline
        Stages of the collection, or None.
    """

    def __init__(self, source: Any, pipeline: Pipeline | None) -> None:
        rows = [] if source is None else stage_rows(source)
        self.labels = {str(row["id"]): str(row["label"] or row["id"]) for row in rows}
        self._pipeline = Pipeline() if pipeline is None else pipeline
        kinds = ((self.labels[str(row["id"])], kind_of(row["won"], row["closed"])) for row in rows)
        self._said = {label: kind for label, kind in kinds if kind is not None}

    def told(self, names: Collection[str]) -> dict[str, set[Kind]]:
        """What the table says of these stages."""
        return {name: {self._said[name]} for name in names if name in self._said}

    def closed_among(self, names: Collection[str], flagged: Collection[str]) -> list[str]:
        """Stages that are won or lost: by the collection, else by the source, else by their names."""
        proposed = self._pipeline.covering(names)
        closed = {name for kind in _KINDS for name in proposed.names(kind)}
        own = [name for name in names if name in self._pipeline]
        said = {name for name in names if self._said.get(name) in _KINDS} | set(flagged)
        open_ = {name for name in names if self._said.get(name) is Kind.OPEN}
        others = [name for name in names if name not in self._pipeline]
        return [
            *(name for name in own if name in closed),
            *(name for name in others if name in said or (name in closed and name not in open_)),
        ]

    def outcomes(self) -> tuple[str, str]:
        """Stages of deals that are won and lost by a status."""
        won, lost = (self._pipeline.names(kind) for kind in _KINDS)
        return (won or ["Won"])[0], (lost or ["Lost"])[0]
