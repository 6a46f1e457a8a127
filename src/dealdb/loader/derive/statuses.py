"""
Sources that give the outcome next to the stage: Pipedrive's ``Status``, which is Open, Won or Lost.

There a deal that is won or lost keeps the stage that it was in. Here the stage gives the outcome, so such a deal
gets the stage Won or Lost, and the one that it was in becomes a field of its own. ERPNext says Converted, Copper
Abandoned, and Odoo archives the deals that were lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from dealdb.loader.cells.truth_words import FALSE_WORDS
from dealdb.loader.chunk import Chunk, Source
from dealdb.loader.columns.headers import find_header
from dealdb.loader.derive.derived_source import DerivedSource
from dealdb.model.pipeline import Kind, Pipeline
from dealdb.model.schema import Schema
from dealdb.model.stage_words import is_outcome, meaning_of

STAGE_BEFORE = "stage at close"
_STATUS = (
    "status", "deal_status", "opportunity_status", "opportunity_state", "won_status", "state", "deal_state",
    "statecode", "outcome", "deal_outcome", "estado", "statut", "stato", "ergebnis", "resultado", "résultat",
    "risultato", "resultaat",
)  # fmt: skip
_ARCHIVED = ("active", "aktiv", "activo", "actif", "attivo", "actief", "ativo")
_REASON = (
    "lost_reason", "lost_reason_id", "lost_reason_id/name", "loss_reason", "verlustgrund", "motivo_de_pérdida",
    "raison_de_perte", "motivo_della_perdita", "motivo_perdita", "reden_van_verlies", "motivo_da_perda",
)  # fmt: skip
_NAMES = {Kind.WON: "Won", Kind.LOST: "Lost"}


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """The stage that the outcome of each row gives, null where there is none; and the header that says so."""

    names: pl.Series
    header: str


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
        self._statuses: list[str] = []

    @property
    def notes(self) -> list[str]:
        """What was detected."""
        told = (
            f"deals that are won or lost by {header!r} got the stages 'Won' and 'Lost', "
            "and 'stage_at_close' has the one before"
            for header in self._statuses
        )
        return [*super().notes, *told]

    def _begin(self) -> Callable[[Chunk], Chunk]:
        return self._closed

    def _closed(self, chunk: Chunk) -> Chunk:
        """Rows with the stages that their statuses give."""
        headers = chunk.frame.columns
        stage = self._stage_header(headers)
        if stage is None:
            return chunk
        said = [
            _Outcomes(_outcomes_of(chunk.frame[header]), header)
            for header in self._free(_STATUS, headers)
            if header != stage
        ]
        if lost := self._by_archive(chunk.frame):
            said.append(lost)
        for found in said:
            chunk = self._told(chunk, stage, found)
        return chunk

    def _by_archive(self, frame: pl.DataFrame) -> _Outcomes | None:
        """Odoo archives a deal that is lost, in the stage that it was in; others are archived without a reason."""
        found = [self._free(names, frame.columns)[:1] for names in (_ARCHIVED, _REASON)]
        if not all(found):
            return None
        active, reason = (headers[0] for headers in found)
        archived = _lower(frame[active]).is_in(list(FALSE_WORDS)).fill_null(value=False)
        why = _lower(frame[reason])
        archived &= (why.is_not_null() & (why != "") & ~why.is_in(["false", "0"])).fill_null(
            value=False
        )
        lost = pl.DataFrame({"lost": archived}).select(
            pl.when("lost").then(pl.lit(_NAMES[Kind.LOST]))
        )
        return _Outcomes(lost.to_series(), active)

    def _free(self, names: Iterable[str], headers: Collection[str]) -> list[str]:
        """Headers of these names that the caller has not mapped."""
        chosen = {find_header(name, headers) for name in self._mapping}
        found = (find_header(name, headers) for name in names)
        return [header for header in dict.fromkeys(found) if header and header not in chosen]

    def _told(self, chunk: Chunk, stage: str, found: _Outcomes) -> Chunk:
        stages = chunk.frame[stage]
        closed = found.names.is_not_null()
        closed &= ~stages.is_in(self._closed_stages(stages)).fill_null(value=False)
        if closed.any() and found.header not in self._statuses:
            self._statuses.append(found.header)
        before = chunk.frame.get_column(STAGE_BEFORE, default=None)
        if before is None:
            before = pl.repeat(None, len(closed), dtype=pl.String, eager=True)
        frame = chunk.frame.with_columns(
            found.names.zip_with(closed, stages).alias(stage),
            stages.zip_with(closed, before).alias(STAGE_BEFORE),
        )
        shapes = [
            shape | {stage, STAGE_BEFORE} if found.header in shape else shape
            for shape in chunk.shapes
        ]
        return replace(chunk, frame=frame, shapes=shapes)

    def _closed_stages(self, stages: pl.Series) -> list[str]:
        """Stages that give an outcome themselves."""
        pipeline = self._pipeline.covering(stages.drop_nulls().unique().to_list())
        return [*pipeline.names(Kind.WON), *pipeline.names(Kind.LOST)]


def _lower(cells: pl.Series) -> pl.Series:
    return cells.str.strip_chars().str.to_lowercase()


def _outcomes_of(statuses: pl.Series) -> pl.Series:
    """Stages that statuses give, null for those that are no outcome."""
    said = {
        text: _NAMES[Kind(meaning_of(text))]
        for text in statuses.drop_nulls().unique().to_list()
        if is_outcome(text)
    }
    return statuses.replace_strict(said, default=None, return_dtype=pl.String)
