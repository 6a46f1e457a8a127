"""What tables for people call the figures of each metric; in JSON, CSV and Python they keep their keys."""

from __future__ import annotations

import re

_CLOSED = {"n": "closed deals", "won": "won", "lost": "lost", "win_rate": "win rate"}
_SIZE = {"mean_size": "mean size", "sized_n": "deals with an amount"}
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
        "sized_n": "won with an amount",
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
        "lost_without_amount": "lost without an amount",
        "value_win_rate": "win rate by value",
    },
    "deal_size": {
        "n": "deals with an amount",
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
        "next": "reached the next",
        "cumulative": "of the first",
        "open": "still open",
        "blank": "without an amount",
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
    },
    "ageing": {
        "from": "from day",
        "to": "to day",
        "n": "open deals",
        "weighted": "weighted value",
        "blank": "without an amount",
    },
    "rotting": {
        "rot_days": "days allowed",
        "n": "open deals",
        "share": "share rotting",
        "value": "value rotting",
        "worst_days": "worst, days",
    },
    "waterfall": {"n": "deals", "blank": "without an amount"},
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
        "blank": "without an amount",
    },
    "coverage": {
        "open": "open value",
        "required": "coverage needed",
        "gap": "value missing",
        "met": "target met",
        "overdue": "overdue deals",
        "undated_value": "value without a date",
        "blank": "without an amount",
    },
    "forecast": {
        "period": "first day",
        "label": "period",
        "best": "best case",
        "n": "open deals",
        "blank": "without an amount",
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
        "blank": "without an amount",
        "median_days": "median days",
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
        "attainment": "of the quota",
        "days_left": "days left",
        "needed_per_day": "needed a day",
    },
    "stage_chances": {"n": "deals", "chance": "chance to win", "lo": "at least", "hi": "at most"},
    "simulate": {"n": "open deals", "won": "won to date", "error": "error of the simulation"},
    "trend": {**_CLOSED, "period": "first day", "label": "period", "won_value": "won value"},
}


def label_of(metric: str, key: str) -> str:
    """
    What a table calls a figure; a column to group by keeps its name.

    Examples
    --------
    >>> label_of("summary", "n"), label_of("deal_size", "n"), label_of("win_rate", "owner")
    ('closed deals', 'deals with an amount', 'owner')
    """
    return LABELS.get(metric, {}).get(key, key)


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
