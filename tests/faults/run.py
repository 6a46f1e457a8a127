"""
Writers, readers and faults for some minutes, then a verdict: ``python -m faults`` in the folder ``tests``.

What happens when is drawn from the seed; how far the workers are by then is not, so a run with the same seed has the
same faults in the same order, and other changes under them.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from children import TESTS, with_tests
from faults.checker import Checker, write_result
from faults.control import USER, Control, clock_env, faketime_library
from faults.journal import THREADS, Board
from faults.model import share
from faults.proxy import Proxy
from faults.schedule import KINDS, Planned, schedule
from faults.workers import Workers
from servers import BINARIES, DURABLE, EVERY_SECOND, Server

# no fault and no load takes as long, so that is a standstill
_REPORT_S = 20
_FSYNC = {"always": DURABLE, "everysec": EVERY_SECOND}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    What a run is to do.

    Attributes
    ----------
    server
        Flavor.
    seed
        Of the faults and of what the workers do.
    minutes
        Bound of the time under faults.
    changes, faults
        Ends earlier once both numbers are reached; None for the time alone.
    least_changes
        Acknowledged saves and deletes before the first fault, and after the last: with fewer the run is void.
    least_reads
        Reads that were compared with what was known: with fewer the run is void.
    only, without
        Kinds of faults to keep, all where there are none, and to leave out.
    fsync
        Of the server's append-only file.
    clock
        Whether the server runs with libfaketime, and its clock jumps.
    moments
        Commits of the past to look at.
    writers, threads, loaders, readers
        Processes that write, with how many threads each, that load, and that read.
    """

    server: str = "valkey9"
    seed: int = 1
    minutes: float = 10.0
    changes: int | None = None
    faults: int | None = None
    least_changes: int = 1000
    least_reads: int = 1000
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    fsync: str = "always"
    clock: bool = False
    moments: int = 3
    writers: int = 2
    threads: int = 3
    loaders: int = 1
    readers: int = 1

    @property
    def kinds(self) -> list[str]:
        left_out = {*self.without, *(() if self.clock else ("clock",))}
        return [kind for kind in self.only or KINDS if kind not in left_out]


@dataclass
class Told:
    """What the workers need to know, as ``faults.pen.Setup`` has it; written here without dealdb."""

    folder: str
    port: int
    seed: int
    writers: int
    threads: int
    loaders: int
    readers: int

    @property
    def slots(self) -> int:
        return self.writers * self.threads + self.loaders + self.readers + 2


