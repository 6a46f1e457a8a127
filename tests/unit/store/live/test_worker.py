"""A thread that does one thing after the other, or the caller where no thread can be had."""

from __future__ import annotations

import threading

import pytest

from dealdb.store.live.worker import Worker


@pytest.fixture(params=["a thread", "no thread"])
def _threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no thread":

        def start(thread: threading.Thread) -> None:
            msg = "can't start new thread"
            raise RuntimeError(msg)

        monkeypatch.setattr(threading.Thread, "start", start)


@pytest.mark.usefixtures("_threads")
def test_work_is_done_in_its_order_and_errors_come_to_the_caller() -> None:
    done: list[str] = []
    with Worker("test", lambda: done.append("first")) as worker:
        added = [worker.submit(done.append, word) for word in "abc"]
        failed = worker.submit(int, "x")
        assert [each.result(60) for each in added] == [None, None, None]
        with pytest.raises(ValueError, match="invalid literal"):
            failed.result(60)
        assert worker.submit(max, 2, 3).result(60) == 3
    assert done == ["first", "a", "b", "c"]


def test_the_end_waits_for_what_it_was_given() -> None:
    go_on, done = threading.Event(), list[int]()
    worker = Worker("test")
    worker.submit(go_on.wait, 60)
    worker.submit(done.append, 1)
    closing = threading.Thread(target=worker.close)
    closing.start()
    assert done == []
    go_on.set()
    closing.join(60)
    assert done == [1]
