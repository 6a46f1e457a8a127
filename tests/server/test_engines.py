"""Signals inside Polars and DuckDB: what comes out is what the handler raised, and the next call is right."""

from __future__ import annotations

import mmap
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from dealdb import DealDatabase
from dealdb.engines import on_engines
from dealdb.sample import deals
from servers import Server

SENDER = """if True:
    import mmap, os, signal, sys, time
    with open(sys.argv[1], "r+b") as file:
        sent = mmap.mmap(file.fileno(), 8)
    for line in sys.stdin:
        after, number = line.split()
        time.sleep(float(after))
        os.kill(os.getppid(), int(number))
        sent[:8] = (int.from_bytes(sent[:8], "big") + 1).to_bytes(8, "big")
"""


# CPython 3.11 hangs where a signal comes while another thread is traced, as a measurement of coverage does
untraced = pytest.mark.skipif(sys.gettrace() is not None, reason="signals beside traced threads")


class SoftTimeLimit(Exception):
    """What a task queue's handler raises."""


class Sender:
    """A process that sends this one a signal a moment after it is asked to."""

    def __init__(self, file: Any) -> None:
        file.write(bytes(8))
        file.flush()
        self._sent = mmap.mmap(file.fileno(), 8)
        self._n = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", SENDER, file.name],
            stdin=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def send(self, after_s: float, number: int) -> None:
        assert self.process.stdin is not None
        self._n += 1
        self.process.stdin.write(f"{after_s} {number}\n")
        self.process.stdin.flush()

    def wait(self) -> None:
        """Until the signal has come and its handler has run."""
        while int.from_bytes(self._sent[:8], "big") < self._n:
            time.sleep(0.0002)
        time.sleep(0.0005)


@pytest.fixture
def sender() -> Iterator[Sender]:
    with tempfile.NamedTemporaryFile() as file:
        found = Sender(file)
        yield found
        found.process.kill()
        found.process.communicate()


ROWS = deals(2_000)
WORK: dict[str, Callable[[DealDatabase], object]] = {
    "sql": lambda db: db.query.sql("SELECT owner, sum(amount) FROM deals GROUP BY owner"),
    "sql of the history": lambda db: db.query.sql("SELECT count(*) FROM history"),
    "find": lambda db: db.query.find("amount > 100", sort="-amount", limit=9),
    "search": lambda db: db.query.search("acme"),
    "facets": lambda db: db.query.facets(["stage", "owner", "amount"]),
    "frame": lambda db: db.query.frame(),
    "summary": lambda db: db.analytics.summary(by="owner"),
    "trend": lambda db: db.analytics.trend(),
    "history": lambda db: db.deal_history(7),
    "as_of": lambda db: db.as_of("2999-01-01"),
    "load": lambda db: db.loader.load(ROWS, bar=False),
    "export": lambda db: db.loader.export("/dev/null", format="csv"),
}


def storm(db: DealDatabase, sender: Sender, number: int, n_shots: int) -> Counter[str]:
    """Interrupt each kind of work at many moments; what came out, by name."""
    rng, came_out = random.Random(n_shots), Counter[str]()
    lasts = {name: longest(lambda work=work: work(db)) for name, work in WORK.items()}  # type: ignore[misc]
    for shot in range(n_shots):
        name = list(WORK)[shot % len(WORK)]
        caught: BaseException | None = None
        # no `with` and no function around them: the signal may come as one is entered
        try:
            try:
                sender.send(rng.uniform(0, lasts[name]), number)
                WORK[name](db)
            except BaseException as error:
                caught = error
            sender.wait()
        except (KeyboardInterrupt, SoftTimeLimit):
            pass
        try:  # noqa: SIM105
            sender.wait()
        except (KeyboardInterrupt, SoftTimeLimit):
            pass
        if caught is not None:
            came_out[f"{type(caught).__name__} of {name}: {str(caught)[:200]}"] += 1
        assert db.connection.pool_stats().in_use <= 1, name
        assert not db._store._live._lock.locked(), name
    return came_out


