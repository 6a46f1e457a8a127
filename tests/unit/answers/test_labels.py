"""Each figure of each metric has words for a table, and no two of a table the same."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from dealdb.analytics import metrics
from dealdb.analytics.result import MetricResult
from dealdb.answers.labels import LABELS, in_labels, key_of, label_of
from dealdb.cli.commands.stats import METRICS
from dealdb.model.pipeline import Pipeline

DEALS = pl.DataFrame({"owner": ["Ann", "Bob"], "company": ["A", "B"], "stage": ["Won", "Lost"]})
OPTIONS: dict[str, dict[str, str]] = {"win_rate": {"measure": "value"}}
# what says what it is as it stands
PLAIN = {
    "stage", "kind", "value", "rotting", "overdue", "groups", "rank", "owner", "created",
}  # fmt: skip


def result_of(metric: str, frame: pl.DataFrame = DEALS) -> MetricResult:
    name = {"pipeline": "pipeline_by_stage"}.get(metric, metric)
    result: MetricResult = getattr(metrics, name)(
        frame, Pipeline().covering(["Won", "Lost"]), **OPTIONS.get(metric, {})
    )
    return result


@pytest.mark.parametrize("metric", [name.replace("-", "_") for name in METRICS])
def test_each_figure_has_words_of_its_own(metric: str) -> None:
    result = result_of(metric)
    keys = result.frame.columns
    assert result.name == metric
    assert {key for key in keys if key not in LABELS[metric]} <= PLAIN
    assert LABELS[metric].keys() <= {*keys}
    labels = [label_of(metric, key) for key in keys]
    assert len({*labels}) == len(keys)
    assert not [label for label in labels if "_" in label or len(label) < 3]
    # who reads the label can name the figure by it
    assert {key_of(metric, key, keys) for key in keys} == {*keys}
    shown = {key_of(metric, label, keys) for label in labels}
    assert shown == {*keys} or metric == "trend"


def test_a_group_keeps_its_name() -> None:
    assert label_of("win_rate", "velocity") == "velocity"
    assert key_of("win_rate", "Velocity", ["velocity", "n"]) == "velocity"
    assert key_of("win_rate", "closed-deals", ["velocity", "n"]) == "n"
    assert key_of("win_rate", "ammount", ["velocity", "n"]) == "ammount"


def test_a_warning_has_the_words_of_the_table() -> None:
    warning = "2 open deals without a creation date up to as_of, not in mean_age_days"
    assert in_labels("pipeline", warning).endswith("not in mean age, days")
    assert in_labels("summary", "3 deals, not in weighted") == "3 deals, not in weighted"


@pytest.mark.parametrize("metric", [name.replace("-", "_") for name in METRICS])
def test_an_amount_of_0_is_an_amount(metric: str) -> None:
    deal = {"amount": 0, "created": date(2026, 1, 1), "closed": date(2026, 1, 9), "owner": "Ann"}
    stages = ("Won", "Lost", "Demo")
    frame = pl.DataFrame([{**deal, "company": "A", "stage": stage} for stage in stages])
    table = result_of(metric, frame).frame
    labels = {label_of(metric, key): key for key in LABELS[metric]}
    without = [key for label, key in labels.items() if label.endswith("without an amount")]
    having = [key for label, key in labels.items() if label.endswith("with an amount")]
    assert not [key for key in without if table[key].sum()]
    assert not [key for key in having if not table[key].sum()]
