"""Tables of the brute force: their groups, in order, and what these are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from oracle.past import Life

NONE = "(none)"
TEXTS = {"stage", "owner", "currency", "loss_reason", "source", "company", "from_stage", "who"}


@dataclass
class Answer:
    """The table of a metric, and who counts in which of its rows."""

    rows: list[dict[str, Any]]
    lines: Counter[tuple[Any, ...]] = field(default_factory=Counter)


def keys_of(by: Sequence[str], amounts: Iterable[tuple[Any, Decimal | None]]) -> list[str]:
    """The groups; the currency is one of them where amounts other than 0 are in several."""
    found = {currency for currency, amount in amounts if amount}
    several = len(found) > 1 and "currency" not in by
    return [*by, "currency"] if several else list(by)


def labels(keys: Sequence[str], group: Sequence[Any]) -> dict[str, Any]:
    return {
        key: NONE if value is None and key in TEXTS else value
        for key, value in zip(keys, group, strict=True)
    }


def in_order(groups: Iterable[tuple[Any, ...]], keys: Sequence[str]) -> list[tuple[Any, ...]]:
    """Groups in order, those without a value last; the only one there is without keys."""
    if not keys:
        return [()]
    return sorted(
        set(groups), key=lambda group: tuple((each is None, each or "") for each in group)
    )


def group_at(life: Life, keys: Sequence[str], t: int) -> tuple[Any, ...]:
    return tuple(life.at(key, t) for key in keys)
