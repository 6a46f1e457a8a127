"""The targets of coverage-guided fuzzing take what the search begins with, and run at all."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from fuzz import _targets
from fuzz.guided import guided


@pytest.mark.parametrize("name", _targets.TARGETS)
def test_a_target_takes_its_seeds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    target = _targets.TARGETS[name]()
    for seed in [*_targets._SEEDS[name], b"", b"\xff\x00\n", b"a" * 4096]:
        target(seed if isinstance(seed, bytes) else seed())


@pytest.mark.slow
@pytest.mark.parametrize("name", _targets.TARGETS)
def test_a_short_search_finds_nothing(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install -c constraints.txt -e '.[fuzz]'")
    assert guided(name, tmp_path, 20, 1) is None
