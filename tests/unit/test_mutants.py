"""The mutants of ``make mutants`` are of the code as it is: each changes a text that stands there once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mutants import MUTANTS, ROOT, Mutant


@cache
def text_of(path: Path) -> str:
    return path.read_text()


def test_what_a_mutant_changes_is_there_once() -> None:
    counts = {m.name: text_of(m.file(ROOT / "src")).count(m.before) for m in MUTANTS}
    assert len(counts) == len(MUTANTS)
    assert {name: count for name, count in counts.items() if count != 1} == {}
    assert [mutant.name for mutant in MUTANTS if mutant.after == mutant.before] == []


def test_processes_that_tests_start_run_the_code_of_the_tests() -> None:
    """Not that which is installed: else no mutant would be noticed by what they do."""
    known = {"children.py", "mutants.py", Path(__file__).name}
    files = [path for path in (ROOT / "tests").rglob("*.py") if path.name not in known]
    assert [path for path in files if "PYTHONPATH" in text_of(path)] == []


def missing(mutant: Mutant) -> Iterator[str]:
    """Tests that a mutant names and that are not there."""
    for test in mutant.tests.split():
        path, _, name = test.partition("::")
        # a folder stands for all tests in it
        is_there = (ROOT / path).exists()
        if not is_there or (name and f"def {name.partition('[')[0]}(" not in text_of(ROOT / path)):
            yield test


def test_the_tests_that_have_to_notice_are_there() -> None:
    assert {mutant.name: found for mutant in MUTANTS if (found := list(missing(mutant)))} == {}
