"""Figures of several currencies, which have to be readable at any width."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from dealdb.analytics import Analytics, MetricResult
from dealdb.answers.labels import label_of
from dealdb.cli.commands.stats import print_metric
from dealdb.cli.output.figures import PIPE_WIDTH, arranged
from dealdb.cli.output.streams import Output
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.replica.snapshot import Snapshot

STAGES = Pipeline().covering(["Lead", "Demo", "Won", "Lost"])
METRICS: dict[str, Callable[[Analytics], MetricResult]] = {
    "summary": lambda a: a.summary(),
    "by two": lambda a: a.summary(by=["owner", "stage"]),
    "pipeline": lambda a: a.pipeline(),
    "leaderboard": lambda a: a.leaderboard(),
    "velocity": lambda a: a.velocity(),
    "trend": lambda a: a.trend(period="month"),
    "concentration": lambda a: a.concentration(by="owner"),
}


@pytest.fixture
def figures() -> Analytics:
    n = 60
    deals = pl.DataFrame(
        {
            "id": [str(row) for row in range(n)],
            "stage": [("Lead", "Demo", "Won", "Lost")[row % 4] for row in range(n)],
            "owner": [("Ann Miller-Lüdenscheidt", "Bob")[row % 2] for row in range(n)],
            "currency": [("EUR", "USD", "JPY", None)[row // 4 % 4] for row in range(n)],
            "amount": [Decimal(row * row * 12_345) + Decimal("0.25") for row in range(n)],
            "created": [date(2026, 1 + row % 6, 1) for row in range(n)],
            "closed": [date(2026, 7, 1 + row % 20) if row % 4 > 1 else None for row in range(n)],
        },
        schema_overrides={"amount": pl.Decimal(38, 2)},
    )
    snapshot = Snapshot(frame=deals, schema=Schema.standard(), pipeline=STAGES, seq=1)
    return Analytics(lambda _where: snapshot)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", METRICS)
def test_every_figure_stands_within_the_width(
    figures: Analytics,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    width: int,
) -> None:
    result = METRICS[name](figures)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_metric(result, Output.TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(lines)
    words = text.split()
    assert all(label_of(result.name, key) in text for key in result.frame.columns)
    # each amount once
    for column in result.frame.select(pl.selectors.decimal()):
        written = [f"{value:,.2f}" for value in column if value]
        assert all(words.count(value) >= written.count(value) for value in written)


def test_few_rows_stand_side_by_side(
    figures: Analytics, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in a pipe, where the table would have lines of 300 characters."""
    print_metric(figures.summary(), Output.TABLE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["currency", "EUR", "JPY", "USD", "(none)"]
    assert max(map(len, lines)) <= PIPE_WIDTH
    won = next(line for line in lines if line.startswith("won deals "))
    assert re.fullmatch(r"won deals( +\d+){4}", won)


def test_many_rows_stay_one_line_each_in_a_pipe(
    figures: Analytics, capsys: pytest.CaptureFixture[str]
) -> None:
    result = figures.summary(by=["owner", "stage"])
    print_metric(result, Output.TABLE)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(result)


def test_names_of_the_rows_stand_in_each_block() -> None:
    table: dict[str, list[Any]] = {
        "owner": [f"owner {n}" for n in range(9)],
        **{f"figure {n}": [n * 1_000_000] * 9 for n in range(8)},
    }
    blocks = arranged(table, {}, 40)
    assert [block[0][0].strip() for block in blocks] == ["owner"] * 3
    assert [column[0].strip() for block in blocks for column in block[1:]] == [*table][1:]
