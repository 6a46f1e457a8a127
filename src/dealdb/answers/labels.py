"""What tables for people call the figures of each metric; in JSON, CSV and Python they keep their keys."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_CLOSED = {"n": "closed deals", "won": "won", "lost": "lost", "win_rate": "win rate"}
_SIZE = {"mean_size": "mean size", "sized_n": "deals, amount not 0"}
_CYCLE = {"cycle_days": "sales cycle, days", "cycle_n": "deals with both dates"}

# a column to group by is never one of the figures of its metric
LABELS: dict[str, dict[str, str]] = {
    "summary": {
        "deals": "deals",
        "open": "open deals",
        "n": "closed deals",
        "won": "won deals",
        "lost": "lost deals",
        "pipeline_value": "open value",
        "blank": "open without an amount",
        "weighted": "weighted open value",
        "unweighted": "open not weighted",
        "overdue": "overdue deals",
        "won_value": "won value",
        "win_rate": "win rate",
        "mean_size": "mean won size",
        "median_size": "median won size",
        "sized_n": "won, amount not 0",
        "mean_cycle_days": "mean cycle, days",
        "median_cycle_days": "median cycle, days",
        "cycle_n": "won with both dates",
        "velocity": "velocity, per day",
        "first_created": "first created",
        "last_created": "last created",
        "first_closed": "first closed",
        "last_closed": "last closed",
    },
    "pipeline": {
        "n": "deals",
        "blank": "without an amount",
        "weighted": "weighted value",
        "unweighted": "not weighted",
        "mean_age_days": "mean age, days",
        "age_n": "with an age",
    },
    "win_rate": {
        **_CLOSED,
        "won_value": "won value",
        "lost_value": "lost value",
        "lost_blank_or_zero": "lost, amount 0 or none",
        "value_win_rate": "win rate by value",
    },
    "deal_size": {
        "n": "deals, amount not 0",
        "value": "won value",
        "mean": "mean size",
        "median": "median size",
        "zero": "amount of 0",
        "blank": "without an amount",
    },
    "sales_cycle": {
        "n": "deals with both dates",
        "mean_days": "mean days",
        "median_days": "median days",
        "min_days": "shortest, days",
        "max_days": "longest, days",
        "negative": "closed before created",
        "undated": "without both dates",
    },
    "velocity": {
        **_SIZE,
        **_CYCLE,
        "n": "deals",
        "won": "won",
        "win_rate": "win rate",
        "velocity": "velocity, per day",
        "closed_n": "closed deals",
    },
    "leaderboard": {
        **_CLOSED,
        **_SIZE,
        **_CYCLE,
        "won_value": "won value",
        "open": "open deals",
        "open_weighted": "weighted open value",
        "unweighted": "not weighted",
    },
    "concentration": {
        "n": "deals",
        "k": "groups at the top",
        "top_value": "value of the top",
        "top_share": "share of the top",
        "hhi": "concentration (HHI)",
        "top": "top",
    },
    "funnel": {
        "n": "deals",
        "next": "went on",
        "cumulative": "of the first",
        "open": "still open",
        "blank": "no amount",
    },
    "time_in_stage": {
        "n": "stays that ended",
        "mean_days": "mean days",
        "median_days": "median days",
        "p90_days": "90 % within, days",
        "total_days": "all days",
        "open_n": "there now",
        "open_mean_days": "mean days, there now",
        "open_median_days": "median days, there now",
        "deleted": "deleted there",
        "backward": "came back",
    },
    "ageing": {
        "bucket": "days",
        "from": "from day",
        "to": "to day",
        "n": "open deals",
        "weighted": "weighted value",
        "blank": "no amount",
    },
    "rotting": {
        "rot_days": "days allowed",
        "n": "open deals",
        "share": "share rotting",
        "value": "value rotting",
        "worst_days": "worst, days",
    },
    "waterfall": {"bucket": "what", "n": "deals", "blank": "no amount"},
    "slippage": {
        "n": "deals due",
        "value": "value due",
        "moved": "moved out",
        "overdue": "overdue in place",
        "slipped_value": "value slipped",
        "share_n": "share slipped",
        "share_value": "share of value slipped",
        "pushed_deals": "deals pushed",
        "mean_days_pushed": "mean push, days",
        "blank": "no amount",
    },
    "coverage": {
        "open": "open value",
        "coverage": "covered, times",
        "required": "needed, times",
        "gap": "open value missing",
        "met": "target met",
        "overdue": "overdue deals",
        "undated_value": "value without a date",
        "blank": "no amount",
    },
    "forecast": {
        "period": "first day",
        "label": "period",
        "best": "best case",
        "n": "open deals",
        "blank": "no amount",
        "unweighted": "not weighted",
    },
    "cohorts": {
        "cohort": "first day",
        "label": "created in",
        "k": "periods later",
        "size": "deals",
        "rate": "win rate",
        "open": "still open",
        "open_share": "share open",
    },
    "losses": {
        "n": "lost deals",
        "share_n": "share",
        "share_value": "share of value",
        "blank": "no amount",
        "median_days": "median days to loss",
    },
    "win_loss": {
        "n": "closed deals",
        "rate": "win rate",
        "lo": "at least",
        "hi": "at most",
        "won_value": "won value",
        "lost_value": "lost value",
    },
    "attainment": {
        "key": "quota of",
        "attainment": "share of quota",
        "pace": "against days gone",
        "days_left": "days left",
        "needed_per_day": "needed a day",
    },
    "stage_chances": {
        "n": "deals",
        "chance": "chance to win",
        "lo": "at least",
        "hi": "at most",
        "undecided": "not decided yet",
    },
    "simulate": {
        "rho": "correlation",
        "n": "open deals",
        "won": "won to date",
        "p10": "low (P10)",
        "p50": "middle (P50)",
        "p90": "high (P90)",
        "error": "error of the simulation",
    },
    "ramp": {
        "month": "month, from 0",
        "cumulative": "value so far",
        "active": "month reached",
        "ramped": "ramped up in month",
    },
    "activity": {
        "who": "by whom",
        "deals_touched": "deals changed",
        "stage_moves": "stage moves",
        "pushes": "dates pushed",
        "amount_changes": "new amounts",
        "created": "deals created",
        "closed": "deals closed",
        "days_active": "days active",
        "last": "last change",
        "bulk": "changes by loads",
    },
    "late_entry": {
        "n": "won deals",
        "late": "recorded late",
        "share": "share late",
        "median_days": "median days late",
        "worst_days": "worst, days late",
        "value": "won value",
        "late_value": "value recorded late",
        "blank": "no amount",
        "unknown": "record not known",
    },
    "hindsight": {"bucket": "what", "n": "deals", "blank": "no amount"},
    "survival": {
        "days": "days in stage",
        "at_risk": "still watched",
        "events": "ended",
        "censored": "out of sight",
        "s": "share left",
        "lo": "at least",
        "hi": "at most",
        "competing": "ended otherwise",
        "incidence": "share ended",
    },
    "time_to_close": {
        "id": "deal",
        "age_days": "days in stage",
        "n": "earlier deals",
        "chance": "chance",
        "p10": "1 in 10 within, days",
        "p50": "half within, days",
        "p90": "9 in 10 within, days",
    },
    "calibration": {
        "target": "won",
        "n": "looked at",
        "brier": "Brier score",
        "resolved_share": "share closed by then",
        "log_loss": "log loss",
        "base_rate": "share won",
        "bias": "chance too high by",
        "bias_lo": "by at least",
        "bias_hi": "by at most",
        "expected": "expected value",
        "actual": "won value",
    },
    "forecast_error": {
        "period": "first day",
        "label": "period",
        "days_before": "days before its end",
        "actual": "won in the end",
        "base": "forecast",
        "commit": "committed",
        "high": "if all were won",
        "base_error": "forecast too high by",
        "commit_error": "committed too high by",
        "high_error": "all too high by",
        "base_share": "forecast off by",
    },
    "seasonality": {"factor": "times the year", "n": "years", "lo": "at least", "hi": "at most"},
    "trend": {**_CLOSED, "period": "first day", "label": "period", "won_value": "won value"},
}


# of a line for each deal, in place of the figures
_LINE = {"id": "deal", "value": "adds", "from": "from", "to": "to", "at": "when", "figure": "in"}


def is_lines(keys: Sequence[str]) -> bool:
    """
    Whether a table has a line for each deal, and not the figures.

    Examples
    --------
    >>> is_lines(["stage", "id", "value", "from", "to", "at"]), is_lines(["stage", "n"])
    (True, False)
    """
    return {"id", "from", "to", "at"} <= {*keys}


def label_of(metric: str, key: str) -> str:
    """
    What a table calls a figure; a column to group by keeps its name, with blanks.

    Examples
    --------
    >>> label_of("summary", "n"), label_of("deal_size", "n"), label_of("win_rate", "loss_reason")
    ('closed deals', 'deals, amount not 0', 'loss reason')
    """
    return LABELS.get(metric, {}).get(key) or key.replace("_", " ")


def labels_of(metric: str, keys: Sequence[str]) -> dict[str, str]:
    """
    What a table calls its columns; no two the same.

    Examples
    --------
    >>> labels_of("waterfall", ["own_er", "own er", "n"])
    {'own_er': 'own_er', 'own er': 'own er', 'n': 'deals'}
    >>> labels_of("rotting", ["stage", "id", "value", "from", "to", "at"])["value"]
    'adds'
    """
    line = _LINE if is_lines(keys) else {}
    words = {key: line.get(key) or label_of(metric, key) for key in keys}
    taken = Counter(words.values())
    return {key: key if taken[word] > 1 else word for key, word in words.items()}


def key_of(metric: str, name: str, keys: list[str]) -> str:
    """
    Key that a person means who may have read the label; the name itself where it is neither.

    Examples
    --------
    >>> key_of("leaderboard", "won value", ["owner", "n", "won_value"])
    'won_value'
    >>> key_of("leaderboard", "win-rate", ["owner", "win_rate"])
    'win_rate'
    """
    for key in keys:
        if _plain(name) in (_plain(key), _plain(label_of(metric, key))):
            return key
    return name


def in_labels(metric: str, text: str) -> str:
    """
    A warning in the words of the table.

    Examples
    --------
    >>> in_labels("leaderboard", "2 open deals without amount or probability, not in open_weighted")
    '2 open deals without amount or probability, not in weighted open value'
    """
    # a key without an underscore is a word like any other
    for key, label in LABELS.get(metric, {}).items():
        if "_" in key:
            text = re.sub(rf"\b{key}\b", label, text)
    return text


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())
