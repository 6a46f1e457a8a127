"""A checkpoint that is written as the program ends is given up after a while, and not before."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from dealdb.errors import StoreError
from dealdb.store.checkpoint.ending import Ending


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time as a test sets it, and whether the main thread is alive."""
    clock = SimpleNamespace(now=1_000.0, alive=True)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    main = SimpleNamespace(is_alive=lambda: clock.alive)
    monkeypatch.setattr(threading, "main_thread", lambda: main)
    return clock


def test_while_the_program_runs_there_is_no_hurry(clock: SimpleNamespace) -> None:
    ending = Ending("here")
    for clock.now in (1_000.0, 2_000.0, 3_000.0):
        ending.check()


def test_after_its_end_some_seconds_are_left(clock: SimpleNamespace) -> None:
    ending = Ending("redis://here/0")
    ending.check()
    clock.now, clock.alive = 2_000.0, False
    ending.check()
    clock.now = 2_009.0
    ending.check()
    clock.now = 2_011.0
    with pytest.raises(StoreError, match="redis://here/0: the program ended while a checkpoint"):
        ending.check()
