"""What the audit of dependencies says, with and without data."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from tools import audit

CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found"}
HIT = {"name": "c", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("packages", "said", "code"),
    [
        ([CLEAN], ["1 packages audited: no known vulnerability"], 0),
        ([CLEAN, SKIPPED], ["1 packages audited: no known vulnerability", "NOT audited, without data: b"], 0),
        ([SKIPPED], ["no advisory data can be had here: NOT audited"], 0),
        ([], ["no advisory data can be had here: NOT audited"], 0),
        ([CLEAN, HIT, SKIPPED], ["c 2: CVE-1, fixed in 3"], 1),
    ],
)  # fmt: skip
def test_an_advisory_fails_and_missing_data_is_said(
    packages: list[dict[str, Any]], said: list[str], code: int
) -> None:
    assert audit.verdict(packages) == (said, code)


def test_without_a_network_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = SimpleNamespace(stdout="", stderr="ERROR: Connection refused\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ran)
    assert audit.main() == 0
    assert capsys.readouterr().out == (
        "no advisory data can be had here: NOT audited (ERROR: Connection refused)\n"
    )