def longest(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def check_right(db: DealDatabase, before: list[object]) -> None:
    db._store.finish()
    assert db.connection.pool_stats().in_use == 0
    assert state_of(db) == before
    assert db.check().differences == ()


def state_of(db: DealDatabase) -> list[object]:
    total = db.query.sql("SELECT count(*), sum(amount) FROM deals").row(0)
    return [db.query.count(), len(db), total, db.query.find(sort="id", limit=3).rows()]


def names_of(came_out: Counter[str]) -> set[str]:
    return {text.partition(" of ")[0] for text in came_out}


# an interrupt that hits while an object is being collected is reported there, and goes no further
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@untraced
@pytest.mark.parametrize("n_shots", [24, pytest.param(1_200, marks=pytest.mark.slow)])
def test_only_keyboard_interrupts_come_out(server: Server, sender: Sender, n_shots: int) -> None:
    with DealDatabase(port=server.port, max_connections=2) as db:
        db.loader.load(ROWS, bar=False)
        before = state_of(db)
        came_out = storm(db, sender, signal.SIGINT, n_shots)
        assert names_of(came_out) == {"KeyboardInterrupt"}, came_out
        check_right(db, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@untraced
@pytest.mark.parametrize("n_shots", [24, pytest.param(1_200, marks=pytest.mark.slow)])
def test_what_a_handler_raises_comes_out(server: Server, sender: Sender, n_shots: int) -> None:
    def limit(number: int, frame: object) -> None:
        raise SoftTimeLimit

    earlier = signal.signal(signal.SIGUSR1, limit)
    try:
        with DealDatabase(port=server.port, max_connections=2) as db:
            db.loader.load(ROWS, bar=False)
            before = state_of(db)
            came_out = storm(db, sender, signal.SIGUSR1, n_shots)
            # Polars drops a few without a trace of what they were
            assert names_of(came_out) <= {"SoftTimeLimit", "KeyboardInterrupt"}, came_out
            assert came_out.total() - sum(
                n for text, n in came_out.items() if text.startswith("Soft")
            ) <= max(2, n_shots // 20), came_out
            check_right(db, before)
    finally:
        signal.signal(signal.SIGUSR1, earlier)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SoftTimeLimit])
def test_what_is_raised_where_polars_panics_comes_out(
    raised: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise raised

    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGUSR1)

    earlier = signal.signal(signal.SIGUSR1, interrupt)
    frame = pl.DataFrame({"a": ["x"]}, schema={"a": pl.Categorical})
    try:
        # Polars makes the type anew, in Python, whenever it is asked for it
        monkeypatch.setattr(pl.Categories, "_from_py_categories", staticmethod(interrupted))
        with pytest.raises(BaseException, match="PyErr") as caught:
            frame.dtypes  # noqa: B018
        assert type(caught.value).__name__ == "PanicException"
        with pytest.raises(raised):
            on_engines(lambda: frame.dtypes)()
    finally:
        signal.signal(signal.SIGUSR1, earlier)


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SoftTimeLimit])
def test_an_interrupt_that_python_can_not_raise_comes_out_at_the_end(
    server: Server, raised: type[BaseException]
) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise raised

    class Collected:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGUSR1)

    def interrupted(amounts: pl.Series) -> pl.Series:
        Collected()
        return amounts > 0

    condition = pl.col("amount").map_batches(interrupted, return_dtype=pl.Boolean)
    earlier, hook = signal.signal(signal.SIGUSR1, interrupt), sys.unraisablehook
    try:
        with DealDatabase(port=server.port) as db:
            db.save_deal({"id": "1", "amount": 5})
            with pytest.raises(raised):
                db.query.find(condition)
            assert sys.unraisablehook is hook
    finally:
        signal.signal(signal.SIGUSR1, earlier)


def test_what_a_finalizer_itself_raises_is_told_as_ever(server: Server) -> None:
    class Collected:
        def __del__(self) -> None:
            raise ValueError("of its own")

    def collecting(amounts: pl.Series) -> pl.Series:
        Collected()
        return amounts > 0

    told: list[str] = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda lost: told.append(str(lost.exc_value))
    try:
        with DealDatabase(port=server.port) as db:
            db.save_deal({"id": "1", "amount": 5})
            condition = pl.col("amount").map_batches(collecting, return_dtype=pl.Boolean)
            assert len(db.query.find(condition)) == 1
    finally:
        sys.unraisablehook = hook
    assert told == ["of its own"]


def test_an_interrupt_in_a_filter_comes_out(server: Server) -> None:
    def interrupted(_: pl.Series) -> pl.Series:
        raise KeyboardInterrupt

    condition = pl.col("amount").map_batches(interrupted, return_dtype=pl.Boolean)
    with DealDatabase(port=server.port) as db:
        db.save_deal({"id": "1", "amount": 5})
        with pytest.raises(KeyboardInterrupt):
            db.query.find(condition)


def test_a_panic_of_polars_itself_is_left_as_it_is() -> None:
    """Without a signal it is a fault of Polars, or of ours, and not an interrupt."""

    def broken(_: object) -> None:
        raise pl.exceptions.PanicException(
            "called `Result::unwrap()` on an `Err` value: PyErr { type: <class 'ValueError'>, value: ValueError() }"
        )

    with pytest.raises(pl.exceptions.PanicException):
        on_engines(broken)(None)
