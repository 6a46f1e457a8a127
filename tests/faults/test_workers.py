"""Workers notice wrong reads, and write down truthfully what became of a change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from connected import eventually
from dealdb import DealDatabase
from faults.control import USER, set_clock
from faults.model import Model
from faults.pen import Pen, Setup
from faults.proxy import Proxy
from faults.watching import Reader, last_token
from faults.workload import cell_id
from servers import DURABLE, Server


@pytest.fixture
def way(new_server: Callable[..., Server]) -> Iterator[Proxy]:
    with Proxy(new_server(*DURABLE, *USER.split()).port) as way:
        yield way


@pytest.fixture
def setup(way: Proxy, tmp_path: Path) -> Setup:
    return Setup(folder=str(tmp_path), port=way.port, seed=1, writers=1, threads=1)


@pytest.fixture
def db(setup: Setup) -> Iterator[DealDatabase]:
    with setup.open("test") as db:
        yield db


def _model(setup: Setup) -> Model:
    return Model.read(Path(setup.folder))


@pytest.mark.parametrize("kind", ["_find", "_frame", "_hashes"])
@pytest.mark.parametrize(
    ("n", "name", "least", "most", "is_wrong"),
    [
        (5, "n5", 5, 5, False),
        (5, "n5", 4, 6, False),
        (5, "n5", 6, 6, True),  # it misses what was acknowledged
        (5, "n5", 3, 4, True),  # nobody has written that
        (5, "n4", 5, 5, True),  # two columns of different commits
        (15, "n15", 15, 15, True),  # deleted
        (None, "", 14, 16, False),
        (None, "", 13, 14, True),
        (None, "", 0, 1, False),
    ],
)
def test_a_wrong_read_of_a_cell_is_noticed(
    setup: Setup, db: DealDatabase, kind: str, n: int | None, name: str, least: int, most: int, is_wrong: bool
) -> None:  # fmt: skip
    db.save_deal({"id": "other", "owner": "cell", "n": 1, "name": "n1"})
    if n is not None:
        db.save_deal({"id": cell_id(0, 0, 2), "owner": "cell", "n": n, "name": name})
    block = setup.board.block(0)
    block.acknowledged[2], block.attempted[2] = least, most
    reader = Reader(db, Pen(setup, 2, 0), setup, Random(1))
    reader.check_cells(getattr(reader, kind))
    model = _model(setup)
    assert bool(model.wrong) == is_wrong
    assert model.reads == {kind.strip("_"): 1}


@pytest.mark.parametrize(("least", "most", "is_wrong"), [(1, 3, False), (3, 3, True), (0, 1, True)])
def test_a_wrong_count_is_noticed(
    setup: Setup, db: DealDatabase, least: int, most: int, is_wrong: bool
) -> None:
    for n in range(2):
        db.save_deal({"id": n, "owner": "L1.0"})
    block = setup.board.block(1)
    block.acknowledged[0], block.attempted[0] = least, most
    Reader(db, Pen(setup, 2, 0), setup, Random(1)).count_rows()
    assert bool(_model(setup).wrong) == is_wrong


def test_outcomes_are_written_down(setup: Setup, db: DealDatabase, way: Proxy) -> None:
    pen = Pen(setup, 0, 0)
    db.save_deal({"id": "x", "mark": "first"})
    marks = [pen.next_mark() for _ in range(4)]

    def save(mark: str) -> object:
        return db.save_deal({"id": "x", "mark": mark})

    assert pen.change("save", "x", marks[0], lambda: save(marks[0]))
    way.unlisten()
    way.cut_all()
    assert pen.change("save", "x", marks[1], lambda: save(marks[1])) is None
    way.listen()
    # a connect that fails has sent nothing either
    assert db.get_deal("x")
    way.lose_replies(silent=True)
    assert pen.change("save", "x", marks[2], lambda: save(marks[2])) is None
    way.heal()
    pen.finish()
    assert pen.change("save", "x", marks[3], lambda: 1 / 0) is None
    model = _model(setup)
    assert [model.ops[mark].outcome for mark in marks] == ["ok", "not", "unknown", "killed"]
    assert [model.ops[mark].fate for mark in marks] == ["must", "never", "must", "may"]
    assert list(model.alien) == ["ZeroDivisionError('division by zero')"]


def test_a_clock_is_moved_and_put_right(
    new_server: Callable[..., Server], clock: dict[str, str], tmp_path: Path
) -> None:
    with new_server(env=clock).client() as client:
        for seconds in (0, 86_400, -3600, 0):
            set_clock(tmp_path / "clock", seconds)
            # at the latest in the next round of its loop
            assert eventually(lambda: abs(client.time()[0] - time.time() - seconds) < 30)  # noqa: B023


def test_a_feed_goes_on_where_the_one_before_was_killed(setup: Setup) -> None:
    folder = Path(setup.folder)
    assert last_token(folder, 7) == "0"
    for generation in (0, 1, 10):
        pen = Pen(setup, 7, generation)
        pen.told(generation + 3, f"{generation + 3}-abc", "save", 1, "x", "")
    with (folder / "worker-7-10.tsv").open("a") as file:
        file.write("F\t1.0\t14\t14-abc\tsa")
    assert last_token(folder, 7) == "13-abc"
