"""The benchmarks run, and measure what they say: at a size at which they take seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(*options: str | Path) -> str:
    command = [sys.executable, "-m", "benchmarks", *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_figures_run_and_are_kept(tmp_path: Path) -> None:
    _run(
        "load_dirty", "group_by", "--n", "300", "--repeats", "1", "--results", tmp_path, "--no-page"
    )  # fmt: skip

    load = json.loads((tmp_path / "load_dirty-300.json").read_text())
    ways = {way["name"]: way["values"] for way in load["ways"]}
    assert {"raw HSET, encoded before", "dealdb, Polars frame", "redis-py, pipeline"} <= set(ways)
    assert all(values and min(values) > 0 for values in ways.values())
    [line] = [
        line for line in load["lines"] if line["what"] == "load, dirty, frame, against raw HSET"
    ]
    raw, ours = ways["raw HSET, encoded before"], ways["dealdb, Polars frame"]
    assert line["ratios"] == pytest.approx(
        [a / b for a, b in zip(ours, raw, strict=True)], rel=1e-4
    )
    assert (tmp_path / "group_by-300.json").exists()
