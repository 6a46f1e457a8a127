"""
Sources that give the outcome next to the stage: Pipedrive's ``Status``, which is Open, Won or Lost.

There a deal that is won or lost keeps the stage that it was in. Here the stage gives the outcome, so such a deal
gets the stage Won or Lost, and the one that it was in becomes a field of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import polars as pl

from dealdb.loader.chunk import Chunk, Source
from dealdb.loader.columns.headers import find_header
from dealdb.loader.derive.derived_source import DerivedSource
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import Schema

STAGE_BEFORE = "stage at close"
_STATUS = ("status", "deal_status")
_NAMES = {"won": "Won", "lost": "Lost"}


class WithStatuses(DerivedSource):
    """
    A source in which deals whose status is won or lost are in a stage that says so.

    Parameters
    ----------
    source
        The rows.
    mapping
        Field by header, as the caller chose.
    schema
        Fields that exist.
    pipeline
        Stages that exist: one that is won or lost already stays.
    """

    def __init__(
        self,
        source: Source,
        mapping: Mapping[str, str | None] | None,
        schema: Schema,
        pipeline: Pipeline,
    ) -> None:
        super().__init__(source, mapping, schema)
        self._pipeline = pipeline
        self._status = ""

    @property
    def notes(self) -> list[str]:
        """What was detected."""
        told = (
            f"deals that are won or lost by {self._status!r} got the stages 'Won' and 'Lost', "
            "and 'stage_at_close' has the one before"
        )
        return [*super().notes, *([told] if self._status else [])]

    def _begin(self) -> Callable[[Chunk], Chunk]:
        return self._closed

    def _closed(self, chunk: Chunk) -> Chunk:
        """Rows with the stages that their statuses give."""
        found = self._headers(chunk.frame.columns)
        return self._told(chunk, *found) if found else chunk

    def _headers(self, headers: Collection[str]) -> tuple[str, str] | None:
        """Headers of the stage and of the status, where a source has both."""
        stage = self._stage_header(headers)
        status = next((h for h in (find_header(each, headers) for each in _STATUS) if h), None)
        if stage is None or status is None or status == stage or status in self._chosen(headers):
            return None
        return stage, status

    def _told(self, chunk: Chunk, stage: str, status: str) -> Chunk:
        told = chunk.frame[status].str.strip_chars().str.to_lowercase()
        closed = told.is_in(list(_NAMES)).fill_null(value=False)
        closed &= ~chunk.frame[stage].is_in(self._closed_stages(chunk.frame[stage])).fill_null(
            value=False
        )
        if closed.any():
            self._status = status
        nothing = pl.repeat(None, len(closed), dtype=pl.String, eager=True)
        names = told.replace_strict(_NAMES, default=None, return_dtype=pl.String)
        frame = chunk.frame.with_columns(
            names.zip_with(closed, chunk.frame[stage]).alias(stage),
            chunk.frame[stage].zip_with(closed, nothing).alias(STAGE_BEFORE),
        )
        shapes = [
            shape | {stage, STAGE_BEFORE} if status in shape else shape for shape in chunk.shapes
        ]
        return replace(chunk, frame=frame, shapes=shapes)

    def _closed_stages(self, stages: pl.Series) -> list[str]:
        """Stages that give an outcome themselves."""
        pipeline = self._pipeline.covering(stages.drop_nulls().unique().to_list())
        return [*pipeline.names(Kind.WON), *pipeline.names(Kind.LOST)]
