"""What a shell is told at Tab: only what it can take as it is."""

from __future__ import annotations

from typing import Any

import pytest

from dealdb.cli.completion import VARIABLE, is_harmless
from dealdb.cli.main import main
from terminals import EVIL_NAMES, EVIL_STAGES


def test_what_a_shell_would_run_or_expand_is_not_offered() -> None:
    for name in [*EVIL_NAMES, *EVIL_STAGES[:4]]:
        if name != "mm --parquet=RAN15":
            assert not is_harmless(name), name
    for sign in "$`;&|<>(){}[]*?!#^~'\"\\\n\r\t\x1b\x00\x7f\x9b\u202e\u2028\xa0:":
        assert not is_harmless(f"a{sign}b"), repr(sign)
        assert not is_harmless(f"{sign}b"), repr(sign)
    assert not is_harmless("=ls")
    assert not is_harmless(" a")
    assert not is_harmless("a ")


def test_ordinary_names_are_offered() -> None:
    for name in (
        "amount",
        "stage=On hold",
        "id,-amount",
        "Größe",
        "株式会社",
        "a/b",
        "50%",
        "--columns",
        "x",
    ):
        assert is_harmless(name)


def asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> list[str]:
    """What bash is told for words of which it completes the last."""
    monkeypatch.setenv(VARIABLE, "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    with pytest.raises(SystemExit):
        main([])
    return [line for line in capsys.readouterr().out.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dealdb", "save", "sta"], ["stage="]),
        (["dealdb", "save", "stage", "="], [r"On\ hold", "Won"]),
        (["dealdb", "save", "stage", "=", "On"], [r"On\ hold"]),
        (["dealdb", "save", "stage", "=", '"On'], ["On hold"]),
        # where COMP_WORDBREAKS has no equals sign
        (["dealdb", "save", "stage=On"], [r"stage=On\ hold"]),
        (["dealdb", "find", "--columns", "id,-on"], [r"id,-on\ sale"]),
        (["dealdb", "find", "--columns", "$"], []),
        (["dealdb", "find", "--colu"], ["--columns"]),
    ],
)
def test_bash_is_told_what_it_can_take(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: list[str],
) -> None:
    fields = ["stage", "on sale", "$(touch x)", "-rf", "amount"]
    stages = ["On hold", "Won", "Won$(touch x)", "W`x`"]

    def ask(_ctx: Any, question: Any) -> list[str]:
        return stages if "stage" in question.__name__ else fields

    monkeypatch.setattr("dealdb.cli.completion._ask", ask)
    assert asked(monkeypatch, capsys, words) == told
