"""
Hostile cases keep their bounds.

Those of one module share a process, so that its start is paid once; ``make hostile`` tries each alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hostile.__main__ import load_cases, tried
from servers import Server

_MODULES = sorted({each.attack.__module__ for each in load_cases().values()})


@pytest.mark.parametrize("module", _MODULES)
def test_cases_keep_their_bounds(module: str, server: Server, tmp_path: Path) -> None:
    chosen = [each for each in load_cases().values() if each.attack.__module__ == module]
    names = [each.name for each in chosen if not each.slow]
    outcome = tried(names, server, tmp_path)
    assert outcome.ended == "ok", (
        f"{outcome.peak_mb:.0f} MB, {outcome.seconds:.1f} s\n{outcome.output}"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", load_cases())
def test_case_keeps_its_bounds_alone(name: str, server: Server, tmp_path: Path) -> None:
    outcome = tried([name], server, tmp_path)
    assert outcome.ended == "ok", (
        f"{outcome.peak_mb:.0f} MB, {outcome.seconds:.1f} s\n{outcome.output}"
    )
