"""What the processes of a run do that change deals: write, load and administrate, until the board says it is over."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl

from dealdb import DealDatabase
from dealdb.model.pipeline import Kind, Pipeline, Stage
from faults.journal import CELLS
from faults.pen import Pen, Setup, begin_generation

# every so many changes of a cell is a delete
DELETE_EVERY = 16
CAS_DEALS = 6
STAGES = ("new", "offer", "won", "lost")
# new deals of loads: beyond that they change those that there are, so that a restart of the server stays short
MOST_LOADED = 120_000
_SIZES = (1, 7, 40, 300, 1_000, 2_500, 6_000)


def is_delete(n: int) -> bool:
    """Whether a cell's change with that number is a delete."""
    return n % DELETE_EVERY == DELETE_EVERY - 1


def cell_id(slot: int, generation: int, cell: int) -> str:
    return f"c{slot}.{generation}.{cell}"


# writers ---------------------------------------------------------------------------------------------------------


class Writer:
    """One thread: cells that count up, deals of its own, and deals that all compete for."""

    def __init__(self, db: DealDatabase, pen: Pen, rng: random.Random) -> None:
        self._db, self._pen, self._rng = db, pen, rng
        self._deals: list[str] = []
        self._last: dict[str, Any] | None = None
        begin_generation(pen.block, pen.generation)

    def run(self) -> None:
        steps: list[Callable[[], None]] = [
            self._cell, self._create, self._compete, self._again, self._update, self._delete,
        ]  # fmt: skip
        while self._pen.goes_on:
            self._rng.choices(steps, (60, 14, 8, 6, 8, 4))[0]()
        self._pen.finish()

    def _save(self, kind: str, deal: dict[str, Any], **options: Any) -> bool:
        work = partial(self._db.save_deal, deal, **options)
        result = self._pen.change(kind, deal["id"], deal["mark"], work, deal.get("n", ""))
        if result is None:
            return False
        self._pen.block.count("saves")
        self._last = deal
        return True

    def _cell(self) -> None:
        cell, block = self._rng.randrange(CELLS), self._pen.block
        n = block.attempted[cell] + 1
        block.attempted[cell] = n
        deal_id = cell_id(self._pen.slot, self._pen.generation, cell)
        if is_delete(n):
            work = partial(self._db.delete_deal, deal_id)
            done = self._pen.change("delete", deal_id, self._pen.next_mark(), work, n) is not None
            block.count("deletes", int(done))
        else:
            deal: dict[str, object] = {"id": deal_id, "name": f"n{n}", "owner": "cell", "n": n}
            deal |= {"mark": self._pen.next_mark(), "stage": self._rng.choice(STAGES)}
            done = self._save("save", deal)
        if done:
            block.acknowledged[cell] = n
            if self._rng.random() < 0.1:
                self._look(deal_id, n)

    def _look(self, deal_id: str, n: int) -> None:
        """Its own cell, right after the answer: nobody else changes it."""
        found = self._pen.read(lambda: [self._db.get_deal(deal_id)])
        if found is None:
            return
        seen = found[0].get("n") if found[0] else None
        self._pen.compared("own deal", 1)
        if seen != (None if is_delete(n) else n):
            self._pen.wrong(f"get_deal({deal_id}) gives {seen} right after {n} was acknowledged")

    def _create(self) -> None:
        mark = self._pen.next_mark()
        deal_id, amount = f"d{mark}", self._rng.randrange(10**6)
        deal = {"id": deal_id, "name": "x" * self._rng.randrange(40), "owner": "single"}
        if self._save("save", {**deal, "mark": mark, "amount": amount, "stage": "new"}):
            self._deals = [*self._deals[-30:], deal_id]

    def _compete(self) -> None:
        """Count a shared deal up by one, on condition that nobody else has."""
        deal_id = f"cas{self._rng.randrange(CAS_DEALS)}"
        found = self._pen.read(lambda: [self._db.get_deal(deal_id)])
        if found is None:
            return
        rev, n = (found[0].rev, int(str(found[0]["n"]))) if found[0] else (0, 0)
        deal = {"id": deal_id, "mark": self._pen.next_mark(), "n": n + 1, "owner": "shared"}
        self._save("compete", deal, expect_rev=rev)

    def _again(self) -> None:
        """The last save once more: it changes nothing, so nobody may find it twice."""
        if self._last is None or self._last["owner"] != "single":
            return
        deal = dict(self._last)
        mark, deal_id = f"again {self._pen.next_mark()}", deal["id"]
        result = self._pen.change("again", deal_id, mark, partial(self._db.save_deal, deal))
        if result is not None and result.outcome != "unchanged":
            self._pen.wrong(f"saving {deal_id} again was answered {result.outcome}")

    def _update(self) -> None:
        if not self._deals:
            return
        deal_id, mark = self._rng.choice(self._deals), self._pen.next_mark()
        amount = self._rng.choice((None, 1, "2.50", 10**9))
        work = partial(self._db.update_deal, deal_id, mark=mark, amount=amount)
        if self._pen.change("save", deal_id, mark, work) is not None:
            self._pen.block.count("saves")
            self._last = None

    def _delete(self) -> None:
        if not self._deals:
            return
        deal_id, mark = (
            self._deals.pop(self._rng.randrange(len(self._deals))),
            self._pen.next_mark(),
        )
        self._last = None
        if self._pen.change("delete", deal_id, mark, partial(self._db.delete_deal, deal_id)):
            self._pen.block.count("deletes")


