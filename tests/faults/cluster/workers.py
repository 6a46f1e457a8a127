"""What the processes of a run do until the board says it is over: save, load and read."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dealdb import DealDatabase
from dealdb.errors import OutcomeUnknown, StoreError
from faults.cluster.board import CELLS, Board

# rows of one load, and of all: beyond that the time goes to saves
_ROWS = (50, 700, 4_000)
_MOST_ROWS = 150_000


@dataclass(frozen=True)
class Setup:
    """What all processes are told."""

    folder: str
    url: str
    seed: int
    processes: int
    threads: int

    @property
    def slots(self) -> int:
        return self.processes * self.threads

    def board(self) -> Board:
        return Board(Path(self.folder, "board"), self.slots)

    def open(self) -> DealDatabase:
        return DealDatabase.from_url(self.url, socket_timeout_s=1.0, retry_deadline_s=20.0)

    def note(self, name: str, found: dict[str, Any]) -> None:
        """Leave what a process found for the verdict."""
        Path(self.folder, f"{name}.json").write_text(json.dumps(found))


class Saver(threading.Thread):
    """Deals that count up, each of this thread alone; and deals that are made, and deleted again."""

    def __init__(self, setup: Setup, db: DealDatabase, board: Board, slot: int) -> None:
        super().__init__()
        self._db, self._board, self._slot = db, board, slot
        self._draw = random.Random(f"{setup.seed} {slot}")
        self._first = slot * CELLS
        self._tried = [0] * CELLS
        # number and moment of each acknowledged save, by cell; and numbers whose outcome nobody knows
        self.acked: list[list[tuple[int, float]]] = [[] for _ in range(CELLS)]
        self.unknown: list[list[int]] = [[] for _ in range(CELLS)]
        self.made: dict[str, float] = {}
        self.deleted: dict[str, float] = {}
        self.in_doubt: list[str] = []
        self.errors: Counter[str] = Counter()
        # deal, what a read found, and the save that had been acknowledged just before
        self.stale: list[tuple[str, int | None, int]] = []
        self.longest_s = 0.0

    def run(self) -> None:
        last = time.monotonic()
        while self._board.goes_on:
            draw = self._draw.random()
            done = self._make() if draw < 0.04 else self._count_up(self._draw.randrange(CELLS))
            now = time.monotonic()
            if done:
                self.longest_s, last = max(self.longest_s, now - last), now

    def _try(self, work: Any, *given: Any, **named: Any) -> tuple[bool, Any]:
        """Whether it was acknowledged, or None in place of that where nobody knows; and the answer."""
        try:
            return True, work(*given, **named)
        except OutcomeUnknown as failure:
            self.errors[failure.code] += 1
            return False, None
        except StoreError as failure:
            self.errors[failure.code] += 1
            time.sleep(0.01)
            return False, failure

    def _count_up(self, cell: int) -> bool:
        number = self._tried[cell] = self._tried[cell] + 1
        deal_id = f"c{self._slot}.{cell}"
        done, answer = self._try(self._db.save_deal, {"id": deal_id, "amount": number})
        if not done:
            if answer is None:
                self.unknown[cell].append(number)
            return False
        self.acked[cell].append((number, time.monotonic()))
        self._board.acknowledged[self._first + cell] += 1
        if self._draw.random() < 0.05:
            self._look(deal_id, number)
        return True

    def _look(self, deal_id: str, number: int) -> None:
        done, deal = self._try(self._db.get_deal, deal_id)
        if not done:
            return
        seen = None if deal is None else int(deal["amount"])
        if seen != number:
            self.stale.append((deal_id, seen, number))

    def _make(self) -> bool:
        if len(self.made) > 30 and self._draw.random() < 0.5:
            deal_id = self._draw.choice(list(self.made))
            done, _ = self._try(self._db.delete_deal, deal_id)
            del self.made[deal_id]
            if done:
                self.deleted[deal_id] = time.monotonic()
        else:
            deal_id = f"d{self._slot}.{len(self.made) + len(self.deleted) + len(self.in_doubt)}"
            deal_id += f".{self._draw.randrange(10**9)}"
            done, _ = self._try(self._db.save_deal, {"id": deal_id, "stage": "new"})
            if done:
                self.made[deal_id] = time.monotonic()
        if not done:
            self.in_doubt.append(deal_id)
        return done


def save(setup: Setup, number: int) -> None:
    """A process that saves, in several threads over one pool."""
    board = setup.board()
    with setup.open() as db:
        slots = range(number * setup.threads, (number + 1) * setup.threads)
        savers = [Saver(setup, db, board, slot) for slot in slots]
        for saver in savers:
            saver.start()
        for saver in savers:
            saver.join()
    found = {
        "cells": {
            f"c{slot}.{cell}": [saver.acked[cell], saver.unknown[cell]]
            for slot, saver in zip(slots, savers, strict=True)
            for cell in range(CELLS)
        },
        "made": {key: at for saver in savers for key, at in saver.made.items()},
        "deleted": {key: at for saver in savers for key, at in saver.deleted.items()},
        "errors": sum((saver.errors for saver in savers), Counter()),
        "stale": [each for saver in savers for each in saver.stale],
        "longest_s": max(saver.longest_s for saver in savers),
    }
    setup.note(f"saver{number}", found)


def load(setup: Setup) -> None:
    """A process that loads data frames, each until it is acknowledged."""
    board, draw = setup.board(), random.Random(f"{setup.seed} load")
    errors: Counter[str] = Counter()
    wrong: list[str] = []
    loaded: dict[str, int] = {}
    with setup.open() as db:
        while board.goes_on:
            if board.rows > _MOST_ROWS:
                time.sleep(0.1)
                continue
            name, rows = f"L{len(loaded)}", draw.choice(_ROWS)
            ids = [f"{name}.{n}" for n in range(rows)]
            frame = pl.DataFrame({"id": ids, "owner": name, "stage": "new"})
            while board.goes_on:
                try:
                    report = db.loader.load(frame, rejects=False, bar=False)
                except StoreError as failure:
                    errors[failure.code] += 1
                    continue
                told = (report.inserted, report.updated, report.unchanged)
                if sum(told) != rows:
                    wrong.append(f"load {name} of {rows} rows told {told}")
                loaded[name] = rows
                board.count_rows(rows)
                break
            else:
                loaded[name] = -rows
    setup.note("loader", {"loaded": loaded, "errors": errors, "wrong": wrong})


def read(setup: Setup) -> None:
    """A process that reads the columns: what was acknowledged before a query began has to be in it."""
    board = setup.board()
    errors: Counter[str] = Counter()
    wrong: list[tuple[str, int, int, float]] = []
    with setup.open() as db:
        while board.goes_on:
            before, began = list(board.acknowledged), time.monotonic()
            try:
                frame = db.query.find("id LIKE 'c%'", columns=["id", "amount"])
            except StoreError as failure:
                errors[failure.code] += 1
                continue
            seen = dict(zip(frame["id"], frame["amount"], strict=True))
            for place, number in enumerate(before):
                deal = f"c{place // CELLS}.{place % CELLS}"
                # numbers count tries, of which at least so many were acknowledged
                if int(seen.get(deal) or 0) < number:
                    wrong.append((deal, int(seen.get(deal) or 0), number, began))
            board.count_read()
            time.sleep(0.05)
    setup.note("reader", {"wrong": wrong[:1000], "errors": errors})
