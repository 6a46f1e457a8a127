"""One run on a cluster, from empty nodes to the verdict."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import polars as pl

from clusters import Cluster
from dealdb import DealDatabase
from dealdb.store.partitions.layout import partition_of, slot_of, tag_of
from faults.cluster import workers
from faults.cluster.deeds import Deeds
from faults.cluster.losses import Loss, explained
from networks import Host, Network, why_not
from servers import BINARIES, EVERY_SECOND, Server

# a node that reads its file for longer than that when it starts takes all others for gone, and says so to them
_PATIENT_NODES = ("--cluster-node-timeout", "3000")
# reads of all deals without which a run says too little
_LEAST_READS = 20
# what a node logs that takes the place of its primary
_WON = "Failover election won"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    What a run is to do.

    Attributes
    ----------
    server, partitions, seed
        Flavor of the nodes, partitions of the collection, and what the deeds are drawn from.
    changes
        Ends once so many saves, deletes and loaded rows were acknowledged, and ``deeds`` deeds done.
    minutes
        Ends then, whatever was reached.
    processes, threads
        Processes that save, and threads of each.
    networks
        Whether each node is on a network of its own, which is cut.
    only
        Kinds of deeds to do, all where there are none.
    """

    server: str = "valkey9"
    partitions: int = 16
    seed: int = 1
    changes: int = 500_000
    deeds: int = 12
    minutes: float = 20.0
    processes: int = 2
    threads: int = 4
    networks: bool = True
    only: tuple[str, ...] = ()
    least_changes: int = 1_000


