"""Commands that stand in a report."""

from __future__ import annotations

import shlex

import pytest

from dealdb.report.evidence import Evidence


@pytest.mark.parametrize(
    "words",
    [
        ("find", "stage IN ('Won', 'Bob''s')"),
        ("find", "name = '$HOME `x` \\ \"q\"!'"),
        ("find", "a\nb"),
        ("funnel", "--since", "2026-01-01"),
    ],
)
def test_a_command_can_be_typed_into_a_shell(words: tuple[str, ...]) -> None:
    assert shlex.split(Evidence(name="deals", command=words).typed) == ["dealdb", *words]