def write(setup: Setup, number: int, generation: int) -> None:
    """A process that saves and deletes, in several threads over one pool."""
    threads = []
    # most of what is worth a look begins where a limit has passed
    with setup.open(f"writer {number}", retry_deadline_s=0.4, socket_timeout_s=0.3) as db:
        for place in range(setup.threads):
            slot = number * setup.threads + place
            pen = Pen(setup, slot, generation)
            rng = random.Random(f"{setup.seed} {pen.name}")
            threads.append(threading.Thread(target=Writer(db, pen, rng).run))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


# loaders ---------------------------------------------------------------------------------------------------------


class Loader:
    """Loads data frames: new deals, the same again, over those that there are, and in ways that must change nothing."""

    def __init__(self, db: DealDatabase, pen: Pen, rng: random.Random) -> None:
        self._db, self._pen, self._rng = db, pen, rng
        self._number = 0
        # name and number of rows of loads whose deals are all there
        self._bases: list[tuple[str, int]] = []
        begin_generation(pen.block, pen.generation)

    def run(self) -> None:
        while self._pen.goes_on:
            is_full = self._pen.block.acknowledged[0] > MOST_LOADED
            if not self._bases or (not is_full and self._rng.random() < 0.5):
                self._load_new()
            else:
                self._load_over(*self._rng.choice(self._bases))
        self._pen.finish()

    def _frame(self, name: str, base: str, rows: int) -> pl.DataFrame:
        numbers = pl.int_range(rows, eager=True).cast(pl.String)
        return pl.DataFrame(
            {
                "id": base + "." + numbers,
                "name": self._rng.choice(("Acme ", "Bolt ", "Cord ")) + numbers,
                "owner": [f"L{self._pen.name}"] * rows,
                "stage": [self._rng.choice(STAGES)] * rows,
                "amount": pl.int_range(rows, eager=True) % 1000,
                "mark": name + ":" + numbers,
            }
        )

    def _next(self) -> str:
        self._number += 1
        return f"L{self._pen.name}.{self._number}"

    def _load(self, kind: str, name: str, frame: pl.DataFrame, on_conflict: str = "merge") -> Any:
        work = partial(
            self._db.loader.load, frame, on_conflict=on_conflict, rejects=False, bar=False
        )
        report = self._pen.change(kind, on_conflict, name, work, frame.height)
        if report is not None:
            told = (report.inserted, report.updated, report.unchanged, report.skipped)
            if sum(told) != frame.height or report.rejected:
                self._pen.wrong(f"load {name} of {frame.height} rows told {told}")
        return report

    def _load_new(self) -> None:
        name, rows = self._next(), self._rng.choice(_SIZES)
        frame = self._frame(name, name, rows)
        self._pen.block.attempted[0] += rows
        report = self._load("load", name, frame)
        if report is None and self._rng.random() < 0.7:
            report = self._load("load", name, frame)
        if report is None:
            return
        self._done(rows)
        self._pen.block.acknowledged[0] += rows
        self._bases = [*self._bases[-20:], (name, rows)]
        again = self._load("reload", name, frame) if self._rng.random() < 0.2 else None
        if again is not None and again.unchanged != rows:
            self._pen.wrong(f"loading {name} again left {again.unchanged} of {rows} unchanged")

    def _load_over(self, base: str, rows: int) -> None:
        name, way = self._next(), self._rng.choices(
            ("merge", "replace", "skip", "error"), (50, 30, 10, 10)
        )[0]  # fmt: skip
        frame = self._frame(name, base, rows)
        if way in ("skip", "error"):
            self._load("refused load", name, frame, way)
        elif self._load("load", name, frame, way) is not None:
            self._done(rows)

    def _done(self, rows: int) -> None:
        self._pen.block.count("rows", rows)