class Run:
    """One run."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        self._servers: list[Server] = []
        self._hosts: dict[int, Host] = {}
        self._counts: Counter[str] = Counter()
        self._notes: list[str] = []

    def execute(self) -> dict[str, Any]:
        """Run it; returns the result."""
        plan = self._plan
        no_networks = None if not plan.networks else why_not()
        if no_networks:
            self._notes.append(f"no network was cut: {no_networks}")
        with ExitStack() as stack:
            stack.callback(self._stop)
            self._network = (
                stack.enter_context(Network()) if plan.networks and not no_networks else None
            )
            cluster = Cluster(self._start)
            nodes = ",".join(f"{node.host}:{node.port}" for node in cluster.nodes)
            url = f"redis+cluster://{nodes}/"
            setup = workers.Setup(str(self._folder), url, plan.seed, plan.processes, plan.threads)
            with DealDatabase.from_url(url, partitions=plan.partitions) as db:
                db.save_deal({"id": "first", "amount": 0, "owner": "x", "stage": "new"})
            slots = [slot_of(tag_of(n, plan.partitions)) for n in range(plan.partitions)]
            deeds = Deeds(
                cluster, slots, random.Random(plan.seed), network=self._network, hosts=self._hosts,
                can_move_whole=plan.server == "valkey9",
            )  # fmt: skip
            processes = self._begin(setup)
            try:
                sides = self._under_faults(setup, deeds, processes)
            finally:
                setup.board().end()
                for process in processes:
                    process.join(120)
                    if process.exitcode != 0:
                        self._notes.append(f"{process.name} ended with {process.exitcode}")
                        process.kill()
            return self._judge(setup, deeds, sides)

    def _start(self, *options: str) -> Server:
        host = self._network.new_host() if self._network else None
        where = {"host": host.address, "before": host.before} if host else {}
        binary = BINARIES[self._plan.server]()
        if binary is None:
            raise SystemExit(f"no binary of {self._plan.server} on this machine")
        folder = self._folder / f"node{len(self._servers)}"
        all_options = (*EVERY_SECOND, "--protected-mode", "no", *options, *_PATIENT_NODES)
        server = Server(binary, folder, *all_options, **where)  # type: ignore[arg-type]  # host and before
        self._servers.append(server)
        if host:
            self._hosts[server.port] = host
        return server.start()

    def _stop(self) -> None:
        for server in self._servers:
            if server.process is not None:
                server.stop()

    def _begin(self, setup: workers.Setup) -> list[BaseProcess]:
        setup.board()
        begin = multiprocessing.get_context("spawn").Process
        jobs = [
            *(begin(target=workers.save, args=(setup, n)) for n in range(setup.processes)),
            begin(target=workers.load, args=(setup,)),
            begin(target=workers.read, args=(setup,)),
        ]
        for job in jobs:
            job.start()
        return list(jobs)

    def _under_faults(
        self, setup: workers.Setup, deeds: Deeds, processes: list[BaseProcess]
    ) -> tuple[int, int]:
        """All deeds; acknowledged saves before the first one, and after the last."""
        board, plan = setup.board(), self._plan
        self._await(lambda: board.saves >= plan.least_changes)
        before, ends_at = board.saves, time.monotonic() + 60 * plan.minutes
        draw = random.Random(plan.seed)
        kinds: list[str] = []
        while time.monotonic() < ends_at and all(process.is_alive() for process in processes):
            enough = board.saves + board.rows >= plan.changes
            if enough and self._counts.total() >= plan.deeds:
                break
            if not kinds:
                # each kind in turn, in an order that the seed says; nodes are added once
                kinds = draw.sample(list(deeds.kinds), len(deeds.kinds))
                kinds += ["nodes added"] if not self._counts else []
                kinds = [kind for kind in kinds if kind in (plan.only or kinds)]
            kind = kinds.pop()
            deeds.do(kind)
            self._counts[kind] += 1
            print(
                f"{self._counts.total()} deeds, {board.saves} saves, {board.rows} rows",
                file=sys.stderr, flush=True,
            )  # fmt: skip
            time.sleep(draw.uniform(1, 3))
        last = board.saves
        self._await(
            lambda: board.saves >= last + plan.least_changes and board.reads >= _LEAST_READS
        )
        return before, board.saves - last

    @staticmethod
    def _await(happened: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + 60
        while not happened() and time.monotonic() < ends_at:
            time.sleep(0.05)

    # the verdict -------------------------------------------------------------------------------------------------

    def _judge(self, setup: workers.Setup, deeds: Deeds, sides: tuple[int, int]) -> dict[str, Any]:
        plan = self._plan
        said = {path.stem: json.loads(path.read_text()) for path in self._folder.glob("*.json")}
        savers = [found for name, found in said.items() if name.startswith("saver")]
        with setup.open() as db:
            frame = db.query.find(columns=["id", "amount", "owner"])
            report = db.check()
            histories = _numbers(db, savers)
            n_deals = len(db)
        wrong = [*said["loader"]["wrong"]]
        doubled = _doubled(histories)
        losses = list(_losses(frame, histories, savers, said["loader"]["loaded"], plan.partitions))
        wrong += [
            f"get_deal({deal}) gave {seen} right after {number}"
            for found in savers
            for deal, seen, number in found["stale"]
            if not _shows_loss(seen, number, histories[deal])
        ]
        shown = dict(zip(frame["id"], map(int, frame["amount"].fill_null(0)), strict=True))
        wrong += [
            f"{deal} is shown with {shown.get(deal)}, its history ends with {numbers[-1]}"
            for deal, numbers in histories.items()
            if numbers and shown.get(deal) != numbers[-1]
        ]
        by_design = [(loss, o) for loss in losses if (o := explained(loss, deeds.outages))]
        never = [loss for loss in losses if not explained(loss, deeds.outages)]
        # a reader that misses what was acknowledged has met a loss
        late = [each for each in said["reader"]["wrong"] if not _was_lost(each, losses)]
        if frame["id"].n_unique() != frame.height or n_deals != frame.height:
            wrong.append(
                f"{frame.height} rows of {frame['id'].n_unique()} deals, counted {n_deals}"
            )
        clean = not (never or doubled or wrong or late or report.differences or self._bad_notes())
        board = setup.board()
        # what was deleted had been made before
        deletes = sum(len(found["deleted"]) for found in savers)
        made = sum(len(found["made"]) for found in savers)
        enough = (
            min(sides) >= plan.least_changes
            and board.reads >= _LEAST_READS
            and self._counts.total() >= plan.deeds
        )
        return {
            "verdict": "failed" if not clean else "clean" if enough else "void",
            "plan": asdict(plan),
            "machine": f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "acknowledged": {
                "saves": board.saves + made + deletes,
                "deletes": deletes,
                "loaded rows": board.rows,
            },
            "before the first deed and after the last": list(sides),
            "deeds": dict(self._counts.most_common()),
            "primaries replaced": sum(outage.replaced for outage in deeds.outages),
            "replaced after, s": [outage.lasted_s for outage in deeds.outages if outage.replaced],
            # more than were replaced: servers replaced others unasked, and no outage explains what was lost by it
            "elections won": self._elections(),
            "not replaced, s": [outage.lasted_s for outage in deeds.outages if not outage.replaced],
            "reads of all deals compared": board.reads,
            "lost by design": [
                f"{loss.what}: {outage.began - loss.acked:.3f} s before its primary was {outage.kind}"
                for loss, outage in by_design
            ],
            "lost": [loss.what for loss in never],
            "doubled": doubled,
            "wrong reads": wrong[:20],
            "reads that missed something": late[:20],
            "differences of check": len(report.differences),
            "errors that callers met": dict(
                sum((Counter(found["errors"]) for found in said.values()), Counter())
            ),
            "longest pause of a thread, s": round(max(found["longest_s"] for found in savers), 2),
            "notes": self._notes,
        }

    def _elections(self) -> int:
        logs = (server.folder / "log" for server in self._servers)
        return sum(log.read_text(errors="replace").count(_WON) for log in logs)

    def _bad_notes(self) -> bool:
        return any(not note.startswith("no network") for note in self._notes)


def _losses(
    frame: pl.DataFrame,
    histories: Mapping[str, Sequence[int]],
    savers: Sequence[Any],
    loaded: Mapping[str, int],
    partitions: int,
) -> Iterator[Loss]:
    """Whatever was acknowledged and is not there."""

    def loss(what: str, deal: str, acked: float) -> Loss:
        return Loss(what, acked, slot_of(tag_of(partition_of(deal, partitions), partitions)))

    has = set(frame["id"])
    for found in savers:
        for deal, (acked, _) in found["cells"].items():
            kept = set(histories[deal])
            for number, at in acked:
                if number not in kept:
                    yield loss(f"save {number} of {deal}", deal, at)
        for deal, at in found["made"].items():
            if deal not in has:
                yield loss(f"deal {deal}", deal, at)
        for deal, at in found["deleted"].items():
            if deal in has:
                yield loss(f"delete of {deal}", deal, at)
    rows = Counter(frame["owner"])
    for name, n in loaded.items():
        if n > 0 and rows[name] != n:
            for number in range(n):
                if (deal := f"{name}.{number}") not in has:
                    # of a load, the moment of each row is not known: it can't be explained
                    yield loss(f"row {deal}", deal, 0.0)


def _numbers(db: DealDatabase, savers: Sequence[Any]) -> dict[str, list[int]]:
    """The numbers that each deal has had, by its history."""
    found = {}
    for saver in savers:
        for deal in saver["cells"]:
            history = db.deal_history(deal).filter(pl.col("field") == "amount")
            found[deal] = [int(Decimal(number)) for number in history["after"]]
    return found


def _doubled(histories: Mapping[str, Sequence[int]]) -> list[str]:
    """Saves that the history has twice, or out of order: numbers of a deal only grow."""
    return [
        f"{deal}: {later} after {earlier}"
        for deal, numbers in histories.items()
        for earlier, later in pairwise(numbers)
        if later <= earlier
    ]


def _shows_loss(seen: int | None, number: int, kept: Sequence[int]) -> bool:
    """Whether a read shows that a save is lost, and counted as that: it gave the one before, and no history has it."""
    return number not in kept and seen == max((n for n in kept if n < number), default=None)


def _was_lost(miss: Sequence[Any], losses: Sequence[Loss]) -> bool:
    deal, *_ = miss
    return any(loss.what.endswith(f" of {deal}") for loss in losses)


def execute(plan: Plan, *, keep: bool = False) -> dict[str, Any]:
    """Run a plan in a folder of its own, which is kept where the verdict is not clean."""
    folder = Path(tempfile.mkdtemp(prefix="dealdb-cluster-"))
    is_clean = False
    try:
        result = Run(plan, folder).execute()
        is_clean = result["verdict"] == "clean"
        return result if is_clean else {**result, "kept": str(folder)}
    finally:
        if is_clean and not keep:
            shutil.rmtree(folder)
