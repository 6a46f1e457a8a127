"""The board: a column for each stage, with its figures and its first deals as cards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dealdb.board.kanban.board_view import MadeBoard, board_view
from dealdb.board.kanban.making import BoardColumn
from dealdb.board.kanban.options import COMPUTED, PERIODS, SORTS
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.offers import offers
from dealdb.model.schema import FieldType

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
    from dealdb.model.schema import Schema

MOST_REASONS = 20


def show(asked: PageRequest) -> Shown:
    """The columns, and what can be chosen."""
    view = board_view(asked)
    schema = asked.db.schema
    return Shown(
        for_template={
            "view": view,
            "stages": list(asked.db.pipeline),
            "asks_reason": "loss_reason" in schema,
            "reasons": [] if asked.read_only else _reasons(asked, schema),
            "sorts": {
                word: label for word, label in SORTS.items() if word.removeprefix("-") in schema
            },
            "sort": ",".join(view.options.sort),
            "periods": PERIODS,
            "period": asked.option("closed", "30"),
            "lanes_by": [
                name
                for name, field in schema.items()
                if field.type is FieldType.TEXT and name not in ("id", "name", "stage", "currency")
            ],
            "fields": [
                *(name for name in schema if name not in ("id", "name", "stage")),
                *COMPUTED,
            ],
        },
        data=partial(_data, view),
        table=view.frame,
    )


def _reasons(asked: PageRequest, schema: Schema) -> list[str]:
    """Why deals were lost so far."""
    return offers(asked.db.query, ["loss_reason"], schema, MOST_REASONS).get("loss_reason", [])


def _data(view: MadeBoard) -> dict[str, Any]:
    return {
        "commit": view.seq,
        "deals": view.deals,
        "kept": view.kept,
        "columns": [_column(each) for each in [*view.columns, *view.closed]],
        "lanes": [
            {"value": lane.value, "n": lane.n, "columns": [_column(each) for each in lane.columns]}
            for lane in view.lanes
        ],
        "warnings": list(view.warnings),
    }


def _column(column: BoardColumn) -> dict[str, Any]:
    figures = column.figures
    return {
        "stage": figures.stage,
        "kind": str(figures.kind),
        "n": figures.n,
        "rotting": figures.rotting,
        "overdue": figures.overdue,
        "sums": [
            {"currency": each.currency, "value": each.value, "weighted": each.weighted}
            for each in figures.sums
        ],
        "cards": [each.id for each in column.cards],
    }


BOARD = BoardPage(path="/", title="Board", template="board.html", show=show)
