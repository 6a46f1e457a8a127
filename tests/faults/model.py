"""What was acknowledged, from the journals alone: which changes have to be there, may be, and must not."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from faults.journal import read_journal

Fate = Literal["must", "may", "never"]
# a change that was not acknowledged, by what came of asking
_RESOLVED: dict[str, Fate] = {"True": "must", "False": "never"}


@dataclass(slots=True)
class Op:
    """One change as its worker knows it; ``effect`` is False where the answer says that it had nothing to do."""

    kind: str
    mark: str
    deal: str
    n: str
    fate: Fate = "may"
    outcome: str = "killed"
    effect: bool = True


@dataclass
class Model:
    """
    The journals of a run.

    Attributes
    ----------
    ops
        Changes by mark; the tries of one load count as one.
    deals
        Changes of deals with one owner, in their order.
    acknowledged
        When changes were acknowledged, by thread.
    told
        What feeds told: by thread, number, token, kind, count, deal and mark.
    """

    ops: dict[str, Op] = field(default_factory=dict)
    deals: defaultdict[str, list[Op]] = field(default_factory=lambda: defaultdict(list))
    acknowledged: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    told: list[list[str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    alien: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    checks: int = 0
    # acknowledged rows of loads
    rows: int = 0

    @classmethod
    def read(cls, folder: Path) -> Model:
        model = cls()
        for path in sorted(folder.glob("worker-*.tsv"), key=_age):
            for line in read_journal(path):
                model._take(path.stem, line)
        for op in model.ops.values():
            if op.outcome == "killed":
                model.outcomes["killed"] += 1
        return model

    def _take(self, thread: str, line: list[str]) -> None:
        match line:
            case ["I", _, kind, mark, deal, n]:
                self._begin(Op(kind, mark, deal, n))
            case ["O", time, mark, outcome, detail]:
                self.acknowledged[thread] += [float(time)] if outcome == "ok" else []
                self._end(mark, outcome, detail)
            case ["R", _, mark, happened]:
                self._resolve(self.ops[mark], _RESOLVED[happened])
                self.outcomes[f"resolved {happened}"] += 1
            case ["N", _, kind, checks]:
                self.reads[kind] += 1
                self.checks += int(checks)
            case ["W", _, words]:
                self.wrong.append(words)
            case ["E", _, code, _]:
                self.errors[f"read {code}"] += 1
            case ["F", _, *told]:
                self.told.append(told)
            case _:
                raise ValueError(f"a journal has the line {line}")

    def _begin(self, op: Op) -> None:
        before = self.ops.get(op.mark)
        if before is not None:
            before.outcome = "killed"
            return
        self.ops[op.mark] = op
        if op.kind in ("save", "delete"):
            self.deals[op.deal].append(op)

    def _resolve(self, op: Op, fate: Fate) -> None:
        # of a load it says whether the last few of its commits happened
        if not op.kind.endswith("load"):
            op.fate = _better(op.fate, fate)

    def _end(self, mark: str, outcome: str, detail: str) -> None:
        if outcome == "alien":
            self.alien[detail] += 1
            return
        op = self.ops[mark]
        op.outcome = outcome
        self.outcomes[outcome] += 1
        if outcome == "ok":
            op.fate, op.effect = "must", detail not in ("False", "unchanged")
        elif outcome == "not":
            op.fate = _better(op.fate, "never") if not op.kind.endswith("load") else op.fate
            self.errors[f"{op.kind} {detail.split()[0]}"] += 1
        else:
            self.errors[f"{op.kind} outcome-unknown"] += 1

    # figures -----------------------------------------------------------------------------------------------------

    def of(self, *kinds: str) -> list[Op]:
        return [op for op in self.ops.values() if op.kind in kinds]

    def recoveries(self, ends: Sequence[float], writers: int) -> tuple[list[float], list[float]]:
        """Seconds from the end of each fault to the next acknowledged change: of anybody, and of each thread."""
        by_slot = defaultdict[int, list[float]](list)
        for name, times in self.acknowledged.items():
            by_slot[_age(Path(name))[0]] += times
        # loads and administrators take their time without any fault
        threads = [sorted(times) for slot, times in by_slot.items() if slot < writers]
        first, each = [], []
        for end in ends:
            waits = [w for times in threads if (w := _wait(times, end)) is not None]
            if waits:
                first.append(min(waits))
                each += waits
        return first, each


def _age(path: Path) -> tuple[int, int]:
    _, slot, generation = path.stem.split("-")
    return int(slot), int(generation)


def _wait(times: Sequence[float], end: float) -> float | None:
    place = bisect.bisect_left(times, end)
    return times[place] - end if 0 < place < len(times) else None


def _better(before: Fate, now: Fate) -> Fate:
    # what was acknowledged once stays so
    return before if before == "must" else now


def share(values: Iterable[float], of: float) -> float | None:
    """A quantile; None of nothing."""
    ordered = sorted(values)
    return round(ordered[min(int(of * len(ordered)), len(ordered) - 1)], 4) if ordered else None


def explain(ops: Sequence[Op], events: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """
    Compare what one owner did to a deal, in its order, with what the log has.

    Parameters
    ----------
    ops
        Saves and deletes.
    events
        Marks of saves, and ``""`` for each delete.

    Returns
    -------
    tuple
        Deletes that are lost, deletes that were reported as not sent and are there, and anything else in words.
    """
    place = {op.mark: n for n, op in enumerate(ops)}
    lost, denied, odd = [], [], []
    begin, deletes, exists = 0, 0, False
    # a mark that is there twice is told elsewhere
    once = dict.fromkeys(mark or n for n, mark in enumerate(events))
    for mark in [*once, None]:
        if isinstance(mark, int):
            deletes += 1
            continue
        end = len(ops) if mark is None else place.get(mark, -1)
        if end < begin:
            odd.append(f"{ops[0].deal}: the change {mark} is not where its owner made it")
            continue
        window = [op for op in ops[begin:end] if op.kind == "delete"]
        musts = [op.mark for op in window if op.fate == "must" and op.effect]
        if deletes and not musts and not any(op.fate == "may" for op in window):
            denied.append(f"{ops[0].deal} before {mark}")
        if deletes > 1:
            odd.append(f"{ops[0].deal}: deleted {deletes} times in a row")
        lost += musts[deletes:]
        if exists and not deletes:
            odd += [f"{op.mark}: there was a deal to delete" for op in window if _found_none(op)]
        begin, deletes, exists = end + 1, 0, True
    return lost, denied, odd


def _found_none(op: Op) -> bool:
    return op.outcome == "ok" and not op.effect
