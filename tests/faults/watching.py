"""What the processes of a run do that look: query what was promised to others, and follow the feed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

from dealdb import DealDatabase
from dealdb.errors import DealDBError, FeedReset, StoreDamaged
from dealdb.store.history.feed import Feed
from dealdb.store.history.feed_commits import Commit
from faults.pen import Pen, Setup
from faults.workload import cell_id, is_delete


class Reader:
    """Queries what writers in other processes were promised before the query began."""

    def __init__(self, db: DealDatabase, pen: Pen, setup: Setup, rng: random.Random) -> None:
        self._db, self._pen, self._rng = db, pen, rng
        n_writers = setup.writers * setup.threads
        self._writers = [(slot, setup.board.block(slot)) for slot in range(n_writers)]
        self._loaders = [
            (slot, setup.board.block(slot)) for slot in range(n_writers, n_writers + setup.loaders)
        ]
        self._seen: dict[str, int] = {}

    def read_once(self) -> None:
        kinds = (self._find, self._frame, self._hashes, None)
        kind = self._rng.choices(kinds, (5, 1, 3, 2))[0]
        if kind is None:
            self.count_rows()
        else:
            self.check_cells(kind)

    def _find(self, ids: list[str]) -> dict[str, tuple[int, str]]:
        found = self._db.query.find(owner="cell", columns=["id", "n", "name"])
        return {deal: (n, name) for deal, n, name in found.iter_rows()}

    def _frame(self, ids: list[str]) -> dict[str, tuple[int, str]]:
        found = self._db.query.frame(["id", "n", "name", "owner"]).filter(owner="cell")
        return {deal: (n, name) for deal, n, name, _ in found.iter_rows()}

    def _hashes(self, ids: list[str]) -> dict[str, tuple[int, str]]:
        found = zip(ids, self._db.get_deals(ids), strict=True)
        return {i: (int(str(d["n"])), str(d["name"])) for i, d in found if d is not None}

    def check_cells(self, kind: Callable[[list[str]], dict[str, tuple[int, str]]]) -> None:
        before = [
            (slot, block.generation, block.acknowledged.tolist()) for slot, block in self._writers
        ]
        cells = {
            cell_id(slot, generation, place): max(
                least, self._seen.get(cell_id(slot, generation, place), 0)
            )
            for slot, generation, acknowledged in before
            for place, least in enumerate(acknowledged)
        }
        found = self._pen.read(lambda: kind(list(cells)))
        if found is None:
            return
        checks = 0
        for (slot, generation, _), (_, block) in zip(before, self._writers, strict=True):
            attempted = block.attempted.tolist()
            if generation < 0 or block.generation != generation:
                continue
            for place, most in enumerate(attempted):
                deal = cell_id(slot, generation, place)
                checks += 1
                self._check_cell(deal, found.get(deal), cells[deal], most, kind.__name__)
        self._pen.compared(kind.__name__.strip("_"), checks)

    def _check_cell(
        self, deal: str, seen: tuple[int, str] | None, least: int, most: int, kind: str
    ) -> None:
        if seen is None:
            if least and not any(map(is_delete, range(least, most + 1))):
                self._pen.wrong(f"{kind} lacks {deal}, which had {least} before and {most} at most")
            return
        n, name = seen
        self._seen[deal] = n
        if not least <= n <= most or is_delete(n) or name != f"n{n}":
            self._pen.wrong(
                f"{kind} gives {deal} {n} {name}; it had {least} before, {most} at most"
            )

    def count_rows(self) -> None:
        slot, block = self._rng.choice(self._loaders)
        generation, least = block.generation, block.acknowledged[0]
        count = self._pen.read(lambda: self._db.query.count(owner=f"L{slot}.{generation}"))
        most = block.attempted[0]
        if count is None or generation < 0 or block.generation != generation:
            return
        self._pen.compared("count", 1)
        if not least <= count <= most:
            self._pen.wrong(f"count of loader {slot} is {count}: {least} before, {most} at most")


def read(setup: Setup, number: int, generation: int) -> None:
    """A process that queries, and in the end tells what it has of the deals."""
    slot = setup.writers * setup.threads + setup.loaders + number
    pen = Pen(setup, slot, generation)
    rng = random.Random(f"{setup.seed} {pen.name}")
    with setup.open(f"reader {number}") as db:
        reader = Reader(db, pen, setup, rng)
        while pen.goes_on:
            reader.read_once()
            # the machine is for writers too
            threading.Event().wait(rng.uniform(0, 0.02))
        if _await_settled(setup):
            reader.read_once()
            db.query.frame().write_parquet(Path(setup.folder) / f"old-{slot}.parquet")


def _await_settled(setup: Setup) -> int:
    waiting, board = threading.Event(), setup.board
    for _ in range(3000):
        if board.last_seq:
            break
        waiting.wait(0.02)
    return board.last_seq


# followers and administrators ------------------------------------------------------------------------------------


class Follower:
    """Follows the feed, and goes on where it was after errors."""

    def __init__(self, db: DealDatabase, pen: Pen, token: str) -> None:
        self._db, self._pen = db, pen
        self._feed: Feed | None = None
        self._token = token
        self.is_lost = False

    @property
    def seq(self) -> int:
        return int(self._token.partition("-")[0])

    def step(self) -> None:
        """What there is, and a short wait for more."""
        try:
            if self._feed is None:
                self._feed = self._db.changes(self._token if self.seq else 0, timeout_s=0.3)
            for commit in self._feed:
                self._tell(commit)
        except DealDBError as problem:
            if isinstance(problem, FeedReset | StoreDamaged):
                # nothing resets the server in these runs
                self.is_lost = True
                self._pen.wrong(f"the feed after {self._token} ended in {problem!r}")
            if not getattr(problem, "retryable", False) and self._feed is not None:
                self._feed.close()
                self._feed = None
            raise

    def _tell(self, commit: Commit) -> None:
        self._token = commit.token
        deal, mark = "", ""
        if len(commit.deals) == 1:
            deal, mark = commit.deals[0].id, str(commit.deals[0].values.get("mark", ""))
        self._pen.told(commit.seq, commit.token, commit.kind, len(commit.deals), deal, mark)


def follow(setup: Setup, number: int, generation: int) -> None:
    """A process that follows the feed, from where the one before it was killed."""
    slot = setup.slots - 2
    pen, board = Pen(setup, slot, generation), setup.board
    with setup.open("feed") as db:
        follower = Follower(db, pen, last_token(Path(setup.folder), slot))
        while pen.is_wanted and not (follower.is_lost or 0 < board.last_seq <= follower.seq):
            pen.read(follower.step)


def last_token(folder: Path, slot: int) -> str:
    token = "0"
    for path in sorted(
        folder.glob(f"worker-{slot}-*.tsv"), key=lambda p: int(p.stem.split("-")[2])
    ):
        lines = path.read_bytes().split(b"\n")[:-1]
        told = [line for line in lines if line.startswith(b"F\t")]
        token = told[-1].split(b"\t")[3].decode() if told else token
    return token
