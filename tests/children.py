"""Processes that tests start: they run the code that the test runs, be it a copy, and find what is in ``tests``."""

from __future__ import annotations

import os
from pathlib import Path

TESTS = Path(__file__).parent


def with_tests() -> dict[str, str]:
    """The environment of a process that imports from these tests."""
    # behind them what was given: the sources of another version, or those of a mutant
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
