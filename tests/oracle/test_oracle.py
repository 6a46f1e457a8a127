"""The engine and the brute force answer random questions about random histories alike."""

from __future__ import annotations

import pytest

from oracle import currencies
from oracle.__main__ import main
from oracle.engine import PLACES
from oracle.questions import compared

# `make oracle` asks more
DEFAULT, MANY = 3, 1_000
# where an answer once differed: groups of nothing, a fact of the midnight after the last day, filters of what was
# known once, and the stage in which a deal closed
KNOWN = (
    ("time_in_stage", 5),
    ("time_in_stage", 1185),
    ("time_in_stage", 1257),
    ("time_in_stage", 1378),
    ("waterfall", 64),
    ("waterfall", 2616),
    ("forecast", 286),
    ("slippage", 119),
    ("slippage", 444),
    ("slippage", 3595),
    ("win_loss", 620),
    ("losses", 689),
    ("leaderboard", 2119),
    ("leaderboard", 3625),
    ("hindsight", 186),
    ("hindsight", 397),
    ("late_entry", 242),
)


def differences(metric: str, seeds: range) -> list[str]:
    return [text for seed in seeds if (text := compared(metric, seed))]


@pytest.mark.parametrize("metric", PLACES)
def test_answers_are_the_same(metric: str) -> None:
    assert differences(metric, range(DEFAULT)) == []


@pytest.mark.parametrize("metric", currencies.ASKED)
def test_answers_in_one_currency_are_the_same(metric: str) -> None:
    assert [text for seed in range(3) if (text := currencies.compared(metric, seed))] == []


def test_a_leaderboard_by_stage_has_that_of_the_closing() -> None:
    # the deal was moved to another lost stage later
    assert currencies.compared("leaderboard", 188) == ""


@pytest.mark.slow
@pytest.mark.parametrize("metric", currencies.ASKED)
def test_many_answers_in_one_currency_are_the_same(metric: str) -> None:
    assert [text for seed in range(MANY) if (text := currencies.compared(metric, seed))] == []


@pytest.mark.parametrize(("metric", "seed"), KNOWN)
def test_answers_that_once_differed_are_the_same(metric: str, seed: int) -> None:
    assert differences(metric, range(seed, seed + 1)) == []


@pytest.mark.slow
@pytest.mark.parametrize("metric", PLACES)
def test_many_answers_are_the_same(metric: str) -> None:
    assert differences(metric, range(MANY)) == []


def test_a_metric_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "funnel,funel"])
    assert "no metric 'funel'; there are funnel, time_in_stage" in capsys.readouterr().err


def test_all_metrics_are_asked_about_one_history_after_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--only", "funnel, losses", "--n", "2", "--seed", "5"]) == 0
    assert [line.partition(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        "funnel: 2 histories",
        "losses: 2 histories",
    ]
