"""Deals whose figures tests ask for, and how each metric is asked for."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest

from dealdb import DealDatabase
from dealdb.board.figures.catalogue import ENTRIES
from dealdb.board.figures.figure import Figure

HOSTILE = ["<img src=x onerror=alert(1)>", "</script>", '"onload="x', "\u202eabc", "y" * 10_000]
MARKUP = re.compile(r"<img|</script>|<[^>]* onload=|style=")
TODAY = date.today()  # noqa: DTZ011 days of deals only
START = str(TODAY - timedelta(days=120))
# what metrics need that can't be asked without
NEEDED = {
    "coverage": {"target": "1000"},
    "survival": {"stage": "Lead"},
    "calibration": {"since": START},
    "simulate": {"n": "200"},
    "hindsight": {"known": str(TODAY)},
    "waterfall": {"since": START},
    "slippage": {"since": START, "until": str(TODAY + timedelta(days=90))},
}


def fill(db: DealDatabase) -> None:
    """Deals of all stages, two currencies and names that would be markup, some moved, one deleted."""
    stages = ["Lead", "Demo", "Won", "Lost"]
    for n in range(24):
        stage = stages[n % 4]
        created = TODAY - timedelta(days=100 - n)
        deal: dict[str, Any] = {
            "id": f"D{n}", "name": HOSTILE[n % 5], "owner": ["Ann", HOSTILE[0], None][n % 3], "company": HOSTILE[n % 5],
            "stage": stage, "amount": f"{100 + n}.50", "currency": ["EUR", "USD"][n % 2 if n > 12 else 0],
            "created": created, "expected_close": TODAY + timedelta(days=n - 8),
        }  # fmt: skip
        if stage in ("Won", "Lost"):
            deal |= {"closed": created + timedelta(days=n)}
            deal |= {"loss_reason": HOSTILE[2]} if stage == "Lost" else {}
        db.save_deal(deal)
    db.update_deal("D0", stage="Demo", amount=500)
    db.update_deal("D1", stage="Won")
    db.delete_deal("D4")


def near(one: Any, other: Any) -> bool:
    """Whether two answers are the same but for the seconds between them."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, str) and one != other:
        words, others = (re.split(r"(\d+\.\d+)", text) for text in (one, other))
        pairs = zip(words, others, strict=False)
        return len(words) == len(others) > 1 and all(
            near(float(a), float(b)) if number % 2 else a == b
            for number, (a, b) in enumerate(pairs)
        )
    return (
        one == pytest.approx(other, rel=1e-3, abs=1e-3) if isinstance(one, float) else one == other
    )


def asked(metric: str) -> Figure:
    return Figure(metric, {**ENTRIES[metric].given, **NEEDED.get(metric, {})})
