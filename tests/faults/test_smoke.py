"""A short run of everything: the processes, the faults, the judge. ``make faults`` is the long one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faults.run import Plan, execute, void_reasons
from faults.schedule import schedule


def test_nothing_acknowledged_is_lost_in_some_seconds(flavor: str, tmp_path: Path) -> None:
    # some kinds of fault; `make faults` has all of them, for longer
    plan = Plan(
        server=flavor, seed=370, minutes=0.2, faults=8,
        moments=1, writers=1, least_changes=100, least_reads=20,
    )  # fmt: skip
    result = execute(plan, out=tmp_path / "result.json")
    assert result["verdict"] == "clean", json.dumps(result, indent=1, default=str)
    assert result == json.loads((tmp_path / "result.json").read_text()) | {"plan": result["plan"]}


@pytest.mark.parametrize(
    ("sides", "reads", "faults", "is_void"),
    [
        ((10, 10), 10, 5, False),
        ((9, 10), 10, 5, True),
        ((10, 9), 10, 5, True),
        ((10, 10), 9, 5, True),
        ((10, 10), 10, 4, True),
    ],
)
def test_a_run_in_which_too_little_happened_is_void(
    sides: tuple[int, int], reads: int, faults: int, is_void: bool
) -> None:
    plan = Plan(least_changes=10, least_reads=10, faults=5)
    assert bool(void_reasons(plan, sides, reads, faults)) == is_void


def test_faults_repeat_from_their_seed() -> None:
    def first(seed: int) -> list[object]:
        return [fault for fault, _ in zip(schedule(seed), range(100), strict=False)]

    assert first(1) == first(1)
    assert first(1) != first(2)
