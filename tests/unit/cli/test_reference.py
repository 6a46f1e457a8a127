"""The page of the commands: it is written from the help texts, and one that is out of date is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dealdb.cli.reference import _run
from dealdb.cli.registry import COMMANDS


@pytest.fixture(autouse=True)
def _columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is as wide as it is; the terminal of the tests gets its width back."""
    monkeypatch.setenv("COLUMNS", os.environ.get("COLUMNS", "120"))


def test_a_page_that_was_written_is_up_to_date(tmp_path: Path) -> None:
    page = tmp_path / "cli.md"
    assert _run([str(page)]) == 0
    text = page.read_text("utf-8")
    assert all(f"\n## dealdb {name}\n" in text for name in COMMANDS)
    assert _run(["--check", str(page)]) == 0


@pytest.mark.parametrize("left", [None, "## dealdb\n"])
def test_a_page_that_is_missing_or_old_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], left: str | None
) -> None:
    page = tmp_path / "cli.md"
    if left is not None:
        page.write_text(left)
    assert _run(["--check", str(page)]) == 1
    assert "does not match the help texts: run make docs" in capsys.readouterr().err
    assert page.exists() == (left is not None)
