"""An interrupt, or two, at any line of a change: what is acknowledged afterwards is there, nothing is done twice."""

from __future__ import annotations

import linecache
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import dealdb
from dealdb import DealDatabase
from dealdb.connection.protocol.wire import Wire
from servers import Server

SOURCE = str(Path(dealdb.__file__).parent)


class Interrupt(KeyboardInterrupt):
    """What a handler of signals raises."""


class Interrupts:
    """Raises at the n-th line of dealdb that is run from now on, and once more some lines after that."""

    def __init__(self, at: int, again_after: int | None) -> None:
        self._left = at
        self._again_after = again_after
        self.where: list[str] = []

    @contextmanager
    def armed(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(SOURCE):
            return self._trace
        line = linecache.getline(code.co_filename, frame.f_lineno).strip()
        # a signal is not looked at between a lock and the block that gives it back, but a trace function is run
        if event == "line" and not line.startswith("with "):
            self._left -= 1
            if self._left == 0:
                self.where.append(f"{code.co_qualname}: {line}")
                self._left, self._again_after = self._again_after or -1, None
                raise Interrupt
        return self._trace


def run_interrupted(db: DealDatabase, again_after: int | None, limit: int) -> int:
    """Interrupt a save at its first line, at its second ...; returns how many lines there were."""
    for at in range(1, limit):
        interrupts = Interrupts(at, again_after)
        with interrupts.armed(), suppress(Interrupt):
            db.save_deal({"id": "a", "n": at})
        if not interrupts.where:
            return at - 1
        saved = db.save_deal({"id": f"b{at}-{again_after}", "n": at})
        found = db.get_deal(f"b{at}-{again_after}")
        assert found is not None, f"acknowledged and lost: {interrupts.where}"
        assert (saved.outcome, found["n"]) == ("inserted", at), interrupts.where
        stats = db.connection.pool_stats()
        assert (stats.in_use, stats.waiting) == (0, 0), interrupts.where
    raise AssertionError("the save has more lines than it was given")


@pytest.mark.parametrize(
    "again_after",
    [None, 1, 2, 3, *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 16))],
)
def test_interrupts_at_each_line_of_a_save(server: Server, again_after: int | None) -> None:
    with DealDatabase(port=server.port, max_connections=1) as db:
        db.save_deal({"id": "a", "n": 0})
        db.save_deal({"id": "a", "n": -1})
        assert run_interrupted(db, again_after, 600) > 60
        assert db.check().ok


@pytest.mark.parametrize(
    "change",
    [
        lambda db, n: db.delete_deal(f"d{n}"),
        pytest.param(
            lambda db, n: db.loader.load([{"id": f"l{n}", "n": n}], rejects=False),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["delete", "load"],
)
def test_interrupts_at_each_line_of_the_writer(
    server: Server, change: Callable[[DealDatabase, int], object]
) -> None:
    with DealDatabase(port=server.port) as db:
        for n in range(130):
            db.save_deal({"id": f"d{n}", "n": n})
        for n in range(1, 130):
            interrupts = Interrupts(n, None)
            with interrupts.armed(), suppress(Interrupt):
                change(db, n)
            assert db.save_deal({"id": f"b{n}", "n": n}).outcome == "inserted"
            assert f"b{n}" in db, interrupts.where
        assert db.check().ok


@pytest.mark.parametrize(
    "seconds_apart",
    [None, pytest.param((2e-6, 8e-5), marks=pytest.mark.slow)],
    ids=["one", "two"],
)
def test_signals_around_the_answer_of_a_save(
    server: Server, monkeypatch: pytest.MonkeyPatch, seconds_apart: tuple[float, float] | None
) -> None:
    rng = random.Random(7)
    exchange, aim, shots = Wire.exchange, [0.0], [0]

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        shots[0] += 1
        if seconds_apart and shots[0] == 1:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(*seconds_apart))
        raise Interrupt

    def aimed(self: Wire, *arguments: Any) -> Any:
        reply = exchange(self, *arguments)
        if aim[0]:
            after, aim[0] = aim[0], 0.0
            signal.setitimer(signal.ITIMER_REAL, after)
        return reply

    def calm() -> None:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Interrupt:
            calm()

    monkeypatch.setattr(Wire, "exchange", aimed)
    before = signal.signal(signal.SIGALRM, interrupt)
    hits = 0
    try:
        with DealDatabase(port=server.port, max_connections=2) as db:
            db.save_deal({"id": "a", "n": -1})
            db.save_deal({"id": "a", "n": -2})
            for n in range(300 if seconds_apart is None else 4_000):
                shots[0] = 0
                try:
                    try:
                        aim[0] = rng.uniform(1e-6, 4e-5)
                        db.save_deal({"id": "a", "n": n})
                    finally:
                        calm()
                except Interrupt:
                    hits += 1
                assert db.save_deal({"id": f"b{n}", "n": n}).outcome == "inserted"
                assert f"b{n}" in db
                assert db.connection.pool_stats().in_use == 0
            assert db.check().ok
    finally:
        calm()
        signal.signal(signal.SIGALRM, before)
    assert hits > 100
