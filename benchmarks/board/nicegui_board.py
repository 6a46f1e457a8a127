"""
A program: the board made with NiceGUI, on the same deals: ``python -m benchmarks.board.nicegui_board URL PORT HOW``.

As its documentation has it, state is shared and parts that change are ``ui.refreshable``: HOW is ``whole``, the board
as one such part, or ``columns``, where each column is one and only those that changed are made again.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from threading import Thread
from typing import Any

from nicegui import app, run, ui

from dealdb import DealDatabase

_URL, _PORT, _HOW = sys.argv[1:]
# as the other board has it
_CARDS, _JOIN_S = 30, 0.03
_FIELDS = ("id", "name", "company", "owner", "amount", "expected_close")


@dataclass(frozen=True)
class Column:
    """A stage: its figures, and its first cards where it is open."""

    stage: str
    n: int
    total: str
    weighted: str
    cards: tuple[dict[str, Any], ...]


db = DealDatabase.from_url(_URL)
news = asyncio.Event()


def read() -> dict[str, Column]:
    found = {}
    for row in db.analytics.pipeline().to_dicts():
        is_open = row["kind"] == "open"
        cards = db.query.find(
            f"stage = '{row['stage']}'", sort="-amount", limit=_CARDS * is_open, columns=_FIELDS
        )
        value, weighted = (f"{row[name] or 0:,.2f}" for name in ("value", "weighted"))
        shown_cards = tuple(cards.to_dicts())
        found[row["stage"]] = Column(row["stage"], row["n"], value, weighted, shown_cards)
    return found


columns = read()
# of the last commit, and of one that the columns have for sure
seq = shown = 0


def draw(stage: str) -> None:
    column = columns[stage]
    with ui.column().classes("w-64"):
        ui.label(stage).classes("text-lg")
        ui.label(f"{column.n:,} deals")
        ui.label(column.total)
        ui.label(f"weighted {column.weighted}")
        for each in column.cards:
            with ui.card().classes("w-full"):
                ui.link(each["name"], f"/deals/{each['id']}")
                for name in _FIELDS[2:]:
                    ui.label(f"{each[name]:,}" if name == "amount" else str(each[name]))


def part(stage: str) -> Any:
    @ui.refreshable
    def column() -> None:
        draw(stage)

    return column


parts = {stage: part(stage) for stage in columns}


@ui.refreshable
def commit() -> None:
    ui.label(str(shown)).classes("commit")


@ui.refreshable
def board() -> None:
    with ui.row(wrap=False):
        for stage in columns:
            if _HOW == "columns":
                parts[stage]()
            else:
                draw(stage)


@ui.page("/")
def page() -> None:
    commit()
    board()


def follow(loop: asyncio.AbstractEventLoop) -> None:
    global seq
    for each in db.changes():
        seq = each.seq
        loop.call_soon_threadsafe(news.set)


async def tell() -> None:
    """Commits that follow one another are shown together, as on the other board."""
    global columns, shown
    Thread(target=follow, args=[asyncio.get_running_loop()], daemon=True).start()
    while True:
        await news.wait()
        await asyncio.sleep(_JOIN_S)
        news.clear()
        shown = seq
        before, columns = columns, await run.io_bound(read)
        commit.refresh()
        if _HOW == "whole":
            board.refresh()
            continue
        for stage, column in columns.items():
            if column != before.get(stage):
                parts[stage].refresh()


app.on_startup(tell)
ui.run(host="127.0.0.1", port=int(_PORT), reload=False, show=False, title="Deals")