class Run:
    """One run, from an empty server to the verdict."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.notes: list[str] = []
        self._ends: list[float] = []
        self._pids: set[int] = set()
        binary = BINARIES[plan.server]()
        if binary is None:
            raise SystemExit(f"no binary of {plan.server} on this machine")
        options = (*_FSYNC[plan.fsync], *USER.split())
        self.server = Server(binary, folder / "server", *options, env=self._clock_env())
        self.board = Board(folder / "board")

    def _clock_env(self) -> dict[str, str]:
        if not self.plan.clock:
            return {}
        library = faketime_library()
        if library is None or self.plan.server != "valkey9":
            raise SystemExit("--clock takes valkey9 and libfaketime (Debian package libfaketime)")
        return clock_env(library, self.folder / "clock")

    def execute(self) -> dict[str, Any]:
        """Run it and return the result."""
        phases = self.phases = {"start": time.monotonic()}
        self.server.start()
        collector = None
        with Proxy(self.server.port, seed=self.plan.seed) as self.proxy:
            self._set_up()
            try:
                self.workers.run("views", "prepare", str(self.folder))
                collector = self._collect()
                self._start_workers()
                sides = self._run_faults()
                phases["settle"] = time.monotonic()
                self._settle(collector)
                phases["judge"] = time.monotonic()
                result = self._judge(sides)
            finally:
                self.workers.kill_all()
                if collector is not None:
                    collector.kill()
                    collector.wait()
                self.server.stop()
                self._remove_leftovers()
        return {**result, "seconds": self._durations()}

    def _durations(self) -> dict[str, float]:
        """Seconds of each phase."""
        begins = sorted(
            [*((moment, name) for name, moment in self.phases.items()), (time.monotonic(), "")]
        )
        ends = [moment for moment, _ in begins[1:]]
        return {name: round(e - b, 1) for (b, name), e in zip(begins, ends, strict=False)}

    def _set_up(self) -> None:
        plan = self.plan
        self.told = Told(
            str(self.folder), self.proxy.port, plan.seed,
            plan.writers, plan.threads, plan.loaders, plan.readers,
        )  # fmt: skip
        if self.told.slots > THREADS:
            raise SystemExit(
                f"at most {THREADS} threads and processes, these are {self.told.slots}"
            )
        self.workers = Workers(self.folder, self.told)
        clock = self.folder / "clock" if plan.clock else None
        self.control = Control(self.server, self.proxy, self.workers.kill_one, clock)

    def _collect(self) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "faults.collector",
            str(self.server.socket),
            str(self.folder),
        ]
        return subprocess.Popen(command, env=with_tests())

    def _start_workers(self) -> None:
        plan = self.plan
        numbers = {"writer": plan.writers, "loader": plan.loaders, "reader": plan.readers}
        for role, number in {**numbers, "feed": 1, "admin": 1}.items():
            for place in range(number):
                self.workers.start(role, place)

    # under faults ------------------------------------------------------------------------------------------------

    def _acknowledged(self) -> tuple[int, int, int, int]:
        """Saves, deletes, rows of loads, compared reads."""
        blocks = [self.board.block(slot) for slot in range(self.told.slots)]
        return (
            sum(b.saves for b in blocks), sum(b.deletes for b in blocks),
            sum(b.rows for b in blocks), sum(b.reads for b in blocks),
        )  # fmt: skip

    def _singles(self) -> int:
        return sum(self._acknowledged()[:2])

    def _run_faults(self) -> tuple[int, int]:
        """All faults; acknowledged saves and deletes before the first one, and after the last."""
        self._await_singles(self.plan.least_changes)
        self.phases["faults"] = time.monotonic()
        before, ends_at = self._singles(), time.monotonic() + 60 * self.plan.minutes
        reported, reached = time.monotonic(), before
        for fault in schedule(self.plan.seed, self.plan.kinds):
            if time.monotonic() > ends_at or self._is_enough():
                break
            self._fault(fault)
            if time.monotonic() > reported + _REPORT_S:
                self._report()
                if self._singles() == reached:
                    self.notes.append(f"nothing was acknowledged any more before {fault}")
                    break
                reported, reached = time.monotonic(), self._singles()
        last = self._singles()
        self._await_singles(last + self.plan.least_changes)
        return before, self._singles() - last

    def _await_singles(self, number: int) -> None:
        ends_at = time.monotonic() + 60
        while self._singles() < number and time.monotonic() < ends_at:
            self.workers.look_after()
            time.sleep(0.02)

    def _fault(self, fault: Planned) -> None:
        self.counts[fault.kind] += 1
        self._note_server()
        self._ends.append(self.control.carry_out(fault))
        self.workers.look_after()
        if self.server.process is not None and self.server.process.poll() is not None:
            self.notes.append(f"the server ended on its own after {fault}")
            self.server.start()
        time.sleep(fault.pause_s)

    def _note_server(self) -> None:
        if self.server.process is not None:
            self._pids.add(self.server.process.pid)

    def _remove_leftovers(self) -> None:
        """What libfaketime leaves in memory of a process that is killed."""
        for pid in self._pids:
            for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
                Path("/dev/shm", name).unlink(missing_ok=True)

    def _is_enough(self) -> bool:
        plan = self.plan
        if plan.changes is None and plan.faults is None:
            return False
        changes = sum(self._acknowledged()[:3])
        return changes >= (plan.changes or 0) and self.counts.total() >= (plan.faults or 0)

    def _report(self) -> None:
        saves, deletes, rows, reads = self._acknowledged()
        words = f"{saves} saves, {deletes} deletes, {rows} rows, {reads} reads compared"
        print(f"{self.counts.total()} faults, {words}", file=sys.stderr, flush=True)

    def _settle(self, collector: subprocess.Popen[bytes]) -> None:
        """Let everybody finish: first who writes, then who has to see all of it."""
        self.proxy.heal()
        self.board.end()
        self.workers.wait("writer", "loader", "admin")
        while self.proxy.late:
            # of a worker that was killed
            time.sleep(0.05)
        with self.control.client() as client:
            seq: Any = client.hget("deals:meta", "seq")
        self.board.settle(int(seq))
        self.workers.wait("reader", "feed")
        collector.wait(120)

    # the verdict -------------------------------------------------------------------------------------------------

    def _judge(self, sides: tuple[int, int]) -> dict[str, Any]:
        with self.control.client() as client:
            checker = Checker(self.folder, client)
            checker.read_log()
            moments = [f"{seq}:{time}" for seq, time in checker.moments(self.plan.moments).items()]
            self.phases["look"] = time.monotonic()
            self.workers.run("views", "look", str(self.folder), *moments)
            looked = json.loads((self.folder / "looked.json").read_text())
            self.phases["compare"] = time.monotonic()
            verdict = checker.judge()
        if not looked["clean"]:
            verdict.unlike.append(f"check() says {looked['check']}")
        return self._result(checker, sides)

    def _result(self, checker: Checker, sides: tuple[int, int]) -> dict[str, Any]:
        model, verdict = checker.model, checker.verdict
        saves, deletes, rows, _ = self._acknowledged()
        first, each = model.recoveries(self._ends, self.plan.writers * self.plan.threads)
        void = void_reasons(self.plan, sides, model.reads.total(), self.counts.total())
        said = self.workers.said()
        clean = verdict.is_clean and not (model.alien or self.workers.crashed or said or self.notes)
        return {
            "verdict": "failed" if not clean else "void" if void else "clean",
            "void": void,
            "plan": asdict(self.plan),
            "commit": _commit(),
            "machine": f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "acknowledged": {"saves": saves, "deletes": deletes, "loaded rows": rows},
            "commits": len(checker.log.hashes),
            # with jumps of the clock, by which the log was ever ahead: proof that there were any
            "farthest into the future, s": round(max(checker.log.times) / 1000 - time.time()),
            "before the first fault and after the last": list(sides),
            "faults": dict(self.counts.most_common()),
            "faults in all": self.counts.total(),
            "link faults": dict(self.proxy.counts.most_common()),
            "links": self.proxy.accepted,
            "workers killed": self.workers.killed,
            "wrong": verdict.figures(),
            "reads compared": dict(model.reads),
            "values compared": model.checks,
            "outcomes": dict(model.outcomes),
            "errors": dict(model.errors.most_common()),
            "errors that are not ours": dict(model.alien.most_common(20)),
            "crashed": self.workers.crashed,
            "said": said,
            "notes": self.notes,
            "recovery of anybody, s": _quantiles(first),
            "recovery of each thread, s": _quantiles(each),
            "rate of loss below (95 %)": _bound(saves + deletes + rows),
        }


def void_reasons(plan: Plan, sides: Sequence[int], reads: int, faults: int) -> list[str]:
    """Why a run proves nothing, whatever it found: too little happened."""
    found = []
    for side, number in zip(("before the first fault", "after the last"), sides, strict=True):
        if number < plan.least_changes:
            found.append(f"{number} changes {side}, at least {plan.least_changes} are due")
    if reads < plan.least_reads:
        found.append(f"{reads} reads were compared, at least {plan.least_reads} are due")
    if faults < (plan.faults or 1):
        found.append(f"{faults} faults, at least {plan.faults or 1} are due")
    return found


def _quantiles(seconds: list[float]) -> dict[str, float | None]:
    return {"p50": share(seconds, 0.5), "p99": share(seconds, 0.99), "max": share(seconds, 1)}


def _bound(changes: int) -> float | None:
    return float(f"{3 / changes:.1e}") if changes else None


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=TESTS, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")


def execute(plan: Plan, *, out: Path | None = None, keep: bool = False) -> dict[str, Any]:
    """
    Carry out a run; its folder stays where it failed, or with ``keep``.

    The server's files are in memory where the system has such a place: it is killed, the machine is not.
    """
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="dealdb-faults", dir=place))
    result: dict[str, Any] = {"verdict": "not finished"}
    try:
        result = Run(plan, folder).execute()
        result["folder"] = str(folder)
    finally:
        if result["verdict"] == "clean" and not keep:
            shutil.rmtree(folder)
            result.pop("folder", None)
        else:
            print(f"everything of this run is in {folder}", file=sys.stderr)
    if out is not None:
        write_result(out, result)
    return result


def kinds_of(text: str) -> Sequence[str]:
    """Kinds of faults, apart by commas."""
    kinds = [kind for kind in text.split(",") if kind]
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise SystemExit(
            f"no kind of faults is called {', '.join(unknown)}; there are {', '.join(KINDS)}"
        )
    return kinds
