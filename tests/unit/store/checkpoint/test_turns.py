"""What is done in turn, in this process and in a forked child."""

from __future__ import annotations

import os
import threading
from functools import partial

import pytest

from dealdb.store.checkpoint.turns import Turns

WAIT_S = 30.0


def test_one_thing_after_the_other() -> None:
    turns, done = Turns(), list[int]()
    jobs = [turns.begin(partial(done.append, n)) for n in range(20)]
    for job in jobs:
        job.join(WAIT_S)
    assert done == list(range(20))
    assert not any(job.is_alive() for job in jobs)


def test_a_forked_child_has_turns_of_its_own() -> None:
    turns, held = Turns(), threading.Event()
    job = turns.begin(lambda: [held.wait(WAIT_S)].clear())
    child = os.fork()
    if child == 0:
        mine = turns.begin(lambda: None)
        mine.join(WAIT_S)
        os._exit(int(mine.is_alive()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert job.is_alive()
    held.set()
    job.join(WAIT_S)
    assert not job.is_alive()


def test_a_thread_that_can_not_be_had_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    turns, done = Turns(), list[int]()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError

    with monkeypatch.context() as late:
        # as at the end of the interpreter
        late.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            turns.begin(lambda: done.append(1))
    turns.begin(lambda: done.append(2)).join(WAIT_S)
    assert done == [2]