def load(setup: Setup, number: int, generation: int) -> None:
    """A process that loads data frames."""
    pen = Pen(setup, setup.writers * setup.threads + number, generation)
    # a load of many commits has to get through more than one fault
    with setup.open(f"loader {number}", retry_deadline_s=3.0) as db:
        Loader(db, pen, random.Random(f"{setup.seed} {pen.name}")).run()


# administrators ---------------------------------------------------------------------------------------------------


class Admin:
    """Columns that come, are renamed and go; stages; saved queries; checks and repairs."""

    def __init__(self, db: DealDatabase, pen: Pen, rng: random.Random) -> None:
        self._db, self._pen, self._rng = db, pen, rng
        self._number = 0

    def step(self) -> None:
        steps = (self._columns, self._stages, self._queries, self._check, self._health)
        self._rng.choices(steps, (4, 2, 2, 1, 1))[0]()

    def _do(self, what: str, work: Callable[[], Any]) -> bool:
        mark = f"adm {self._pen.next_mark()}"
        return self._pen.change("admin", what, mark, lambda: (work(), "done")[1]) is not None

    def _columns(self) -> None:
        self._number += 1
        name = f"adm{self._pen.generation}_{self._number}"
        deal = {"id": f"adm{self._rng.randrange(40)}", name: f"v{self._number}"}
        if not self._do(f"declare {name}", lambda: self._db.save_deal(deal)):
            return
        if self._rng.random() < 0.5:
            renamed = f"{name}r"
            if not self._do(
                f"rename {name} {renamed}", lambda: self._db.rename_field(name, renamed)
            ):
                return
            name = renamed
        self._do(f"drop {name}", lambda: self._db.drop_field(name))

    def _stages(self) -> None:
        kinds = {"won": Kind.WON, "lost": Kind.LOST}
        names = (*STAGES, f"s{self._rng.randrange(3)}")
        stages = [Stage(name, kinds.get(name, Kind.OPEN)) for name in names]
        self._do("set_pipeline", lambda: self._db.set_pipeline(Pipeline(tuple(stages))))

    def _queries(self) -> None:
        query = self._db.query
        if self._do("save query", lambda: query.save("mine", "owner = 'cell'")):
            self._do("run query", lambda: query.run("mine"))

    def _check(self) -> None:
        # a look at every hash: seconds, once the deals are many
        if len(self._db) < 20_000:
            work = self._db.check if self._rng.random() < 0.5 else self._db.repair
            self._do(work.__name__, work)

    def _health(self) -> None:
        self._do("health", self._db.health)


def administrate(setup: Setup, number: int, generation: int) -> None:
    """A process that changes what deals are."""
    pen = Pen(setup, setup.slots - 1, generation)
    rng = random.Random(f"{setup.seed} {pen.name}")
    with setup.open("admin") as db:
        admin = Admin(db, pen, rng)
        while pen.goes_on:
            pen.read(admin.step)
            threading.Event().wait(rng.uniform(0, 0.3))
        pen.finish()
