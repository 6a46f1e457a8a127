"""No value and a value that is called "(none)" are two groups with two names."""

from __future__ import annotations

import polars as pl
import pytest

from dealdb.analytics.metrics import (
    concentration,
    leaderboard,
    pipeline_by_stage,
    trend,
    win_rate,
)
from dealdb.analytics.options import label_of_none
from dealdb.model.pipeline import Pipeline

STAGES = Pipeline().covering(["Won"])


def won(owners: list[str | None]) -> pl.DataFrame:
    n = len(owners)
    return pl.DataFrame({"owner": owners, "stage": ["Won"] * n, "amount": range(1, n + 1)})


def test_groups_have_names_of_their_own() -> None:
    frame = won(["(none)", None, "Ann"])
    names = {"(none)", "Ann", "(no owner)"}
    for metric in (win_rate, leaderboard, pipeline_by_stage):
        assert set(metric(frame, STAGES, by="owner").frame["owner"]) == names
    assert concentration(frame, STAGES, "owner")["top"] == ["Ann", "(no owner)", "(none)"]
    dated = frame.with_columns(closed=pl.date(2026, 1, 1))
    assert trend(dated, STAGES, "owner").frame["owner"].to_list() == ["(none)", "Ann", "(no owner)"]


def test_stages_have_names_of_their_own() -> None:
    frame = pl.DataFrame({"stage": ["(none)", None]})
    shown = pipeline_by_stage(frame, Pipeline()).frame.select("stage", "n").rows()
    assert shown == [("(none)", 1), ("(no stage)", 1)]


@pytest.mark.parametrize(
    ("values", "label"),
    [
        (["Ann", None], "(none)"),
        (["(none)", None], "(no owner)"),
        (["(none)", "(no owner)", None], "((no owner))"),
        ([], "(none)"),
    ],
)
def test_the_name_of_no_value(values: list[str | None], label: str) -> None:
    assert label_of_none(pl.Series("owner", values, dtype=pl.String)) == label
