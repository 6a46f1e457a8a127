"""What is longer than the terminal goes through the pager that the environment names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dealdb.cli.output.pager import paging, show

LINES = [f"line {n}" for n in range(10)]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the pager leaves what it was given, in front of how it was told to show it."""
    path = tmp_path / "kept"
    program = tmp_path / "my-pager"
    program.write_text(f'#!/bin/sh\ncat > "{path}"\necho "$LESS" >> "{path}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PAGER", str(program))
    monkeypatch.delenv("TERM", raising=False)
    monkeypatch.delenv("LESS", raising=False)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 5)))
    return path


def test_more_lines_than_the_terminal_has_are_paged(
    kept: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with paging(wanted=True):
        show(LINES)
    assert kept.read_text().splitlines() == [*LINES, "FRX"]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("case", ["not wanted", "few lines", "no such program", "no terminal"])
def test_all_else_is_printed(
    kept: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    if case == "no such program":
        monkeypatch.setenv("PAGER", "/nowhere/pager")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: case != "no terminal")
    lines = LINES[:4] if case == "few lines" else LINES
    with paging(wanted=case != "not wanted"):
        show(lines)
    assert capfd.readouterr().out.splitlines() == lines
    assert not kept.exists()
