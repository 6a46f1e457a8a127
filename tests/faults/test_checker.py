"""The judge notices each kind of lie and damage, and finds nothing where there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connected import eventually
from dealdb import DealDatabase
from dealdb.errors import ConflictError
from faults.checker import FIRST, Checker, Verdict
from faults.history import read_entries, read_log, write_entries
from faults.journal import Board, Journal
from faults.model import Op, explain
from servers import Server

# enough for a checkpoint
MANY = 4500
SOME = 100


def test_the_judge_shares_no_code_with_dealdb() -> None:
    code = (
        "import faults.run, faults.checker, faults.collector, sys;"
        "sys.exit(any(name.partition('.')[0] == 'dealdb' for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == 0


class Scene:
    """Deals on a real server, and journals that tell the truth about them until somebody writes something else."""

    def __init__(self, folder: Path, server: Server, db: DealDatabase) -> None:
        self.folder, self.server, self.db = folder, server, db
        self.journal = Journal(folder / "worker-0-0.tsv")
        self._number = 0

    def claim(
        self, kind: str, mark: str, deal: str, outcome: str, detail: str = "", n: object = ""
    ) -> None:
        """Write down a change and its outcome, whether it happened or not."""
        self.journal.note("I", kind, mark, deal, n)
        self.journal.note("O", mark, outcome, detail)

    def save(self, deal: str, outcome: str = "ok", **values: Any) -> str:
        self._number += 1
        mark = f"0.0:{self._number}"
        result = self.db.save_deal({"id": deal, "mark": mark, **values})
        self.claim("save", mark, deal, outcome, result.outcome)
        return mark

    def delete(self, deal: str, outcome: str = "ok") -> None:
        self._number += 1
        self.claim("delete", f"0.0:{self._number}", deal, outcome, str(self.db.delete_deal(deal)))

    def load(self, load: str, ids: str, rows: int = SOME, **columns: Any) -> None:
        numbers = pl.int_range(rows, eager=True).cast(pl.String)
        frame = pl.DataFrame({"id": ids + numbers, "mark": load + ":" + numbers})
        self.db.loader.load(frame.with_columns(**columns), rejects=False, bar=False)
        self.claim("load", load, "merge", "ok", n=rows)

    def compete(self, n: int) -> None:
        self._number += 1
        mark, found = f"0.0:{self._number}", self.db.get_deal("cas0")
        deal = {"id": "cas0", "mark": mark, "n": n}
        self.db.save_deal(deal, expect_rev=found.rev if found else 0)
        self.claim("compete", mark, "cas0", "ok", "updated", n)

    def look(self, name: str) -> None:
        """Write down what a process sees."""
        self.db.query.frame().write_parquet(self.folder / f"{name}.parquet")

    def follow(self) -> None:
        told = Journal(self.folder / "worker-9-0.tsv")
        for commit in self.db.changes(0, timeout_s=0):
            told.note("F", commit.seq, commit.token, commit.kind, len(commit.deals), "", "")

    def judge(self, *, collect: bool = True) -> Verdict:
        with self.server.client() as client:
            if collect:
                self.collect()
            checker = Checker(self.folder, client)
            checker.read_log()
            return checker.judge()

    def collect(self) -> None:
        """What the log has now, behind what was collected before."""
        path = self.folder / "log.msgpack"
        last = max((e.seq for e in read_entries(path)), default=0) if path.exists() else 0
        with self.server.client() as client, path.open("ab") as file:
            file.write(write_entries(e for e in read_log(client, last) if e.seq > last))


@pytest.fixture
def scene(tmp_path: Path, server: Server) -> Iterator[Scene]:
    with DealDatabase(port=server.port) as db:
        db.save_deal({"id": "first", "mark": FIRST, "n": 1, "amount": "1.50", "name": ""})
        yield Scene(tmp_path, server, db)


def _live(scene: Scene) -> None:
    """Everything that the fold has to know: bulk loads, changes over them, deletes, columns that come back, seals."""
    scene.load("L0.0.1", "a", MANY, name=pl.lit("Acme"), extra=pl.lit("old"))
    for n in range(30):
        scene.save(f"a{n}", name=None if n % 2 else f"n{n}", amount="2.50")
        scene.save(f"b{n % 7}", n=n)
    for n in range(5):
        scene.delete(f"b{n}")
        scene.delete(f"a{n + 20}")
    scene.save("b1", n=100)
    scene.collect()
    scene.db.rename_field("extra", "other")
    scene.save("a1", extra="new")
    scene.db.drop_field("extra")
    scene.save("a2", extra="again")
    scene.collect()
    for n in range(1, 4):
        scene.compete(n)
    scene.db.query.count()  # begins a checkpoint
    with scene.server.client() as client:
        assert eventually(lambda: bool(client.exists("deals:checkpoint")))
    scene.load("L0.0.2", "a", MANY, name=pl.lit("Bolt"))
    # before another checkpoint trims the log
    scene.collect()


def test_nothing_is_wrong_where_nothing_is(scene: Scene) -> None:
    _live(scene)
    scene.look(f"past-{scene.db.save_deal({'id': 'first', 'mark': FIRST, 'n': 3}).rev}")
    scene.save("b1", n=101)
    scene.follow()
    scene.look("old-1")
    scene.look("fresh")
    verdict = scene.judge()
    assert verdict.is_clean, verdict.figures()


def _saved(scene: Scene) -> None:
    scene.save("x", n=1)
    scene.save("x", n=2)


def _twice(scene: Scene) -> None:
    mark = scene.save("x", n=1)
    scene.db.save_deal({"id": "x", "mark": mark, "n": 2})


def _gap(scene: Scene) -> None:
    scene.compete(1)
    scene.compete(3)


def _said_false(scene: Scene) -> None:
    mark = scene.save("x", outcome="unknown")
    scene.journal.note("R", mark, False)


def _said_true(scene: Scene) -> None:
    scene.claim("save", "0.0:99", "x", "unknown")
    scene.journal.note("R", "0.0:99", True)


def _deleted_silently(scene: Scene) -> None:
    scene.save("x")
    scene.delete("x", outcome="not")


def _delete_that_is_not_there(scene: Scene) -> None:
    scene.save("x")
    scene.claim("delete", "0.0:99", "x", "ok", "True")


def _half_a_load(scene: Scene) -> None:
    scene.load("L0.0.1", "a")
    scene.claim("load", "L0.0.2", "merge", "ok", n=10)


def _refused_load(scene: Scene) -> None:
    scene.load("L0.0.1", "a")
    (path,) = scene.folder.glob("worker-*.tsv")
    path.write_text(path.read_text().replace("\tload\t", "\trefused load\t"))


def _loaded_twice(scene: Scene) -> None:
    scene.load("L0.0.1", "a", n=1)
    scene.db.loader.load(
        pl.DataFrame({"id": ["a0"], "mark": ["L0.0.1:0"], "n": [2]}), rejects=False, bar=False
    )


def _changed_behind(scene: Scene) -> None:
    scene.save("x", n=1)
    with scene.server.client() as client:
        client.hset("deal:x", "n", "7")


def _other_frame(scene: Scene) -> None:
    scene.save("x", n=1)
    scene.look("old-1")
    scene.save("x", n=2)


def _other_past(scene: Scene) -> None:
    scene.save("x", n=1)
    scene.look("past-3")
    scene.save("x", n=2)
    scene.save("x", n=3)
    # what was seen at one commit is said to be of the next
    (scene.folder / "past-3.parquet").rename(scene.folder / "past-5.parquet")


def _told_twice(scene: Scene) -> None:
    scene.follow()
    scene.follow()


def _told_in_part(scene: Scene) -> None:
    scene.follow()
    scene.save("x")


def _wrong_read(scene: Scene) -> None:
    scene.journal.note("W", "saw what nobody wrote")


def _deleted_without_a_deal(scene: Scene) -> None:
    scene.save("x")
    scene.claim("delete", "0.0:98", "x", "ok", "False")


@pytest.mark.parametrize(
    ("lie", "kind", "words"),
    [
        (lambda scene: scene.claim("save", "0.0:9", "x", "ok", "inserted"), "lost", "save 0.0:9"),
        (lambda scene: scene.save("x", outcome="not"), "denied", "1 times in the log, not"),
        (_said_false, "denied", "1 times in the log, unknown"),
        (_said_true, "lost", "save 0.0:99"),
        (_twice, "doubled", "2 times in the log"),
        (_delete_that_is_not_there, "lost", "delete 0.0:99 of x"),
        (_deleted_silently, "denied", "delete of x"),
        (_deleted_without_a_deal, "wrong", "there was a deal to delete"),
        (_half_a_load, "lost", "0 rows, 0 of 10"),
        (_refused_load, "denied", "100 rows"),
        (_loaded_twice, "doubled", "101 rows, 100 of 100"),
        (_gap, "unlike", "counted with gaps: [1, 3]"),
        (_changed_behind, "unlike", "differ in n, such as [('x', '1', '7')]"),
        (_other_frame, "unlike", "log and old-1: 1 deals differ in mark"),
        (_other_past, "unlike", "log and as_of commit 5"),
        (_told_twice, "unlike", "the feed told"),
        (_told_in_part, "unlike", "the feed ended with 2 commits of 3"),
        (_wrong_read, "wrong", "saw what nobody wrote"),
        (lambda scene: scene.db.save_deal({"id": "x", "mark": "?"}), "unlike", "nobody made"),
    ],
)
def test_a_lie_is_noticed(
    scene: Scene, lie: Callable[[Scene], object], kind: str, words: str
) -> None:
    lie(scene)
    if not list(scene.folder.glob("worker-9-*.tsv")):
        scene.follow()
    found = vars(scene.judge())
    assert any(words in example for example in found.pop(kind))
    assert not any(found.values())


def test_a_log_that_was_written_anew_is_noticed(scene: Scene) -> None:
    _saved(scene)
    scene.follow()
    scene.collect()
    path = scene.folder / "log.msgpack"
    entries = list(read_entries(path))
    path.write_bytes(write_entries([*entries[:-1], entries[-1]._replace(time=1)]))
    assert "commit 4 does not follow 3" in scene.judge(collect=False).unlike
    path.write_bytes(write_entries([*entries, entries[-1]]))
    verdict = scene.judge(collect=False)
    assert any("counter" in words for words in verdict.doubled)


def test_damaged_history_is_noticed(scene: Scene) -> None:
    _live(scene)
    scene.follow()
    scene.collect()
    with scene.server.client() as client:
        segment = next(iter(client.scan_iter("deals:history:*")))
        kept: Any = client.get(segment)
        client.setrange(segment, 100, b"\0\1\2\3\4")
        assert "is not what the manifest says" in scene.judge().unlike[0]
        client.delete(segment)
        assert "is missing" in scene.judge().unlike[0]
        client.set(segment, kept)
        assert scene.judge().is_clean


def _ops(text: str) -> list[Op]:
    """``s1 d2? d3-``: a save, a delete of unknown outcome, a delete that was not sent."""
    fates: Any = {"?": "may", "-": "never"}
    kinds = {"s": "save", "d": "delete"}
    return [
        Op(kinds[word[0]], word.rstrip("?-")[1:], "x", "", fates.get(word[-1], "must"), "ok")
        for word in text.split()
    ]


@pytest.mark.parametrize(
    ("ops", "events", "expected"),
    [
        ("s1 d2 s3", ["1", "", "3"], (0, 0, 0)),
        ("s1 d2? s3", ["1", "3"], (0, 0, 0)),
        ("s1 d2? s3", ["1", "", "3"], (0, 0, 0)),
        ("s1 d2? s3? d4", ["1", ""], (0, 0, 0)),
        ("s1 d2 s3", ["1", "3"], (1, 0, 0)),
        ("s1 d2- s3", ["1", "", "3"], (0, 1, 0)),
        ("s1 s2", ["2", "1"], (0, 0, 1)),
        ("s1 s2", ["1", "9"], (0, 0, 1)),
    ],
)
def test_order_of_the_changes_of_one_owner(
    ops: str, events: list[str], expected: tuple[int, int, int]
) -> None:
    assert tuple(map(len, explain(_ops(ops), events))) == expected


def test_the_board_is_one_for_all_processes(tmp_path: Path) -> None:
    one, other = Board(tmp_path / "board"), Board(tmp_path / "board")
    one.block(3).acknowledged[2] = 7
    one.block(3).count("deletes", 2)
    one.settle(9)
    assert (other.block(3).acknowledged[2], other.block(3).deletes, other.last_seq) == (7, 2, 9)
    assert other.block(2).acknowledged[2] == other.block(4).attempted[2] == 0


def test_a_condition_that_fails_writes_nothing(scene: Scene) -> None:
    scene.compete(1)
    with pytest.raises(ConflictError):
        scene.db.save_deal({"id": "cas0", "mark": "0.0:50", "n": 2}, expect_rev=1)
    scene.claim("compete", "0.0:50", "cas0", "not", "conflict", 2)
    scene.follow()
    assert scene.judge().is_clean
